//! What runs on a core, and the queue in which cores are taken from those who have them.

use crate::cores::Core;
use crate::process::ProcessId;
use crate::space::Shootdown;
use alloc::vec::Vec;
use proto::call::Outcome;
use proto::id::{CoreId, Epoch, Lease, VcoreId};
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
    /// When this vcore was put here, in clock ticks.
    pub since: u64,
}

/// The part of a core that leases are about. It outlives a restart of the core.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seat {
    pub(crate) epoch: Epoch,
    pub(crate) held: Option<Held>,
    /// Who has a right to this core.
    pub(crate) owner: Option<ProcessId>,
    /// A shootdown waits for its answer.
    pub(crate) shootdown: Option<Shootdown>,
    turn: Option<Turn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Turn {
    prev: Option<CoreId>,
    next: Option<CoreId>,
}

impl Seat {
    pub(crate) fn is_free(&self) -> bool {
        self.held.is_none() && self.shootdown.is_none()
    }
}

/// The cores whose holders have no right to them, longest held first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Rotation {
    head: Option<CoreId>,
    tail: Option<CoreId>,
}

impl Rotation {
    pub(crate) fn first(&self) -> Option<CoreId> {
        self.head
    }

    pub(crate) fn push(&mut self, cores: &mut [Core], core: CoreId) {
        self.remove(cores, core);
        cores[core.index()].seat.turn = Some(Turn { prev: self.tail, next: None });
        match self.tail {
            Some(tail) => Self::turn(cores, tail).next = Some(core),
            None => self.head = Some(core),
        }
        self.tail = Some(core);
    }

    #[inline]
    pub(crate) fn remove(&mut self, cores: &mut [Core], core: CoreId) {
        let Some(Turn { prev, next }) = cores[core.index()].seat.turn.take() else { return };
        match prev {
            Some(prev) => Self::turn(cores, prev).next = next,
            None => self.head = next,
        }
        match next {
            Some(next) => Self::turn(cores, next).prev = prev,
            None => self.tail = prev,
        }
    }

    /// The cores in their order.
    pub(crate) fn all(&self, cores: &[Core]) -> Vec<CoreId> {
        let next = |core: &CoreId| cores[core.index()].seat.turn.and_then(|turn| turn.next);
        core::iter::successors(self.head, next).collect()
    }

    fn turn(cores: &mut [Core], core: CoreId) -> &mut Turn {
        cores[core.index()].seat.turn.as_mut().expect("a neighbour is in the queue")
    }
}
