//! Fifth tier: cores are taken from programs at random moments, and what they compute stays exact.
//!
//! The clock counts instructions, so a storm is the same each time. Each must have met what makes preemption hard:
//! vcores stopped in vcore context, with the scheduler's lock held, and while another one was not recovered. All programs
//! on more machines take minutes: `cargo test -p tests --test s04_storm -- --ignored`.

use std::time::Duration;
use tests::guest::{Guest, Run};

const PATIENCE: Duration = Duration::from_secs(400);

/// What a storm has met at least.
struct Floor {
    preempts: u64,
    in_context: u64,
    locked: u64,
    nested: u64,
}

/// Of each program.
const ALL: Floor = Floor { preempts: 10_000, in_context: 500, locked: 200, nested: 200 };
/// On a single core another vcore is preempted only when the core has changed vcores.
const ONE_CORE: Floor = Floor { preempts: 100, in_context: 10, locked: 1, nested: 0 };

fn storm(cores: u16, command: &str) -> Run {
    let script = format!("storm {command};check;exit");
    Guest::new().cores(cores).count().script(&script).timeout(PATIENCE).run()
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

/// Of many runs of any program on machines of other sizes.
const OTHERS: Floor = Floor { preempts: 5_000, in_context: 500, locked: 10, nested: 10 };

/// A storm over a program on so many cores, of which it has all but one.
#[track_caller]
fn is_exact_on(cores: u16, runs: u32, program: &str) {
    let run = storm(cores, &format!("--every 5000 --runs {runs} {program} {}", cores - 1));
    was_exact(&run, &OTHERS);
}

/// A storm over a program on four cores, of which it has three.
#[track_caller]
fn is_exact(command: &str) {
    was_exact(&storm(4, command), &ALL);
}

#[test]
fn threads_count_exactly() {
    is_exact("--every 20000 --runs 2 threads 16 125000 3");
}

#[test]
fn floats_keep_every_bit() {
    is_exact("--every 5000 --runs 72 floats 48 500 3");
}

#[test]
fn matrices_are_multiplied_exactly() {
    is_exact("--every 5000 --runs 38 matmul 48 64 3");
}

#[test]
fn buffers_are_hashed_exactly() {
    is_exact("--every 5000 --runs 28 hash 48 8 3");
}

#[test]
fn trees_are_searched_exactly() {
    is_exact("--every 5000 --runs 10 search 16 10 3");
}

#[test]
fn calls_that_wait_are_completed_once() {
    is_exact("--every 5000 --runs 3 blocked 500 3");
}

#[test]
fn calls_that_all_vcores_make_at_once_are_exact() {
    is_exact("--every 5000 --runs 40 calls 3 40");
}

#[test]
fn events_are_heard_once() {
    is_exact("--every 5000 --runs 40 listen 4 100 3");
}

#[test]
fn places_of_threads_stay_their_own() {
    is_exact("--every 5000 --runs 16 locals 48 500 3");
}

#[test]
fn processes_grow_and_shrink() {
    is_exact("--every 5000 --runs 4 sway 100 3");
}

#[test]
fn processes_grow_and_shrink_with_one_thread() {
    is_exact("--every 5000 --runs 120 grow 40 3");
}

#[test]
fn all_vcores_greet() {
    is_exact("--every 5000 --runs 600 vcores 3");
}

#[test]
fn processes_that_contend_for_cores_count_exactly() {
    is_exact("--every 5000 --runs 16 contend 2 8 4000");
}

#[test]
fn faults_are_seen_to() {
    is_exact("--every 5000 --runs 60 pager 6 3");
}

#[test]
fn memory_changes_while_it_is_used_and_no_other_value_is_seen() {
    is_exact("--every 5000 --runs 75 hammer 3 60 3");
}

#[test]
fn those_that_are_killed_in_the_middle_leave_nothing() {
    is_exact("--every 5000 --runs 22 hammer kill 2 3");
}

#[test]
fn threads_that_want_memory_get_it() {
    is_exact("--every 5000 --runs 2 heap 500 8 3");
}

#[test]
fn threads_that_wait_for_a_while_go_on_in_time_or_by_time() {
    is_exact("--every 5000 --runs 6 timeouts 12 10 3");
}

#[test]
fn messages_through_shared_memory_come_once() {
    is_exact("--every 5000 --runs 8 exchange 2000 many");
}

#[test]
fn another_scheduler_counts_exactly() {
    is_exact("--every 5000 --runs 14 scheduler 12 4000 3");
}

#[test]
#[ignore = "takes minutes"]
fn each_program_is_exact_on_other_machines() {
    const PROGRAMS: [&str; 9] = [
        "threads 16 5000",
        "floats 48 1000",
        "matmul 48 64",
        "hash 48 16",
        "search 16 10",
        "blocked 200",
        "listen 4 100",
        "locals 48 500",
        "sway 30",
    ];
    for (cores, runs) in [(3, 60), (5, 40), (9, 40), (17, 40)] {
        PROGRAMS.iter().for_each(|program| is_exact_on(cores, runs, program));
    }
}

#[test]
fn a_program_is_exact_on_other_machines() {
    is_exact_on(3, 60, "floats 48 1000");
    is_exact_on(9, 40, "threads 16 5000");
}

#[test]
fn threads_count_exactly_on_eight_cores_and_with_other_seeds() {
    for seed in [2, 3] {
        let run = storm(9, &format!("--seed {seed} --every 20000 threads 24 4000 8"));
        was_exact(&run, &Floor { preempts: 500, in_context: 100, locked: 5, nested: 50 });
    }
}

#[test]
fn a_coordinator_on_the_host_that_is_told_of_storms_wants_the_same() {
    const STORMS: [&str; 5] = [
        "--every 5000 threads 8 4000 3",
        "--every 5000 floats 12 500 3",
        "--every 8000 blocked 40 3",
        "--every 8000 listen 4 40 3",
        "--every 10000 hammer 3 20 3",
    ];
    let script = format!("storm {};check;exit", STORMS.join(";storm "));
    for guest in [Guest::new(), Guest::new().count()] {
        let run = guest.record().timeout(PATIENCE).script(&script).run();
        run.exited(0).replays();
        let exact = run.outcome.lines.iter().filter(|line| line.ends_with("result=exact"));
        run.check(exact.count() == STORMS.len(), "each result is exact");
    }
}

#[test]
fn one_core_is_enough_and_is_taken_too() {
    was_exact(&storm(2, "--every 20000 threads 6 5000 1"), &ONE_CORE);
}

#[test]
fn a_program_comes_to_its_cores_however_close_the_storm_is() {
    let floor = Floor { preempts: 1, in_context: 0, locked: 0, nested: 0 };
    was_exact(&storm(4, "--every 1 threads 4 500 2"), &floor);
}
