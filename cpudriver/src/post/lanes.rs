//! The typed ends of a link from one core to another: two rings, its lanes.

use super::bounds::Post;
use super::ring::{self, SlotConsumer, SlotProducer};
use core::marker::PhantomData;
use proto::message::Lane;
use proto::slot::{NoMessage, Slot};
use rtrb::{Consumer, Producer, RingBuffer};

/// Slots of each lane: 4 KiB. More would cost latency, as both ends walk through the whole ring and it
/// leaves the nearest cache.
pub const SLOTS: usize = 64;

/// A full lane: the message comes back, nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full<M>(pub M);

/// What has passed one end of a link since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages of both lanes.
    pub messages: u64,
    /// Bytes of their encodings (not of the slots).
    pub bytes: u64,
}

impl Traffic {
    const NONE: Self = Self { messages: 0, bytes: 0 };
}

/// The sender's end of a link: encodes messages of type `M` into the ring of their lane.
///
/// Sending publishes a message to a receiver that looks; to make one look, send through
/// [`Outbox`](super::Outbox).
#[derive(Debug)]
pub struct Sender<M, P = Producer<Slot>> {
    immediate: P,
    routine: P,
    sent: Traffic,
    kind: PhantomData<fn(M)>,
}

impl<M: Post, P: SlotProducer> Sender<M, P> {
    /// Makes an end of the producers of its two lanes.
    pub const fn new(immediate: P, routine: P) -> Self {
        Self { immediate, routine, sent: Traffic::NONE, kind: PhantomData }
    }

    /// Puts a message into its lane.
    ///
    /// # Errors
    /// [`Full`] with the message when its lane has no slot left, or none but those reserved for answers
    /// and the message is a request ([`Post::is_request`]).
    #[inline(always)]
    pub fn send(&mut self, message: &M) -> Result<(), Full<M>> {
        if self.send_for::<Self>(message) { Ok(()) } else { Err(Full(*message)) }
    }

    /// As [`Sender::send`], where the message need not come back: whether it was sent. `Caller` names the place, see
    /// [`SlotProducer::put_for`].
    #[inline(always)]
    pub fn send_for<Caller>(&mut self, message: &M) -> bool {
        let ring = match message.lane() {
            Lane::Immediate => &mut self.immediate,
            Lane::Routine => &mut self.routine,
        };
        if message.is_request() && !ring.has_more_than(M::RESERVED) {
            return false;
        }
        ring.put_for::<Caller, M>(message, &mut self.sent)
    }

    /// Puts a message into its lane, for which a slot is kept; false if there is none all the same. `Caller` names the
    /// place, see [`SlotProducer::put_for`].
    #[inline(always)]
    pub fn answer_for<Caller>(&mut self, message: &M) -> bool {
        let ring = match message.lane() {
            Lane::Immediate => &mut self.immediate,
            Lane::Routine => &mut self.routine,
        };
        ring.put_for::<Caller, M>(message, &mut self.sent)
    }

    /// Puts as many of these messages as fit into the routine lane, to which all of them belong, publishes
    /// them together and returns how many. Requests may fill the slots reserved for answers here: this
    /// is for streams that have none.
    #[inline(always)]
    pub fn send_batch(&mut self, messages: &[M]) -> usize {
        debug_assert!(messages.iter().all(|message| message.lane() == Lane::Routine));
        self.routine.put_all(messages, &mut self.sent)
    }

    /// Whether more than `slots` messages fit in a lane.
    #[must_use]
    pub fn has_more_than(&self, slots: usize, lane: Lane) -> bool {
        match lane {
            Lane::Immediate => self.immediate.has_more_than(slots),
            Lane::Routine => self.routine.has_more_than(slots),
        }
    }

    /// What was sent so far.
    #[must_use]
    pub const fn traffic(&self) -> Traffic {
        self.sent
    }
}

/// The receiver's end of a link: decodes messages of type `M` where they lie.
#[derive(Debug)]
pub struct Receiver<M, C = Consumer<Slot>> {
    immediate: C,
    routine: C,
    received: Traffic,
    kind: PhantomData<fn() -> M>,
}

impl<M: Post, C: SlotConsumer> Receiver<M, C> {
    /// Makes an end of the consumers of its two lanes.
    pub const fn new(immediate: C, routine: C) -> Self {
        Self { immediate, routine, received: Traffic::NONE, kind: PhantomData }
    }

    /// Takes the oldest message of a lane.
    ///
    /// # Errors
    /// [`NoMessage::Empty`] when there is none. [`NoMessage::Malformed`] when the slot holds no message of
    /// type `M`; it is freed all the same.
    #[inline(always)]
    pub fn take(&mut self, lane: Lane) -> Result<M, NoMessage> {
        let ring = match lane {
            Lane::Immediate => &mut self.immediate,
            Lane::Routine => &mut self.routine,
        };
        ring.take(&mut self.received)
    }

    /// Hands up to `most` messages of a lane to `visit`, the oldest first, and returns how many. What has no
    /// meaning is handed over as [`NoMessage::Malformed`]. Slots are freed when all have been visited.
    #[inline(always)]
    pub fn take_batch(
        &mut self,
        lane: Lane,
        most: usize,
        visit: impl FnMut(&Result<M, NoMessage>),
    ) -> usize {
        let ring = match lane {
            Lane::Immediate => &mut self.immediate,
            Lane::Routine => &mut self.routine,
        };
        ring.take_all(most, &mut self.received, visit)
    }

    /// Whether a lane is empty now.
    #[inline(always)]
    #[must_use]
    pub fn is_lane_empty(&self, lane: Lane) -> bool {
        match lane {
            Lane::Immediate => self.immediate.is_empty(),
            Lane::Routine => self.routine.is_empty(),
        }
    }

    /// Whether what a lane holds now is one message: see [`Taken::Last`](super::Taken::Last).
    #[inline(always)]
    #[must_use]
    pub fn is_last(&self, lane: Lane) -> bool {
        match lane {
            Lane::Immediate => self.immediate.is_last(),
            Lane::Routine => self.routine.is_last(),
        }
    }

    /// Whether both lanes are empty now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.immediate.is_empty() && self.routine.is_empty()
    }

    /// Throws away all that is there, uncounted: what an earlier life of a core has left.
    pub fn discard(&mut self) {
        for ring in [&mut self.immediate, &mut self.routine] {
            while !matches!(ring.take::<M>(&mut Traffic::default()), Err(NoMessage::Empty)) {}
        }
    }

    /// What was taken so far; messages that did not decode count with no bytes.
    #[must_use]
    pub const fn traffic(&self) -> Traffic {
        self.received
    }
}

impl<M: Post> Receiver<M> {
    /// The slot of the oldest message of a lane, if there is any. Whoever has read it [frees](Self::free) it: so its kind is
    /// looked at once, and what is done about each kind can be code of its own, which [decodes](Slot::decode_known) no other.
    #[inline(always)]
    #[must_use]
    pub fn first(&self, lane: Lane) -> Option<&Slot> {
        ring::first(match lane {
            Lane::Immediate => &self.immediate,
            Lane::Routine => &self.routine,
        })
    }

    /// Frees the slot of the oldest message of a lane, whose encoding took so many bytes, and counts it.
    #[inline(always)]
    pub fn free(&mut self, lane: Lane, bytes: u64) {
        let ring = match lane {
            Lane::Immediate => &mut self.immediate,
            Lane::Routine => &mut self.routine,
        };
        ring::free(ring, bytes, &mut self.received);
    }
}

/// Allocates the rings of a link with `slots` slots in each lane and gives its two ends. They are
/// meant to live for ever: whoever drops the last end frees the memory, on whatever core that is.
#[must_use]
pub fn link<M: Post>(slots: usize) -> (Sender<M>, Receiver<M>) {
    let (immediate_in, immediate_out) = RingBuffer::new(slots);
    let (routine_in, routine_out) = RingBuffer::new(slots);
    (Sender::new(immediate_in, routine_in), Receiver::new(immediate_out, routine_out))
}
