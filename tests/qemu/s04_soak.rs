//! Fifth tier: many processes at once, and all that can be done to them at random; then all must come to rest, and every
//! invariant hold. Each day has a seed of its own, which a failing test prints with the command to run it again.
//!
//! For minutes: `cargo run -- --probes --cores 8 --script 'soak --seed 7 --seconds 300; exit'`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::guest::{Guest, Run};

/// Days since 1970.
fn seed_of_the_day() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() / (24 * 60 * 60))
}

/// Soaks a machine that looks before each halt whether it may, and sees to it that a coordinator on the host that is
/// told the same wants the same.
fn soak(guest: Guest, seed: u64, rounds: u32) -> Run {
    let script = format!("soak --seed {seed} --rounds {rounds};check;exit");
    let guest = guest.probes().record().timeout(Duration::from_secs(200));
    let run = guest.script(&script).run();
    run.exited(0).replays();
    run.printed(&[&format!("SOAK seed={seed} rounds={rounds} "), "I1 ok", "I14 ok", "leases ok"]);
    let line = run.line("SOAK seed=");
    run.check(line.ends_with("wrong=0 broken=0"), "nothing is wrong");
    for nothing in [" exact=0 ", " killed=0 ", " preempts=0 "] {
        run.check(!line.contains(nothing), "everything was done");
    }
    run
}

#[test]
fn what_is_done_at_random_leaves_nothing_wrong() {
    for cores in [2, 4, 8] {
        soak(Guest::new().cores(cores), seed_of_the_day(), 8);
    }
}

#[test]
fn with_a_clock_that_counts_a_soak_repeats() {
    let seed = seed_of_the_day() + 1;
    let line = || soak(Guest::new().count(), seed, 6).line("SOAK seed=").to_owned();
    assert_eq!(line(), line());
}
