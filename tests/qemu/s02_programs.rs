//! Third tier: programs in user mode, and what becomes of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::guest::{Guest, Run};

/// What `run fault all` tries.
const FAULTS: usize = 33;

fn run(script: &str) -> Run {
    Guest::new().script(&format!("{script}; ps; exit 3")).run()
}

/// Nobody is listed behind the head of what `ps` prints.
#[track_caller]
fn none_is_left(run: &Run) {
    run.exited(3);
    let lines = &run.outcome.lines;
    let head = lines.iter().rposition(|line| line.contains("state") && line.contains("pid"));
    let next = head.and_then(|head| lines.get(head + 1));
    run.check(next.is_some_and(|next| next.contains("exit 3")), "no process is left");
}

/// Bytes in use for programs, each time that `mem` was shown.
fn in_use(run: &Run) -> Vec<String> {
    let rows = run.outcome.lines.iter().filter(|line| line.starts_with("programs "));
    rows.map(|row| row.split_whitespace().nth(2).unwrap_or_default().to_owned()).collect()
}

#[track_caller]
fn nothing_is_lost(run: &Run) {
    let in_use = in_use(run);
    run.check(
        in_use.len() == 2 && in_use[0] == in_use[1],
        &format!("no frame is lost: {in_use:?}"),
    );
}

/// The C example, built as its head says.
fn c_example(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/c/cexample.c");
    let program = folder.join("cexample");
    let built = Command::new("cc")
        .args(["-nostdlib", "-static", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([&program, &source])
        .status();
    assert!(built.expect("cc is there wherever Rust links programs").success());
    program
}

#[test]
fn a_program_says_hello_and_gets_its_arguments() {
    let run = run("run hello; run args one two");
    run.printed(&[
        "Hello from user mode!",
        "argv[0]=args",
        "argv[1]=one",
        "argv[2]=two",
        "arguments=3",
    ]);
    none_is_left(&run);
}

#[test]
fn memory_is_copied_moved_filled_and_compared_rightly() {
    let run = run("run bytes 20000");
    run.printed(&["bytes: 20000 rounds, 0 wrong"]);
    none_is_left(&run);
}

#[test]
fn what_is_typed_reaches_the_program_in_the_foreground() {
    let guest = Guest::new().reply("atoll> ", "run cat\n").reply("run cat", "over to you\n");
    let run = guest.reply("over to you", "\u{4}").reply("atoll> ", "exit 3\n").run();
    run.exited(3);
    run.printed(&["run cat", "over to you"]);
}

#[test]
fn a_program_that_is_called_wrongly_says_how_it_is_meant() {
    let run = run("run stress x; run sleepers --help; run pingpong 1 2");
    run.printed(&["usage: stress [ROUNDS | SECONDSs] [AT-ONCE]", "exit code 2"]);
    run.printed(&[
        "usage: sleepers [COUNT [MILLISECONDS]]",
        "usage: pingpong [ROUNDS]",
        "exit code 2",
    ]);
    none_is_left(&run);
}

#[test]
fn a_tree_of_processes_grows_and_is_reaped() {
    let run = run("run spawn 3 2");
    run.printed(&["no such program: ENOENT", "no such process: ESRCH", "spawn 0: pid 1 of 0"]);
    run.printed(&["spawn 0.1: ", "spawn 0.1.1: ", "spawn 0.1.1.2: "]);
    run.printed(&["spawn 0.2: ", "spawn 0.2.2: ", "spawn 0.2.2.2: "]);
    run.printed(&["spawn: 15 processes, none left: true"]);
    none_is_left(&run);
}

#[test]
fn waits_end_as_they_should() {
    let run = run("run wait");
    run.printed(&[
        "without a child: ECHILD",
        "the second returns 12",
        "the second again: ECHILD",
        "any is the first: true",
        "told of both by events: true",
        "nobody has ended yet: true",
        "then one has, with Some(13)",
        "ended before it ran: 99",
        "while something else was done: false, Some(15)",
        "cut short: EINTR",
        "events that nobody takes hold up no other: true",
        "but are lost: true",
        "none left: true",
    ]);
    none_is_left(&run);
}

#[test]
fn events_go_to_a_child_answers_come_by_a_pipe_and_death_is_its_end() {
    let run = run("run pingpong 200");
    run.printed(&["0 bytes left, exit code 7", "200 rounds, answers right: true"]);
    none_is_left(&run);
}

#[test]
fn a_child_gets_handles_between_its_making_and_its_running() {
    let run = run("run childfdmap");
    run.printed(&["the child is CREATED", "the child reads \"HI\""]);
    run.printed(&["handles for a child that runs: EINVAL"]);
    run.printed(&["the parent reads \"YO\", the child returns 3"]);
    none_is_left(&run);
}

#[test]
fn those_that_give_way_take_turns_and_go_on_where_they_were() {
    let run = run("run yielders 3 5");
    run.printed(&["yielders: 3 ended, 0 failed"]);
    none_is_left(&run);
    let resumed = run.outcome.lines.iter().filter(|line| line.contains("resumed"));
    let resumed: Vec<_> = resumed.filter_map(|line| line.split_whitespace().nth(1)).collect();
    run.check(resumed.len() == 15, "each goes on 5 times");
    let turns = resumed.windows(3).filter(|turn| turn[0] == turn[1] || turn[1] == turn[2]);
    run.check(turns.count() == 0, "nobody has two turns in a row");
}

#[test]
fn sleepers_wake_in_the_order_of_their_times_and_alarms_ring() {
    let run = run("run sleepers 4 50; run alarms 3 10");
    run.printed(&["wanted 50 ms", "wanted 100 ms", "wanted 150 ms", "wanted 200 ms"]);
    run.printed(&["4 slept, 0 too short", "alarm 1 after", "right: true"]);
    none_is_left(&run);
}

#[test]
fn two_that_compute_in_vector_registers_do_not_disturb_each_other() {
    let run = run("run float 400 1 &; run float 400 2; wait");
    for seed in [1, 2] {
        let line = run.line(&format!("float {seed}: "));
        run.check(line.contains(" 0 wrong, AVX: true"), "all registers are kept");
        let rounds = line.split_whitespace().nth(2).and_then(|it| it.parse::<u32>().ok());
        run.check(rounds.is_some_and(|rounds| rounds > 5), "it got somewhere");
    }
    none_is_left(&run);
}

#[test]
fn without_avx_the_others_are_kept() {
    let guest = Guest::new()
        .cpu("qemu64,+x2apic")
        .script("run float 300 1 &; run float 300 2; wait; exit 3");
    let run = guest.run();
    run.exited(3);
    for seed in [1, 2] {
        let line = run.line(&format!("float {seed}: "));
        run.check(line.contains(" 0 wrong, AVX: false"), "x87 and SSE are kept");
    }
}

#[test]
fn each_kind_of_fault_ends_the_program_that_makes_it_and_nobody_else() {
    let run = run("run busy 3000 &; run fault all; wait");
    run.printed(&[&format!("fault: {FAULTS} kinds, 0 not ended for it")]);
    run.printed(&["busy 1: "]);
    let lines = || run.outcome.lines.iter();
    let codes = lines().filter(|line| line.ends_with("exit code 1337")).count();
    let reasons = lines().filter(|line| line.contains("was ended by")).count();
    run.check((codes, reasons) == (FAULTS, FAULTS), "each is told with its reason");
    run.printed(&["reading 0x0, where nothing is mapped", "divide error at 0x4"]);
    none_is_left(&run);
}

#[test]
fn a_panic_tells_where_and_is_101() {
    let run = run("run panic ouch");
    run.printed(&[
        "panic (1) panicked: ouch",
        "at tests/programs/src/bin/panic.rs:",
        "exit code 101",
    ]);
    none_is_left(&run);
}

#[test]
fn one_that_runs_is_killed_and_gone() {
    let run = run("run busy 60000 &; sleep 0.1; kill 1; wait");
    run.never_printed("busy 1: ");
    none_is_left(&run);
}

#[test]
fn programs_are_listed_and_events_and_signals_of_the_console_reach_one_that_waits() {
    let run =
        run("programs; run events 2 &; sleep 0.1; notify 1 100 7; sleep 0.1; ps; kill -15 1; wait");
    run.printed(&["program", "hello", "WAITING"]);
    run.printed(&["event 100 with 7", "signal 15"]);
    none_is_left(&run);
}

#[test]
fn memory_is_mapped_used_and_given_back() {
    let run = run("mem; run memory 20 20; run heap 2000; sleep 0.5; mem");
    run.printed(&["20 pages, twice 20 times, right: true", "a guard: true"]);
    run.printed(&["written and executed: EINVAL", "of no bytes: EINVAL", "of all bytes: ENOMEM"]);
    run.printed(&["2000 numbers and blocks, right: true"]);
    nothing_is_lost(&run);
    none_is_left(&run);
}

#[test]
fn a_program_in_c_written_from_the_documents_runs() -> std::io::Result<()> {
    let folder = std::env::temp_dir().join(format!("atoll-c-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let guest = Guest::new().program(&c_example(&folder)).script("run cexample one; ps; exit 3");
    let run = guest.run();
    std::fs::remove_dir_all(&folder)?;
    run.printed(&["argument 0 is cexample", "argument 1 is one", "a machine with 4 cores"]);
    run.printed(&[
        "slept at least 10 ms: yes",
        "the queue took 2 events, with 70 71",
        "argv[1]=from C",
        "was reaped: yes",
        "exit code 42",
    ]);
    none_is_left(&run);
    Ok(())
}

#[test]
fn ten_thousand_processes_come_and_go_without_a_trace() {
    let guest = Guest::new().timeout(Duration::from_secs(180));
    let run = guest
        .script("run stress 10; sleep 0.2; mem; run stress 10000 3; sleep 0.2; mem; ps; exit 3")
        .run();
    run.printed(&["10000 made, 10000 reaped, 0 failed, none left: true"]);
    nothing_is_lost(&run);
    none_is_left(&run);
}

#[test]
fn a_minute_of_making_and_reaping_leaves_nothing() {
    let guest = Guest::new().timeout(Duration::from_secs(240));
    let run = guest
        .script("run stress 10; sleep 0.2; mem; run stress 60s 3; sleep 0.2; mem; ps; exit 3")
        .run();
    run.printed(&[" reaped, 0 failed, none left: true, 6"]);
    nothing_is_lost(&run);
    none_is_left(&run);
}

#[test]
fn a_million_hostile_calls_harm_nobody() {
    // Another seed each day; the command that a failure prints has it.
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = since_1970.as_secs() / (24 * 60 * 60);
    let guest = Guest::new().timeout(Duration::from_secs(180));
    let script = format!("mem; run hostile 1000000 {seed}; run hello; sleep 0.5; mem; ps; exit 3");
    let run = guest.script(&script).run();
    run.printed(&[&format!("hostile: seed {seed}, 100"), "Hello from user mode!"]);
    nothing_is_lost(&run);
    none_is_left(&run);
}

#[test]
fn hostile_calls_from_all_vcores_harm_nobody_and_break_no_invariant() {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = since_1970.as_secs() / (24 * 60 * 60);
    let guest = Guest::new().timeout(Duration::from_secs(180));
    let script = format!(
        "mem; run hostile 100000 {seed} many; run hello; sleep 0.5; check; run vcores 3; mem; ps; exit 3"
    );
    let run = guest.script(&script).run();
    run.printed(&[&format!("hostile: seed {seed}, 10"), "Hello from user mode!", "I14 ok"]);
    run.printed(&["vcores: 3 of 3"]);
    run.never_printed("BROKEN");
    nothing_is_lost(&run);
    none_is_left(&run);
}

#[test]
fn floods_are_refused_by_limits() {
    let run = run(
        "mem; run flood calls; run flood alarms; run flood children; run flood pipes; run flood handles; \
         run flood memory; run flood events; run flood output 100; sleep 0.5; mem",
    );
    run.printed(&[
        "calls: 16 granted, then EAGAIN",
        "still answers: true",
        "alarms: 8 granted, then EINVAL",
        "children: 256 granted, then EAGAIN",
        "256 of 256 reaped",
        "pipes: 14 granted, then EMFILE",
        "handles: 32 granted, then EINVAL",
        "pieces of 64 bytes: 16 granted, then EAGAIN",
        "granted, then ENOMEM",
        "events: 1000 sent, 64 read, others: 0, lost some: true",
        "flood output: done",
    ]);
    nothing_is_lost(&run);
    none_is_left(&run);
}

/// How far a program came that counts for half a second of instructions, beside others.
fn counted_beside(others: &str) -> u64 {
    let guest = Guest::new().count().timeout(Duration::from_secs(120));
    let run = guest.script(&format!("{others}run busy 500; exit 3")).run();
    run.exited(3);
    let line = run.outcome.lines.iter().find(|line| line.starts_with("busy "));
    let count = line.and_then(|line| line.split_whitespace().nth(2)?.parse().ok());
    run.check(count.is_some(), "it says how far it came");
    count.unwrap_or_default()
}

#[test]
fn a_hostile_neighbour_takes_no_more_than_its_share() {
    let alone = counted_beside("");
    for neighbour in ["busy 5000", "hostile 1000000 3", "flood forever"] {
        let beside = counted_beside(&format!("run {neighbour} &; "));
        assert!(beside * 100 > alone * 40, "{beside} of {alone} beside {neighbour}");
    }
}
