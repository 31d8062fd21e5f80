//! The console on a terminal: raw while the guest runs, as before afterwards.

use crate::{Scene, wait_for};
use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::thread::JoinHandle;

/// The tool on a terminal of its own.
struct Terminal {
    child: Child,
    keys: File,
    /// The tool's side, to look at its settings.
    side: OwnedFd,
    screen: JoinHandle<Vec<u8>>,
}

impl Terminal {
    fn start(scene: &Scene) -> Self {
        let pty = openpty(None, None).unwrap();
        let side = || pty.slave.try_clone().unwrap();
        let child = scene.boot().stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        let mut master = File::from(pty.master.try_clone().unwrap());
        let screen = std::thread::spawn(move || {
            let (mut shown, mut buffer) = (Vec::new(), [0; 1024]);
            // Ends with an error when the other side is closed.
            while let Ok(length @ 1..) = master.read(&mut buffer) {
                shown.extend(&buffer[..length]);
            }
            shown
        });
        Self { child, keys: pty.master.into(), side: pty.slave, screen }
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.side).unwrap().local_flags.contains(LocalFlags::ICANON)
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
    }

    /// Waits for the end; the exit status and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        assert!(!self.is_raw(), "the terminal is left raw");
        drop(self.side);
        (status.code(), String::from_utf8_lossy(&self.screen.join().unwrap()).into_owned())
    }
}

#[test]
fn keys_go_to_the_guest_one_by_one_and_lines_start_at_the_left() {
    let scene = Scene::new();
    scene.qemu("printf 'a\\nb\\n> '; /bin/head -c3 | /usr/bin/od -An -c; exit 33");
    let mut terminal = Terminal::start(&scene);
    wait_for("raw mode", || terminal.is_raw());
    terminal.press(b"x\x03\r");
    let (status, screen) = terminal.end();
    assert_eq!(status, Some(0), "{screen}");
    assert!(screen.contains("a\r\nb\r\n> ") && screen.contains("x 003  \\r"), "{screen:?}");
    assert!(screen.contains("Ctrl-A x"), "the hint: {screen:?}");
}

#[test]
fn the_terminal_can_be_left_whatever_the_guest_does() {
    for keys in [&b"\x03"[..], b"\x01x", b"ps\x03\x03"] {
        let scene = Scene::new();
        scene.qemu("exec /bin/sleep 60");
        let mut terminal = Terminal::start(&scene);
        wait_for("raw mode", || terminal.is_raw());
        terminal.press(keys);
        let (status, screen) = terminal.end();
        assert_eq!(status, Some(130), "{keys:?}: {screen}");
        assert!(screen.contains("interrupted"), "{screen:?}");
    }
}
