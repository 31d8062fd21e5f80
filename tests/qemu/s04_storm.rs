//! Fifth tier: cores are taken from programs at random moments, and what they compute stays exact.
//!
//! The clock counts instructions, so a storm is the same each time. Each must have met what makes preemption hard:
//! vcores stopped in vcore context, with the scheduler's lock held, and while another one was not recovered.

use std::time::Duration;
use tests::guest::{Guest, Run};

const PATIENCE: Duration = Duration::from_secs(240);

/// What a storm has met at least.
struct Floor {
    preempts: u64,
    in_context: u64,
    locked: u64,
    nested: u64,
}

fn storm(cores: u16, command: &str) -> Run {
    Guest::new().cores(cores).count().script(&format!("{command}; exit")).timeout(PATIENCE).run()
}

#[track_caller]
fn was_exact(run: &Run, floor: &Floor) {
    run.exited(0);
    let line = run.line("STORM ");
    run.check(line.ends_with("result=exact"), "the result is exact");
    let number = |name: &str| {
        let value =
            line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        value.and_then(|value| value.parse::<u64>().ok()).unwrap_or(0)
    };
    let Floor { preempts, in_context, locked, nested } = *floor;
    for (name, least) in
        [("preempts", preempts), ("vcctx", in_context), ("locked", locked), ("nested", nested)]
    {
        run.check(number(name) >= least, &format!("at least {least} {name}: {line}"));
    }
}

#[test]
fn threads_count_exactly_under_ten_thousand_preemptions() {
    let run = storm(4, "storm --every 20000 threads 16 110000 3");
    was_exact(&run, &Floor { preempts: 10_000, in_context: 500, locked: 200, nested: 200 });
}

#[test]
fn threads_count_exactly_on_eight_cores_and_with_other_seeds() {
    for seed in [2, 3] {
        let command = format!("storm --seed {seed} --every 20000 threads 24 4000 8");
        let run = storm(9, &command);
        was_exact(&run, &Floor { preempts: 500, in_context: 100, locked: 5, nested: 50 });
    }
}

#[test]
fn one_core_is_enough_and_is_taken_too() {
    let run = storm(2, "storm --every 20000 threads 6 5000 1");
    was_exact(&run, &Floor { preempts: 100, in_context: 10, locked: 1, nested: 0 });
}
