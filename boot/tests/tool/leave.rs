//! Pipes and signals: input reaches the guest, and QEMU never outlives the tool.

use crate::{Scene, runs, stderr, stdout, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

/// A guest that stays, having written its number to the file `pid`.
const STAYS: &str = "echo $$ > \"${0%/*}/number\"; /bin/mv \"${0%/*}/number\" \"${0%/*}/pid\"\n\
                     exec /bin/sleep 60";

fn start(scene: &Scene, tool: &mut Command) -> (Child, String) {
    let child = tool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the guest runs", || scene.path("pid").exists());
    (child, scene.read("pid"))
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
}

#[test]
fn signals_end_the_guest_and_are_told() {
    for which in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let scene = Scene::new();
        scene.qemu(STAYS);
        let (child, pid) = start(&scene, &mut scene.boot());
        signal(&child, which);
        let left = child.wait_with_output().unwrap();
        assert_eq!(left.status.code(), Some(130), "{which}");
        assert!(stderr(&left).contains("interrupted"), "{}", stderr(&left));
        wait_for("QEMU is gone", || !runs(&pid));
    }
}

#[test]
fn a_tool_that_is_killed_takes_the_guest_along() {
    let scene = Scene::new();
    scene.qemu(STAYS);
    // `setpriv` does it, and is looked for in PATH.
    let path = format!("{}:/usr/bin:/bin", scene.folder.path().display());
    let (mut child, pid) = start(&scene, scene.boot().env("PATH", path));
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    wait_for("QEMU is gone", || !runs(&pid));
}

#[test]
fn piped_input_reaches_the_guest_once_it_is_up_and_then_its_end() {
    let scene = Scene::new();
    // What comes before the guest has set its serial line up would be lost.
    scene.qemu(
        "/usr/bin/timeout 0.3 /bin/head -c1; echo up; IFS= read -r a; IFS= read -r b; echo \"$a,$b\"\n\
         /bin/head -c1 | /usr/bin/od -An -c; exit 33",
    );
    let mut child = scene.boot().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"cores\nping 1\n").unwrap();
    let left = child.wait_with_output().unwrap();
    assert_eq!(stdout(&left), "up\ncores,ping 1\n 004\n");
    assert_eq!(left.status.code(), Some(0));
}

#[test]
fn a_script_is_not_cut_short_by_the_end_of_input() {
    let scene = Scene::new();
    let timed_read = "exec /usr/bin/timeout 0.3 /bin/head -c1";
    scene.qemu(&format!("echo up; {timed_read} > \"$0.read\""));
    let left = scene.boot().args(["--script", "sleep 1"]).output().unwrap();
    assert_eq!(left.status.code(), Some(125), "the stand-in leaves with 124: {}", stderr(&left));
    assert_eq!(scene.read("qemu-system-x86_64.read"), "");
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_guest() {
    let scene = Scene::new();
    scene.qemu("while :; do echo more; done");
    let mut child = scene.boot().stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
