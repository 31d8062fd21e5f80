//! What can be typed at the console, as types.
//!
//! [`COMMANDS`] is the one description of the commands: it drives [`parse`], [`write_help`] and
//! [`complete`]. To add a command, add a variant to [`Command`] and an entry to the table.

mod args;
mod error;
mod experiments;
mod help;
mod inspect;
mod nearest;
#[cfg(feature = "probes")]
mod probe;
mod processes;
mod shootdown;
mod table;

use super::output::Format;
use args::Args;
use core::time::Duration;
use error::Problem;
pub use error::UsageError;
pub use experiments::{EXPERIMENTS, Experiment, ExperimentSet};
pub use help::{complete, write_help};
use monitor::CoreSet;
#[cfg(feature = "probes")]
pub use probe::Probe;
use proto::id::{CoreId, Pid};
pub use shootdown::{Shootdown, Way, Ways};
pub use table::COMMANDS;

/// A command with its arguments, all of them in range; whether the machine has the core is for the one
/// who carries it out to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Explain a command, or list all.
    Help {
        /// The name of a command of [`COMMANDS`].
        topic: Option<&'static str>,
    },
    /// Show one core in detail, or all.
    Cores {
        /// Which one.
        core: Option<CoreId>,
    },
    /// Measure round trips to a core.
    Ping {
        /// Which one.
        core: CoreId,
        /// How many, at least 1.
        count: u32,
    },
    /// Run experiments.
    Bench(Bench),
    /// Run a program.
    Run {
        /// Its name.
        name: &'a str,
        /// Its arguments, separated by blanks.
        arguments: &'a str,
        /// Go on with the console meanwhile.
        background: bool,
    },
    /// Run a many-core program while cores are taken from it.
    Storm(Storm<'a>),
    /// Do things to many processes at random, and look whether all holds.
    Soak(Soak),
    /// Show the processes.
    Processes,
    /// Show all that is known of a process.
    Process {
        /// Which.
        pid: Pid,
        /// Show its vcores too: their time on cores and what they are doing.
        verbose: bool,
    },
    /// Show the system calls of a process while it runs.
    Strace {
        /// Of which.
        traced: Traced<'a>,
        /// Show those of its later children too.
        follow: bool,
    },
    /// Show who has a right to which core, and who has it.
    Provisioned,
    /// Give a process the right to cores.
    Provision {
        /// To which; `None` for nobody.
        pid: Option<Pid>,
        /// Which cores.
        cores: CoreSet,
    },
    /// Take cores from a many-core process.
    Preempt {
        /// From which.
        pid: Pid,
        /// Which core; without it, all that it has.
        core: Option<CoreId>,
        /// How long to wait after having told the process; without it, it isn't told.
        warning: Option<Duration>,
    },
    /// Measure how long something takes to have its effect.
    Measure {
        /// What.
        what: Measured,
        /// To which process it is done.
        pid: Pid,
    },
    /// Show who waits for what.
    Waiters {
        /// Only this process.
        pid: Option<Pid>,
    },
    /// Check that all invariants hold.
    Check,
    /// Choose how cores are told of shootdowns, or show it.
    Shootdown(Shootdown),
    /// Show that cores forget translations when they must, and that they would not by themselves.
    SelfTest,
    /// Show the programs that can be run.
    Programs,
    /// End a process, or send it a signal.
    Kill {
        /// Which.
        pid: Pid,
        /// The signal; without it the process ends.
        signal: Option<u16>,
    },
    /// Wait until a process has ended.
    Wait {
        /// Which; without it, all.
        pid: Option<Pid>,
    },
    /// Post an event to a process.
    Notify {
        /// To which.
        pid: Pid,
        /// The event's kind.
        kind: u16,
        /// What goes with it.
        value: u64,
    },
    /// Show the use of memory.
    Mem,
    /// Show the kernel's log.
    Log {
        /// Only that many of the last lines.
        lines: Option<u32>,
    },
    /// Show what a core is doing.
    Backtrace {
        /// Which one.
        core: CoreId,
    },
    /// Make a core panic.
    Panic {
        /// Which one.
        core: CoreId,
    },
    /// Make a core spin with interrupts off.
    Hang {
        /// Which one, not the management core.
        core: CoreId,
    },
    /// Park a core.
    Stop {
        /// Which one, not the management core.
        core: CoreId,
    },
    /// Start a core that is stopped, or failed, or silent.
    Start {
        /// Which one, not the management core.
        core: CoreId,
    },
    /// Do nothing for a while; whole microseconds.
    Sleep(Duration),
    /// Show which kernel this is.
    Version,
    /// Restart the machine.
    Reboot,
    /// Switch the machine off.
    Exit {
        /// The status for the host, at most [`proto::exit::MAX_USER_CODE`]; without it, 0 if every
        /// command of the script has succeeded, else 1.
        code: Option<u8>,
    },
    /// Hold cores up, and see what crossed.
    #[cfg(feature = "probes")]
    Probe(Probe),
    /// Print a text.
    Echo(&'a str),
    /// Run a script several times.
    Repeat {
        /// How many times, at least 1.
        times: u32,
        /// What [`super::script::statements`] splits and [`parse`] takes: its statements have been
        /// checked, and none of them is a `repeat`.
        body: &'a str,
    },
}

/// Whose system calls are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traced<'a> {
    /// Those of a process that there is.
    Process(Pid),
    /// Those of a program, which is run.
    Program {
        /// Its name.
        name: &'a str,
        /// Its arguments, separated by blanks.
        arguments: &'a str,
    },
}

/// What `measure` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// Ends the process: until it is off all cores.
    Kill,
    /// Takes all its cores: until each has let go.
    Preempt,
    /// The same after a warning.
    PreemptWarn,
}

impl Measured {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Kill, Self::Preempt, Self::PreemptWarn];

    /// As it is typed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Preempt => "preempt",
            Self::PreemptWarn => "preempt-warn",
        }
    }
}

/// The arguments of `storm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm<'a> {
    /// The program's name.
    pub name: &'a str,
    /// Its arguments, separated by blanks.
    pub arguments: &'a str,
    /// Chooses moments and cores.
    pub seed: u64,
    /// Clock ticks between two preemptions, on average.
    pub every: u64,
    /// How often the program is run, at least once, each time with another seed.
    pub runs: u32,
}

/// The arguments of `soak`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Soak {
    /// Chooses what is done.
    pub seed: u64,
    /// How much.
    pub extent: Extent,
}

/// How much of something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// So many rounds.
    Rounds(u32),
    /// Rounds for a time.
    Time(Duration),
}

/// The arguments of `bench`; what isn't given is for the experiment to choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bench {
    /// Which experiments, at least one.
    pub experiments: ExperimentSet,
    /// Cores that may take part, instead of all.
    pub cores: Option<CoreSet>,
    /// Operations per measurement, at least 1.
    pub rounds: Option<u32>,
    /// Operations before measuring begins.
    pub warmup: Option<u32>,
    /// Ways in which cores are told of shootdowns, if not all are to be measured.
    pub ways: Ways,
}

/// A command, and how its results are to be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What to do.
    pub command: Command<'a>,
    /// How to print what comes out.
    pub format: Format,
}

/// The description of a command.
#[derive(Debug)]
pub struct Spec {
    /// Its first word.
    pub name: &'static str,
    /// Its arguments, as in its usage: what may be left out stands in brackets.
    pub arguments: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// The rest that one should know; empty, or whole sentences, in lines of at most 80 characters.
    pub details: &'static str,
    /// What it prints.
    prints: Prints,
    /// Makes the command from what follows its name.
    parse: for<'a> fn(&mut Args<'a>) -> Result<Command<'a>, UsageError<'a>>,
}

/// What a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prints {
    /// Results, which can be had as JSON.
    Results,
    /// Nothing that a program would want to read.
    Nothing,
}

impl Spec {
    /// The command of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|spec| spec.name == name)
    }

    fn takes_json(&self) -> bool {
        self.prints == Prints::Results
    }
}

/// Makes a request of a statement; `None` if it is blank or only a comment.
///
/// # Errors
///
/// What is wrong with it, ready to be shown.
pub fn parse(statement: &str) -> Result<Option<Request<'_>>, UsageError<'_>> {
    let statement = statement.trim();
    let (name, rest) = statement.split_once(char::is_whitespace).unwrap_or((statement, ""));
    if name.is_empty() || name.starts_with('#') {
        return Ok(None);
    }
    let spec = Spec::find(name).ok_or_else(|| unknown_command(name))?;
    let mut args = Args::new(spec, rest);
    let command = (spec.parse)(&mut args)?;
    let format = args.finish()?;
    Ok(Some(Request { command, format }))
}

fn unknown_command(name: &str) -> UsageError<'_> {
    let nearest = nearest::nearest(name, COMMANDS.iter().map(|spec| spec.name));
    UsageError::new(None, Problem::UnknownCommand { name, nearest })
}

#[cfg(test)]
mod tests;
