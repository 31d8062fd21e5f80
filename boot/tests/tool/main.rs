//! The program `atoll` as a user meets it, with shell scripts standing in for QEMU and other tools.

#![expect(clippy::unwrap_used, reason = "all of this is tests, also what no #[test] stands before")]

mod bench;
mod build;
mod install;
mod leave;
mod status;
mod terminal;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A folder for stand-ins, and the tool run with it as its whole `PATH`.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(scene.path("image"), bare_image()).unwrap();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a program there, which runs this shell script.
    ///
    /// A shell writes the file: were it open for writing here, a child that another test starts
    /// meanwhile would hold it open too, and a file that is being written cannot be run.
    fn program(&self, name: &str, script: &str) {
        let write = "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod +x \"$1\"";
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", write, "sh"]).arg(self.path(name)).arg(script);
        assert!(shell.status().unwrap().success());
    }

    fn qemu(&self, script: &str) {
        self.program("qemu-system-x86_64", script);
    }

    /// The tool, without input, booting an image that is never read.
    fn boot(&self) -> Command {
        let mut tool = self.tool();
        tool.arg("--image").arg(self.path("image")).args(["--timeout", "20"]);
        tool
    }

    fn tool(&self) -> Command {
        let mut tool = Command::new(env!("CARGO_BIN_EXE_atoll"));
        tool.env("PATH", self.folder.path()).stdin(Stdio::null());
        tool
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

/// An ELF file with nothing in it but the note that says where a kernel begins.
fn bare_image() -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(64, 0);
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    // An executable for x86-64 with one program header, of 56 bytes, right behind this one.
    put(16, &[2, 0, 62, 0, 1]);
    put(32, &[64]);
    put(52, &[64, 0, 56, 0, 1]);
    let words =
        |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    // A note (4) of 24 bytes behind both, aligned to 4.
    file.extend(words(&[4, 4, 120, 0, 0, 0, 0, 0, 24, 0, 24, 0, 4, 0]));
    file.extend(words(&[4, 8, 18, u32::from_le_bytes(*b"Xen\0"), 0x10_0000, 0]));
    file
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts a host-side error that says what to type, in one indented line, and shows no stack trace.
fn assert_advice(output: &Output, command: &str) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(125), "{text}");
    let advice: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert_eq!(advice.len(), 1, "one command to type: {text}");
    assert!(advice[0].contains(command), "{text}");
    assert!(!text.contains("panicked") && !text.contains("backtrace"), "{text}");
}

/// Waits until something holds, at most 10 seconds.
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "still not: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process runs; a zombie does not.
fn runs(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}
