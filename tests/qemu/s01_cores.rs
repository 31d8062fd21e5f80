//! Second tier: cores answer, fail, fall silent, stop and come back, and the others go on.

use tests::guest::{Guest, Run};

/// The state that `cores --json` has shown last for this core; halted counts as online.
fn state(run: &Run, core: u64) -> String {
    let rows = run.json().into_iter().rev();
    let row = rows.into_iter().find(|row| row["core"] == core && row["state"].is_string());
    let state = row.map(|row| row["state"].as_str().unwrap_or_default().to_owned());
    state.map_or_else(String::new, |state| state.replace("halted", "online"))
}

/// How many frames of the backtraces shown have a function of ours and a line.
fn named_frames(run: &Run) -> usize {
    let named = |line: &&String| line.contains("cpudriver::") && line.contains(".rs:");
    run.outcome.lines.iter().filter(named).count()
}

#[test]
fn every_core_answers_pings() {
    let run = Guest::new().script("ping 0; ping 1 100; ping 3 --json; exit").run();
    run.exited(0);
    run.check(run.json().iter().any(|row| row["core"] == 3 && row["round_trips"] == 1), "a row");
}

#[test]
fn a_ping_to_a_core_that_does_not_exist_fails_and_says_so() {
    Guest::new().script("ping 9; exit").run().exited(1).printed(&["core 9"]);
}

#[test]
fn a_core_that_panics_takes_no_other_along() {
    let run = Guest::new().script("panic 1; ping 2; ping 3 1000; cores --json; exit 0").run();
    // As the README shows it, which has no other way to know the line.
    let readme =
        include_str!("../../README.md").lines().find_map(|line| line.split_once(" panicked at "));
    let (_, place) = readme.expect("the README shows a core that panics");
    run.exited(0).printed(&["core 1 has failed", &format!("core 1 panicked at {place}"), "rip"]);
    run.check(named_frames(&run) >= 2, "its backtrace has names and lines");
    let states = [0, 1, 2, 3].map(|core| state(&run, core));
    run.check(states == ["online", "failed", "online", "online"], &format!("{states:?}"));
}

#[test]
fn a_core_that_hangs_is_noticed_looked_at_by_nmi_and_brought_back() {
    let script = "hang 2; sleep 5; cores --json; bt 2; bt 2; start 2; ping 2; exit 0";
    let run = Guest::new().script(script).run();
    run.exited(0).printed(&[
        "core 2 does not answer",
        "answered an NMI",
        "core 2 is online",
        "round_trips",
    ]);
    run.check(state(&run, 2) == "silent", "core 2 is silent");
    run.check(named_frames(&run) >= 1, "its backtrace has names and lines");
}

#[test]
fn that_a_core_is_found_to_hang_breaks_no_rule_of_the_others() {
    let run = Guest::new().script("hang 2; check; cores --json; exit 0").run();
    run.exited(0).printed(&["I13 ok", "leases ok"]).never_printed("BROKEN");
    run.printed(&["core 2 does not answer"]);
    run.check(state(&run, 2) == "silent", "core 2 is silent");
}

#[test]
fn a_core_that_reads_nothing_can_be_sent_only_so_much() {
    let script = "repeat 100 { hang 1 }; ping 2; sleep 3; start 1; ping 1; exit 0";
    let run = Guest::new().script(script).run();
    run.exited(0).printed(&["core 1 has not read", "core 1 is online", "round_trips"]);
}

#[test]
fn a_core_that_is_lost_while_it_is_linked_can_be_linked_when_it_is_back() {
    let bench = "bench ring-latency --cores 0,1 --rounds 4";
    let script = format!("hang 1; {bench}; sleep 3; start 1; {bench}; exit 0");
    let run = Guest::new().script(&script).run();
    run.exited(0).printed(&["did not answer in time", "core 1 is online", "from=1 to=0"]);
}

#[test]
fn what_a_serving_core_does_can_be_seen() {
    let run = Guest::new().script("bt 1; bt 0; ping 1; exit").run();
    run.exited(0).never_printed("NMI");
    run.check(named_frames(&run) >= 2, "its backtrace has names and lines");
}

#[test]
fn a_failed_core_is_brought_back_through_init() {
    let run = Guest::new().script("panic 3; start 3; ping 3; cores --json; exit 0").run();
    run.exited(0).printed(&["core 3 has failed", "core 3 is online", "round_trips"]);
    run.check(state(&run, 3) == "online", "core 3 serves");
}

#[test]
fn a_stopped_core_stays_stopped_until_it_is_started() {
    let run = Guest::new().script("stop 1; cores --json; ping 1; start 1; ping 1; exit 0").run();
    run.exited(0).printed(&["core 1 is stopped", "core 1 is online", "round_trips"]);
    run.check(state(&run, 1) == "stopped", "core 1 is stopped");
}

#[test]
fn a_thousand_stops_and_starts_leak_nothing() {
    let script = "repeat 10 { stop 1; start 1 }; mem --json; repeat 1000 { stop 1; start 1 }; \
                  mem --json; ping 1; exit";
    let run = Guest::new().cores(2).script(script).run();
    run.exited(0);
    let used = run.json().into_iter().filter(|row| row["memory"].is_string());
    let used: Vec<_> = used.map(|row| (row["memory"].clone(), row["used"].clone())).collect();
    let (before, after) = used.split_at(used.len() / 2);
    run.check(!before.is_empty() && before == after, &format!("{before:?} = {after:?}"));
}

#[test]
fn unknown_and_malformed_commands_answer_with_the_usage() {
    for (wrong, words) in [("coers", "cores"), ("ping", "ping CORE"), ("sleep x", "sleep SECONDS")]
    {
        Guest::new().cores(1).script(wrong).run().exited(1).printed(&[words]);
    }
}
