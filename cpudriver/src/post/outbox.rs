//! The end of a sender's step: flag bytes, one fence, doorbells.

use super::bounds::Post;
use super::hardware::{Activity, Hardware};
use super::lanes::{Full, Sender};
use super::ring::SlotProducer;
use alloc::boxed::Box;
use alloc::vec::Vec;
use proto::core_set::CoreSet;
use proto::id::CoreId;
use proto::message::Lane;

/// Doorbells of one receiver, as this sender saw them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Knocks {
    /// Doorbells rung.
    pub rung: u64,
    /// Doorbells saved because the receiver was in the kernel.
    pub suppressed: u64,
}

/// One receiver in the book of an outbox.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Twice the step in which this receiver was last sent to, plus 1 if by the immediate lane.
    mark: u64,
    knocks: Knocks,
}

impl Entry {
    /// The more urgent lane in which this step has sent.
    #[inline(always)]
    const fn lane(&self) -> Lane {
        if self.mark % 2 == 1 { Lane::Immediate } else { Lane::Routine }
    }
}

/// Rings a receiver that would not look by itself, or has an immediate message.
#[inline(always)]
fn knock(entry: &mut Entry, lane: Lane, receiver: CoreId, hardware: &impl Hardware) {
    if lane == Lane::Immediate || hardware.activity_of(receiver) != Activity::Kernel {
        hardware.ring(receiver);
        entry.knocks.rung += 1;
    } else {
        entry.knocks.suppressed += 1;
    }
}

/// Notes whom a step sends to, and lets them know when the step is over.
///
/// Nothing that was sent is sure to be seen before [`Outbox::flush`]: a core must flush before it
/// halts, leaves for user mode or waits for an answer.
#[derive(Debug)]
pub struct Outbox {
    entries: Box<[Entry]>,
    /// Receivers of this step, each once; its capacity is the number of cores.
    touched: Vec<CoreId>,
    step: u64,
}

impl Outbox {
    /// Makes an outbox for receivers 0..`cores`. It allocates nothing later.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        let entries = alloc::vec![Entry::default(); cores].into_boxed_slice();
        Self { entries, touched: Vec::with_capacity(cores), step: 1 }
    }

    /// How many receivers it was made for.
    #[must_use]
    pub const fn receivers(&self) -> usize {
        self.entries.len()
    }

    /// Puts a message into the link to `receiver`, which learns of it at the next [`Outbox::flush`].
    ///
    /// # Errors
    /// [`Full`] with the message, as [`Sender::send`].
    ///
    /// # Panics
    /// When the outbox was not made for as many cores.
    #[inline(always)]
    pub fn send<M: Post, P: SlotProducer>(
        &mut self,
        receiver: CoreId,
        link: &mut Sender<M, P>,
        message: &M,
    ) -> Result<(), Full<M>> {
        link.send(message)?;
        self.note(receiver, message.lane());
        Ok(())
    }

    /// Notes that something was put for `receiver`, in whatever way.
    ///
    /// # Panics
    /// When the outbox was not made for as many cores.
    #[inline(always)]
    pub fn note(&mut self, receiver: CoreId, lane: Lane) {
        let calm = self.step * 2;
        let mark = calm + u64::from(matches!(lane, Lane::Immediate));
        let entry = &mut self.entries[receiver.index()];
        if entry.mark < mark {
            if entry.mark < calm {
                self.touched.push(receiver);
            }
            entry.mark = mark;
        }
    }

    /// Lets a receiver know at once of something immediate that was put for it, apart from the step.
    ///
    /// # Panics
    /// When the outbox was not made for as many cores.
    #[inline(always)]
    pub fn knock_at_once(&mut self, receiver: CoreId, hardware: &impl Hardware) {
        hardware.raise(receiver);
        hardware.fence();
        hardware.ring(receiver);
        self.entries[receiver.index()].knocks.rung += 1;
    }

    /// Lets a receiver know at once of something that was put for it into the routine lane, apart from the step: where it is all
    /// that the step sends, that costs less.
    ///
    /// # Panics
    /// When the outbox was not made for as many cores.
    #[inline(always)]
    pub fn tell_at_once(&mut self, receiver: CoreId, hardware: &impl Hardware) {
        self.tell(receiver, Lane::Routine, hardware);
    }

    /// Has one receiver know of what was put for it.
    #[inline(always)]
    fn tell(&mut self, receiver: CoreId, lane: Lane, hardware: &impl Hardware) {
        hardware.raise(receiver);
        hardware.fence();
        knock(&mut self.entries[receiver.index()], lane, receiver, hardware);
    }

    /// As [`Outbox::knock_at_once`] for many, with one fence, when `put` has put what each is sent.
    ///
    /// # Panics
    /// When the outbox was not made for as many cores.
    #[inline]
    pub fn knock_at_all(
        &mut self,
        receivers: &CoreSet,
        hardware: &impl Hardware,
        put: impl FnMut(CoreId),
    ) {
        self.tell_all(receivers, Lane::Immediate, hardware, put);
    }

    /// As [`Outbox::tell_at_once`] for many, with one fence, when `put` has put what each is sent.
    ///
    /// # Panics
    /// When the outbox was not made for as many cores.
    #[inline]
    pub fn tell_all_at_once(
        &mut self,
        receivers: &CoreSet,
        hardware: &impl Hardware,
        put: impl FnMut(CoreId),
    ) {
        self.tell_all(receivers, Lane::Routine, hardware, put);
    }

    /// Has all of these know of what `put` puts for each of them, with one fence.
    #[inline(always)]
    fn tell_all(
        &mut self,
        receivers: &CoreSet,
        lane: Lane,
        hardware: &impl Hardware,
        mut put: impl FnMut(CoreId),
    ) {
        receivers.for_each(|receiver| {
            put(receiver);
            hardware.raise(receiver);
        });
        hardware.fence();
        receivers.for_each(|receiver| {
            knock(&mut self.entries[receiver.index()], lane, receiver, hardware);
        });
    }

    /// Whether anything was sent in this step.
    #[inline(always)]
    #[must_use]
    pub const fn has_sent(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Ends the step: sets the flag byte at every receiver's doorstep, fences once for all of them, then
    /// rings those that would not look by themselves and those with an immediate message.
    #[inline(always)]
    pub fn flush(&mut self, hardware: &impl Hardware) {
        match *self.touched {
            [] => return,
            // Most steps have one receiver.
            [receiver] => {
                self.tell(receiver, self.entries[receiver.index()].lane(), hardware);
            }
            _ => self.flush_all(hardware),
        }
        self.touched.clear();
        self.step += 1;
    }

    #[inline(never)]
    fn flush_all(&mut self, hardware: &impl Hardware) {
        for &receiver in &self.touched {
            hardware.raise(receiver);
        }
        hardware.fence();
        for &receiver in &self.touched {
            let entry = &mut self.entries[receiver.index()];
            knock(entry, entry.lane(), receiver, hardware);
        }
    }

    /// Doorbells rung for all receivers since boot, wrapping.
    #[must_use]
    pub fn rung(&self) -> u32 {
        self.entries.iter().fold(0, |sum: u32, entry| sum.wrapping_add(entry.knocks.rung as u32))
    }

    /// Doorbells to `receiver` since boot.
    #[must_use]
    pub fn knocks(&self, receiver: CoreId) -> Knocks {
        self.entries.get(receiver.index()).map(|entry| entry.knocks).unwrap_or_default()
    }
}
