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

    /// Puts as many of these messages as fit, publishes them together and returns how many; each counts.
    fn put_all<M: Message>(&mut self, messages: &[M], traffic: &mut Traffic) -> usize {
        messages.iter().take_while(|message| self.put(*message, traffic)).count()
    }
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

    /// Hands up to `most` messages that are there to `visit`, the oldest first, and returns how many. A
    /// slot that holds no message of that type is handed over as an error. The slots may be freed only
    /// when all have been visited.
    fn take_all<M: Message>(
        &mut self,
        most: usize,
        traffic: &mut Traffic,
        mut visit: impl FnMut(Result<M, NoMessage>),
    ) -> usize {
        for taken in 0..most {
            match self.take(traffic) {
                Err(NoMessage::Empty) => return taken,
                message => visit(message),
            }
        }
        most
    }
}

/// Names the code for one message, see [`Slot::encode_for`].
struct One;

/// Names the code for a batch.
struct Many;

impl SlotProducer for Producer<Slot> {
    /// What is known of the consumer's place is nearly always enough; to look costs a cache miss.
    #[inline(always)]
    fn has_more_than(&self, slots: usize) -> bool {
        self.cached_slots() > slots || self.slots() > slots
    }

    #[inline(never)]
    fn put<M: Message>(&mut self, message: &M, traffic: &mut Traffic) -> bool {
        // Safe Rust gets at a slot in place only when it is initialised: eight stores, where encoding
        // on the stack and copying would take sixteen moves.
        let Ok(mut chunk) = self.write_chunk(1) else { return false };
        let Some(slot) = chunk.as_mut_slices().0.first_mut() else { return false };
        traffic.bytes += slot.encode_for::<One, M>(message) as u64;
        traffic.messages += 1;
        chunk.commit_all();
        true
    }

    #[inline(never)]
    fn put_all<M: Message>(&mut self, messages: &[M], traffic: &mut Traffic) -> usize {
        let count = messages.len();
        let count = if self.cached_slots() < count { count.min(self.slots()) } else { count };
        let Ok(mut chunk) = self.write_chunk(count) else { return 0 };
        let (first, second) = chunk.as_mut_slices();
        let (before, behind) = messages.split_at(first.len());
        for (slots, messages) in [(first, before), (second, behind)] {
            for (slot, message) in slots.iter_mut().zip(messages) {
                traffic.bytes += slot.encode_for::<Many, M>(message) as u64;
            }
        }
        chunk.commit_all();
        traffic.messages += count as u64;
        count
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
        let message = slot.decode_for::<One, M>(&mut traffic.bytes);
        // The slot was read where it lies; this only frees it.
        let _ = self.pop();
        message
    }

    #[inline(always)]
    fn take_all<M: Message>(
        &mut self,
        most: usize,
        traffic: &mut Traffic,
        mut visit: impl FnMut(Result<M, NoMessage>),
    ) -> usize {
        let there = self.cached_slots();
        let count = if there < most { most.min(self.slots()) } else { most };
        let Ok(chunk) = self.read_chunk(count) else { return 0 };
        let (first, second) = chunk.as_slices();
        for slots in [first, second] {
            for slot in slots {
                visit(slot.decode_for::<Many, M>(&mut traffic.bytes));
            }
        }
        chunk.commit_all();
        traffic.messages += count as u64;
        count
    }
}
