//! Rings of slots with one producer and one consumer.
//!
//! The traits are what the message path asks of a ring. The kernel's is `rtrb`, used through its safe
//! interface; the explorer of the wake-up race brings one whose every access is a step of its model.

use proto::slot::Slot;
use rtrb::{Consumer, Producer};

/// The end of a ring that messages go into.
pub trait SlotProducer {
    /// How many messages fit at least; more may fit as soon as the consumer has moved on.
    fn room(&self) -> usize;

    /// Encodes a message into the next slot and publishes it. Gives what `encode` returned, or `None`,
    /// without having called it, when the ring is full.
    fn put<T>(&mut self, encode: impl FnOnce(&mut Slot) -> T) -> Option<T>;
}

/// The end of a ring that messages come out of.
pub trait SlotConsumer {
    /// Whether nothing is there now.
    fn is_empty(&self) -> bool;

    /// Decodes the oldest message where it lies and frees its slot, or `None` when the ring is empty.
    fn take<T>(&mut self, decode: impl FnOnce(&Slot) -> T) -> Option<T>;
}

impl SlotProducer for Producer<Slot> {
    #[inline(always)]
    fn room(&self) -> usize {
        self.slots()
    }

    #[inline(always)]
    fn put<T>(&mut self, encode: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let mut chunk = self.write_chunk(1).ok()?;
        let (slots, _) = chunk.as_mut_slices();
        let outcome = encode(slots.first_mut()?);
        chunk.commit_all();
        Some(outcome)
    }
}

impl SlotConsumer for Consumer<Slot> {
    #[inline(always)]
    fn is_empty(&self) -> bool {
        Self::is_empty(self)
    }

    #[inline(always)]
    fn take<T>(&mut self, decode: impl FnOnce(&Slot) -> T) -> Option<T> {
        let outcome = decode(self.peek().ok()?);
        // The value was read in place; nothing of it is copied here.
        let _ = self.pop();
        Some(outcome)
    }
}
