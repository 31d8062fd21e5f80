//! A slot of a ring, and messages encoded in it.
//!
//! A [`Slot`] is one cache line. A message lies in its first bytes, postcard-encoded: the variant's
//! position as a varint of one byte (there are at most 128 variants), then the fields in
//! order, integers fixed-width little-endian. The bytes behind it mean nothing. Any postcard decoder
//! reads a slot, and [`Slot::decode`] reads whatever a postcard encoder wrote.
//!
//! What makes it cheap is a flavour of our own on either side: both address the slot as an array of
//! [`Slot::LEN`] bytes at an index that is masked to stay inside, so no bounds check is left, and after
//! inlining all indices are constants: an encoder is a jump by variant and then stores of whole words.
//! Masking cannot hide an overrun, because [`Message`] holds types whose longest encoding is known,
//! and one that is too long does not compile.

use crate::message::{Peer, ToCore, ToMonitor};
mod decode;
mod encode;

use postcard::experimental::max_size::MaxSize;
use serde::{Serialize, de::DeserializeOwned};

/// One cache line that carries one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Slot([u8; Self::LEN]);

/// A type that travels in a slot: an enum of at most 128 variants, so that its tag is one byte.
pub trait Message: Copy + Serialize + DeserializeOwned + MaxSize {
    /// Evaluates to nothing, or fails to compile when the longest encoding doesn't fit a slot.
    const FITS: () = assert!(Self::POSTCARD_MAX_SIZE <= Slot::LEN, "does not fit a slot");
}

impl Message for ToCore {}
impl Message for ToMonitor {}
impl Message for Peer {}

/// The longest messages fit, also where nobody encodes them yet.
const _: [(); 3] = [ToCore::FITS, ToMonitor::FITS, Peer::FITS];

/// What the bytes of a slot mean, and how many of them the message takes: any number where they have no meaning.
pub type Decoded<M> = (Result<M, NoMessage>, u64);

/// Why a look for a message gave none.
///
/// One type for slots and rings, so that a decoded message goes to its receiver without being unpacked
/// and packed on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoMessage {
    /// There is none: the ring is empty.
    Empty,
    /// The bytes of the slot are no encoding of the type that was asked for.
    Malformed,
}

impl core::fmt::Display for NoMessage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Empty => "no message",
            Self::Malformed => "malformed message",
        })
    }
}

impl core::error::Error for NoMessage {}

impl serde::de::Error for NoMessage {
    fn custom<T: core::fmt::Display>(_why: T) -> Self {
        Self::Malformed
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Slot {
    /// Bytes of a slot, a cache line on every x86_64.
    pub const LEN: usize = 64;

    /// A slot of zeros.
    pub const EMPTY: Self = Self([0; Self::LEN]);

    /// Makes a slot of any bytes; whether they are a message shows when it is decoded.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// All bytes of the slot, those behind the message included.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// All bytes of the slot, for an encoder of another kind.
    pub const fn bytes_mut(&mut self) -> &mut [u8; Self::LEN] {
        &mut self.0
    }

    /// Encodes a message into this slot and returns how many bytes it takes, 1..=[`Slot::LEN`]. Bytes
    /// behind the message keep what they held.
    #[inline(never)]
    pub fn encode<M: Message>(&mut self, message: &M) -> usize {
        self.encode_for::<Self, M>(message)
    }

    /// Encodes as [`Slot::encode`], inlined into its caller.
    ///
    /// What serde derives is long, and the compiler inlines something long into its only caller, not
    /// into several. So there is one copy of it for each `Caller`, a type that names the place of the call
    /// and nothing else: two places that are both in a hurry give different ones.
    #[inline(always)]
    pub fn encode_for<Caller, M: Message>(&mut self, message: &M) -> usize {
        const { M::FITS };
        let length = message.serialize(encode::Tagged::<Caller>::new(&mut self.0));
        length.expect("an enum of known size always encodes")
    }

    /// Decodes the message in this slot. Whatever the bytes, the outcome is a value or an error.
    ///
    /// # Errors
    /// [`NoMessage::Malformed`] when the variant or a field has no meaning, or when the tag is a varint
    /// longer than it need be (which no encoder writes).
    #[inline(never)]
    pub fn decode<M: Message>(&self) -> Result<M, NoMessage> {
        self.decode_for::<Self, M>(&mut 0)
    }

    /// Decodes as [`Slot::decode`], inlined into its caller as [`Slot::encode_for`] is, and adds the
    /// message's length to `bytes`.
    ///
    /// # Errors
    /// As [`Slot::decode`]; what is added then means nothing.
    #[inline(always)]
    pub fn decode_for<Caller, M: Message>(&self, bytes: &mut u64) -> Result<M, NoMessage> {
        const { M::FITS };
        M::deserialize(decode::Tagged::<Caller, decode::All>::new(&self.0, bytes))
    }

    /// The tag of the message in this slot, if the bytes are one.
    #[inline(always)]
    #[must_use]
    pub const fn tag(&self) -> u8 {
        self.0[0]
    }

    /// Decodes as [`Slot::decode_for`] a message that the caller has seen to be of the kind with this
    /// [tag](Slot::tag): all other kinds have no part in the code. Of another kind's bytes it makes a message that was not sent.
    #[inline(always)]
    pub fn decode_known<Caller, const TAG: u8, M: Message>(&self) -> Decoded<M> {
        const { M::FITS };
        debug_assert!(self.tag() == TAG, "the caller has looked");
        let mut bytes = 0;
        let from = decode::Tagged::<Caller, decode::Only<TAG>>::new(&self.0, &mut bytes);
        (M::deserialize(from), bytes)
    }
}

/// Index in a slot, whatever the count.
#[inline(always)]
const fn inside(at: usize) -> usize {
    at % Slot::LEN
}
