//! Between two CPU drivers.

use super::{Lane, PageRange};
#[cfg(doc)]
use super::{ToCore, ToMonitor};
use crate::core_set::CoreSet;
use crate::id::{Generation, Pid};
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// Between two CPU drivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub enum Peer {
    /// Send it back as [`Peer::Pong`].
    Ping {
        /// Chosen by the sender, returned by the receiver.
        #[serde(with = "crate::fixed")]
        nonce: u32,
        /// Ballast of a payload's size.
        #[serde(with = "crate::fixed")]
        value: u64,
    },
    /// Answers [`Peer::Ping`].
    Pong {
        /// The ping's number.
        #[serde(with = "crate::fixed")]
        nonce: u32,
        /// The ping's value.
        #[serde(with = "crate::fixed")]
        value: u64,
    },
    /// One of a stream; the receiver adds the values up, so that their order makes a difference.
    Data {
        /// What to add.
        #[serde(with = "crate::fixed")]
        value: u64,
    },
    /// The stream is over; the receiver answers with [`Peer::Sum`].
    End,
    /// The sum of a stream's values, so that the sender knows that none was lost and none overtook another.
    Sum {
        /// The sum, wrapping, in which each value is weighed by its place.
        #[serde(with = "crate::fixed")]
        value: u64,
    },
    /// As [`ToCore::TlbMulticast`], but the receiver answers the sender, by [`Peer::ShootdownDone`].
    TlbShootdown {
        /// Which process of that pid.
        generation: Generation,
        /// Returned in the answer.
        #[serde(with = "crate::fixed")]
        ticket: u32,
        /// What to flush.
        range: PageRange,
        /// Whose address space.
        pid: Pid,
        /// To how many each core hands it on at most.
        fan_out: u8,
        /// The cores to hand it on to.
        below: CoreSet,
    },
    /// The sender, and all cores below it, have flushed.
    ShootdownDone {
        /// The shootdown's.
        #[serde(with = "crate::fixed")]
        ticket: u32,
    },
}

impl Peer {
    /// The lane that this message travels in.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self {
            Self::TlbShootdown { .. } | Self::ShootdownDone { .. } => Lane::Immediate,
            _ => Lane::Routine,
        }
    }
}
