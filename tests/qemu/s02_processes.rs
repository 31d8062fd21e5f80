//! Third tier: what the coordinator was told in the kernel comes to the same on the host; and the console
//! as those who type at it see it.

use std::time::Duration;
use tests::guest::{Guest, Run};

const PROMPT: &str = "atoll> ";

/// Bytes in use of each memory that `mem --json` has shown, for each time.
fn in_use(run: &Run) -> Vec<Vec<(String, u64)>> {
    let rows = run.json().into_iter().filter_map(|row| {
        let name = row["memory"].as_str()?.to_owned();
        Some((name, row["used"].as_u64()?))
    });
    let mut times: Vec<Vec<_>> = Vec::new();
    for row in rows {
        if row.0 == "physical" {
            times.push(Vec::new());
        }
        times.last_mut().expect("physical memory stands first").push(row);
    }
    times
}

#[track_caller]
fn nothing_is_lost(run: &Run) {
    let in_use = in_use(run);
    run.check(in_use.len() == 2, "mem is shown twice");
    run.check(in_use[0] == in_use[1], &format!("as much is in use as before: {in_use:?}"));
}

#[test]
fn processes_of_all_kinds_replay() {
    let script = "run spawn 2 2; run childfdmap; run pingpong 20; run wait; run alarms; run sleepers; \
                  run yielders; run memory 20 3; run float 60 1 &; run float 60 2; wait; run panic; \
                  run fault all; run flood calls; run flood pipes; ps; exit 3";
    let run = Guest::new().record().script(script).run();
    run.exited(3).printed(&["7 processes", "YO", "answers right: true", "0 not ended for it"]);
    run.replays();
}

#[test]
fn processes_replay_on_one_core_and_where_the_clock_counts() {
    let script = "run yielders 3 20; run busy 60 &; run busy 60; wait; exit 3";
    for guest in [Guest::new().cores(1), Guest::new().count()] {
        guest.record().script(script).run().exited(3).replays();
    }
}

#[test]
fn cores_that_fail_stop_and_come_back_replay() {
    let script =
        "panic 3; start 3; stop 1; ping 1; start 1; hang 2; sleep 3; start 2; ping 2; exit 3";
    let run = Guest::new().record().script(script).run();
    run.exited(3).printed(&["core 3 is online", "core 1 is online", "core 2 is online"]).replays();
}

#[test]
fn hostile_calls_replay() {
    let script = "run hostile 50000 11; run hello; exit 3";
    let run = Guest::new().record().timeout(Duration::from_secs(120)).script(script).run();
    run.exited(3).printed(&["hostile: seed 11", "Hello from user mode!"]).replays();
}

#[test]
fn thousands_of_processes_leave_nothing_behind_and_replay() {
    let script = "run stress 20 4; sleep 0.2; mem --json; run stress 4000 4; sleep 0.2; mem --json; ps; exit 3";
    let run = Guest::new().record().timeout(Duration::from_secs(180)).script(script).run();
    run.exited(3).printed(&["4000 made, 4000 reaped, 0 failed, none left: true"]);
    nothing_is_lost(&run);
    run.replays();
}

#[test]
fn keys_reach_the_program_in_the_foreground_and_ctrl_c_ends_it() {
    let run = Guest::new()
        .record()
        .reply(PROMPT, "run cat\r")
        .reply("run cat", "one line\r")
        .reply("one line\n", "another\r")
        .reply("another\n", "\x03")
        .reply(PROMPT, "ps\r")
        .reply(PROMPT, "exit 5\r")
        .run();
    run.exited(5).printed(&["one line", "another", "cat: ended by Ctrl-C"]).replays();
    let ps = run.outcome.lines.iter().position(|line| line.contains("parent")).unwrap_or_default();
    run.check(!run.outcome.lines[ps..].iter().any(|line| line.contains("cat ")), "it is gone");
}

#[test]
fn a_program_that_computes_is_ended_by_ctrl_c() {
    let run = Guest::new()
        .reply(PROMPT, "run busy 60000\r")
        .reply("busy 60000", "")
        .reply("\n", "\x03")
        .reply(PROMPT, "exit 5\r")
        .run();
    run.exited(5).printed(&["busy: ended by Ctrl-C"]).never_printed("busy 1: ");
}

#[test]
fn one_in_the_background_is_seen_and_waited_for() {
    let script = "run busy 400 &; ps; wait 1; wait; ps; exit 3";
    let run = Guest::new().script(script).run();
    run.exited(3).printed(&["process 1", "busy", "busy 1: "]);
    let row = run.outcome.lines.iter().find(|line| line.contains("busy") && line.contains("_S"));
    run.check(row.is_some(), "ps shows it as single-core");
}

#[test]
fn exit_codes_and_faults_are_told_and_make_a_script_fail() {
    for (program, told) in [
        ("wait child 7", "wait: exit code 7"),
        ("panic", "panic: exit code 101"),
        ("no-such", "no-such: no such program"),
        ("fault read-null", "fault (process 1) was ended by page fault at 0x4"),
    ] {
        let run = Guest::new().script(&format!("run {program}; run hello; exit")).run();
        run.exited(1).printed(&[told, "Hello from user mode!"]);
    }
    Guest::new().script("kill 99").run().exited(1).printed(&["no such process"]);
}

/// What the kernel says about a fault of each kind, behind the program's name and pid.
const FAULTS: [(&str, &str); 8] = [
    ("read-null", ": reading 0x0, where nothing is mapped"),
    ("write-code", ", where access is denied"),
    ("execute-stack", ": executing 0x3f"),
    ("stack-overflow", ", where nothing is mapped"),
    ("divide", "divide error at 0x4"),
    ("invalid", "invalid opcode at 0x4"),
    ("read-kernel", ": reading 0xffffffff80100000"),
    ("halt", "general protection fault at 0x4"),
];

#[test]
fn a_fault_names_program_address_and_cause() {
    let runs: String = FAULTS.iter().map(|(kind, _)| format!("run fault {kind}; ")).collect();
    let run = Guest::new().script(&format!("{runs}run hello; exit 3")).run();
    run.exited(3);
    let told: Vec<_> =
        run.outcome.lines.iter().filter(|line| line.contains("was ended by")).collect();
    run.check(told.len() == FAULTS.len(), "each is told once");
    for ((line, (kind, cause)), pid) in told.iter().zip(FAULTS).zip(1..) {
        let names = line.starts_with(&format!("fault (process {pid}) was ended by "));
        run.check(names && line.contains(cause), &format!("{kind}: {line}"));
    }
}

#[test]
fn fork_and_exec_answer_that_there_is_no_such_call() {
    let run = Guest::new().script("run spawn 0; exit 3").run();
    run.exited(3).printed(&["fork: ENOSYS", "exec: ENOSYS"]);
}
