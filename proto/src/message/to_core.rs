//! From the coordinator to a CPU driver.

use super::{Lane, PageRange};
#[cfg(doc)]
use super::{Peer, ToMonitor};
use crate::call::Outcome;
use crate::core_set::CoreSet;
use crate::id::{CoreId, Generation, Lease, Pid};
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// From the coordinator to a CPU driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub enum ToCore {
    /// Are you alive? Answered by [`ToMonitor::Pong`] with the same number.
    Ping {
        /// Chosen by the sender, returned by the receiver.
        #[serde(with = "crate::fixed")]
        nonce: u32,
    },
    /// Write a report of what you are doing into your report buffer ([`ToMonitor::Dumped`]).
    Dump,
    /// Park with interrupts off until INIT ([`ToMonitor::Stopped`]).
    Stop,
    /// Flush these translations if that space is loaded, or else forget what was kept, then acknowledge; never stale.
    TlbShootdown {
        /// Whose address space.
        pid: Pid,
        /// Which process of that pid.
        generation: Generation,
        /// What to flush.
        range: PageRange,
        /// Chosen by the sender, returned in [`ToMonitor::ShootdownDone`].
        #[serde(with = "crate::fixed")]
        ticket: u32,
    },
    /// Take your ends of a pair of rings to another core out of your handoff cell; they are yours from
    /// now on ([`ToMonitor::Linked`]).
    Link {
        /// The core at the other end.
        peer: CoreId,
    },
    /// Put the ends of the rings to that core into your handoff cell ([`ToMonitor::Unlinked`]).
    Unlink {
        /// The core at the other end.
        peer: CoreId,
    },
    /// Take part in an experiment ([`ToMonitor::ExperimentDone`]).
    Experiment {
        /// Which part to play, see the kernel's experiments.
        role: u8,
        /// The other core, where the part has one.
        peer: CoreId,
        /// How many operations.
        #[serde(with = "crate::fixed")]
        rounds: u32,
        /// How many operations before measuring starts.
        #[serde(with = "crate::fixed")]
        warmup: u32,
        /// Messages pushed before they are published together.
        #[serde(with = "crate::fixed")]
        batch: u16,
    },
    /// Tell what you have counted so far ([`ToMonitor::Counters`]), and look whether calls of what runs are to be
    /// traced ([`ToMonitor::Traced`]).
    Count,
    /// Take this lease if free and its epoch is new: load the space and start the vcore in vcore context,
    /// or resume the context that its last `Preempt` saved there. On the management core: run the
    /// single-core process ([`ToMonitor::Started`]).
    StartCore {
        /// The lease to take.
        lease: Lease,
        /// Physical address of the address space's top page table.
        #[serde(with = "crate::fixed")]
        root: u64,
        /// How many notifies of this vcore its memory tells of already.
        #[serde(with = "crate::fixed")]
        notified: u32,
        /// How often something was taken from the address space so far, pages or rights to them. Translations of it that the
        /// core has kept from an earlier start hold still if this was the same then.
        #[serde(with = "crate::fixed")]
        removals: u64,
    },
    /// Save the context where the vcore resumes, load the kernel's own tables and be free
    /// ([`ToMonitor::Preempted`]). Answers an outstanding request.
    Preempt {
        /// The lease to give up.
        lease: Lease,
        /// What an outstanding request came to; a fault executes again.
        outcome: Outcome,
    },
    /// Drop the context, load the kernel's own tables and be free ([`ToMonitor::Released`]). Answers an
    /// outstanding request.
    Death {
        /// The lease to give up.
        lease: Lease,
    },
    /// Enter vcore context if notifications are enabled ([`ToMonitor::Notified`]).
    Notify {
        /// Whom to notify.
        lease: Lease,
        /// How many notifies of this vcore there have been.
        #[serde(with = "crate::fixed")]
        count: u32,
    },
    /// Continue as another vcore of the same process: answers [`ToMonitor::ChangeVcore`]
    /// ([`ToMonitor::Started`]).
    SetContext {
        /// The lease to go on under; its epoch is the old one's successor.
        lease: Lease,
        /// How many notifies of the new vcore its memory tells of already.
        #[serde(with = "crate::fixed")]
        notified: u32,
    },
    /// Answers a request that keeps the vcore stopped: it goes on.
    Done {
        /// The lease under which the request was made.
        lease: Lease,
        /// What it came to.
        outcome: Outcome,
    },
    /// Panic: to see that a core which fails takes no other with it. No answer but its last words.
    Panic,
    /// Spin with interrupts off for good: to see that a core which hangs is noticed. No answer.
    Hang,
    /// Flush as for `TlbShootdown` and hand it on to the cores below by [`Peer::TlbShootdown`]; acknowledge when they
    /// have, all together. Never stale.
    TlbMulticast {
        /// Which process of that pid.
        generation: Generation,
        /// Chosen by the sender, returned in [`ToMonitor::ShootdownDone`], which stands for all these cores.
        #[serde(with = "crate::fixed")]
        ticket: u32,
        /// What to flush.
        range: PageRange,
        /// Whose address space.
        pid: Pid,
        /// To how many each core hands it on at most.
        fan_out: u8,
        /// The cores to hand it on to, see [`CoreSet::subtrees`].
        below: CoreSet,
    },
    /// Save the context of one single-core process and go on with another one: answers [`ToMonitor::Yield`] as `Preempt`
    /// and `StartCore` would together. It has no answer of its own: whatever the core says next under the new lease
    /// tells that it has switched. For the management core alone.
    Switch {
        /// The lease to give up.
        from: Lease,
        /// What the request came to.
        outcome: Outcome,
        /// The lease to go on under; its epoch is the old one's successor.
        to: Lease,
        /// As in `StartCore`.
        #[serde(with = "crate::fixed")]
        root: u64,
        /// As in `StartCore`.
        #[serde(with = "crate::fixed")]
        notified: u32,
        /// As in `StartCore`.
        #[serde(with = "crate::fixed")]
        removals: u64,
    },
    /// Save the context of a vcore and go on with one of another process: as `Preempt`, whose outcome is *refused*, and
    /// `StartCore` would together ([`ToMonitor::Started`] under the new lease, which says that the old one's context is
    /// saved). For every core but the management core.
    Regrant {
        /// The lease to give up.
        from: Lease,
        /// The lease to go on under; its epoch is the old one's successor.
        to: Lease,
        /// As in `StartCore`.
        #[serde(with = "crate::fixed")]
        root: u64,
        /// As in `StartCore`.
        #[serde(with = "crate::fixed")]
        notified: u32,
        /// As in `StartCore`.
        #[serde(with = "crate::fixed")]
        removals: u64,
    },
    /// Flush these translations and go on: answers [`ToMonitor::Unmap`] or [`ToMonitor::Protect`] for which the vcore stands
    /// still ([`Call::stands`](crate::call::Call::stands)), and which has come to [`Outcome::OK`]. That core is told of it
    /// in no other way.
    Changed {
        /// The lease under which the request was made.
        lease: Lease,
        /// What to flush.
        range: PageRange,
    },
}

impl ToCore {
    /// The lane that this message travels in.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Dump | Self::TlbShootdown { .. } | Self::TlbMulticast { .. } => Lane::Immediate,
            _ => Lane::Routine,
        }
    }
}
