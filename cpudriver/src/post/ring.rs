//! Rings of slots with one producer and one consumer.
//!
//! The traits are what the message path asks of a ring. The kernel's is `rtrb`, used through its safe
//! interface; the explorer of the wake-up race brings one whose every access is a step of its model.

use super::lanes::Traffic;
use proto::slot::{Message, NoMessage, Slot};
use rtrb::{Consumer, Producer};

/// The end of a ring that messages go into.
pub trait SlotProducer {
    /// Whether more than `slots` slots are free.
    fn has_more_than(&self, slots: usize) -> bool;

    /// Encodes a message into the next slot, publishes it and counts it; false, and nothing happened,
    /// when the ring is full.
    fn put<M: Message>(&mut self, message: &M, traffic: &mut Traffic) -> bool;

    /// As [`SlotProducer::put`], with code of its own for a place that is in a hurry, which `Caller` names: see
    /// [`Slot::encode_for`].
    #[inline(always)]
    fn put_for<Caller, M: Message>(&mut self, message: &M, traffic: &mut Traffic) -> bool {
        self.put(message, traffic)
    }

    /// Puts as many of these messages as fit, publishes them together and returns how many; each counts.
    fn put_all<M: Message>(&mut self, messages: &[M], traffic: &mut Traffic) -> usize {
        messages.iter().take_while(|message| self.put(*message, traffic)).count()
    }
}

/// The end of a ring that messages come out of.
pub trait SlotConsumer {
    /// Whether nothing is there now.
    fn is_empty(&self) -> bool;

    /// Whether what is there now is one message. It looks anew: an earlier look may have been one before the sender's flag was
    /// lowered, and whoever trusts this does not look behind that message.
    fn is_last(&self) -> bool;

    /// Decodes the oldest message where it lies, counts it and frees its slot.
    ///
    /// # Errors
    /// [`NoMessage::Empty`] when the ring is empty. [`NoMessage::Malformed`] when the slot holds no
    /// message of that type; it is freed and counted all the same.
    fn take<M: Message>(&mut self, traffic: &mut Traffic) -> Result<M, NoMessage>;

    /// Hands up to `most` messages that are there to `visit`, the oldest first, and returns how many. A
    /// slot that holds no message of that type is handed over as an error. The slots may be freed only
    /// when all have been visited.
    fn take_all<M: Message>(
        &mut self,
        most: usize,
        traffic: &mut Traffic,
        mut visit: impl FnMut(&Result<M, NoMessage>),
    ) -> usize {
        for taken in 0..most {
            match self.take(traffic) {
                Err(NoMessage::Empty) => return taken,
                message => visit(&message),
            }
        }
        most
    }
}

/// How a message lies in a slot.
///
/// The kernel's way is [`Postcard`]; an experiment compares it with another one on the same rings.
pub trait Codec<M> {
    /// Encodes a message into a slot and returns its length in bytes, inlined as [`Slot::encode_for`].
    fn encode<Caller>(message: &M, slot: &mut Slot) -> usize;

    /// Decodes the message in a slot and adds its length to `bytes`, inlined as [`Slot::decode_for`].
    ///
    /// # Errors
    /// [`NoMessage::Malformed`] when the bytes have no meaning.
    fn decode<Caller>(slot: &Slot, bytes: &mut u64) -> Result<M, NoMessage>;
}

/// Messages as the kernel sends them.
#[derive(Debug)]
pub struct Postcard;

impl<M: Message> Codec<M> for Postcard {
    #[inline(always)]
    fn encode<Caller>(message: &M, slot: &mut Slot) -> usize {
        slot.encode_for::<Caller, M>(message)
    }

    #[inline(always)]
    fn decode<Caller>(slot: &Slot, bytes: &mut u64) -> Result<M, NoMessage> {
        slot.decode_for::<Caller, M>(bytes)
    }
}

/// Names the code for one message, see [`Slot::encode_for`].
struct One;

/// Names the code for a batch.
struct Many;

/// Puts one message, see [`SlotProducer::put`].
#[inline(always)]
pub(super) fn put<C: Codec<M>, M>(
    ring: &mut Producer<Slot>,
    message: &M,
    traffic: &mut Traffic,
) -> bool {
    put_for::<One, C, M>(ring, message, traffic)
}

/// See [`SlotProducer::put_for`].
#[inline(always)]
fn put_for<Caller, C: Codec<M>, M>(
    ring: &mut Producer<Slot>,
    message: &M,
    traffic: &mut Traffic,
) -> bool {
    // Safe Rust gets at a slot in place only when it is initialised: eight stores, where encoding
    // on the stack and copying would take sixteen moves.
    let Ok(mut chunk) = ring.write_chunk(1) else { return false };
    let Some(slot) = chunk.as_mut_slices().0.first_mut() else { return false };
    traffic.bytes += C::encode::<Caller>(message, slot) as u64;
    traffic.messages += 1;
    chunk.commit_all();
    true
}

/// Takes one message, see [`SlotConsumer::take`].
#[inline(always)]
pub(super) fn take<C: Codec<M>, M>(
    ring: &mut Consumer<Slot>,
    traffic: &mut Traffic,
) -> Result<M, NoMessage> {
    let Ok(slot) = ring.peek() else { return Err(NoMessage::Empty) };
    traffic.messages += 1;
    let message = C::decode::<One>(slot, &mut traffic.bytes);
    // The slot was read where it lies; this only frees it.
    let _ = ring.pop();
    message
}

/// The slot of the oldest message, if there is any.
#[inline(always)]
pub(super) fn first(ring: &Consumer<Slot>) -> Option<&Slot> {
    ring.peek().ok()
}

/// Frees the slot of the oldest message, which was read where it lies and took so many bytes.
#[inline(always)]
pub(super) fn free(ring: &mut Consumer<Slot>, bytes: u64, traffic: &mut Traffic) {
    traffic.messages += 1;
    traffic.bytes += bytes;
    let _ = ring.pop();
}

/// Puts a batch, see [`SlotProducer::put_all`].
#[inline(never)]
pub(super) fn put_all<C: Codec<M>, M>(
    ring: &mut Producer<Slot>,
    messages: &[M],
    traffic: &mut Traffic,
) -> usize {
    let count = messages.len();
    let count = if ring.cached_slots() < count { count.min(ring.slots()) } else { count };
    let Ok(mut chunk) = ring.write_chunk(count) else { return 0 };
    let (first, second) = chunk.as_mut_slices();
    let (before, behind) = messages.split_at(first.len());
    for (slots, messages) in [(first, before), (second, behind)] {
        for (slot, message) in slots.iter_mut().zip(messages) {
            traffic.bytes += C::encode::<Many>(message, slot) as u64;
        }
    }
    chunk.commit_all();
    traffic.messages += count as u64;
    count
}

/// Takes a batch, see [`SlotConsumer::take_all`].
#[inline(always)]
pub(super) fn take_all<C: Codec<M>, M>(
    ring: &mut Consumer<Slot>,
    most: usize,
    traffic: &mut Traffic,
    mut visit: impl FnMut(&Result<M, NoMessage>),
) -> usize {
    let there = ring.cached_slots();
    let count = if there < most { most.min(ring.slots()) } else { most };
    let Ok(chunk) = ring.read_chunk(count) else { return 0 };
    let (first, second) = chunk.as_slices();
    for slots in [first, second] {
        for slot in slots {
            let message = C::decode::<Many>(slot, &mut traffic.bytes);
            visit(&message);
        }
    }
    chunk.commit_all();
    traffic.messages += count as u64;
    count
}

impl SlotProducer for Producer<Slot> {
    /// What is known of the consumer's place is nearly always enough; to look costs a cache miss.
    #[inline(always)]
    fn has_more_than(&self, slots: usize) -> bool {
        self.cached_slots() > slots || self.slots() > slots
    }

    #[inline(always)]
    fn put<M: Message>(&mut self, message: &M, traffic: &mut Traffic) -> bool {
        put::<Postcard, M>(self, message, traffic)
    }

    #[inline(always)]
    fn put_for<Caller, M: Message>(&mut self, message: &M, traffic: &mut Traffic) -> bool {
        put_for::<Caller, Postcard, M>(self, message, traffic)
    }

    #[inline(always)]
    fn put_all<M: Message>(&mut self, messages: &[M], traffic: &mut Traffic) -> usize {
        put_all::<Postcard, M>(self, messages, traffic)
    }
}

impl SlotConsumer for Consumer<Slot> {
    #[inline(always)]
    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }

    #[inline(always)]
    fn is_last(&self) -> bool {
        self.slots() == 1
    }

    #[inline(always)]
    fn take<M: Message>(&mut self, traffic: &mut Traffic) -> Result<M, NoMessage> {
        take::<Postcard, M>(self, traffic)
    }

    #[inline(always)]
    fn take_all<M: Message>(
        &mut self,
        most: usize,
        traffic: &mut Traffic,
        visit: impl FnMut(&Result<M, NoMessage>),
    ) -> usize {
        take_all::<Postcard, M>(self, most, traffic, visit)
    }
}
