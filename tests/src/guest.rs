//! The real image in QEMU, driven by a test.
//!
//! [`Guest`] collects options as a user would type them, so what a failing test prints to run it again
//! is what it ran. [`Guest::run`] boots and waits; the [`Run`] that it returns has assertions, each of
//! which shows on failure what the guest printed, how it ended and the command.
//!
//! The image is built once per test process. Every run has a timeout, and every test thread runs one
//! guest at a time, so `--test-threads` bounds how many there are.

use crate::replay;
use boot::machine::Machine;
use boot::session::{Outcome, Session};
use boot::verdict::Verdict;
use boot::{image, machine, programs, run, tools};
use clap::Parser as _;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// How long a guest may run unless the test says otherwise; a shared machine can be slow.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A machine to boot and what to do with it.
#[derive(Clone, Debug)]
#[must_use]
pub struct Guest {
    args: Vec<String>,
    timeout: Duration,
    replies: Vec<(String, String)>,
    qemu: Vec<String>,
    record: bool,
}

/// The options of `atoll`, parsed by themselves.
#[derive(clap::Parser)]
#[command(no_binary_name = true, args_override_self = true)]
struct Options {
    #[command(flatten)]
    run: run::Args,
}

impl Default for Guest {
    fn default() -> Self {
        Self::new()
    }
}

impl Guest {
    /// Four cores on microvm under TCG: what passes here passes on any host.
    pub fn new() -> Self {
        let (args, replies, qemu) = (Vec::new(), Vec::new(), Vec::new());
        let guest = Self { args, timeout: TIMEOUT, replies, qemu, record: false };
        guest.option("--accel", "tcg")
    }

    fn option(mut self, name: &str, value: impl ToString) -> Self {
        self.args.extend([name.to_owned(), value.to_string()]);
        self
    }

    /// So many cores.
    pub fn cores(self, cores: u16) -> Self {
        self.option("--cores", cores)
    }

    /// Cores in sockets and threads, as QEMU's `-smp` takes them.
    pub fn smp(self, topology: &str) -> Self {
        self.option("--smp", topology)
    }

    /// QEMU's machine, with options: `q35`, `microvm,acpi=off`.
    pub fn machine(self, board: &str) -> Self {
        self.option("--machine", board)
    }

    /// The CPU model.
    pub fn cpu(self, model: &str) -> Self {
        self.option("--cpu", model)
    }

    /// So much memory, in MiB.
    pub fn memory(self, mebibytes: u64) -> Self {
        self.option("--memory", mebibytes)
    }

    /// Count mode: the clock counts instructions, and everything repeats to the bit.
    pub fn count(mut self) -> Self {
        self.args.push("--icount".into());
        self
    }

    /// A core that does not answer its start-up.
    pub fn silent_core(self, core: u16) -> Self {
        self.option("--silent-core", core)
    }

    /// The image for tests, whose console can hold cores up.
    pub fn probes(mut self) -> Self {
        self.args.push("--probes".into());
        self
    }

    /// Boots with this archive of programs instead of those of the sources.
    pub fn archive(self, path: &Path) -> Self {
        self.option("--initrd", path.display())
    }

    /// One more program, a static ELF file.
    pub fn program(self, path: &Path) -> Self {
        self.option("--program", path.display())
    }

    /// Console commands to run after boot.
    pub fn script(self, commands: &str) -> Self {
        self.option("--script", commands)
    }

    /// Records what the coordinator is told, for [`Run::replays`].
    pub fn record(self) -> Self {
        Self { record: true, ..self }
    }

    /// Types `text` when the guest has printed `after`; see [`Session::reply`].
    pub fn reply(mut self, after: &str, text: impl Into<String>) -> Self {
        self.replies.push((after.into(), text.into()));
        self
    }

    /// Ends the guest after this time instead of a minute; the test fails then, unless it expects that.
    pub fn timeout(self, after: Duration) -> Self {
        Self { timeout: after, ..self }
    }

    /// One more argument for QEMU.
    pub fn qemu(mut self, arg: &str) -> Self {
        self.qemu.push(arg.into());
        self
    }

    /// What a user would type to boot the same.
    #[must_use]
    pub fn command(&self) -> String {
        let mut line = String::from("cargo run --");
        if self.record {
            line.push_str(" trace --record FILE");
        }
        for arg in self.words() {
            // Writing to a string cannot fail.
            let _ = write!(line, " {}", machine::quoted(&arg));
        }
        for (after, text) in &self.replies {
            let _ = write!(line, "\n    and after {after:?} type {text:?}");
        }
        line
    }

    fn words(&self) -> Vec<String> {
        let timeout = ["--timeout".into(), self.timeout.as_secs_f64().to_string()];
        let mut words: Vec<String> = self.args.iter().cloned().chain(timeout).collect();
        if !self.qemu.is_empty() {
            words.push("--".into());
            words.extend(self.qemu.iter().cloned());
        }
        words
    }

    /// Boots, and waits for the end.
    ///
    /// # Panics
    ///
    /// When the host lacks something that cannot be installed, the image does not build, or QEMU fails:
    /// none of which is the guest's.
    pub fn run(self) -> Run {
        let command = self.command();
        let recording =
            self.record.then(|| tempfile::NamedTempFile::new().expect("a temporary file"));
        let outcome = self.outcome(recording.as_ref().map(tempfile::NamedTempFile::path));
        let outcome = outcome.unwrap_or_else(|error| panic!("{error:#}\n{command}"));
        let run = Run { command, outcome, recording };
        run.check(!matches!(run.outcome.verdict, Verdict::Qemu(_)), "QEMU runs");
        run
    }

    fn outcome(&self, record: Option<&Path>) -> anyhow::Result<Outcome> {
        let (image, programs) = built();
        let is_probed = self.args.iter().any(|arg| arg == "--probes");
        let image = if is_probed { built_with_probes() } else { image };
        let built = ["--image".into(), image.display().to_string()];
        let programs = ["--initrd".into(), programs.display().to_string()];
        let words = built.into_iter().chain(programs).chain(self.words());
        let machine = Options::try_parse_from(words)?.run.machine()?;
        let machine = Machine { record: record.map(PathBuf::from), ..machine };
        let session = Session::new(&machine).timeout(Some(self.timeout));
        let replies = self.replies.iter();
        replies.fold(session, |session, (after, text)| session.reply(after, text)).run()
    }
}

/// Runs commands between two looks at memory, and sees to it that nothing is lost: no memory is in use that was not,
/// no process is left, nobody has a core, and all invariants hold.
///
/// # Panics
///
/// When something is, and as [`Guest::run`].
pub fn nothing_lost(guest: Guest, commands: &str) -> Run {
    // Memory is given back after the end of a process, when there is time: while `check` hears from all cores there is, also
    // where the host has had this machine stand still.
    let script = format!(
        "mem --json;{commands};sleep 0.2;check;mem --json;ps --json;prov --json;check;exit 0"
    );
    let run = guest.script(&script).run();
    run.exited(0);
    let objects = run.json();
    let used = objects.iter().filter(|row| row["memory"] == "programs");
    let used: Vec<_> = used.filter_map(|row| row["used"].as_u64()).collect();
    run.check(
        used.len() == 2 && used[0] == used[1],
        &format!("as much memory as before: {used:?}"),
    );
    run.check(!objects.iter().any(|row| row.get("parent").is_some()), "no process is left");
    let held = objects.iter().filter(|row| row.get("owner").is_some() && row["pid"].is_u64());
    run.check(held.count() == 0, "nobody has a core");
    run
}

/// The archive of programs, built when first asked for.
///
/// # Panics
///
/// As [`Guest::run`].
#[must_use]
pub fn programs() -> &'static Path {
    &built().1
}

/// The image and the archive of programs, built when first asked for; QEMU is looked for before, which takes
/// no time.
fn built() -> &'static (PathBuf, PathBuf) {
    static BUILT: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    let build = || {
        tools::qemu(None)?;
        let image = image::build()?;
        let programs = programs::build(&image)?;
        anyhow::Ok((image, programs))
    };
    BUILT.get_or_init(|| build().unwrap_or_else(|error| panic!("{error:#}")))
}

/// The image for tests, built when first asked for.
fn built_with_probes() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| image::build_with_probes().unwrap_or_else(|error| panic!("{error:#}")))
}

/// What a guest did.
#[derive(Debug)]
pub struct Run {
    /// All there is to know.
    pub outcome: Outcome,
    command: String,
    recording: Option<tempfile::NamedTempFile>,
}

impl Run {
    /// Fails the test, with all that one needs to see, unless `holds`.
    ///
    /// # Panics
    ///
    /// When it does not hold.
    #[track_caller]
    pub fn check(&self, holds: bool, what: &str) {
        let Outcome { verdict, lines, complaints, .. } = &self.outcome;
        assert!(
            holds,
            "not so: {what}\n--- the guest printed\n{}\n--- QEMU complained\n{complaints}\
             --- {verdict}; again with\n    {}\n",
            lines.join("\n"),
            self.command
        );
    }

    /// Asserts that a coordinator on the host, told what this run's was told, wants the same done.
    ///
    /// # Panics
    ///
    /// When it does not, or nothing was recorded.
    #[track_caller]
    pub fn replays(&self) -> &Self {
        let file = self.recording.as_ref().map(tempfile::NamedTempFile::path);
        let recording = file.and_then(|file| std::fs::read(file).ok()).unwrap_or_default();
        match replay::replay(&recording) {
            Ok(replay) => {
                let is_same = replay.inputs > 0 && replay.mismatches == 0;
                self.check(is_same, &format!("replays\n{replay}"));
            }
            Err(bad) => self.check(false, &format!("is a recording: {bad}")),
        }
        self
    }

    /// Asserts that the guest left with this code.
    #[track_caller]
    pub fn exited(&self, code: u8) -> &Self {
        self.ended(&Verdict::Exited(code))
    }

    /// Asserts how it ended.
    #[track_caller]
    pub fn ended(&self, verdict: &Verdict) -> &Self {
        self.check(self.outcome.verdict == *verdict, &verdict.to_string());
        self
    }

    /// Asserts that each of these stands in a line, in this order, each in a later line than the one
    /// before it.
    #[track_caller]
    pub fn printed(&self, texts: &[&str]) -> &Self {
        let mut lines = self.outcome.lines.iter();
        for text in texts {
            let found = lines.any(|line| line.contains(text));
            self.check(found, &format!("prints {text:?} (of {texts:?}, in order)"));
        }
        self
    }

    /// Asserts that no line holds this.
    #[track_caller]
    pub fn never_printed(&self, text: &str) -> &Self {
        let found = self.outcome.lines.iter().any(|line| line.contains(text));
        self.check(!found, &format!("never prints {text:?}"));
        self
    }

    /// The first line that holds this.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[track_caller]
    #[must_use]
    pub fn line(&self, text: &str) -> &str {
        let found = self.outcome.lines.iter().find(|line| line.contains(text));
        self.check(found.is_some(), &format!("prints {text:?}"));
        found.map_or("", String::as_str)
    }

    /// The JSON objects among the lines, those that `--json` makes the console print.
    #[must_use]
    pub fn json(&self) -> Vec<serde_json::Value> {
        let objects = self.outcome.lines.iter().filter(|line| line.starts_with('{'));
        objects.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}
