//! A ring in the model's memory: what `rtrb` does, access by access.
//!
//! Like `rtrb`'s, each end keeps its own index and the last value of the other's, which it loads anew only
//! when the ring seems full or empty. Indices count on here instead of wrapping: no scenario sends 256
//! messages.

use super::hardware::{Core, Fault};
use super::machine::Place;
use cpudriver::post::lanes::Traffic;
use cpudriver::post::{SlotConsumer, SlotProducer};
use proto::slot::{Message, NoMessage, Slot};
use std::cell::Cell;
use std::fmt;

/// Where a ring lies.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    /// How many messages were taken.
    pub(crate) head: Place,
    /// How many messages were put.
    pub(crate) tail: Place,
    /// What was put.
    pub(crate) slots: Vec<Place>,
    /// Messages that are there from the beginning.
    pub(crate) laid: u8,
}

impl Ring {
    fn slot(&self, index: u8) -> Place {
        self.slots[usize::from(index) % self.slots.len()]
    }
}

/// The end that messages go into. A lane that no message of a scenario travels in has no ring: it would
/// always be found empty.
pub(crate) struct Producer<'a> {
    core: &'a Core,
    ring: Option<&'a Ring>,
    tail: u8,
    head_seen: Cell<u8>,
}

impl<'a> Producer<'a> {
    /// The producer of a ring, at its beginning.
    pub(crate) fn new(core: &'a Core, ring: Option<&'a Ring>) -> Self {
        let laid = ring.map_or(0, |ring| ring.laid);
        Self { core, ring, tail: laid, head_seen: Cell::new(0) }
    }

    /// Free slots by what was last seen of the consumer.
    fn free(&self, ring: &Ring) -> usize {
        ring.slots.len() - usize::from(self.tail - self.head_seen.get())
    }

    /// Writes a message into the next slot and counts it, but publishes nothing.
    fn write<M: Message>(&mut self, ring: &Ring, message: &M, traffic: &mut Traffic) {
        let mut slot = Slot::EMPTY;
        traffic.bytes += slot.encode(message) as u64;
        traffic.messages += 1;
        let content = self.core.plan().slots.number(*slot.bytes());
        self.core.store(ring.slot(self.tail), content as u8);
        self.tail += 1;
    }

    fn has_room(&self, ring: &Ring, slots: usize) -> bool {
        if self.free(ring) >= slots {
            return true;
        }
        self.head_seen.set(self.core.load(ring.head));
        self.free(ring) >= slots
    }
}

impl fmt::Debug for Producer<'_> {
    /// What the end knows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tail, self.head_seen.get())
    }
}

impl SlotProducer for Producer<'_> {
    fn has_more_than(&self, slots: usize) -> bool {
        self.ring.is_some_and(|ring| self.has_room(ring, slots + 1))
    }

    fn put<M: Message>(&mut self, message: &M, traffic: &mut Traffic) -> bool {
        let ring = self.ring.expect("the scenario has a ring for each message");
        if !self.has_room(ring, 1) {
            self.core.note_full(ring.head, self.head_seen.get());
            return false;
        }
        let early = self.core.plan().fault == Fault::TailFirst;
        if early {
            self.core.store(ring.tail, self.tail + 1);
        }
        self.write(ring, message, traffic);
        if !early {
            self.core.store(ring.tail, self.tail);
        }
        true
    }

    fn put_all<M: Message>(&mut self, messages: &[M], traffic: &mut Traffic) -> usize {
        let ring = self.ring.expect("the scenario has a ring for each message");
        self.has_room(ring, messages.len());
        let count = messages.len().min(self.free(ring));
        messages[..count].iter().for_each(|message| self.write(ring, message, traffic));
        self.core.store(ring.tail, self.tail);
        count
    }
}

/// The end that messages come out of.
pub(crate) struct Consumer<'a> {
    core: &'a Core,
    ring: Option<&'a Ring>,
    head: u8,
    tail_seen: Cell<u8>,
}

impl<'a> Consumer<'a> {
    /// The consumer of a ring, at its beginning.
    pub(crate) fn new(core: &'a Core, ring: Option<&'a Ring>) -> Self {
        Self { core, ring, head: 0, tail_seen: Cell::new(0) }
    }
}

impl fmt::Debug for Consumer<'_> {
    /// What the end knows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.head, self.tail_seen.get())
    }
}

impl SlotConsumer for Consumer<'_> {
    fn is_empty(&self) -> bool {
        let Some(ring) = self.ring else { return true };
        if self.head == self.tail_seen.get() {
            self.tail_seen.set(self.core.load(ring.tail));
        }
        self.head == self.tail_seen.get()
    }

    fn is_last(&self) -> bool {
        let Some(ring) = self.ring else { return false };
        if self.core.plan().fault != Fault::OldLook {
            self.tail_seen.set(self.core.load(ring.tail));
        }
        self.tail_seen.get() == self.head + 1
    }

    fn take<M: Message>(&mut self, traffic: &mut Traffic) -> Result<M, NoMessage> {
        let Some(ring) = self.ring.filter(|_| !self.is_empty()) else {
            return Err(NoMessage::Empty);
        };
        traffic.messages += 1;
        let place = ring.slot(self.head);
        self.head += 1;
        let early = self.core.plan().fault == Fault::HeadFirst;
        if early {
            self.core.store(ring.head, self.head);
        }
        let content = self.core.load(place);
        if !early {
            self.core.store(ring.head, self.head);
        }
        let slot = Slot::from_bytes(self.core.plan().slots.value(content.into()));
        slot.decode_for::<Self, M>(&mut traffic.bytes)
    }
}
