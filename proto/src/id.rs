//! Identifiers, each a type of its own so that none is taken for another.
//!
//! All encode as fixed-width little-endian integers: in a slot the width costs nothing, and a fixed
//! one needs no loop.

use crate::fixed::Whole;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize)]
        pub struct $name(#[serde(with = "crate::fixed")] pub $inner);

        // Exact; a derived one would reckon with a varint.
        impl MaxSize for $name {
            const POSTCARD_MAX_SIZE: usize = size_of::<$inner>();
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A core of the machine, numbered from 0 (the management core) in the order of the firmware's
    /// list without gaps. Not the APIC id, which is sparse: see [`ApicId`].
    CoreId(u16)
}

impl CoreId {
    /// The core that boots, runs the coordinator and the console.
    pub const MANAGEMENT: Self = Self(0);

    /// The index of this core in tables that have an entry per core.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

id! {
    /// The hardware's name of a core: 32 bits, sparse, never an index (Intel SDM vol. 3, 11.4.6).
    ApicId(u32)
}

id! {
    /// A process, 1..=32767; 0 means "none". Reused late, see [`Generation`].
    Pid(u16)
}

id! {
    /// Tells two processes that had the same [`Pid`] apart. Never reused.
    Generation(u32)
}

id! {
    /// A virtual core of a process, 0..`max_vcores`.
    VcoreId(u16)
}

id! {
    /// Counts the leases that a core has been given; the coordinator raises it with every
    /// `StartCore` and `SetContext` to that core.
    Epoch(u32)
}

/// The right of one vcore to one core, for one stay on it.
///
/// Every message about a running vcore names the lease that it means, so that one which arrives late
/// (the core has moved on) can be told from one that is in time.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, MaxSize)]
#[expect(
    clippy::derived_hash_with_manual_eq,
    reason = "all fields are compared, two words at a time"
)]
#[repr(C)] // In memory as on the wire, so that it is copied as two words.
pub struct Lease {
    /// Which process of that pid.
    pub generation: Generation,
    /// The core's count of leases, this one included.
    pub epoch: Epoch,
    /// The process that holds the core.
    pub pid: Pid,
    /// The vcore that runs there.
    pub vcore: VcoreId,
}

/// A lease as two integers whose bytes are those of its fields in their order.
pub(crate) type Words = (Whole<u64>, Whole<u32>);

impl Lease {
    #[inline(always)]
    pub(crate) fn to_words(self) -> Words {
        let counts = u64::from(self.generation.0) | u64::from(self.epoch.0) << 32;
        let who = u32::from(self.pid.0) | u32::from(self.vcore.0) << 16;
        (Whole(counts), Whole(who))
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "takes the fields out of their places")]
    pub(crate) const fn from_words((Whole(counts), Whole(who)): Words) -> Self {
        Self {
            generation: Generation(counts as u32),
            epoch: Epoch((counts >> 32) as u32),
            pid: Pid(who as u16),
            vcore: VcoreId((who >> 16) as u16),
        }
    }
}

impl PartialEq for Lease {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        let ((Whole(one), Whole(two)), (Whole(three), Whole(four))) =
            (self.to_words(), other.to_words());
        one == three && two == four
    }
}

// Not derived, because most messages hold a lease: what is derived would not be inlined everywhere.
impl Serialize for Lease {
    #[inline(always)]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_words().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Lease {
    #[inline(always)]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Words::deserialize(deserializer).map(Self::from_words)
    }
}
