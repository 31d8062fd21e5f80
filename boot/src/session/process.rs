//! QEMU as a child process that never outlives this one.

use super::Event;
use crate::machine::Invocation;
use crate::tools;
use anyhow::Context as _;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, killpg};
use nix::sys::time::TimeValLike as _;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often an ending QEMU is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// How many pieces of output may wait to be taken in; then QEMU is kept waiting.
const BACKLOG: usize = 64;

/// A running QEMU; ended when dropped.
pub(super) struct Guest {
    child: Child,
    keyboard: Sender<Vec<u8>>,
    /// One entry per piece of output that is under way.
    backlog: Receiver<()>,
}

impl Guest {
    /// Starts it. Its output arrives at `sender`, two [`Event::Closed`] last.
    pub(super) fn start(command: &Invocation, sender: &Sender<Event>) -> anyhow::Result<Self> {
        let mut child = leashed(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} does not start", command.program.display()))?;
        let (keyboard, keys) = mpsc::channel();
        let (credit, backlog) = mpsc::sync_channel(BACKLOG);
        if let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        {
            let output = Pump { sender: sender.clone(), credit, event: Event::Output };
            let complaints = Pump { event: Event::Complaint, ..output.clone() };
            thread::spawn(move || relay(stdin, &keys));
            thread::spawn(move || output.run(stdout));
            thread::spawn(move || complaints.run(stderr));
        }
        Ok(Self { child, keyboard, backlog })
    }

    /// A piece of output was taken in: there is room for another.
    pub(super) fn taken(&self) {
        // Never empty here: the entry was made before the piece was sent.
        let _ = self.backlog.try_recv();
    }

    /// Types bytes into the guest's console; they wait until it takes them.
    pub(super) fn type_in(&self, bytes: Vec<u8>) {
        // The relay ends when QEMU does; then there is nobody to type to.
        let _ = self.keyboard.send(bytes);
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) {
        // Its whole group, which a stand-in's own children belong to. It may have ended by itself.
        let _ = killpg(self.pid(), Signal::SIGKILL);
        let _ = self.child.kill();
    }

    /// Waits for its end, which it is helped to after `grace`. Returns its status and the CPU seconds,
    /// user and system, that it used.
    ///
    /// # Errors
    ///
    /// When the operating system does not know the child, which would be our own mistake.
    pub(super) fn reap(&mut self, grace: Duration) -> anyhow::Result<(ExitStatus, f64)> {
        let deadline = Instant::now() + grace;
        while !self.has_ended()? {
            if Instant::now() >= deadline {
                self.kill();
            }
            thread::sleep(LOOK);
        }
        // A child's time is added to that of "all children" when it is reaped, and not before.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seconds_of_children()?;
        let status = self.child.wait()?;
        Ok((status, seconds_of_children()? - before))
    }

    fn has_ended(&self) -> nix::Result<bool> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        Ok(waitid(Id::Pid(self.pid()), flags)? != WaitStatus::StillAlive)
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Once reaped its number may be another's.
        if let Ok(None) = self.child.try_wait() {
            self.kill();
            let _ = self.child.wait();
        }
    }
}

/// Hands on what one of QEMU's streams yields, until its end.
#[derive(Clone)]
struct Pump {
    sender: Sender<Event>,
    credit: SyncSender<()>,
    event: fn(Vec<u8>) -> Event,
}

impl Pump {
    /// Ends early when the session does not listen any more.
    fn run(self, mut source: impl Read) {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = source.read(&mut buffer) {
            let event = (self.event)(buffer[..length].to_vec());
            if self.credit.send(()).is_err() || self.sender.send(event).is_err() {
                return;
            }
        }
        let _ = self.sender.send(Event::Closed);
    }
}

/// The command, so that the kernel ends it when this process dies in whatever way, and in a group of
/// its own, so that the terminal's Ctrl-C reaches this process alone.
fn leashed(command: &Invocation) -> Command {
    let mut leashed = match setpriv() {
        Some(setpriv) => {
            let mut leashed = Command::new(setpriv);
            leashed.args(["--pdeathsig", "KILL", "--"]).arg(&command.program);
            leashed
        }
        None => Command::new(&command.program),
    };
    leashed.args(&command.args).process_group(0);
    leashed
}

/// `setpriv` of util-linux, if it is there; busybox has one that knows no `--pdeathsig`.
fn setpriv() -> Option<&'static PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let works = |path: &PathBuf| {
        let tried = Command::new(path).args(["--pdeathsig", "KILL", "--", "true"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    FOUND.get_or_init(|| tools::find("setpriv").filter(works)).as_ref()
}

/// Writes to the guest's console what it is sent, at the pace at which the guest takes it.
fn relay(mut stdin: ChildStdin, keys: &Receiver<Vec<u8>>) {
    while let Ok(bytes) = keys.recv() {
        if stdin.write_all(&bytes).and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

fn seconds_of_children() -> nix::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    // Exact for the first 285 years.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a run fit 53 bits")]
    Ok(microseconds as f64 / 1e6)
}
