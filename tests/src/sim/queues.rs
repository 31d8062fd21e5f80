//! Event queues of the model: what one says stands in its address.

use super::memory::VcoreMemory;
use super::seed::Seed;
use super::world::{Happened, World};
use monitor::{Enqueued, Found, Input, Output, ProcessId, Put, Sending};
use proto::call::Outcome;
use proto::event::{Event, flag, kind};
use proto::id::VcoreId;

/// The kind of events that must be read by somebody before their process waits.
pub(crate) const TO_ANYBODY: u16 = 50;
/// The kind of those that may wait for the vcore that they were sent to.
pub(crate) const BY_NAME: u16 = 51;

/// An event queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModelQueue {
    /// Its flags.
    pub flags: u16,
    /// Its vcore.
    pub vcore: u8,
    /// It has a mailbox of its own.
    pub has_mailbox: bool,
    /// That has no room.
    pub is_full: bool,
    /// A vcore has been told and has not looked.
    pub is_alerted: bool,
}

impl ModelQueue {
    /// The address of the queue that says this.
    #[must_use]
    pub fn address(self) -> u64 {
        let bits = [self.has_mailbox, self.is_full, self.is_alerted];
        let bits = bits.into_iter().enumerate().map(|(at, bit)| u64::from(bit) << (24 + at));
        1 << 30 | u64::from(self.flags) << 6 | u64::from(self.vcore) << 16 | bits.sum::<u64>()
    }

    /// The queue at an address.
    #[must_use]
    pub fn at(address: u64) -> Self {
        let bit = |at: u64| address >> at & 1 != 0;
        Self {
            flags: (address >> 6) as u16 & 0x3ff,
            vcore: (address >> 16) as u8,
            has_mailbox: bit(24),
            is_full: bit(25),
            is_alerted: bit(26),
        }
    }

    /// Any, by a seed.
    pub(crate) fn any(seed: &mut Seed, vcores: usize) -> Self {
        Self {
            flags: seed.below(1 << 10) as u16,
            vcore: seed.below(vcores) as u8,
            has_mailbox: seed.once_in(2),
            is_full: seed.once_in(8),
            is_alerted: seed.once_in(8),
        }
    }

    fn has(self, flags: u16) -> bool {
        self.flags & flags == flags
    }

    /// Must what comes to a vcore be seen by somebody before the process waits?
    #[must_use]
    pub fn is_for_all(self) -> bool {
        self.has(flag::SPAM_PUBLIC) || self.has_mailbox && self.has(flag::INDIR | flag::SPAM_INDIR)
    }

    /// The kind of event that is sent there.
    #[must_use]
    pub fn kind(self) -> u16 {
        if self.is_for_all() { TO_ANYBODY } else { BY_NAME }
    }

    fn put(self, it: &Sending, vcores: usize) -> Enqueued {
        let vcore = if self.has(flag::VCORE_APPRO) { it.vcore.0 } else { self.vcore.into() };
        let in_queue = self.has_mailbox && !self.has(flag::SPAM_PUBLIC);
        if usize::from(vcore) >= vcores {
            return Enqueued::Refused(Outcome::INVALID);
        }
        if in_queue && self.is_full && it.call.is_some() {
            return Enqueued::Refused(Outcome::AGAIN);
        }
        let throttled = self.has(flag::INDIR) && self.is_alerted && !self.has(flag::NOTHROTTLE);
        let put = match in_queue {
            true if throttled => Put::Throttled,
            true => Put::InQueue,
            false => Put::Nowhere,
        };
        let last = VcoreId(it.event.value as u16 % 5);
        Enqueued::Done(Found { flags: self.flags, vcore: VcoreId(vcore), last, put })
    }
}

impl VcoreMemory {
    /// Takes an event in; word of a queue that is not for all counts as sent by name.
    pub(crate) fn take(&mut self, event: Event) {
        self.pending = true;
        let by_name = event.kind == kind::QUEUE && !ModelQueue::at(event.value).is_for_all();
        let kind = if by_name { BY_NAME } else { event.kind };
        self.mailbox.push(Event { kind, ..event });
    }
}

impl World {
    /// Applies an output that is about events for programs.
    pub(crate) fn apply_to_queues(&mut self, output: Output) -> Happened {
        match output {
            Output::PostFor { process, vcore, event, .. } => {
                self.written(process, "event")?.vcores[usize::from(vcore.0)].take(event);
            }
            Output::Enqueue { process, sending } => {
                let memory = self.written(process, "event")?;
                let vcores = if memory.many { memory.vcores.len() } else { 1 };
                let what = ModelQueue::at(sending.queue).put(&sending, vcores);
                self.enqueued.push_back((process, sending, what));
            }
            Output::SetLast { process, .. } => {
                self.written(process, "queue")?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Tells the coordinator what came of events that it sent to queues.
    pub(crate) fn tell_enqueued(&mut self) -> Happened {
        while let Some((process, sending, what)) = self.enqueued.pop_front() {
            self.step_once(Input::Enqueued { process, sending, what })?;
        }
        Ok(())
    }
}

/// Whose queue, what was sent there, and what came of it.
pub(crate) type Told = (ProcessId, Sending, Enqueued);
