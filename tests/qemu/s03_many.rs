//! Many-core processes on real cores: growing and shrinking, exact results while cores are taken away, contention,
//! and an end in the middle. Whatever happens, no core and no memory is lost.

use std::time::Duration;
use tests::guest::{Guest, Run, nothing_lost as run};

/// For what takes long on a machine that has other things to do.
const MINUTES: Duration = Duration::from_secs(180);

/// The number behind `name=` in each report of a storm.
fn counts(run: &Run, name: &str) -> Vec<u64> {
    let reports = run.outcome.lines.iter().filter(|line| line.starts_with("STORM "));
    let number = |line: &String| line.split(name).nth(1)?.split(' ').next()?.parse().ok();
    reports.filter_map(number).collect()
}

#[test]
fn all_vcores_greet_each_from_a_core_of_its_own() {
    for cores in [2, 3, 8] {
        let run = run(Guest::new().cores(cores), "run vcores");
        let all = cores - 1;
        let greetings: Vec<_> =
            (0..all).map(|vcore| format!("vcore {vcore} greets from core")).collect();
        run.printed(&greetings.iter().map(String::as_str).collect::<Vec<_>>());
        run.printed(&[&format!("vcores: {all} of {all}")]);
    }
}

#[test]
fn a_machine_with_one_core_has_none_to_lease() {
    let run = Guest::new().cores(1).script("run threads 2 10 1;run hello;exit 0").run();
    run.exited(0).printed(&["threads: no core to lease", "Hello"]);
}

#[test]
fn programs_that_need_more_cores_than_there_are_say_so() {
    let programs =
        ["queues 2", "stale 2", "exchange 100 many", "bench_vcore grant", "bench_vcore event"];
    let script = programs.map(|program| format!("run {program}")).join(";");
    let run = Guest::new().cores(2).script(&format!("{script};exit 0")).run();
    run.exited(0).printed(&["needs 2 cores beside core 0, and there are 1"; 5]);
}

/// So many vcores take more memory than a program begins with, and it is waited for while there are none yet.
#[test]
fn a_process_becomes_a_many_core_one_where_there_are_very_many_cores() {
    for cores in [64, 255] {
        let run = run(Guest::new().cores(cores), "run threads 8 10 3");
        run.printed(&["threads: 8"]);
        run.never_printed("right: false");
    }
}

#[test]
fn processes_grow_and_shrink_in_every_order_and_wait_without_cores() {
    for (cores, times) in [(2, 5), (4, 20), (8, 20)] {
        let run = run(Guest::new().cores(cores), &format!("run grow {times} {cores}"));
        let all = cores - 1;
        run.printed(&[&format!("grow: up to {all} cores, {times} times at random, 0 wrong")]);
    }
}

#[test]
fn parallel_computations_come_out_as_sequential_ones() {
    for cores in [2, 4, 8] {
        let all = cores - 1;
        let commands = format!(
            "run matmul 8 64 {all};run hash 8 32 {all};run search 8 9 {all};run floats 8 5000 {all}"
        );
        let run = run(Guest::new().cores(cores), &commands);
        run.printed(&["matmul:", "hash:", "search: 352 ways", "floats:"]);
        run.never_printed("right: false");
    }
}

#[test]
fn results_are_exact_while_cores_are_taken_away() {
    for (cores, storms) in [(2, 2), (3, 3), (4, 4), (8, 4), (16, 2)] {
        let all = cores - 1;
        let programs = ["floats 12 30000", "threads 12 3000", "matmul 12 96", "search 12 10"];
        let seeds = (1..=storms).flat_map(|seed| programs.map(|program| (seed, program)));
        let storm = |(seed, program)| format!("storm --seed {seed} --every 8000 {program} {all}");
        let commands: Vec<_> = seeds.map(storm).collect();
        let run = run(Guest::new().cores(cores), &commands.join(";"));
        let preempts = counts(&run, "preempts=");
        run.check(preempts.len() == commands.len(), "each storm reports");
        let (sum, in_context): (u64, u64) =
            (preempts.iter().sum(), counts(&run, "vcctx=").iter().sum());
        run.check(
            sum > 50 && in_context > 10,
            &format!("{sum} preemptions, {in_context} in vcctx"),
        );
        run.never_printed("result=wrong");
    }
}

#[test]
fn storms_in_count_mode_repeat_to_the_bit() {
    let storm = || {
        let commands =
            "storm --seed 5 --every 20000 floats 6 5000 3;storm --every 20000 threads 6 1000 3";
        let run = run(Guest::new().count(), commands);
        run.outcome.lines.iter().filter(|line| line.starts_with("STORM ")).cloned().collect()
    };
    let (first, second): (Vec<String>, Vec<String>) = (storm(), storm());
    assert_eq!(first, second);
    assert!(
        first.len() == 2 && first.iter().all(|line| line.contains("result=exact")),
        "{first:?}"
    );
}

#[test]
fn processes_that_want_all_cores_share_them() {
    let run = run(Guest::new().cores(4), "run contend 3 4 3000");
    run.printed(&["contend: 3 processes that want 3 cores each, 3 right"]);
}

#[test]
fn a_right_to_cores_is_served_and_ends_with_its_process() {
    let commands = "run threads 8 1000000000 3 &;sleep 0.7;run threads 4 1000000000 3 &;prov 2 1-2;\
        sleep 0.7;prov;kill 1;kill 2;wait;prov";
    let run = Guest::new().cores(4).script(&format!("{commands};check;exit 0")).run();
    run.exited(0);
    // The first table: the owner has both cores; the second: nobody has any.
    run.printed(&["online        2      2", "online        2      2", "online        -      1"]);
}

#[test]
fn a_process_that_is_ended_in_the_middle_leaves_its_cores() {
    for cores in [2, 4, 8] {
        let all = cores - 1;
        let once = format!("run threads 8 1000000000 {all} &;sleep 0.02;kill");
        let commands: Vec<_> = (1..=4).map(|pid| format!("{once} {pid};wait")).collect();
        run(Guest::new().cores(cores), &format!("{};run threads 8 500 {all}", commands.join(";")))
            .printed(&["threads: counted 4000"]);
    }
}

#[test]
fn hundreds_of_threads_block_and_none_is_forgotten() {
    for cores in [2, 4] {
        let all = cores - 1;
        let commands = format!("run blocked 150 {all};storm --every 20000 blocked 50 {all}");
        let run = run(Guest::new().cores(cores), &commands);
        run.printed(&["blocked: 300 threads", "blocked: 100 threads", "result=exact"]);
        run.never_printed("right: false");
    }
}

#[test]
fn threads_wait_for_events_and_take_each_once() {
    for cores in [2, 4] {
        let all = cores - 1;
        let commands = format!("run listen 4 40 {all};storm --every 20000 listen 4 40 {all}");
        let run = run(Guest::new().cores(cores), &commands);
        let heard = format!("on up to {all} cores, told 820, heard 820, 40 alarms");
        run.printed(&[&heard, &heard, "result=exact"]);
    }
}

#[test]
fn each_flag_and_each_mailbox_of_an_event_queue_does_what_it_says() {
    for (cores, vcores) in [(3, 2), (4, 3), (8, 4)] {
        let run = run(Guest::new().cores(cores), &format!("run queues {vcores}"));
        run.printed(&[&format!("queues: 48 checks on {vcores} vcores, 0 wrong")]);
    }
    run(Guest::new().count(), "run queues 3").printed(&["queues: 48 checks on 3 vcores, 0 wrong"]);
}

#[test]
fn two_processes_talk_through_shared_memory_and_a_hostile_one_garbles_no_more_than_messages() {
    let commands = "run exchange 2000;run exchange 2000 many;run exchange 400000 hostile";
    for cores in [3, 4] {
        let run = run(Guest::new().cores(cores), commands);
        run.printed(&[
            "2000 messages there and back, 0 wrong",
            "2000 messages there and back, 0 wrong",
        ]);
        run.printed(&["400000 messages among a hostile peer"]);
        run.never_printed("exit code");
    }
}

#[test]
fn a_process_sees_to_the_faults_of_its_threads_and_goes_on() {
    for cores in [2, 4] {
        let all = cores - 1;
        let commands = format!("run pager 6 {all};storm --seed 5 --every 8000 pager 6 {all}");
        let run = run(Guest::new().cores(cores), &commands);
        let filled = format!("24 pages filled on up to {all} cores, 0 words wrong, faults: true");
        let ended = "2 threads ended, their joiners told: [true, true], and 6 others went on";
        let noted = "pages written, all noted: true";
        run.printed(&[&filled, noted, ended, &filled, noted, ended, "result=exact"]);
    }
}

#[test]
fn a_fault_in_vcore_context_ends_the_process_that_wants_to_hear_of_faults() {
    let run = run(Guest::new().cores(2), "run pager in-scheduler");
    run.printed(&["writing 0x0, where nothing is mapped"]);
}

#[test]
fn what_a_thread_has_of_its_own_stays_its_own() {
    let run = run(Guest::new(), "run locals 12 500 3;storm --every 8000 locals 12 3000 3");
    run.printed(&["locals: 12 threads on up to 3 cores, 0 wrong", "0 wrong", "result=exact"]);
}

#[test]
fn a_scheduler_on_the_raw_layer_alone_counts_exactly_while_cores_are_taken_away() {
    for cores in [2, 4, 8] {
        let all = cores - 1;
        let commands = format!(
            "run scheduler 8 500 {all};storm --every 8000 scheduler 12 1000 {all};\
             storm --seed 2 --every 5000 scheduler 12 1000 {all}"
        );
        let run = run(Guest::new().cores(cores).count(), &commands);
        run.printed(&["8 threads counted 4000", "counted 12000", "result=exact", "result=exact"]);
        let (preempts, in_context) = (counts(&run, "preempts="), counts(&run, "vcctx="));
        run.check(
            preempts.iter().all(|it| *it > 20) && in_context.iter().all(|it| *it > 10),
            &format!("{preempts:?} preemptions, {in_context:?} in vcctx"),
        );
    }
}

#[test]
fn what_waits_for_a_while_is_woken_in_time_or_by_time() {
    for cores in [2, 4] {
        let all = cores - 1;
        let commands = format!("run timeouts 12 10 {all};storm --every 20000 timeouts 12 10 {all}");
        let run = run(Guest::new().cores(cores).count(), &commands);
        let right = format!("timeouts: 12 threads on up to {all} cores, 0 wrong");
        run.printed(&[&right, &right, "result=exact"]);
    }
}

#[test]
fn a_vcore_that_is_warned_leaves_before_its_core_is_taken() {
    let commands =
        "run threads 8 1000000000 3 &;sleep 0.05;measure preempt-warn 1 --json;kill 1;wait";
    let run = run(Guest::new().cores(4).count(), commands);
    let objects = run.json();
    let took = objects.iter().find_map(|row| row["took_us"].as_u64());
    // The warning is of 10 ms.
    run.check(took.is_some_and(|took| took < 2_000), &format!("left after {took:?} us"));
}

#[test]
fn a_vcore_that_stays_finds_when_its_core_will_be_taken_and_loses_it_no_sooner() {
    let commands = "run warned &;sleep 0.05;preempt 1 --warn 0.01;wait;check";
    for cores in [2, 4] {
        let run = run(Guest::new().cores(cores).count(), commands);
        run.printed(&["warned: in time true, kept until then true, and forgotten true", "I14 ok"]);
    }
}

#[test]
fn threads_go_on_when_a_core_is_lost_and_those_that_are_not_are_known() {
    let commands = "run lost 12 3 &;sleep 0.1;panic 2;wait;check;exit 0";
    let run = Guest::new().cores(4).count().script(commands).run();
    run.exited(0).printed(&["lost: 1 of 12 threads, 0 wrong, 1 counted"]);
}

#[test]
fn threads_get_memory_from_the_kernel_at_the_same_time() {
    for cores in [2, 4] {
        let all = cores - 1;
        let commands = format!("run heap 1000 8 {all};storm --every 20000 heap 500 8 {all}");
        let run = run(Guest::new().cores(cores).count(), &commands);
        run.printed(&["heap: 1000 numbers and blocks, right: true", "right: true", "result=exact"]);
    }
}

#[test]
fn who_rewrites_queues_and_mailboxes_while_the_kernel_posts_there_harms_nobody_else() {
    for (cores, seed) in [(4, 1), (8, 2)] {
        // Beside it a program that must come out right, and that has cores of its own.
        let commands = format!("run threads 8 20000 1 &;run trample 100000 {seed} 2;wait");
        let run = run(Guest::new().cores(cores).timeout(MINUTES), &commands);
        run.printed(&["threads: counted 160000"]);
        let line = run.line("trample: seed");
        let numbers = line.split(|it: char| !it.is_ascii_digit()).filter_map(|it| it.parse().ok());
        let numbers: Vec<u64> = numbers.collect();
        let [printed, posts, taken, refused, outside, ..] = numbers[..] else {
            return run.check(false, "it says what it did");
        };
        run.check(printed == seed && posts >= 100_000, "posts");
        run.check(taken > 5000 && refused > 5000 && outside > 5000, "from several sources");
    }
}
