//! The memory of many-core processes: what they are refused they survive, and what they may not touch they do not.

use tests::guest::{Guest, nothing_lost};

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
