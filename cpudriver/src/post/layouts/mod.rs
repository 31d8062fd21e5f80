//! Ways to lay a message out, for the experiment that compares what they cost.
//!
//! | layout | ring | slot |
//! |---|---|---|
//! | [`Plain`] | `rtrb` | the value as it lies in memory: as large as the largest variant, and nothing is checked |
//! | [`Slots`] with [`Postcard`] | `rtrb` | what the kernel uses, by the kernel's own code |
//! | [`Slots`] with [`Hand`](hand::Hand) | `rtrb` | the same bytes, by a little-endian codec that is written out by hand |
//! | [`Lines`](line::Lines) | none | a cache line with a sequence word: the floor |
//!
//! Each is a [`Path`]: a ring with both of its ends on one core.

pub mod hand;
pub mod line;
#[cfg(test)]
mod tests;

use super::lanes::Traffic;
use super::ring::{self, Codec};
use core::marker::PhantomData;
use proto::slot::{NoMessage, Slot};
use rtrb::{Consumer, Producer, RingBuffer};

pub use super::ring::Postcard;

/// Both ends of a ring on one core.
pub trait Path<M> {
    /// Makes a ring with this many slots, a power of two.
    fn new(slots: usize) -> Self;

    /// Puts a message in; false if the ring is full.
    fn put(&mut self, message: &M) -> bool;

    /// Takes the oldest message out.
    ///
    /// # Errors
    /// [`NoMessage::Empty`] when there is none, [`NoMessage::Malformed`] when it has no meaning.
    fn take(&mut self) -> Result<M, NoMessage>;

    /// Puts as many of these messages in as fit and returns how many. They are published together,
    /// where the ring can do so.
    fn put_all(&mut self, messages: &[M]) -> usize;

    /// Hands up to `most` messages to `visit`, the oldest first, and returns how many.
    fn take_all(&mut self, most: usize, visit: impl FnMut(&Result<M, NoMessage>)) -> usize;
}

/// Values as they lie in memory.
#[derive(Debug)]
pub struct Plain<M> {
    producer: Producer<M>,
    consumer: Consumer<M>,
}

impl<M: Copy> Path<M> for Plain<M> {
    fn new(slots: usize) -> Self {
        let (producer, consumer) = RingBuffer::new(slots);
        Self { producer, consumer }
    }

    #[inline(never)]
    fn put(&mut self, message: &M) -> bool {
        self.producer.push(*message).is_ok()
    }

    #[inline(never)]
    fn take(&mut self) -> Result<M, NoMessage> {
        self.consumer.pop().map_err(|_| NoMessage::Empty)
    }

    #[inline(never)]
    fn put_all(&mut self, messages: &[M]) -> usize {
        self.producer.push_partial_slice(messages).0.len()
    }

    #[inline(always)]
    fn take_all(&mut self, most: usize, mut visit: impl FnMut(&Result<M, NoMessage>)) -> usize {
        let count = most.min(self.consumer.slots());
        let Ok(chunk) = self.consumer.read_chunk(count) else { return 0 };
        let (first, second) = chunk.as_slices();
        for messages in [first, second] {
            for message in messages {
                visit(&Ok(*message));
            }
        }
        chunk.commit_all();
        count
    }
}

/// Messages in slots of a cache line, encoded by `C`.
#[derive(Debug)]
pub struct Slots<C> {
    producer: Producer<Slot>,
    consumer: Consumer<Slot>,
    sent: Traffic,
    received: Traffic,
    codec: PhantomData<C>,
}

impl<C: Codec<M>, M> Path<M> for Slots<C> {
    fn new(slots: usize) -> Self {
        let (producer, consumer) = RingBuffer::new(slots);
        let (sent, received) = Default::default();
        Self { producer, consumer, sent, received, codec: PhantomData }
    }

    #[inline(always)]
    fn put(&mut self, message: &M) -> bool {
        ring::put::<C, M>(&mut self.producer, message, &mut self.sent)
    }

    #[inline(always)]
    fn take(&mut self) -> Result<M, NoMessage> {
        ring::take::<C, M>(&mut self.consumer, &mut self.received)
    }

    #[inline(always)]
    fn put_all(&mut self, messages: &[M]) -> usize {
        ring::put_all::<C, M>(&mut self.producer, messages, &mut self.sent)
    }

    #[inline(always)]
    fn take_all(&mut self, most: usize, visit: impl FnMut(&Result<M, NoMessage>)) -> usize {
        ring::take_all::<C, M>(&mut self.consumer, most, &mut self.received, visit)
    }
}
