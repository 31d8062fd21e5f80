//! A few seeds and a small exploration in every test run; `cargo run -- sim` runs many.

use tests::sim::cases;
use tests::sim::explore::explore;
use tests::sim::random::{Plan, run};

#[test]
fn random_runs_keep_all_rules() {
    for cores in [2, 3, 8, 64] {
        for faults in [false, true] {
            let plan = Plan { cores, steps: 400, faults };
            for seed in 0..15 {
                if let Err(failure) = run(seed, plan, |_, _| ()) {
                    panic!("seed {seed}, {plan:?}, after {}: {}", failure.step, failure.violation);
                }
            }
        }
    }
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    let plan = Plan { cores: 4, steps: 300, faults: true };
    let [one, other] = [(); 2].map(|()| run(7, plan, |_, _| ()).expect("seed 7 keeps all rules"));
    assert_eq!(one, other);
}

#[test]
fn every_order_of_delivery_of_a_small_case_keeps_all_rules() {
    let case = cases::all().into_iter().find(|it| it.name.contains("become many"));
    let explored = explore(&case.expect("the case exists"), 100_000).expect("all rules hold");
    assert!(explored.exhausted && explored.ends > 1, "{explored:?}");
}

#[test]
fn a_storm_grants_and_destroys_process_after_process() {
    let done = tests::sim::storm::storm(255, 3_000).expect("all rules hold");
    assert!(done.processes * 500 < done.messages, "{done:?}");
}
