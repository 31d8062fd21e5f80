//! The messages between cores.
//!
//! [`ToCore`] goes from the coordinator to a CPU driver, [`ToMonitor`] back, [`Peer`] between two CPU
//! drivers. Variants are only ever added at the end: the position of a variant is its tag in the
//! slot, and a golden-bytes test holds each to it.
//!
//! Integers are fixed-width little-endian; pointers travel as `u64` and are allegations until the
//! receiver has checked whose they are.

use crate::id::{ApicId, CoreId, Generation, Lease, Pid};
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// Which ring of a pair a message travels in.
///
/// The immediate lane is drained first, also between two steps, and always rings the doorbell; the
/// routine lane is handled where the core has nothing to lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Shootdowns and dumps.
    Immediate,
    /// All else.
    Routine,
}

/// A range of virtual memory, in pages of 4 KiB. `pages == 0` means the whole address space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub struct PageRange {
    /// The first page's number (its address divided by 4,096).
    #[serde(with = "postcard::fixint::le")]
    pub first: u64,
    /// How many pages; 0 for all of the address space.
    #[serde(with = "postcard::fixint::le")]
    pub pages: u32,
}

/// From the coordinator to a CPU driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub enum ToCore {
    /// Are you alive? Answered by [`ToMonitor::Pong`] with the same number.
    Ping {
        /// Chosen by the sender, returned by the receiver.
        #[serde(with = "postcard::fixint::le")]
        nonce: u32,
    },
    /// Write a report of what you are doing into your report buffer ([`ToMonitor::Dumped`]).
    Dump,
    /// Park with interrupts off until INIT ([`ToMonitor::Stopped`]).
    Stop,
    /// Flush these translations if that space is loaded, then acknowledge; never stale.
    TlbShootdown {
        /// Whose address space.
        pid: Pid,
        /// Which process of that pid.
        generation: Generation,
        /// What to flush.
        range: PageRange,
        /// Chosen by the sender, returned in [`ToMonitor::ShootdownDone`].
        #[serde(with = "postcard::fixint::le")]
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
        #[serde(with = "postcard::fixint::le")]
        rounds: u32,
        /// How many operations before measuring starts.
        #[serde(with = "postcard::fixint::le")]
        warmup: u32,
        /// Messages pushed before they are published together.
        #[serde(with = "postcard::fixint::le")]
        batch: u16,
    },
    /// Tell what you have counted so far ([`ToMonitor::Counters`]).
    Count,
}

/// From a CPU driver to the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub enum ToMonitor {
    /// The core is up and serves its rings.
    Join {
        /// What the hardware calls it.
        apic: ApicId,
    },
    /// Answers [`ToCore::Ping`].
    Pong {
        /// The ping's number.
        #[serde(with = "postcard::fixint::le")]
        nonce: u32,
    },
    /// The core has panicked and is parked; its report buffer holds its last words.
    CoreFailed {
        /// Length of the report in bytes.
        #[serde(with = "postcard::fixint::le")]
        report: u32,
    },
    /// Answers [`ToCore::Dump`].
    Dumped {
        /// Length of the report in bytes.
        #[serde(with = "postcard::fixint::le")]
        report: u32,
    },
    /// Answers [`ToCore::Stop`]: the last message before the core parks.
    Stopped,
    /// The message named a lease that this core does not hold.
    Stale {
        /// Tag of the message that was stale (its variant's position in [`ToCore`]).
        kind: u8,
        /// The lease that the message named.
        lease: Lease,
    },
    /// Answers [`ToCore::TlbShootdown`], after the flush.
    ShootdownDone {
        /// The request's ticket.
        #[serde(with = "postcard::fixint::le")]
        ticket: u32,
    },
    /// Answers [`ToCore::Link`].
    Linked {
        /// The core at the other end.
        peer: CoreId,
    },
    /// Answers [`ToCore::Unlink`]: the ends are in the handoff cell and the coordinator's again.
    Unlinked {
        /// The core at the other end.
        peer: CoreId,
    },
    /// Answers [`ToCore::Experiment`].
    ExperimentDone {
        /// Clock when measuring began on this core.
        #[serde(with = "postcard::fixint::le")]
        begin: u64,
        /// Clock when it ended.
        #[serde(with = "postcard::fixint::le")]
        end: u64,
        /// How many operations lay between.
        #[serde(with = "postcard::fixint::le")]
        operations: u32,
    },
    /// The summary of a core's samples, sent before [`ToMonitor::ExperimentDone`] by a part that takes
    /// samples. In ticks of the clock.
    Samples {
        /// How many samples.
        #[serde(with = "postcard::fixint::le")]
        n: u32,
        /// The least.
        #[serde(with = "postcard::fixint::le")]
        min: u32,
        /// Half of the samples are at most this.
        #[serde(with = "postcard::fixint::le")]
        p50: u32,
        /// Nine in ten are at most this.
        #[serde(with = "postcard::fixint::le")]
        p90: u32,
        /// 99 in 100 are at most this.
        #[serde(with = "postcard::fixint::le")]
        p99: u32,
        /// The greatest.
        #[serde(with = "postcard::fixint::le")]
        max: u32,
        /// The mean in thousandths.
        #[serde(with = "postcard::fixint::le")]
        mean_thousandths: u64,
    },
    /// Answers [`ToCore::Count`]: counts since the core started, wrapping.
    Counters {
        /// Doorbells that the core rang, to the coordinator and to peers.
        #[serde(with = "postcard::fixint::le")]
        doorbells: u32,
        /// Times it halted.
        #[serde(with = "postcard::fixint::le")]
        halts: u32,
        /// Doorbells that it heard.
        #[serde(with = "postcard::fixint::le")]
        heard: u32,
        /// Timer interrupts that it took.
        #[serde(with = "postcard::fixint::le")]
        timers: u32,
        /// Messages sent to peers.
        #[serde(with = "postcard::fixint::le")]
        peer_sent: u64,
        /// Messages received from peers.
        #[serde(with = "postcard::fixint::le")]
        peer_received: u64,
        /// Clock ticks spent halted.
        #[serde(with = "postcard::fixint::le")]
        asleep: u64,
    },
}

/// Between two CPU drivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub enum Peer {
    /// Send it back as [`Peer::Pong`].
    Ping {
        /// Chosen by the sender, returned by the receiver.
        #[serde(with = "postcard::fixint::le")]
        nonce: u32,
        /// Ballast of a payload's size.
        #[serde(with = "postcard::fixint::le")]
        value: u64,
    },
    /// Answers [`Peer::Ping`].
    Pong {
        /// The ping's number.
        #[serde(with = "postcard::fixint::le")]
        nonce: u32,
        /// The ping's value.
        #[serde(with = "postcard::fixint::le")]
        value: u64,
    },
    /// One of a stream; the receiver adds the values up.
    Data {
        /// What to add.
        #[serde(with = "postcard::fixint::le")]
        value: u64,
    },
    /// The stream is over; the receiver answers with [`Peer::Sum`].
    End,
    /// The sum of a stream's values, so that the sender knows that none was lost.
    Sum {
        /// The sum, wrapping.
        #[serde(with = "postcard::fixint::le")]
        value: u64,
    },
}

impl ToCore {
    /// The lane that this message travels in.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Dump | Self::TlbShootdown { .. } => Lane::Immediate,
            _ => Lane::Routine,
        }
    }
}

impl ToMonitor {
    /// The lane that this message travels in.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Dumped { .. } | Self::ShootdownDone { .. } | Self::CoreFailed { .. } => {
                Lane::Immediate
            }
            _ => Lane::Routine,
        }
    }
}
