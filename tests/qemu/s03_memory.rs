//! The memory of many-core processes: what they are refused they survive, and what they may not touch they do not.

use tests::guest::{Guest, nothing_lost};

/// The numbers in a line.
fn numbers(line: &str) -> Vec<u64> {
    line.split(|it: char| !it.is_ascii_digit()).filter_map(|it| it.parse().ok()).collect()
}

/// The stacks that threads have said they have, by number: from and to.
fn stacks(lines: &[String]) -> Vec<(u64, String)> {
    let said = lines.iter().filter_map(|line| {
        let (number, stack) =
            line.strip_prefix("overflow: thread ")?.split_once(" has the stack ")?;
        Some((number.parse().ok()?, stack.to_owned()))
    });
    said.collect()
}

#[test]
fn a_stack_that_overflows_is_a_fault_that_names_it() {
    for cores in [2, 4, 8] {
        let all = cores - 1;
        let run = nothing_lost(Guest::new().cores(cores), &format!("run overflow 6 {all}"));
        let stacks = stacks(&run.outcome.lines);
        run.check(stacks.len() == 6, "each thread has told its stack");
        let victims = &stacks.iter().find(|(number, _)| *number == 2).expect("it is one of them").1;
        run.printed(&[&format!("the stack from {victims} has overflowed")]);
        run.never_printed("threads right");
    }
}

#[test]
fn a_process_that_sees_to_its_faults_ends_the_thread_whose_stack_is_full_and_goes_on() {
    for cores in [2, 4] {
        let all = cores - 1;
        let run = nothing_lost(Guest::new().cores(cores), &format!("run overflow 9 {all} handled"));
        let stacks = stacks(&run.outcome.lines);
        let victims = &stacks.iter().find(|(number, _)| *number == 2).expect("it is one of them").1;
        run.printed(&[
            &format!("overflow: the stack {victims} is full"),
            "overflow: 8 of 9 threads right, 1 overflowed and was ended",
        ]);
    }
}

#[test]
fn vcores_have_guarded_stacks_too() {
    let run = nothing_lost(Guest::new().cores(3), "run overflow 6 2 vcore");
    run.printed(&["overflow: in vcore context", "has overflowed"]);
}

#[test]
fn a_process_that_takes_all_memory_is_told_and_gets_as_much_again_when_it_has_given_it_back() {
    for cores in [2, 4, 8] {
        let all = cores - 1;
        let run = nothing_lost(Guest::new().cores(cores), &format!("run limits frames 6 {all}"));
        run.printed(&["limits: all is taken: one page more is refused: true", "0 wrong"]);
        let pages = numbers(run.line("pages at once before"));
        run.check(pages[0] == pages[1] && pages[0] > 5000, &format!("as many again: {pages:?}"));
        run.never_printed("exit code");
    }
}

#[test]
fn neighbours_and_the_kernel_go_on_when_no_memory_is_left() {
    // Each may have half of the memory, so two have all; the third has begun before. The command that waits for
    // one of them is called off when both say that all is taken.
    let commands = "run threads 8 until 1 &;sleep 0.3;run limits hold 4 2 &;run limits hold 4 1 &;wait 3;ps;\
        repeat 3 run hello;run spawn;notify 1 100;wait 1;kill 2;kill 3;wait;run hello;run limits frames 4 4";
    let guest = Guest::new().cores(5).memory(48).reply("is refused: true", "");
    let run = nothing_lost(guest.reply("is refused: true", "\x03"), commands);
    let refused =
        run.outcome.lines.iter().filter(|line| line.contains("no room for another process"));
    run.check(refused.count() >= 3, "no other process has room meanwhile");
    let taken = run.outcome.lines.iter().filter(|line| line.ends_with("is refused: true"));
    run.check(taken.count() == 3, "each that takes all is told");
    run.printed(&["no room", "threads: counted", "Hello", "limits: 4 threads had"]);
    run.check(numbers(run.line("threads: counted"))[0] > 100_000, "the neighbour has gone on");
}

#[test]
fn a_process_that_has_all_regions_can_still_use_and_give_back_those_that_it_has() {
    for cores in [2, 4, 8] {
        let all = cores - 1;
        let run = nothing_lost(Guest::new().cores(cores), &format!("run limits regions 6 {all}"));
        run.printed(&["regions of 100 could be made, 0 words wrong"]);
        run.never_printed("exit code");
    }
}

#[test]
fn memory_is_put_where_it_must_be_or_nowhere_however_many_ask() {
    for (cores, threads) in [(2, 3), (4, 6), (8, 12)] {
        let all = cores - 1;
        let commands = format!(
            "run limits places {threads} {all};storm --every 20000 limits places {threads} {all}"
        );
        let run = nothing_lost(Guest::new().cores(cores), &commands);
        let right = run.outcome.lines.iter().filter(|line| {
            line.contains(", 0 wrong; the lowest place: true; refused as they must be: true")
        });
        run.check(right.count() == 2, "nothing was wrong either time");
        run.check(numbers(run.line("places were taken"))[1] > 0, "some places were taken");
    }
}

#[test]
fn what_may_not_be_done_is_a_fault_of_the_thread_that_did_it_on_whichever_vcore() {
    for (cores, vcores) in [(2, 1), (4, 3), (8, 3)] {
        let all = cores - 1;
        // In count mode it repeats on how many vcores they run.
        let run =
            nothing_lost(Guest::new().cores(cores).count(), &format!("run forbidden 7 {all}"));
        let line = run.line("went unpunished");
        let [unpunished, wrong, on, right] = numbers(line)[..] else {
            return run.check(false, "it says what came of it");
        };
        run.check([unpunished, wrong, right] == [0, 0, 7], line);
        run.check(on >= vcores, "on several vcores");
        run.never_printed("exit code");
    }
}

#[test]
fn all_of_that_holds_while_cores_are_taken_away() {
    let programs =
        ["overflow 9 3 handled", "limits regions 4 3", "limits frames 4 3", "forbidden 5 3"];
    let storms: Vec<_> = programs.map(|it| format!("storm --every 20000 --seed 3 {it}")).into();
    let run = nothing_lost(Guest::new().cores(4), &storms.join(";"));
    let exact = run.outcome.lines.iter().filter(|line| line.ends_with("result=exact"));
    run.check(exact.count() == programs.len(), "each is right");
}

#[test]
fn blocks_that_one_entry_maps_are_cut_where_a_part_changes_on_all_vcores_alike() {
    for cores in [2, 4, 8] {
        let all = cores - 1;
        let commands =
            format!("run limits blocks 4 {all};storm --every 20000 limits blocks 4 {all}");
        let run = nothing_lost(Guest::new().cores(cores), &commands);
        let right = run
            .outcome
            .lines
            .iter()
            .filter(|line| line.contains("changed blocks 4 times, 0 wrong"));
        run.check(right.count() == 2, "nothing was wrong either time");
        run.never_printed("exit code");
    }
}

#[test]
fn memory_is_mapped_in_huge_pages_where_512_frames_lie_side_by_side_and_else_page_by_page() {
    // The command that waits for them is called off when they have what they keep.
    let kept = Guest::new().reply("blocks are whole", "\x03");
    let commands = "run limits kept 3 1 &;wait 1;pip 1;mem;kill 1;wait;mem";
    let run = nothing_lost(kept.cores(2), commands);
    run.printed(&["huge_pages  3", "in huge pages", "in huge pages"]);
    let huge = run.outcome.lines.iter().filter(|line| line.starts_with("in huge pages"));
    let huge: Vec<_> = huge.map(|line| numbers(line)).collect();
    run.check(huge == [[6 << 20], [0]], "and none of them is left");
    // When two have had all of memory in small pieces, pieces are what is left.
    let commands = "run limits hold 2 1 &;run limits hold 2 1 &;wait 2;kill 1;kill 2;wait;\
        run limits kept 3 1 &;wait 3;pip 3;kill 3;wait;run limits blocks 2 1";
    let guest = Guest::new().cores(3).memory(48).reply("is refused: true", "");
    let guest = guest.reply("is refused: true", "\x03").reply("blocks are whole", "\x03");
    let run = nothing_lost(guest, commands);
    run.printed(&["blocks are whole", "huge_pages", "threads changed blocks 4 times, 0 wrong"]);
    run.check(numbers(run.line("huge_pages"))[0] < 3, "some are mapped page by page");
}
