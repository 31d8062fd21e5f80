//! Fifth tier: what a core is doing when something arrives that was decided against it. A core is held up at a point,
//! the decision made, and the core let go, so that each crossing comes about in a known order; the kernel counts which
//! it met.
//!
//! Numbers and names are those of `tests/sim/crossings.rs`, which has the same crossings of the protocol alone.

use tests::guest::{Guest, Run};

/// Sleeps with no core, and ends.
const SLEEPS: &str = "run crossing yield 3 200000 &";
/// Has no core until it is told of an event, and ends.
const AWAITS: &str = "run crossing await 1 200000 &";
/// Counts in threads, and ends with a sum that must be exact.
const COUNTS: &str = "run threads 4 20000 1 &";
/// As many as take a while.
const MORE: &str = "run threads 4 4000000 1 &";
/// Never ends by itself.
const ENDLESS: &str = "run threads 4 1000000000 1 &";
/// Goes on as other vcores.
const CHANGES: &str = "run crossing change 4 &";
/// Goes on to where core 1 has orders to take.
const UP_TO_ORDERS: &str = "probe delay orders 1;probe go;probe await";
/// Goes on, through orders that are taken behind one another.
const THROUGH_ORDERS: &str = "probe go;probe await;probe go";

/// Runs a program until core 1 comes to a point, where it stands still.
fn until(point: &str, program: &str) -> String {
    format!("probe delay {point} 1;{program};probe await")
}

/// Runs a program until its vcore has asked for something on core 1, which is to stand still again when it has orders.
fn running(program: &str) -> String {
    until("call", program) + ";probe delay orders 1"
}

/// Runs a program until its vcore yields on core 1 and knows of all events: the first time it may not.
fn yielding(program: &str) -> String {
    until("yield", program) + ";probe delay yield 1;probe go;probe await"
}

/// How often a scene is set. Where cores run at all hangs on the host, and a busy one can spoil the scene.
const ATTEMPTS: u32 = 12;

/// Runs commands that set the scene and then those that matter, and sees to it that these crossings were met by the
/// latter, in one attempt of a few, and that nothing is left behind: a coordinator on the host that is told the same wants the same, no memory
/// is in use that was not, no process is left, nobody has a core, and all invariants hold.
fn meets(cores: u16, scene: &str, commands: &[&str], crossings: &[&str]) -> Run {
    let commands = commands.join(";");
    let script = format!(
        "mem --json;{scene};probe clear;{commands};wait;sleep 0.2;probe show;mem --json;ps --json;\
         prov --json;check;exit"
    );
    let attempt = || Guest::new().probes().record().cores(cores).script(&script).run();
    let has_met = |run: &Run| {
        crossings.iter().all(|crossing| {
            let counted = format!("crossing {crossing}: ");
            run.outcome.lines.iter().any(|line| line.starts_with(&counted))
        })
    };
    let mut run = attempt();
    for _ in 1..ATTEMPTS {
        if has_met(&run) {
            break;
        }
        run = attempt();
    }
    run.check(has_met(&run), &format!("meets {crossings:?}"));
    run.replays();
    run.never_printed("has not come to its point");
    let objects = run.json();
    let used = objects.iter().filter(|row| row["memory"] == "programs");
    let used: Vec<_> = used.filter_map(|row| row["used"].as_u64()).collect();
    run.check(used.len() == 2 && used[0] == used[1], &format!("as much memory: {used:?}"));
    run.check(!objects.iter().any(|row| row.get("parent").is_some()), "no process is left");
    let held = objects.iter().filter(|row| row.get("owner").is_some() && row["pid"].is_u64());
    run.check(held.count() == 0, "nobody has a core");
    run.never_printed("BROKEN").printed(&["I1 ok", "I14 ok", "frames ok", "leases ok"]);
    run
}

/// The process was ended by the console, which `wait` takes for a failure, and did not get to its last line.
#[track_caller]
fn was_killed(run: &Run) {
    run.exited(1).never_printed("crossing: ").never_printed("counted");
}

#[test]
fn crossing_01_user_code_and_preempt() {
    meets(2, &running(COUNTS), &["preempt 1 1", THROUGH_ORDERS], &["user-preempt"])
        .exited(0)
        .printed(&["threads: counted 80000"]);
}

#[test]
fn crossing_01_user_code_and_death() {
    was_killed(&meets(2, &running(ENDLESS), &["kill 1", THROUGH_ORDERS], &["user-death"]));
}

#[test]
fn crossing_01_user_code_and_notify() {
    meets(2, &running(SLEEPS), &["notify 1 100", THROUGH_ORDERS], &["user-notify"])
        .exited(0)
        .printed(&["crossing: 3 sleeps, 1 events"]);
}

#[test]
fn crossing_02_yield_not_heard_and_preempt() {
    meets(2, &yielding(SLEEPS), &["preempt 1 1;probe go"], &["yield-preempt"])
        .exited(0)
        .printed(&["crossing: 3 sleeps, 0 events"]);
}

#[test]
fn crossing_03_yield_not_heard_and_death() {
    was_killed(&meets(2, &yielding(SLEEPS), &["kill 1;probe go"], &["yield-death"]));
}

#[test]
fn crossing_04_yield_not_heard_and_event_for_it() {
    meets(2, &until("yield", AWAITS), &["notify 1 100;probe go"], &["yield-notify"])
        .exited(0)
        .printed(&["crossing: 1 events came"]);
}

#[test]
fn crossing_04_event_after_a_yield_was_accepted() {
    let commands = [UP_TO_ORDERS, "notify 1 100;probe go"];
    meets(2, &yielding(SLEEPS), &commands, &["yielded-notify"])
        .exited(0)
        .printed(&["crossing: 3 sleeps, 1 events"]);
}

#[test]
fn crossing_05_yield_completed_and_notify() {
    meets(3, "sleep 0", &["run crossing offline &"], &["offline-notify"])
        .exited(0)
        .printed(&["had heard 0 events without a core, and then one"]);
}

#[test]
fn crossing_06_yield_completed_and_start_for_another_process() {
    // The other process is runnable, and not started before the core has said that it is free.
    let other = "run threads 4 100 1 &;sleep 0.05;ps;probe go";
    let met = ["yielded-wanted", "yielded-start"];
    meets(2, &yielding(SLEEPS), &[UP_TO_ORDERS, other], &met).exited(0).printed(&[
        "RUNNABLE_M",
        "threads: counted 400",
        "crossing: 3 sleeps",
    ]);
}

#[test]
fn crossing_07_change_vcore_not_heard_and_preempt() {
    meets(3, &until("change", CHANGES), &["preempt 1 1;probe go"], &["change-preempt"])
        .exited(0)
        .printed(&["crossing: 4 changes, 0 events"]);
}

#[test]
fn crossing_07_change_vcore_not_heard_and_death() {
    was_killed(&meets(3, &until("change", CHANGES), &["kill 1;probe go"], &["change-death"]));
}

#[test]
fn crossing_08_change_vcore_accepted_and_notify() {
    let commands = [UP_TO_ORDERS, "notify 1 100;probe go"];
    meets(3, &until("change", CHANGES), &commands, &["changed-notify"])
        .exited(0)
        .printed(&["crossing: 4 changes, 1 events"]);
}

#[test]
fn crossing_09_change_vcore_accepted_and_preempt_of_the_new_one() {
    let commands = [UP_TO_ORDERS, "preempt 1 1;probe go"];
    meets(3, &until("change", CHANGES), &commands, &["changed-preempt"])
        .exited(0)
        .printed(&["crossing: 4 changes, 0 events"]);
}

#[test]
fn crossing_09_change_vcore_accepted_and_death_of_the_new_one() {
    let commands = [UP_TO_ORDERS, "kill 1;probe go"];
    was_killed(&meets(3, &until("change", CHANGES), &commands, &["changed-death"]));
}

#[test]
fn crossing_10_start_not_taken_and_preempt() {
    meets(2, &until("orders", SLEEPS), &["preempt 1 1;probe go"], &["start-preempt"])
        .exited(0)
        .printed(&["crossing: 3 sleeps, 0 events"]);
}

#[test]
fn crossing_10_start_not_taken_and_death() {
    was_killed(&meets(2, &until("orders", SLEEPS), &["kill 1;probe go"], &["start-death"]));
}

#[test]
fn crossing_11_start_waits_for_the_save_elsewhere() {
    // Core 2 is free and the process wants one, but its vcore 0 is not saved: another vcore runs there, and takes the
    // thread over when it is.
    let commands = ["preempt 1 1;probe go;probe await;sleep 0.05;pip 1 v;probe go"];
    meets(3, &running(MORE), &commands, &["unsaved-start"]).exited(0).printed(&[
        "leaving",
        "online",
        "threads: counted 16000000",
    ]);
}

#[test]
fn crossing_11_change_to_a_vcore_that_is_not_saved_is_refused() {
    let scene = until("change", "run crossing unsaved &") + ";probe delay orders 1";
    let commands = ["preempt 1 1;probe go;probe await;sleep 0.2;probe go"];
    meets(3, &scene, &commands, &["change-unsaved"])
        .exited(0)
        .printed(&["crossing: refused while unsaved: true"]);
}

#[test]
fn crossing_12_waiting_call_and_death() {
    let sleeps = "run crossing yield 1 60000000 &;sleep 1";
    was_killed(&meets(2, sleeps, &["kill 1"], &["wait-death"]));
}

#[test]
fn crossing_13_single_core_process_dies_and_slice_ends() {
    // Time is looked at before core 0 lets go of the one that dies: the other one gets the core all the same.
    let scene = "probe delay own 0;run busy 60000 &;probe await";
    let commands = ["kill 1;run busy 200 &;sleep 0.1;probe go"];
    let met = ["tick-death", "start-death"];
    meets(2, scene, &commands, &met).exited(1).printed(&["busy 2: "]).never_printed("busy 1: ");
}

#[test]
fn crossing_14_two_destroyers() {
    // The process ends itself well, but the console was first, and the first exit code counts.
    let scene = until("exit", "run crossing exit &");
    was_killed(&meets(2, &scene, &["kill 1;probe go"], &["death-death"]));
    let commands = ["kill 1;kill 1", THROUGH_ORDERS];
    was_killed(&meets(2, &running(ENDLESS), &commands, &["death-death", "user-death"]));
}

#[test]
fn crossing_15_parent_waits_and_child_and_parent_die() {
    let family = running("run contend 1 1 1000000000 &") + ";sleep 1";
    let met = ["parent-death", "wait-death", "user-death"];
    was_killed(&meets(2, &family, &["kill 2;kill 1", THROUGH_ORDERS], &met));
    let met = ["wait-death", "user-death"];
    was_killed(&meets(2, &family, &["kill 1;kill 2", THROUGH_ORDERS], &met));
}

#[test]
fn crossing_16_call_and_preempt() {
    meets(2, &until("call", SLEEPS), &["preempt 1 1;probe go"], &["call-preempt"])
        .exited(0)
        .printed(&["crossing: 3 sleeps, 0 events"]);
}

#[test]
fn crossing_17_call_and_death() {
    was_killed(&meets(2, &until("call", SLEEPS), &["kill 1;probe go"], &["call-death"]));
}

#[test]
fn crossing_18_completion_and_change_vcore() {
    let scene = until("change", "run crossing complete 1 20000 &");
    meets(3, &scene, &["sleep 0.1;probe go"], &["change-notify"])
        .exited(0)
        .printed(&["crossing: the call is over"]);
}

#[test]
fn an_event_finds_no_vcore_until_there_is_one_and_a_slice_ends_before_the_next_request() {
    // An event that comes while a process asks to be a many-core one must not enter a vcore before there is one. The end of
    // its slice does not cross the request: core 0 obeys what it is ordered before it looks for anything else.
    let scene =
        "run crossing late &;sleep 0.1;probe delay own 0;run busy 100 &;probe await;notify 1 99";
    let commands = ["sleep 0.3;notify 1 100;probe go"];
    meets(3, scene, &commands, &[])
        .exited(0)
        .never_printed("crossing many-slice")
        .printed(&["crossing: 1 cores at last, 1 events"]);
}

#[test]
fn what_comes_before_a_halt_or_user_mode_is_seen() {
    // Nobody rings for either: the core says that it is in the kernel.
    let scene = "probe delay halt 1;ping 1;probe await";
    let commands = ["run crossing yield 1 200 &;sleep 0.1;probe go"];
    meets(2, scene, &commands, &[]).exited(0).printed(&["crossing: 1 sleeps"]);
    let commands = ["preempt 1 1;probe go"];
    meets(2, &until("user", SLEEPS), &commands, &["start-preempt"])
        .exited(0)
        .printed(&["crossing: 3 sleeps"]);
}

#[test]
fn what_a_vcore_was_told_that_is_stopped_before_it_ever_ran_is_read_by_another() {
    let scene = "probe delay user 2;run crossing unborn &;probe await";
    meets(3, scene, &["sleep 0.1;preempt 1 2;probe go"], &["start-preempt"])
        .exited(0)
        .printed(&["crossing: heard 1 of 1 of a vcore unborn"]);
}

#[test]
fn what_was_not_met_is_not_counted() {
    let run = meets(2, &yielding(SLEEPS), &["probe go"], &[]);
    run.exited(0).printed(&["crossing: 3 sleeps, 0 events"]);
    for crossing in ["preempt: ", "death: ", "unsaved", "offline", "change"] {
        run.never_printed(crossing);
    }
}

#[test]
fn a_check_says_what_is_broken_and_fails_its_script() {
    // A core that stands still does not read what it is sent; when it goes on, all is well again.
    let script =
        "probe delay halt 1;ping 1;probe await;check;check --json;probe go;ping 1;check;exit";
    let run = Guest::new().probes().cores(3).script(script).run();
    run.exited(1).printed(&["I12 ok", "I13 BROKEN: core 1: ", "I14 ok", "I13 ok", "I14 ok"]);
    let found = run.json().into_iter().filter(|row| row.get("check").is_some());
    let broken: Vec<_> = found.filter(|row| row["ok"] == false).collect();
    run.check(broken.len() == 1 && broken[0]["check"] == "I13", &format!("as JSON: {broken:?}"));
}

#[test]
fn what_a_core_has_not_answered_is_shown_with_its_age() {
    let scene = until("orders", SLEEPS);
    let script = format!("{scene};sleep 0.05;waiters --json;probe go;wait;waiters --json;exit");
    let run = Guest::new().probes().cores(2).script(&script).run();
    run.exited(0).printed(&["crossing: 3 sleeps"]);
    let owed: Vec<_> = run.json().into_iter().filter(|row| row.get("owes").is_some()).collect();
    run.check(owed.len() == 1, &format!("until it has answered: {owed:?}"));
    let owed = &owed[0];
    run.check(owed["core"] == 1 && owed["owes"] == "started" && owed["pid"] == 1, "which");
    run.check(owed["age_us"].as_u64() >= Some(50_000), "for how long");
}
