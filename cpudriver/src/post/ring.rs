//! Rings of slots with one producer and one consumer.
//!
//! The traits are what the message path asks of a ring. The kernel's is `rtrb`, used through its safe
//! interface; the explorer of the wake-up race brings one whose every access is a step of its model.

use super::lanes::Traffic;
use proto::slot::{Message, NoMessage, Slot};
use rtrb::{Consumer, Producer};

/// The end of a ring that messages go into.
pub trait SlotProducer {
    /// How many messages fit at least; more may fit as soon as the consumer has moved on.
    fn room(&self) -> usize;

    /// Encodes a message into the next slot, publishes it and counts it; false, and nothing happened,
    /// when the ring is full.
    fn put<M: Message>(&mut self, message: &M, traffic: &mut Traffic) -> bool;
}

/// The end of a ring that messages come out of.
pub trait SlotConsumer {
    /// Whether nothing is there now.
    fn is_empty(&self) -> bool;

    /// Decodes the oldest message where it lies, counts it and frees its slot.
    ///
    /// # Errors
    /// [`NoMessage::Empty`] when the ring is empty. [`NoMessage::Malformed`] when the slot holds no
    /// message of that type; it is freed and counted all the same.
    fn take<M: Message>(&mut self, traffic: &mut Traffic) -> Result<M, NoMessage>;
}

impl SlotProducer for Producer<Slot> {
    #[inline(always)]
    fn room(&self) -> usize {
        self.slots()
    }

    #[inline(never)]
    fn put<M: Message>(&mut self, message: &M, traffic: &mut Traffic) -> bool {
        // Safe Rust gets at a slot in place only when it is initialised: eight stores, where encoding
        // on the stack and copying would take sixteen moves.
        let Ok(mut chunk) = self.write_chunk(1) else { return false };
        let Some(slot) = chunk.as_mut_slices().0.first_mut() else { return false };
        traffic.bytes += slot.encode(message) as u64;
        traffic.messages += 1;
        chunk.commit_all();
        true
    }
}

impl SlotConsumer for Consumer<Slot> {
    #[inline(always)]
    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }

    #[inline(never)]
    fn take<M: Message>(&mut self, traffic: &mut Traffic) -> Result<M, NoMessage> {
        let Ok(slot) = self.peek() else { return Err(NoMessage::Empty) };
        traffic.messages += 1;
        let message = slot.decode_counted(&mut traffic.bytes);
        // The slot was read where it lies; this only frees it.
        let _ = self.pop();
        message
    }
}
