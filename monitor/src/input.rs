//! What the coordinator can be told.

use proto::id::CoreId;
use proto::message::ToMonitor;

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A core's CPU driver says something. The core is known from the ring that it came in, so it
    /// cannot be forged.
    Message {
        /// Who says it.
        core: CoreId,
        /// What.
        message: ToMonitor,
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
    /// Stop sending heartbeat pings, and let nobody miss a ping's deadline: an experiment keeps the
    /// cores busy.
    PauseHeartbeat,
    /// Send them again.
    ResumeHeartbeat,
}

/// A request of the console about one core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
