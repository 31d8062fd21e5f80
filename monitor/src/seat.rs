//! What runs on a core.

use crate::process::ProcessId;
use crate::space::Shootdown;
use proto::call::Outcome;
use proto::id::{Epoch, Lease, Pid, VcoreId};
use proto::message::ToCore;

/// Why a core is told to let go of its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leaving {
    /// Single-core: the slice is over.
    Slice,
    /// Single-core: it waits for an event.
    Wait,
    /// Single-core: it gives way.
    GiveWay,
    /// Single-core: it becomes a many-core process.
    BecomeMany,
    /// Many-core: the core is taken away.
    Preempt,
    /// Many-core: the vcore gave it back.
    Yield,
    /// The process is destroyed.
    Killed,
}

impl Leaving {
    /// Is the context saved?
    #[must_use]
    pub const fn saves(self) -> bool {
        !matches!(self, Self::Yield | Self::Killed)
    }

    /// The message that tells the core so.
    pub(crate) const fn message(self, lease: Lease) -> ToCore {
        match self {
            Self::Yield | Self::Killed => ToCore::Death { lease },
            Self::Wait | Self::GiveWay | Self::BecomeMany => {
                ToCore::Preempt { lease, outcome: Outcome::OK }
            }
            Self::Slice | Self::Preempt => ToCore::Preempt { lease, outcome: Outcome::AGAIN },
        }
    }
}

/// A lease that a core has, from the send of `StartCore` until the core says that it is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// The lease.
    pub lease: Lease,
    /// The core has said that it runs.
    pub started: bool,
    /// The vcore that ran here before a change of vcores and is not known to be saved yet, and whether
    /// its context is kept.
    pub from: Option<(VcoreId, bool)>,
    /// The core was told to let go, and why.
    pub leaving: Option<Leaving>,
    /// The `Notify` that waits for its answer: under which lease of this core, and its count.
    pub notify: Option<(Epoch, u32)>,
    /// The last count of notifies that the core was told for this vcore.
    pub told: u32,
    /// The process was told that the core will be taken.
    pub warned: bool,
    /// The core is to be taken for somebody who waits: while it is leaving, it was not told so yet.
    pub claimed: bool,
    /// When this vcore was put here, in clock ticks.
    pub since: u64,
}

impl Held {
    /// One that the core is told of `now`, with so many notifies that its vcore's memory tells of already.
    #[inline(always)]
    pub(crate) const fn new(lease: Lease, told: u32, now: u64) -> Self {
        Self {
            lease,
            started: false,
            from: None,
            leaving: None,
            notify: None,
            told,
            warned: false,
            claimed: false,
            since: now,
        }
    }
}

/// The part of a core that leases are about. It outlives a restart of the core.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seat {
    pub(crate) epoch: Epoch,
    pub(crate) held: Option<Held>,
    /// Who has a right to this core.
    pub(crate) owner: Option<ProcessId>,
    /// The lease that the core was told to leave for the one that it holds, until it is known to have saved that vcore.
    pub(crate) leaver: Option<Held>,
    /// The process that the core was told to switch from, until it is known to have done so: its memory may be loaded
    /// there still.
    pub(crate) left: Option<ProcessId>,
    /// A shootdown waits for its answer.
    pub(crate) shootdown: Option<Shootdown>,
}

impl Seat {
    /// Has this process a right to the core?
    #[inline(always)]
    pub(crate) fn is_own(&self, pid: Pid) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.pid == pid)
    }

    pub(crate) fn is_free(&self) -> bool {
        self.held.is_none() && self.shootdown.is_none()
    }
}
