//! First tier: the console on a terminal, from `cargo run` to the last key.

use nix::pty::openpty;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// How long a text may take to appear; the first waits for the build of the image.
const PATIENCE: Duration = Duration::from_secs(240);
const PROMPT: &str = "atoll> \x1b[K";

/// `cargo run` on a terminal of its own.
struct Terminal {
    child: Child,
    keys: File,
    screen: Receiver<Vec<u8>>,
    /// What was shown and not waited for yet.
    shown: String,
}

impl Terminal {
    fn start() -> std::io::Result<Self> {
        let pty = openpty(None, None)?;
        let child = Command::new(env!("CARGO"))
            .args(["run", "--quiet", "--package", "boot", "--", "--timeout", "60"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .stdin(pty.slave.try_clone()?)
            .stdout(pty.slave.try_clone()?)
            .stderr(pty.slave)
            .spawn()?;
        let keys = File::from(pty.master);
        let mut master = keys.try_clone()?;
        let (sender, screen) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            // Ends with an error when the other side is closed.
            while let Ok(length @ 1..) = master.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, keys, screen, shown: String::new() })
    }

    /// Waits until this is shown, after what was waited for before.
    #[track_caller]
    fn sees(&mut self, text: &str) {
        loop {
            if let Some(at) = self.shown.find(text) {
                self.shown.drain(..at + text.len());
                return;
            }
            let Ok(bytes) = self.screen.recv_timeout(PATIENCE) else {
                panic!("{text:?} is not shown, but {:?}", self.shown);
            };
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    fn press(&mut self, keys: &str) -> std::io::Result<()> {
        self.keys.write_all(keys.as_bytes())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // After a failure it still runs; otherwise it has ended, and there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn ctrl_c_cancels_a_command_then_a_line_and_then_leaves() -> std::io::Result<()> {
    let mut terminal = Terminal::start()?;
    terminal.sees(PROMPT);
    terminal.press("sleep 50\r")?;
    terminal.sees("sleep 50");
    terminal.press("\x03")?;
    terminal.sees(PROMPT);
    terminal.press("exit 1\x03")?;
    terminal.sees(PROMPT);
    terminal.press("echo still here\r")?;
    terminal.sees("\r\nstill here\r\n");
    terminal.sees(PROMPT);
    terminal.press("\x03")?;
    terminal.sees("interrupted, QEMU was ended");
    assert_eq!(terminal.child.wait()?.code(), Some(130));
    Ok(())
}
