//! Sessions with shell scripts standing in for QEMU.

use super::{Outcome, Session, write_raw};
use crate::machine::Machine;
use crate::verdict::Verdict;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A machine whose "QEMU" runs this shell script.
///
/// A shell writes the file: were it open for writing here, a child that another test starts meanwhile
/// would hold it open too, and a file that is being written cannot be run.
fn stand_in(folder: &Path, script: &str) -> Machine {
    let qemu = folder.join("qemu");
    let write = "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod +x \"$1\"";
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", write, "sh"]).arg(&qemu).arg(script);
    assert!(shell.status().unwrap().success());
    Machine::new(qemu, "/nonexistent")
}

fn run(script: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let machine = stand_in(folder.path(), script);
    Session::new(&machine).timeout(Some(Duration::from_secs(20))).run().unwrap()
}

#[test]
fn the_verdict_and_the_lines_are_the_guests() {
    let outcome = run("echo one; printf two; echo warning >&2; exit 39");
    assert_eq!(outcome.verdict, Verdict::Exited(3));
    assert_eq!(outcome.lines, ["one", "two"]);
    assert_eq!(outcome.complaints, "warning\n");
}

#[test]
fn a_triple_fault_a_panic_and_a_failure_of_qemu_are_told_apart() {
    assert_eq!(run("exit 0").verdict, Verdict::TripleFault);
    assert_eq!(run("exit 235").verdict, Verdict::Panicked);
    assert_eq!(run("exit 1").verdict, Verdict::Qemu("left with status 1".into()));
    assert_eq!(run("kill -11 $$").verdict, Verdict::Qemu("was killed by signal 11".into()));
}

#[test]
fn a_guest_that_stays_is_ended_with_all_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let machine = stand_in(folder.path(), "echo begun; sleep 60 & echo $!; wait");
    let begun = Instant::now();
    let session = Session::new(&machine).timeout(Some(Duration::from_millis(500)));
    let outcome = session.run().unwrap();
    assert_eq!(outcome.verdict, Verdict::TimedOut(Duration::from_millis(500)));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(outcome.lines[0], "begun");
    // A process that was killed may take a moment to notice.
    let stat = format!("/proc/{}/stat", outcome.lines[1]);
    let lives = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    while lives() {
        assert!(begun.elapsed() < Duration::from_secs(10), "its child lives");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_guest_that_never_stops_talking_is_ended_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let machine = stand_in(folder.path(), "exec yes");
    let session = Session::new(&machine).timeout(Some(Duration::from_millis(300))).forget_lines();
    let outcome = session.run().unwrap();
    assert!(matches!(outcome.verdict, Verdict::TimedOut(_)));
    assert!(outcome.wall < Duration::from_secs(10), "{:?}", outcome.wall);
}

#[test]
fn much_output_arrives_whole() {
    let outcome = run("/usr/bin/seq 200000; exit 33");
    assert_eq!(outcome.verdict, Verdict::Exited(0));
    assert_eq!(outcome.lines.len(), 200_000);
    assert_eq!(outcome.lines.last().map(String::as_str), Some("200000"));
}

#[test]
fn replies_are_typed_when_their_time_comes() {
    let folder = tempfile::tempdir().unwrap();
    let script =
        "printf '> '; read a; echo \"got $a\"; printf '> '; read b; echo \"got $b\"; exit 33";
    let machine = stand_in(folder.path(), script);
    let session = Session::new(&machine).timeout(Some(Duration::from_secs(20)));
    let outcome = session.reply("> ", "cores\n").reply("> ", "exit\n").run().unwrap();
    assert_eq!(outcome.lines, ["> got cores", "> got exit"]);
    assert_eq!(outcome.verdict, Verdict::Exited(0));
}

#[test]
fn lines_are_handed_on_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let machine = stand_in(folder.path(), "echo a; echo b; printf c; exit 33");
    let mut seen = Vec::new();
    let outcome = Session::new(&machine)
        .timeout(Some(Duration::from_secs(20)))
        .forget_lines()
        .on_line(|line| seen.push(line.to_owned()))
        .run()
        .unwrap();
    assert_eq!(seen, ["a", "b", "c"]);
    assert!(outcome.lines.is_empty());
}

#[test]
fn cpu_time_is_what_the_guest_used_and_not_what_it_slept() {
    let busy = run("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exit 33");
    let idle = run("sleep 0.3; exit 33");
    assert!(busy.cpu_seconds > 0.05, "busy {}", busy.cpu_seconds);
    assert!(idle.cpu_seconds < 0.05 && idle.wall.as_secs_f64() >= 0.3, "idle {}", idle.cpu_seconds);
}

#[test]
fn line_feeds_on_a_raw_terminal_get_one_carriage_return() {
    let mut out = Vec::new();
    write_raw(&mut out, b"a\nb\r\n\nc").unwrap();
    assert_eq!(out, b"a\r\nb\r\n\r\nc");
}
