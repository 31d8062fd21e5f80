//! Codecs that are written out by hand, for every kind of message.
//!
//! [`Hand`] encodes little-endian into a slot. Its bytes are those of postcard: a tag, then the fields in
//! order. So it shows what postcard's generality costs, and nothing else. [`InWords`] lays the fields out
//! in whole words, for [`line`](super::line).
//!
//! A new kind of message needs its line in the lists at the end, and a field of a new type an
//! implementation of `Field`.

mod field;

use crate::post::ring::Codec;
use field::Field;
pub(super) use field::Words;
use field::{Packer, Unpacker};
use proto::message::{Peer, ToCore, ToMonitor};
use proto::slot::{NoMessage, Slot};

/// Messages encoded by hand.
#[derive(Debug)]
pub struct Hand;

/// A message whose fields can be laid out in words.
pub trait InWords: Sized {
    /// Stores the fields and returns the tag.
    fn store(&self, words: &Words) -> u8;

    /// Loads the fields of the variant with this tag.
    ///
    /// # Errors
    /// [`NoMessage::Malformed`] when there is no such variant.
    fn load(tag: u8, words: &Words) -> Result<Self, NoMessage>;
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
                        let end = 1;
                        $(let end = $field.put(bytes, end);)*
                        end
                    })*
                }
            }

            #[inline(always)]
            fn decode<Caller>(slot: &Slot, count: &mut u64) -> Result<$message, NoMessage> {
                let bytes = slot.bytes();
                match bytes[0] {
                    $($tag => {
                        let end = 1;
                        $(let ($field, end) = Field::get(bytes, end);)*
                        *count += end as u64;
                        Ok($message::$variant { $($field),* })
                    })*
                    _ => Err(NoMessage::Malformed),
                }
            }
        }

        impl InWords for $message {
            #[inline(always)]
            fn store(&self, words: &Words) -> u8 {
                let packer = Packer::new(words);
                match *self {
                    $($message::$variant { $($field),* } => {
                        $(let packer = $field.pack(packer);)*
                        packer.finish();
                        $tag
                    })*
                }
            }

            #[inline(always)]
            fn load(tag: u8, words: &Words) -> Result<Self, NoMessage> {
                let unpacker = Unpacker::new(words);
                match tag {
                    $($tag => {
                        $(let ($field, unpacker) = Field::unpack(unpacker);)*
                        unpacker.finish();
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
    8 StartCore { lease, root, notified, removals }
    9 Preempt { lease, outcome }
    10 Death { lease }
    11 Notify { lease, count }
    12 SetContext { lease, notified }
    13 Done { lease, outcome }
    14 Panic {}
    15 Hang {}
    16 TlbMulticast { generation, ticket, range, pid, fan_out, below }
    17 Switch { from, outcome, to, root, notified, removals }
    18 Regrant { from, to, root, notified, removals }
    19 Changed { lease, range }
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
    19 Fault { lease, address, vector, code, at }
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
    30 Create { call, path, path_length, arguments, arguments_length, flags }
    31 OpenPipe { call, flags }
    32 Read { call, handle, flags, at, length }
    33 Write { call, handle, flags, at, length }
    34 Close { call, handle }
    35 SetHandle { call, handle, flags }
    36 DupHandles { call, pid, pairs }
    37 SetUser { call, pid, name, length }
    38 Sleep { call, ticks }
    39 AwaitEvent { call, seen }
    40 AbortCall { call, target }
    41 AbortHandle { call, handle }
    42 Map { call, first, pages, rights, flags }
    43 Protect { call, range, rights }
    44 Share { call, pid, first }
    45 Unreached { ticket, cores }
    46 List { call, at, length, first }
    47 Traced { first, second, third, fourth, fifth }
    48 SendEvent { call, queue, event, value, vcore }
    49 SetQueue { call, event, queue }
    50 Reflect { lease, address, vector, code, at }
}

codec! { Peer:
    0 Ping { nonce, value }
    1 Pong { nonce, value }
    2 Data { value }
    3 End {}
    4 Sum { value }
    5 TlbShootdown { generation, ticket, range, pid, fan_out, below }
    6 ShootdownDone { ticket }
}
