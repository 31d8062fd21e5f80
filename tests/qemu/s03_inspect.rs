//! Fourth tier: what the console tells about processes, and traces of their system calls.

use serde_json::Value;
use tests::guest::{Guest, Run};

/// The JSON rows that have all of these fields.
fn rows(run: &Run, fields: &[&str]) -> Vec<Value> {
    let has_all = |row: &Value| fields.iter().all(|field| row.get(field).is_some());
    run.json().into_iter().filter(has_all).collect()
}

/// The only JSON row that has all of these fields.
fn row(run: &Run, fields: &[&str]) -> Value {
    let rows = rows(run, fields);
    run.check(rows.len() == 1, &format!("one row has {fields:?}: {rows:?}"));
    rows[0].clone()
}

/// The calls of a trace, with `<` or `>` before their names, in order.
fn calls(run: &Run) -> Vec<String> {
    let name = |row: Value| {
        let edge = if row["edge"] == "entry" { '>' } else { '<' };
        format!("{edge}{}", row["call"].as_str().unwrap_or_default())
    };
    rows(run, &["edge"]).into_iter().map(name).collect()
}

#[test]
fn a_process_that_waits_shows_what_holds_it() {
    let script = "run sleepers 2 2000 &; sleep 0.5; pip 1 --json; pip 3 --json; exit 3";
    let run = Guest::new().script(script).run();
    run.exited(3);
    let shown = rows(&run, &["held_by"]);
    let [parent, child] = &shown[..] else { return run.check(false, "two processes are shown") };
    for (field, value) in [("name", "sleepers"), ("user", "eve"), ("state", "WAITING")] {
        run.check(parent[field] == value, field);
    }
    run.check(parent["parent"].is_null() && child["parent"] == 1, "parents");
    run.check(parent["children"] == serde_json::json!([2, 3]), "children");
    run.check(parent["held_by"]["waiters"] == 1 && parent["held_by"]["children"] == 2, "held by");
    run.check(parent["handles"][0] == "0:keys" && parent["handles"][2] == "2:errors", "handles");
    run.check(parent["online"].is_null() && parent["many_core"] == false, "it has no vcores");
    run.check(parent["frames"].as_u64() > Some(0), "frames");
}

#[test]
fn where_a_stopped_process_is_and_how_long_it_ran_is_shown() {
    let script = "run busy 3000 &; sleep 0.5; pip 1 v --json; sleep 0.3; pip 1 v --json; exit 3";
    let run = Guest::new().script(script).run();
    run.exited(3);
    let shown = rows(&run, &["stopped_in"]);
    let [first, second] = &shown[..] else { return run.check(false, "it is shown twice") };
    let online = |row: &Value| row["online_us"].as_u64().unwrap_or(0);
    run.check(online(first) > 100_000, "it ran");
    run.check(online(second) > online(first) + 100_000, "it ran on");
    for row in [first, second] {
        let calls = row["calls"].as_array().map_or(0, Vec::len);
        run.check(row["stopped_in"] == "thread" && calls >= 2, "main was called");
    }
}

#[test]
fn regions_are_shown_while_they_are_mapped() {
    let run = Guest::new().script("run heap &; pip 1 --json; wait; pip 1; exit 3").run();
    run.exited(3).printed(&["no such process"]);
    run.check(row(&run, &["regions"])["regions"].is_array(), "regions are a list");
}

#[test]
fn what_is_shown_of_a_process_is_not_interleaved_with_what_it_prints() {
    let script = "run spawn 3 3 &; repeat 20 { pip 1 }; wait; exit 3";
    let run = Guest::new().script(script).run();
    run.exited(3);
    let lines = &run.outcome.lines;
    let heads = lines.iter().enumerate().filter(|(_, line)| line.starts_with("pid   "));
    let mut count = 0;
    for (at, _) in heads {
        count += 1;
        let whole = lines[at + 1].starts_with("name  ") && lines[at + 3].starts_with("state  ");
        run.check(whole, "a process is shown in one piece");
    }
    run.check(count > 0, "it was shown");
}

#[test]
fn a_trace_shows_each_call_when_it_is_made_and_when_it_is_over() {
    let run = Guest::new().script("strace --json hello; exit 3").run();
    run.exited(3).printed(&["Hello from user mode!"]);
    run.check(calls(&run) == [">write", "<write", ">exit"], &format!("{:?}", calls(&run)));
    let made = &rows(&run, &["edge"])[0];
    run.check(made["arguments"][0] == 1 && made["arguments"][2] == 22, "arguments");
    run.check(made["pid"] == 1 && made["core"] == 0 && made["vcore"] == 0, "who and where");
    let over = &rows(&run, &["edge"])[1];
    run.check(over["result"] == 22 && over["error"].is_null(), "the result");
    let end = row(&run, &["traced"]);
    run.check(end["traced"] == 2 && end["dropped"] == 0, "the end");
}

#[test]
fn errors_are_named_and_children_are_followed_only_if_asked_for() {
    let run = Guest::new().script("strace spawn 1 1; strace -f spawn 1 1; exit 3").run();
    run.exited(3).printed(&[
        "create(name=",
        "create = -2 ENOENT",
        "run = -3 ESRCH",
        "# traced ",
        "# traced ",
    ]);
    let lines = &run.outcome.lines;
    let ends: Vec<_> = lines.iter().filter(|line| line.starts_with("# traced")).collect();
    run.check(ends.iter().all(|line| line.ends_with("dropped 0")), "nothing is dropped");
    let of_child = |pid: &str| lines.iter().any(|line| line.contains(&format!("[pid {pid} core")));
    run.check(of_child("1") && !of_child("2"), "without -f the child is left out");
    run.check(of_child("3") && of_child("4"), "with -f it is there");
}

#[test]
fn a_process_that_runs_already_can_be_watched() {
    let script = "run alarms 20 50 &; strace 1; run true; exit 3";
    let run = Guest::new().script(script).run();
    run.exited(3).printed(&["# traced "]);
    run.check(run.line("# traced").ends_with("dropped 0"), "nothing is dropped");
    run.check(run.outcome.lines.iter().any(|line| line.contains(" > exit(code=0)")), "its end");
}

#[test]
fn a_flood_of_calls_does_not_wait_for_its_trace() {
    let run = Guest::new().script("strace --json nulls 100000; exit 3").run();
    run.exited(3).printed(&["nulls: 100000 calls"]);
    let end = row(&run, &["traced"]);
    let count = |field: &str| end[field].as_u64().unwrap_or(0);
    run.check(count("traced") > 0, "some calls were traced");
    // Entries and exits of the calls in the loop, the last write, whose exit nobody misses when its entry was left
    // out, and the exit.
    let seen = rows(&run, &["edge"]).len() as u64 + count("dropped");
    run.check((200_002..=200_003).contains(&seen), "what is not shown is counted");
    run.check(count("dropped") > 0, "there was more than fits");
}

#[test]
fn calls_of_all_vcores_of_a_process_are_traced_wherever_they_run() {
    let run = Guest::new().script("strace --json threads 4 2000 3; check; exit").run();
    run.exited(0).printed(&["threads: counted 8000", "I14 ok"]);
    let calls = calls(&run);
    let made = |name: &str| calls.iter().any(|call| call == name);
    run.check(made(">change_to_many") && made("<poke") && made(">exit"), "calls by message");
    let by_vcores = rows(&run, &["edge"]).into_iter().filter(|row| row["core"] != 0);
    run.check(by_vcores.clone().count() > 0, "other cores have seen calls");
    run.check(by_vcores.clone().all(|row| row["pid"] == 1), "of that process");
}

#[test]
fn ctrl_c_ends_what_is_traced() {
    let run = Guest::new()
        .reply("Type `help`", "strace sleepers 1 60000\r")
        .reply("> wait(", "\x03")
        .reply("# traced", "exit 3\r")
        .run();
    run.exited(3);
}

#[test]
fn all_invariants_are_checked() {
    let script = "check; run sleepers 2 300 &; check; wait; check --json; exit";
    let run = Guest::new().script(script).run();
    run.exited(0).never_printed("BROKEN");
    for number in 1..=14 {
        let name = format!("I{number} ok");
        let count = run.outcome.lines.iter().filter(|line| **line == name).count();
        run.check(count == 2, &name);
    }
    run.printed(&["I14 ok", "frames ok", "leases ok"]);
    let checks = rows(&run, &["check", "ok"]);
    run.check(checks.len() == 16 && checks.iter().all(|row| row["ok"] == true), "as JSON too");
}

#[test]
fn who_waits_for_what_is_shown() {
    let script = "run sleepers 2 2000 &; sleep 0.4; waiters --json; waiters 2; kill 1; exit 3";
    let run = Guest::new().script(script).run();
    run.exited(3);
    let waits = rows(&run, &["waits_for"]);
    let of = |pid: u64| waits.iter().find(|row| row["pid"] == pid);
    run.check(of(1).is_some_and(|row| row["waits_for"] == "the end of any child"), "the parent");
    let sleeps = |row: &Value| row["waits_for"].as_str().is_some_and(|it| it.ends_with(" us"));
    run.check(of(2).is_some_and(sleeps) && of(3).is_some_and(sleeps), "its children");
}

#[test]
fn how_long_an_end_takes_is_measured() {
    let script = "run sleepers 1 60000 &; sleep 0.2; measure kill 1 --json; check; exit";
    let run = Guest::new().script(script).run();
    run.exited(0);
    let measured = row(&run, &["operation"]);
    run.check(measured["operation"] == "kill" && measured["pid"] == 1, "what was done");
    run.check(measured["took"].as_u64() > Some(0), "it took time");
}

#[test]
fn cores_of_a_many_core_process_are_shown_given_and_taken() {
    let script = "run threads 4 1000000000 3 &; sleep 1; cores --json; pip 1 v --json; \
                  prov 1 1-2; prov --json; measure preempt 1 --json; check; \
                  measure preempt-warn 1 --json; preempt 1; sleep 0.3; preempt 1 --warn 0.01; sleep 0.3; \
                  check; prov 0 1-2; measure kill 1 --json; check; ps --json; exit";
    let run = Guest::new().script(script).run();
    run.exited(0).never_printed("BROKEN");
    let leased = rows(&run, &["program"]).into_iter().filter(|row| row["program"] == "threads");
    run.check(leased.clone().count() > 0, "cores shows who runs where");
    run.check(leased.clone().all(|row| row["pid"] == 1 && row["core"] != 0), "not on core 0");
    let shown = row(&run, &["held_by"]);
    let online = shown["online"].as_array().map_or(0, Vec::len);
    run.check(shown["many_core"] == true && shown["ready"] == true, "it is many-core");
    run.check(online > 0 && shown["granted"] == online, "vcores that are online");
    let vcores = rows(&run, &["stopped_in"]);
    let used = vcores.iter().filter(|row| row["online_us"].as_u64() > Some(0)).count();
    run.check(used >= online, "time on cores by vcore");
    let owned: Vec<_> = rows(&run, &["owner"]).iter().map(|row| row["owner"].clone()).collect();
    run.check(owned == [Value::Null, 1.into(), 1.into(), Value::Null], "who has a right to which");
    let measured: Vec<_> = rows(&run, &["operation"]);
    let names: Vec<_> = measured.iter().map(|row| row["operation"].clone()).collect();
    run.check(names == ["preempt", "preempt-warn", "kill"], &format!("{names:?}"));
    run.check(measured.iter().all(|row| row["took"].as_u64() > Some(0)), "they took time");
}

#[test]
fn what_cannot_be_done_to_a_process_is_said() {
    for (wrong, words) in [
        ("pip 9", "no such process"),
        ("strace 9", "no such process"),
        ("strace nosuch", "no such program"),
        ("waiters 9", "no such process"),
        ("measure kill 9", "no such process"),
        ("prov 9 1", "no such process"),
        ("prov 0 0", "core 0 runs the console"),
        ("run busy 5000 &; preempt 1", "has no core that could be taken"),
    ] {
        let script = format!("{wrong}; exit");
        Guest::new().cores(2).script(&script).run().exited(1).printed(&[words]);
    }
}
