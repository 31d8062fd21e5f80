//! Exit statuses and the words that go with them.

use crate::{Scene, stderr, stdout};
use std::process::Output;

fn boot(script: &str, args: &[&str]) -> Output {
    let scene = Scene::new();
    scene.qemu(script);
    scene.boot().args(args).output().unwrap()
}

#[test]
fn the_guests_own_code_is_the_exit_status() {
    let left = boot("echo hello; exit 39", &[]);
    assert_eq!(left.status.code(), Some(3));
    assert_eq!(stdout(&left), "hello\n");
    let text = stderr(&left);
    assert!(text.contains("guest exited with 3; host CPU 0.0"), "{text}");
}

#[test]
fn every_other_end_has_a_status_and_words_of_its_own() {
    for (script, status, words) in [
        ("exit 235", 101, "kernel panic"),
        ("exit 0", 102, "triple fault"),
        ("exec /bin/sleep 60", 124, "timeout"),
        ("echo no such CPU >&2; exit 1", 125, "QEMU failed"),
    ] {
        let left = boot(script, &["--timeout", "1"]);
        let text = stderr(&left);
        assert_eq!(left.status.code(), Some(status), "{script}: {text}");
        assert!(text.contains(words), "{script}: {text}");
    }
}

#[test]
fn an_end_before_the_first_word_makes_one_look_at_what_was_run() {
    let asks = |script| stderr(&boot(script, &[])).contains("is it QEMU that was run?");
    assert!(asks("exit 0"));
    assert!(!asks("echo hello; exit 0"));
}

#[test]
fn what_qemu_complains_of_is_shown_with_the_command() {
    let text = stderr(&boot("echo no such CPU >&2; exit 1", &["--cpu", "z80"]));
    assert!(text.contains("QEMU: no such CPU") && text.contains("-cpu z80"), "{text}");
}

#[test]
fn a_reboot_boots_again_with_the_rest_of_the_script() {
    let scene = Scene::new();
    // Leaves with `reboot` once, then with 7; prints the kernel's command line.
    scene.qemu("echo \"$*\"\n[ -e \"$0.again\" ] && exit 47\n: > \"$0.again\"\nexit 233");
    let left = scene.boot().args(["--script", "cores; reboot; exit 7"]).output().unwrap();
    assert_eq!(left.status.code(), Some(7));
    let text = stdout(&left);
    let scripts: Vec<_> = text.lines().filter_map(|line| line.split("script=").nth(1)).collect();
    assert_eq!(scripts, ["cores%3B%20reboot%3B%20exit%207", "%20exit%207"]);
}

#[test]
fn wrong_options_are_the_hosts_error_and_not_a_guests_code() {
    for wrong in [&["--cores", "0"][..], &["--cores", "256"], &["--frobnicate"], &["--timeout=0"]] {
        let left = boot("exit 33", wrong);
        assert_eq!(left.status.code(), Some(125), "{wrong:?}");
        assert!(stderr(&left).contains(wrong[0].split('=').next().unwrap()), "{}", stderr(&left));
    }
    for wrong in
        [&["--silent-core", "0"][..], &["--silent-core", "4"], &["--icount", "--accel", "kvm"]]
    {
        assert_eq!(boot("exit 33", wrong).status.code(), Some(125), "{wrong:?}");
    }
}

#[test]
fn help_and_the_dry_run_succeed_without_a_guest() {
    for (option, words) in [("--help", "Exit status: 0-99"), ("--dry-run", "-M microvm")] {
        let left = boot("echo booted; exit 33", &[option]);
        assert_eq!(left.status.code(), Some(0), "{option}");
        let text = stdout(&left);
        assert!(text.contains(words) && !text.contains("booted"), "{text}");
    }
}

#[test]
fn a_debugger_is_told_what_to_type() {
    let left = boot("exit 33", &["--gdb=4321"]);
    assert!(stderr(&left).contains("-ex 'target remote 127.0.0.1:4321'"), "{}", stderr(&left));
    let left = boot("echo \"$*\"; exit 33", &["--gdb"]);
    assert!(stdout(&left).contains("-gdb unix:") && stdout(&left).contains(" -S "));
}
