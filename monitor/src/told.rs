//! What the coordinator tells the console.

use crate::input::{Command, Control};
use crate::process::{Name, ProcessId};
use core::fmt;
use proto::call::Outcome;
use proto::id::{ApicId, CoreId, VcoreId};
use serde::Serialize;

/// What the console is told. Every [`Command`] gets exactly one of those that its variant names, or
/// `Refused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Event {
    /// A core is up for the first time.
    Joined {
        /// Which one.
        core: CoreId,
        /// What the hardware calls it.
        apic: ApicId,
    },
    /// Answers `Ping`.
    Pong {
        /// The core that answered.
        core: CoreId,
        /// From the step that sent the ping to the step that saw the answer, in clock ticks.
        round_trip: u64,
    },
    /// Answers `Ping`: the deadline has passed, or the core was lost or stopped meanwhile.
    PingUnanswered {
        /// The core that was asked.
        core: CoreId,
    },
    /// Answers `Dump`: the report is in the core's report buffer.
    Dumped {
        /// The core that answered.
        core: CoreId,
        /// Length of the report in bytes.
        report: u32,
        /// It took an NMI.
        by_nmi: bool,
    },
    /// Answers `Dump`: not even the NMI brought a report.
    DumpUnanswered {
        /// The core that was asked.
        core: CoreId,
    },
    /// Answers `Stop`: the core is parked.
    Stopped {
        /// Which one.
        core: CoreId,
    },
    /// Answers `Stop`: the deadline has passed; the core counts as lost.
    StopUnanswered {
        /// Which one.
        core: CoreId,
    },
    /// Answers `Start`: the core is online.
    Started {
        /// Which one.
        core: CoreId,
        /// From `Restart` to `Join`, in clock ticks.
        took: u64,
    },
    /// Answers `Start`: the deadline has passed.
    StartUnanswered {
        /// Which one.
        core: CoreId,
    },
    /// Answers any command: not done, and why.
    Refused {
        /// What was asked.
        command: Command,
        /// Why not.
        why: Refusal,
    },
    /// A core is out of service.
    CoreLost {
        /// Which one.
        core: CoreId,
        /// Why.
        why: LossCause,
    },
    /// A core that had fallen silent has answered after all and serves again.
    CoreBack {
        /// Which one.
        core: CoreId,
    },
    /// A process was made for the console; it does not run yet.
    Spawned {
        /// Its name for ever.
        process: ProcessId,
    },
    /// There are as many processes as there can be.
    SpawnRefused,
    /// A process without a parent belongs to the user [`crate::User::EVE`].
    GivenToEve {
        /// Which process.
        process: ProcessId,
    },
    /// An exception has ended a process.
    Faulted {
        /// Which process.
        process: ProcessId,
        /// Its program's name.
        name: Name,
        /// On which vcore.
        vcore: VcoreId,
        /// What happened.
        fault: Fault,
        /// Of how many pages the stack is whose guard, just below it, the address lies in; 0 if it lies in none.
        overflowed: u16,
    },
    /// A process without a parent has ended, and nobody else will ask for its exit code.
    Ended {
        /// Which process.
        process: ProcessId,
        /// Its exit code.
        code: Outcome,
    },
    /// Answers a [`Control`].
    Controlled {
        /// What was asked.
        control: Control,
        /// What came of it.
        outcome: Outcome,
    },
}

/// An exception of a vcore that was not handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Fault {
    /// The exception's vector (Intel SDM vol. 3, 6.3.1).
    pub vector: u8,
    /// Its error code.
    pub code: u32,
    /// The address that a page fault was about, else 0.
    pub address: u64,
    /// The address of the instruction.
    pub at: u64,
}

/// Why a core is out of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum LossCause {
    /// It did not join within the deadline of its start.
    NeverJoined,
    /// It could not be started.
    StartFailed,
    /// It did not answer within the deadline.
    NoAnswer,
    /// It panicked; its report buffer holds so many bytes of last words.
    Panicked {
        /// Length of the report in bytes.
        report: u32,
    },
}

/// Why a command is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Refusal {
    /// The machine has no core of that number.
    NoSuchCore,
    /// The firmware lists the core as unusable.
    Absent,
    /// Core 0 runs the coordinator and the console.
    ManagementCore,
    /// The core is not online.
    NotOnline,
    /// The core is online or starting already.
    AlreadyOnline,
    /// The same was asked before and is not answered yet.
    Busy,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchCore => "no such core",
            Self::Absent => "the firmware lists this core as unusable",
            Self::ManagementCore => "core 0 runs the coordinator and the console",
            Self::NotOnline => "the core is not online",
            Self::AlreadyOnline => "the core is online or starting",
            Self::Busy => "asked before, and not answered yet",
        })
    }
}
