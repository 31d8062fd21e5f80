//! Codecs that are written out by hand, for every kind of message.
//!
//! [`Hand`] encodes little-endian into a slot. Its bytes are those of postcard: a tag, then the fields in
//! order. So it shows what postcard's generality costs, and nothing else. [`InWords`] gives each field a
//! word of its own, for [`line`](super::line).

use crate::post::ring::Codec;
use core::sync::atomic::{AtomicU64, Ordering};
use proto::call::{Call, Outcome};
use proto::id::{ApicId, CoreId, Epoch, Generation, Lease, Pid, VcoreId};
use proto::message::{PageRange, Peer, ToCore, ToMonitor};
use proto::slot::{NoMessage, Slot};

/// Messages encoded by hand.
#[derive(Debug)]
pub struct Hand;

/// Words for the fields of a message.
pub(super) const WORDS: usize = 7;

/// A message whose fields can be laid out in words.
pub trait InWords: Sized {
    /// Stores the fields and returns the tag.
    fn store(&self, words: &[AtomicU64; WORDS]) -> u8;

    /// Loads the fields of the variant with this tag.
    ///
    /// # Errors
    /// [`NoMessage::Malformed`] when there is no such variant.
    fn load(tag: u8, words: &[AtomicU64; WORDS]) -> Result<Self, NoMessage>;
}

/// The bytes of a slot.
type Bytes = [u8; Slot::LEN];

/// The words of a line.
type Words = [AtomicU64; WORDS];

/// A field of fixed length.
trait Field: Copy {
    /// Its length in bytes.
    const LEN: usize;
    /// Its length in words.
    const WORDS: usize;

    /// Writes it at a place where it fits.
    fn put(self, bytes: &mut Bytes, at: usize);
    /// Reads it from a place where it fits.
    fn get(bytes: &Bytes, at: usize) -> Self;
    /// Writes it in words.
    fn store(self, words: &Words, at: usize);
    /// Reads it from words.
    fn load(words: &Words, at: usize) -> Self;
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(impl Field for $integer {
            const LEN: usize = size_of::<$integer>();
            const WORDS: usize = 1;

            #[inline(always)]
            fn put(self, bytes: &mut Bytes, at: usize) {
                bytes[at..at + Self::LEN].copy_from_slice(&self.to_le_bytes());
            }

            #[inline(always)]
            fn get(bytes: &Bytes, at: usize) -> Self {
                let mut own = [0; Self::LEN];
                own.copy_from_slice(&bytes[at..at + Self::LEN]);
                Self::from_le_bytes(own)
            }

            #[inline(always)]
            fn store(self, words: &Words, at: usize) {
                words[at].store(u64::from(self), Ordering::Relaxed);
            }

            #[inline(always)]
            fn load(words: &Words, at: usize) -> Self {
                words[at].load(Ordering::Relaxed) as Self
            }
        })*
    };
}

integers!(u8 u16 u32 u64);

/// Fields that are one other field in a coat.
macro_rules! coats {
    ($($coat:ty: $inner:ty, $off:expr, $on:expr;)*) => {
        $(impl Field for $coat {
            const LEN: usize = <$inner>::LEN;
            const WORDS: usize = <$inner>::WORDS;

            #[inline(always)]
            fn put(self, bytes: &mut Bytes, at: usize) {
                $off(self).put(bytes, at);
            }

            #[inline(always)]
            fn get(bytes: &Bytes, at: usize) -> Self {
                $on(<$inner>::get(bytes, at))
            }

            #[inline(always)]
            fn store(self, words: &Words, at: usize) {
                $off(self).store(words, at);
            }

            #[inline(always)]
            fn load(words: &Words, at: usize) -> Self {
                $on(<$inner>::load(words, at))
            }
        })*
    };
}

coats! {
    i32: u32, i32::cast_unsigned, u32::cast_signed;
    ApicId: u32, |it: Self| it.0, Self;
    CoreId: u16, |it: Self| it.0, Self;
    Epoch: u32, |it: Self| it.0, Self;
    Generation: u32, |it: Self| it.0, Self;
    Outcome: i32, |it: Self| it.0, Self;
    Pid: u16, |it: Self| it.0, Self;
    VcoreId: u16, |it: Self| it.0, Self;
}

/// Fields that are others in a row.
macro_rules! rows {
    ($($row:ident { $($field:ident: $kind:ty),* } in $words:literal)*) => {
        $(impl Field for $row {
            const LEN: usize = 0 $(+ <$kind>::LEN)*;
            const WORDS: usize = $words;

            #[inline(always)]
            fn put(self, bytes: &mut Bytes, at: usize) {
                $(let at = put(self.$field, bytes, at);)*
                let _ = at;
            }

            #[inline(always)]
            fn get(bytes: &Bytes, at: usize) -> Self {
                $(let ($field, at) = get::<$kind>(bytes, at);)*
                let _ = at;
                Self { $($field),* }
            }

            #[inline(always)]
            fn store(self, words: &Words, at: usize) {
                $(let at = store(self.$field, words, at);)*
                let _ = at;
            }

            #[inline(always)]
            fn load(words: &Words, at: usize) -> Self {
                $(let ($field, at) = load::<$kind>(words, at);)*
                let _ = at;
                Self { $($field),* }
            }
        })*
    };
}

rows! {
    Call { lease: Lease, at: u64 } in 3
    PageRange { first: u64, pages: u32 } in 2
}

/// A lease as two integers.
#[inline(always)]
fn halves(lease: Lease) -> (u64, u32) {
    let counts = u64::from(lease.epoch.0) << 32 | u64::from(lease.generation.0);
    (counts, u32::from(lease.vcore.0) << 16 | u32::from(lease.pid.0))
}

/// Two integers as a lease.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "takes the fields out of their places")]
const fn whole(counts: u64, who: u32) -> Lease {
    Lease {
        generation: Generation(counts as u32),
        epoch: Epoch((counts >> 32) as u32),
        pid: Pid(who as u16),
        vcore: VcoreId((who >> 16) as u16),
    }
}

impl Field for Lease {
    const LEN: usize = 12;
    const WORDS: usize = 2;

    #[inline(always)]
    fn put(self, bytes: &mut Bytes, at: usize) {
        let (counts, who) = halves(self);
        counts.put(bytes, at);
        who.put(bytes, at + 8);
    }

    #[inline(always)]
    fn get(bytes: &Bytes, at: usize) -> Self {
        whole(u64::get(bytes, at), u32::get(bytes, at + 8))
    }

    #[inline(always)]
    fn store(self, words: &Words, at: usize) {
        let (counts, who) = halves(self);
        counts.store(words, at);
        who.store(words, at + 1);
    }

    #[inline(always)]
    fn load(words: &Words, at: usize) -> Self {
        whole(u64::load(words, at), u32::load(words, at + 1))
    }
}

#[inline(always)]
fn put<F: Field>(field: F, bytes: &mut Bytes, at: usize) -> usize {
    field.put(bytes, at);
    at + F::LEN
}

#[inline(always)]
fn get<F: Field>(bytes: &Bytes, at: usize) -> (F, usize) {
    (F::get(bytes, at), at + F::LEN)
}

#[inline(always)]
fn store<F: Field>(field: F, words: &Words, at: usize) -> usize {
    field.store(words, at);
    at + F::WORDS
}

#[inline(always)]
fn load<F: Field>(words: &Words, at: usize) -> (F, usize) {
    (F::load(words, at), at + F::WORDS)
}

/// The codecs of an enum: tag, variant and fields, in their order on the wire.
macro_rules! codec {
    ($message:ident: $($tag:literal $variant:ident { $($field:ident),* })*) => {
        impl Codec<$message> for Hand {
            #[inline(always)]
            fn encode<Caller>(message: &$message, slot: &mut Slot) -> usize {
                let bytes = slot.bytes_mut();
                match *message {
                    $($message::$variant { $($field),* } => {
                        bytes[0] = $tag;
                        let at = 1;
                        $(let at = put($field, bytes, at);)*
                        at
                    })*
                }
            }

            #[inline(always)]
            fn decode<Caller>(slot: &Slot, length: &mut u64) -> Result<$message, NoMessage> {
                let bytes = slot.bytes();
                match bytes[0] {
                    $($tag => {
                        let at = 1;
                        $(let ($field, at) = get(bytes, at);)*
                        *length += at as u64;
                        Ok($message::$variant { $($field),* })
                    })*
                    _ => Err(NoMessage::Malformed),
                }
            }
        }

        impl InWords for $message {
            #[inline(always)]
            fn store(&self, words: &Words) -> u8 {
                match *self {
                    $($message::$variant { $($field),* } => {
                        let at = 0;
                        $(let at = store($field, words, at);)*
                        debug_assert!(at <= WORDS);
                        $tag
                    })*
                }
            }

            #[inline(always)]
            fn load(tag: u8, words: &Words) -> Result<Self, NoMessage> {
                match tag {
                    $($tag => {
                        let at = 0;
                        $(let ($field, at) = load(words, at);)*
                        debug_assert!(at <= WORDS);
                        Ok($message::$variant { $($field),* })
                    })*
                    _ => Err(NoMessage::Malformed),
                }
            }
        }
    };
}

codec! { ToCore:
    0 Ping { nonce }
    1 Dump {}
    2 Stop {}
    3 TlbShootdown { pid, generation, range, ticket }
    4 Link { peer }
    5 Unlink { peer }
    6 Experiment { role, peer, rounds, warmup, batch }
    7 Count {}
    8 StartCore { lease, root, notified }
    9 Preempt { lease, outcome }
    10 Death { lease }
    11 Notify { lease, count }
    12 SetContext { lease, notified }
    13 Done { lease, outcome }
    14 Panic {}
    15 Hang {}
}

codec! { ToMonitor:
    0 Join { apic }
    1 Pong { nonce }
    2 CoreFailed { report }
    3 Dumped { report }
    4 Stopped {}
    5 Stale { kind, lease }
    6 ShootdownDone { ticket }
    7 Linked { peer }
    8 Unlinked { peer }
    9 ExperimentDone { begin, end, operations }
    10 Samples { n, min, p50, p90, p99, max, mean_thousandths }
    11 Counters { doorbells, halts, heard, timers, peer_sent, peer_received, asleep }
    12 Started { lease }
    13 Preempted { lease }
    14 Released { lease }
    15 Notified { lease, count }
    16 Yield { lease, seen, wanted, flags }
    17 ChangeVcore { lease, to, flags }
    18 ChangeToM { lease }
    19 Fault { lease, address, vector, code }
    20 Exit { lease, code }
    21 Poke { call, wanted }
    22 Run { call, pid }
    23 Destroy { call, pid, code }
    24 Wait { call, pid, flags }
    25 NotifyProcess { call, pid, event, value }
    26 NotifyVcore { call, vcore, event, value }
    27 Provision { call, pid, core }
    28 Unmap { call, range }
    29 SetAlarm { call, alarm, deadline, period }
}

codec! { Peer:
    0 Ping { nonce, value }
    1 Pong { nonce, value }
    2 Data { value }
    3 End {}
    4 Sum { value }
}
