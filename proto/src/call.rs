//! What requests of a process carry and what they come to.

use crate::fixed::Whole;
use crate::id::Lease;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a request came to: what it returns (at least 0), or the negated number of an error.
///
/// The errors bear the names and numbers of Unix.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Outcome(#[serde(with = "crate::fixed")] pub i32);

// Exact; a derived one would reckon with a varint.
impl MaxSize for Outcome {
    const POSTCARD_MAX_SIZE: usize = size_of::<i32>();
}

impl Outcome {
    /// Done.
    pub const OK: Self = Self(0);
    /// None yet: answers a vcore that stands still for a call that goes on, see [`Call::stands`].
    pub const STARTED: Self = Self(i32::MAX);
    /// EPERM: the target is neither the caller nor one of its descendants.
    pub const NOT_PERMITTED: Self = Self(-1);
    /// ENOENT: no program of that name.
    pub const NOT_FOUND: Self = Self(-2);
    /// ESRCH: no such process.
    pub const NO_PROCESS: Self = Self(-3);
    /// EINTR: the wait was ended before what it waited for came.
    pub const INTERRUPTED: Self = Self(-4);
    /// ENXIO: no such core, or one that does not serve.
    pub const NO_CORE: Self = Self(-6);
    /// E2BIG: the arguments are too long.
    pub const TOO_LONG: Self = Self(-7);
    /// ENOEXEC: what bears that name is not a program.
    pub const NOT_A_PROGRAM: Self = Self(-8);
    /// EBADF: no such handle, or one that does not do this.
    pub const BAD_HANDLE: Self = Self(-9);
    /// ECHILD: no child to wait for.
    pub const NO_CHILD: Self = Self(-10);
    /// EAGAIN: not now; a bound was reached, or something that is under way must end first.
    pub const AGAIN: Self = Self(-11);
    /// ENOMEM: no memory is left for it, or it has as much as it may have.
    pub const NO_MEMORY: Self = Self(-12);
    /// EFAULT: the process's memory is not there, or cannot be written.
    pub const FAULT: Self = Self(-14);
    /// EBUSY: what was asked for is in use.
    pub const BUSY: Self = Self(-16);
    /// ENODEV: the machine has no core to lease.
    pub const NO_DEVICE: Self = Self(-19);
    /// EINVAL: the request has no meaning here.
    pub const INVALID: Self = Self(-22);
    /// EMFILE: all handles are in use.
    pub const NO_HANDLE: Self = Self(-24);
    /// EPIPE: nobody is left who could read it.
    pub const BROKEN_PIPE: Self = Self(-32);
    /// ENOSYS: there is no such call.
    pub const NO_CALL: Self = Self(-38);

    /// Did it fail?
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 < 0
    }
}

/// A request of a process that does not stop its vcore: under which lease it was made, and where in the
/// process's memory its structure lies, into which the outcome goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Call {
    /// The vcore that made the request, and on which lease.
    pub lease: Lease,
    /// Address of the call's structure, 8-aligned, an allegation until checked. Bit 0 is set when the
    /// process wants an event on completion, bit 1 when the vcore [stands still](Call::stands).
    pub at: u64,
}

// Exact; a derived one would reckon with a varint.
impl MaxSize for Call {
    const POSTCARD_MAX_SIZE: usize = Lease::POSTCARD_MAX_SIZE + size_of::<u64>();
}

// Not derived for the reason given at `Lease`.
impl Serialize for Call {
    #[inline(always)]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (counts, who) = self.lease.to_words();
        (counts, who, Whole(self.at)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Call {
    #[inline(always)]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (counts, who, Whole(at)) = Deserialize::deserialize(deserializer)?;
        Ok(Self { lease: Lease::from_words((counts, who)), at })
    }
}

impl Call {
    /// Does the process want an event on completion?
    #[must_use]
    pub const fn wants_event(&self) -> bool {
        self.at & 1 != 0
    }

    /// Does the vcore stand still? Then [`Changed`](crate::message::ToCore::Changed) or
    /// [`Done`](crate::message::ToCore::Done) under this lease is the answer, and nothing is written to the structure; unless
    /// it is [`Outcome::STARTED`], or the vcore has to leave before: from then on the call is as any other.
    #[must_use]
    pub const fn stands(&self) -> bool {
        self.at & Self::STANDS != 0
    }

    /// The same call of a vcore that stands still.
    #[must_use]
    pub const fn standing(self) -> Self {
        Self { at: self.at | Self::STANDS, ..self }
    }

    const STANDS: u64 = 2;
}

/// Set in the flags of `Yield`: the vcore gives way to others rather than wait for an event.
pub const NICE: u8 = 1;
/// Set in the flags of `ChangeVcore`: the calling vcore's context is kept as if it had been preempted;
/// else it starts anew when it is started next.
pub const KEEP: u8 = 1;
/// Set in the flags of `Wait`: return 0 at once when no child has ended. In those of `Read` and `Write`:
/// do what can be done at once, or else return [`Outcome::AGAIN`]. Such a read takes what there is, also if others wait for
/// bytes; such a write comes behind those that wait for room, so that no bytes are mixed with theirs.
pub const NO_HANG: u8 = 1;
/// Set in the flags of `Create`: the child gets all handles but those that are closed on create.
pub const ALL_HANDLES: u8 = 1;
/// Set in the flags of `OpenPipe` and `SetHandle`: children get no copy of the handle.
pub const CLOSE_ON_CREATE: u8 = 1;

/// A handle of the caller, and the handle that its copy shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub struct HandlePair {
    /// The caller's.
    pub mine: u8,
    /// The other process's; what it was before is closed.
    pub theirs: u8,
}

impl HandlePair {
    /// No pair.
    pub const NONE: Self = Self { mine: u8::MAX, theirs: u8::MAX };
    /// How many one request takes.
    pub const MOST: usize = 8;

    /// Pairs as two integers whose little-endian bytes are theirs in order.
    #[must_use]
    #[inline(always)]
    pub fn to_words(pairs: [Self; Self::MOST]) -> [u64; 2] {
        let word = |from: usize| {
            let pair = |at: usize| u16::from_le_bytes([pairs[at].mine, pairs[at].theirs]);
            (0..4).fold(0, |word, at| word | u64::from(pair(from + at)) << (16 * at))
        };
        [word(0), word(4)]
    }

    /// What [`HandlePair::to_words`] made of them.
    #[must_use]
    #[inline(always)]
    pub fn from_words(words: [u64; 2]) -> [Self; Self::MOST] {
        core::array::from_fn(|at| {
            let bytes = words[at / 4].to_le_bytes();
            Self { mine: bytes[at % 4 * 2], theirs: bytes[at % 4 * 2 + 1] }
        })
    }
}

/// `#[serde(with = …)]` for the pairs of one request, which pass as two integers.
pub(crate) mod pairs {
    use super::{HandlePair, Whole};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[inline(always)]
    pub(crate) fn serialize<S: Serializer>(
        pairs: &[HandlePair; HandlePair::MOST],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let [first, second] = HandlePair::to_words(*pairs);
        (Whole(first), Whole(second)).serialize(serializer)
    }

    #[inline(always)]
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[HandlePair; HandlePair::MOST], D::Error> {
        let (Whole(first), Whole(second)) = Deserialize::deserialize(deserializer)?;
        Ok(HandlePair::from_words([first, second]))
    }
}
