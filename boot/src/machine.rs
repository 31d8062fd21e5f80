//! What to start: the machine, and the command line of QEMU that is it.
//!
//! [`Machine`] is plain data with sensible defaults; [`Machine::command`] assembles QEMU's arguments,
//! one small function per concern. The values that a user types ([`Board`], [`Topology`], [`Memory`],
//! [`Debugger`]) check themselves when parsed.

mod value;

pub use value::{Board, Debugger, Memory, Topology};

use crate::accel::Accel;
use anyhow::ensure;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proto::boot::{Clock, RECORD_PORT, key};
use proto::exit::DEBUG_EXIT_PORT;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// Bytes that stand for themselves on the kernel's command line, see [`proto::boot`].
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b',');

/// A machine, ready to be started.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The QEMU binary (`qemu-system-x86_64`).
    pub qemu: PathBuf,
    /// The kernel image: an ELF with a PVH note.
    pub image: PathBuf,
    /// The archive of programs, see [`proto::archive`]; `None` boots without.
    pub programs: Option<PathBuf>,
    /// QEMU's machine and its options.
    pub board: Board,
    /// How many cores, and in which sockets and threads.
    pub topology: Topology,
    /// Memory; `None` chooses by the number of cores.
    pub memory: Option<Memory>,
    /// QEMU's CPU model, with its options.
    pub cpu: String,
    /// The accelerator.
    pub accel: Accel,
    /// What the guest's clock counts. [`Clock::Count`] needs [`Accel::Tcg`].
    pub clock: Clock,
    /// Waits for a debugger before the first instruction.
    pub debugger: Option<Debugger>,
    /// Console commands to run after boot, separated by `;`.
    pub script: Option<String>,
    /// A core that must not answer its start-up.
    pub silent_core: Option<u16>,
    /// Where to write what the coordinator is told; QEMU adds to the file.
    pub record: Option<PathBuf>,
    /// More words for the kernel's command line.
    pub words: Vec<(String, String)>,
    /// More arguments for QEMU, for example a plugin.
    pub extra: Vec<OsString>,
}

impl Machine {
    /// A machine with the defaults: 4 cores on microvm, under TCG.
    #[must_use]
    pub fn new(qemu: impl Into<PathBuf>, image: impl Into<PathBuf>) -> Self {
        Self {
            qemu: qemu.into(),
            image: image.into(),
            programs: None,
            board: Board::default(),
            topology: Topology::default(),
            memory: None,
            cpu: "max".into(),
            accel: Accel::Tcg,
            clock: Clock::Time,
            debugger: None,
            script: None,
            silent_core: None,
            record: None,
            words: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// The command that starts this machine, its console on standard input and output.
    #[must_use]
    pub fn command(&self) -> Invocation {
        let mut args = Vec::new();
        self.hardware(&mut args);
        self.acceleration(&mut args);
        self.devices(&mut args);
        self.debugging(&mut args);
        args.extend(["-kernel".into(), self.image.clone().into()]);
        if let Some(programs) = &self.programs {
            args.extend(["-initrd".into(), programs.clone().into()]);
        }
        args.extend(["-append".into(), self.kernel_words().into()]);
        args.extend(self.extra.iter().cloned());
        Invocation { program: self.qemu.clone(), args }
    }

    /// Whether the kernel gets all of its command line.
    ///
    /// # Errors
    ///
    /// When it is longer than this board hands on.
    pub fn check(&self) -> anyhow::Result<()> {
        let (bytes, most) = (self.kernel_words().len(), self.board.longest_command_line());
        ensure!(
            bytes <= most,
            "the script is too long: encoded it makes a command line of {bytes} bytes, and on {} the kernel gets at most \
             {most}; type it on standard input instead, as in `cargo run < FILE`",
            self.board.name()
        );
        Ok(())
    }

    /// The memory that the guest gets.
    #[must_use]
    pub fn memory(&self) -> Memory {
        self.memory.unwrap_or_else(|| Memory::for_cores(self.topology.cores()))
    }

    /// A line that says what is started: cores, board, memory, accelerator.
    #[must_use]
    pub fn summary(&self) -> String {
        let cores = self.topology.cores();
        let plural = if cores == 1 { "" } else { "s" };
        let clock = if self.clock == Clock::Count { ", clock counts instructions" } else { "" };
        let accel = self.accel.name().to_uppercase();
        format!("{cores} core{plural} on {}, {}, {accel}{clock}", self.board, self.memory())
    }

    fn hardware(&self, args: &mut Vec<OsString>) {
        option(args, "-M", self.board.to_string());
        option(args, "-cpu", &self.cpu);
        option(args, "-smp", self.topology.to_string());
        option(args, "-m", format!("{}M", self.memory().mebibytes()));
    }

    fn acceleration(&self, args: &mut Vec<OsString>) {
        match (self.accel, self.clock) {
            (Accel::Kvm, _) => option(args, "-accel", "kvm"),
            (Accel::Tcg, Clock::Time) => option(args, "-accel", "tcg,thread=multi"),
            (Accel::Tcg, Clock::Count) => {
                option(args, "-accel", "tcg");
                option(args, "-icount", "shift=0,sleep=off");
                // The guest reads the date when it boots; it must not depend on when that is.
                option(args, "-rtc", "base=2026-01-01T00:00:00,clock=vm");
            }
        }
    }

    fn devices(&self, args: &mut Vec<OsString>) {
        args.extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(OsString::from));
        option(args, "-display", "none");
        option(args, "-device", format!("isa-debug-exit,iobase={DEBUG_EXIT_PORT:#x},iosize=4"));
        option(args, "-chardev", "stdio,id=console,signal=off");
        option(args, "-serial", "chardev:console");
        if let Some(file) = &self.record {
            let path = file.to_string_lossy().replace(',', ",,");
            option(args, "-chardev", format!("file,id=record,append=on,path={path}"));
            let device = format!("isa-debugcon,iobase={RECORD_PORT:#x},chardev=record");
            option(args, "-device", device);
        }
    }

    fn debugging(&self, args: &mut Vec<OsString>) {
        if let Some(debugger) = &self.debugger {
            option(args, "-gdb", debugger.qemu());
            args.push("-S".into());
        }
    }

    /// The kernel's command line, see [`proto::boot`].
    fn kernel_words(&self) -> String {
        let clock = if self.clock == Clock::Count { "count" } else { "time" };
        let accel = format!("{}/{}", self.accel.name(), self.board.name());
        let mut words = vec![(key::CLOCK, clock.into()), (key::ACCEL, accel)];
        words.extend(self.silent_core.map(|core| (key::SILENT_CORE, core.to_string())));
        words.extend(self.record.as_ref().map(|_| (key::RECORD, "on".into())));
        words.extend(self.words.iter().map(|(key, value)| (key.as_str(), value.clone())));
        words.extend(self.script.clone().map(|script| (key::SCRIPT, script)));
        let encoded = |value: &str| utf8_percent_encode(value, PLAIN).to_string();
        let words: Vec<_> = words.iter().map(|(k, v)| format!("{k}={}", encoded(v))).collect();
        words.join(" ")
    }
}

fn option(args: &mut Vec<OsString>, name: &str, value: impl Into<OsString>) {
    args.extend([name.into(), value.into()]);
}

/// A program and its arguments; displays as a line for a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", quoted(&self.program.to_string_lossy()))?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", quoted(&arg.to_string_lossy())))
    }
}

/// Quotes a word for a POSIX shell, where it needs to be.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
