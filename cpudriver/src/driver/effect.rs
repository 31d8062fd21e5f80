//! What the driver wants the image to do.

use super::{Identifier, Shootdown};
use proto::call::Outcome;
use proto::id::{CoreId, Lease, VcoreId};
use proto::message::{PageRange, ToMonitor};

/// How a saved context goes on when it is started next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Where it was interrupted.
    Goes,
    /// The instruction that faulted is executed again.
    Repeats,
    /// The call that it stood still for returns this.
    Returns(Outcome),
    /// The call returns success, and the context is that of the first thread of a many-core process: it
    /// goes to where vcore 0 keeps its thread, and vcore 0 starts anew.
    FirstThread,
}

/// One thing to do. The effects of a message are carried out in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Load the address space with this top page table (a physical address).
    Load {
        /// The physical address.
        root: u64,
        /// Under which identifier.
        identifier: Identifier,
    },
    /// Start the vcore: in vcore context where it was interrupted in it, else anew at its entry. On the
    /// management core: go on with the single-core process's context.
    Start {
        /// The lease that has just been taken.
        lease: Lease,
    },
    /// Save the context that ran into the vcore's save area (of a single-core process: kernel memory).
    Save {
        /// Whose.
        vcore: VcoreId,
        /// How it goes on.
        fate: Fate,
    },
    /// Drop the context that ran; the vcore starts anew.
    Drop {
        /// Whose.
        vcore: VcoreId,
    },
    /// Load the kernel's own page tables.
    Unload,
    /// Make the vcore enter vcore context, if it has notifications enabled.
    EnterVcoreContext {
        /// Which one.
        vcore: VcoreId,
    },
    /// Flush translations of the loaded address space.
    Flush {
        /// Which ones.
        range: PageRange,
    },
    /// The vcore goes on; the call that it stood still for returns this.
    Resume {
        /// What the call came to.
        outcome: Outcome,
    },
    /// The vcore goes on with the registers as they are: at the instruction that faulted, or behind its call.
    Repeat,
    /// The vcore enters vcore context to hear of the fault, if its program still wants to; else it goes on as with
    /// [`Effect::Repeat`].
    Reflect {
        /// Which one.
        vcore: VcoreId,
    },
    /// Hand a shootdown on to the cores below ([`Shootdown::parts`]), and say whom that has reached
    /// ([`Driver::handed_on`](super::Driver::handed_on)) before the next message is taken.
    HandOn(Shootdown),
    /// Let the core that has told this one of a shootdown know that all have flushed. When it cannot be reached, the
    /// coordinator must be told by [`ToMonitor::Unreached`], which names this core.
    Answer {
        /// Whom.
        to: CoreId,
        /// The shootdown's.
        ticket: u32,
    },
    /// Send a message to the coordinator.
    Send(ToMonitor),
}

/// Where the driver puts what it wants done.
pub trait Sink {
    /// Takes the next thing to do.
    fn add(&mut self, effect: Effect);

    /// Takes a message to the coordinator.
    #[inline(always)]
    fn send(&mut self, message: ToMonitor) {
        self.add(Effect::Send(message));
    }
}

const MOST: usize = 4;

/// The effects of one message or trap, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[must_use]
pub struct Effects {
    list: [Option<Effect>; MOST],
}

impl Effects {
    pub(super) const fn none() -> Self {
        Self { list: [None; MOST] }
    }
}

impl Sink for Effects {
    fn add(&mut self, effect: Effect) {
        let free = self.list.iter_mut().find(|it| it.is_none());
        debug_assert!(free.is_some(), "no message has more effects");
        if let Some(free) = free {
            *free = Some(effect);
        }
    }
}

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = core::iter::Flatten<core::array::IntoIter<Option<Effect>, MOST>>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter().flatten()
    }
}
