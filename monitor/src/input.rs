//! What the coordinator can be told.

use crate::config::Strategy;
use crate::core_set::CoreSet;
use crate::process::{Name, ProcessId};
use crate::queues::{Enqueued, Sending};
use proto::call::{Call, Outcome};
use proto::event::Event;
use proto::id::{CoreId, Pid};
use proto::message::ToMonitor;
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Input<'a> {
    /// A core's CPU driver says something. The core is known from the ring that it came in, so it
    /// cannot be forged.
    Message {
        /// Who says it.
        core: CoreId,
        /// What.
        message: ToMonitor,
    },
    /// Cores have flushed, and answer the shootdown with this ticket: as [`ToMonitor::ShootdownDone`] of each of them, the one
    /// with the lowest number first.
    Flushed {
        /// Who answers: at least one core, and at most [`crate::MOST_FLUSHED`].
        cores: CoreSet,
        /// The shootdown's.
        ticket: u32,
    },
    /// Cores say that they are free, each of the lease that it has ([`crate::Coordinator::leased`]): as [`ToMonitor::Released`] of
    /// each of them, where all had them of one process that is destroyed ([`crate::Coordinator::is_killed`]).
    Released {
        /// Which: at least one core, and at most [`crate::MOST_RELEASED`].
        cores: CoreSet,
    },
    /// The moment that was asked for with [`crate::Output::Arm`] has come, or an earlier or later one.
    Tick,
    /// The console asks for something; answered by exactly one [`crate::Event`].
    Console(Command),
    /// A core cannot be started at all (no memory for its stacks, for example).
    StartFailed {
        /// Which one.
        core: CoreId,
    },
    /// An NMI ([`crate::Output::Nmi`]) has made a core write a report, so many bytes of which are in its
    /// buffer.
    NmiAnswered {
        /// Which one.
        core: CoreId,
        /// Length of the report, in bytes.
        report: u32,
    },
    /// Stop sending heartbeat pings, and let nobody miss a ping's deadline: an experiment keeps the
    /// cores busy.
    PauseHeartbeat,
    /// Send them again.
    ResumeHeartbeat,
    /// Tell cores of shootdowns in this way from now on. Ignored while one is under way: see
    /// [`crate::Coordinator::strategy`].
    SetStrategy(Strategy),
    /// Have cores flush so many pages one by one from now on, and more all together.
    SetFlushPages(u32),
    /// Go on with work that one step must not do all at once ([`crate::Output::Again`]).
    Continue,
    /// Make a process whose address space lies ready. Answered by the call's outcome (the pid), or for
    /// the console by `Spawned` or `SpawnRefused`.
    Spawn {
        /// The parent's call; `None` for the console, whose processes have no parent.
        caller: Option<Call>,
        /// The program's name.
        name: Name,
        /// Physical address of the address space's top page table.
        root: u64,
        /// Frames that the address space takes, or may take later on, outside of
        /// [`proto::memory::MAP_AREA`], its page tables included. They must be there
        /// ([`crate::Coordinator::frames_left`]) before they are taken, and are reckoned with until
        /// [`crate::Output::FreeSpace`].
        frames: u32,
    },
    /// The console asks for something about processes; answered by `Controlled`.
    Control(Control),
    /// A program could not be loaded ([`crate::Output::LoadProgram`]).
    LoadFailed {
        /// The parent's call.
        caller: Call,
        /// What it comes to.
        why: Outcome,
    },
    /// Bytes of a process's memory ([`crate::Output::CopyIn`]).
    Copied {
        /// Whose.
        process: ProcessId,
        /// The request's ticket.
        ticket: u32,
        /// The bytes, fewer than were asked for if not all of the memory is there.
        bytes: &'a [u8],
    },
    /// An event that was sent to a queue is where the queue says, or cannot be ([`crate::Output::Enqueue`]).
    Enqueued {
        /// Whose queue.
        process: ProcessId,
        /// What was sent there.
        sending: Sending,
        /// What came of it.
        what: Enqueued,
    },
    /// Keys for those who read the console, at most [`crate::Coordinator::room_for_keys`]; none at all says
    /// that the input ends here.
    Keys {
        /// The keys.
        bytes: &'a [u8],
    },
}

/// A request of the console about processes. It may control them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Control {
    /// Let a process run that was created.
    Run {
        /// Which.
        pid: Pid,
    },
    /// End a process.
    Kill {
        /// Which.
        pid: Pid,
        /// Its exit code.
        code: Outcome,
    },
    /// Post an event to a process.
    Notify {
        /// To which.
        pid: Pid,
        /// What happened.
        event: Event,
    },
    /// Give a process the right to a core.
    Provision {
        /// Which core.
        core: CoreId,
        /// To which, or to nobody.
        to: Option<Pid>,
    },
    /// Take a core from a many-core process.
    Preempt {
        /// Which core.
        core: CoreId,
        /// How many ticks after having told the process; 0 for at once and untold.
        warning: u64,
    },
}

/// A request of the console about one core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Command {
    /// How long does a round trip take? Answered by `Pong` or `PingUnanswered`.
    Ping {
        /// The core to ask.
        core: CoreId,
    },
    /// What is it doing? Answered by `Dumped` or `DumpUnanswered`.
    Dump {
        /// The core to ask.
        core: CoreId,
    },
    /// Park it. Answered by `Stopped` or `StopUnanswered`.
    Stop {
        /// The core to park.
        core: CoreId,
    },
    /// Bring it back through INIT. Answered by `Started` or `StartUnanswered`.
    Start {
        /// The core to start.
        core: CoreId,
    },
}

impl Command {
    /// The core that the command is about.
    #[must_use]
    pub const fn core(self) -> CoreId {
        match self {
            Self::Ping { core }
            | Self::Dump { core }
            | Self::Stop { core }
            | Self::Start { core } => core,
        }
    }
}
