//! Events: what the kernel and other processes tell this one.
//!
//! The kernel posts events to a mailbox in the process's memory, which has room for a few. Whenever a
//! program waits, what has come is moved to a longer queue of its own; [`take`] takes from there. Where that is full the
//! oldest makes room: whoever waits takes what it wants as soon as it comes, so what has lain there for long is what nobody
//! waits for, as the ends of children that are waited for by [`process::wait`](crate::process::wait). An event
//! that was lost, here or because the mailbox had no room, leaves a mark of its kind: [`take_overflow`].
//!
//! Events of which some shall go elsewhere have a [`queue`](crate::queue).
//!
//! In a process with [threads] any thread may wait for events. Those that tell of calls are the scheduler's.

use crate::raw::lock::Lock;
use crate::raw::page::{self, Page};
use crate::{threads, wait};
use core::sync::atomic::Ordering;
pub use proto::event::{Event, kind};
use proto::program::data;

/// Events that have been moved out of the mailbox and not been taken.
#[derive(Debug)]
struct Queue {
    events: [Event; LENGTH],
    /// Events taken and put, wrapping; the difference is how many there are.
    taken: usize,
    put: usize,
    /// For each kind whether one was lost, as the mailbox has it.
    overflow: u64,
}

const LENGTH: usize = 64;

static QUEUE: Lock<Queue> = Lock::new(Queue {
    events: [Event { kind: 0, value: 0 }; LENGTH],
    taken: 0,
    put: 0,
    overflow: 0,
});

/// The oldest event that has come.
#[must_use]
pub fn take() -> Option<Event> {
    collect(|_| false);
    QUEUE.with(Queue::take)
}

/// The oldest event; waits until one comes.
#[must_use]
pub fn wait() -> Event {
    wait_for(|_| true)
}

/// The oldest event that is wanted; waits until one comes. The others stay.
#[must_use]
pub fn wait_for(is_wanted: impl Fn(Event) -> bool) -> Event {
    let mut found = None;
    wait::until(|| {
        collect(|_| false);
        found = found.or_else(|| QUEUE.with(|queue| queue.take_first(&is_wanted)));
        found.is_some()
    });
    found.unwrap_or_default()
}

/// Has an event of this kind been lost since the last time? Kinds from 63 on share one mark.
#[must_use]
pub fn take_overflow(kind: u16) -> bool {
    collect(|_| false);
    QUEUE.with(|queue| {
        let was = queue.overflow & mark(kind) != 0;
        queue.overflow &= !mark(kind);
        was
    })
}

pub(crate) fn overflowed(kind: u16) -> bool {
    QUEUE.with(|queue| queue.overflow & mark(kind) != 0)
}

/// Moves what has come from the mailbox to the queue, but for what the caller takes itself; was there such an event?
pub(crate) fn collect(mut is_taken: impl FnMut(Event) -> bool) -> bool {
    if threads::are_on() {
        // The scheduler reads all mailboxes, and puts here what is not for itself.
        return false;
    }
    let mailbox = page::vcore(0);
    QUEUE.with(|queue| {
        let mut was_taken = false;
        while let Some(event) = read(mailbox) {
            if is_taken(event) {
                was_taken = true;
            } else if event.kind != kind::QUEUE {
                // Who waits for a queue looks there.
                queue.put(event);
            }
        }
        queue.overflow |= read_overflow(mailbox);
        was_taken
    })
}

/// Takes an event in that the scheduler of threads has read and that is not for it.
pub(crate) fn deliver(event: Event) {
    QUEUE.with(|queue| queue.put(event));
}

/// Events of these kinds were lost.
pub(crate) fn lose(marks: u64) {
    QUEUE.with(|queue| queue.overflow |= marks);
}

/// Where a ring of events has its parts, and how many it has room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) posted: usize,
    pub(crate) taken: usize,
    pub(crate) overflow: usize,
    pub(crate) slots: usize,
    pub(crate) events: u32,
}

/// The mailbox of a vcore that others may read when it does not run.
const PUBLIC: Layout = Layout {
    posted: data::POSTED,
    taken: data::TAKEN,
    overflow: data::OVERFLOW,
    slots: data::MAILBOX,
    events: data::EVENTS,
};

/// The one that nobody else reads.
const PRIVATE: Layout = Layout {
    posted: data::PRIVATE_POSTED,
    taken: data::PRIVATE_TAKEN,
    overflow: data::PRIVATE_OVERFLOW,
    slots: data::PRIVATE_MAILBOX,
    events: data::PRIVATE_EVENTS,
};

/// Takes an event out of a vcore's mailbox.
pub(crate) fn read(vcore: Page) -> Option<Event> {
    PUBLIC.read(vcore)
}

/// Takes an event out of its private one.
pub(crate) fn read_private(vcore: Page) -> Option<Event> {
    PRIVATE.read(vcore)
}

/// Takes the marks of lost events, which the kernel sets and the program clears.
pub(crate) fn read_overflow(vcore: Page) -> u64 {
    PUBLIC.read_overflow(vcore)
}

/// The same of its private one.
pub(crate) fn read_private_overflow(vcore: Page) -> u64 {
    PRIVATE.read_overflow(vcore)
}

impl Layout {
    /// Takes the oldest event out.
    #[inline(always)]
    pub(crate) fn read(self, memory: Page) -> Option<Event> {
        let taken = memory.u32(self.taken);
        let number = taken.load(Ordering::Relaxed);
        // What was posted has been written before.
        if memory.u32(self.posted).load(Ordering::Acquire) == number {
            return None;
        }
        let at = self.slots + (number % self.events) as usize * data::EVENT_BYTES;
        let kind = memory.u16(at).load(Ordering::Relaxed);
        let value = memory.u64(at + 8).load(Ordering::Relaxed);
        // The kernel may use the place again only after it has been read.
        taken.store(number.wrapping_add(1), Ordering::Release);
        Some(Event { kind, value })
    }

    /// Takes the marks of lost events.
    #[inline(always)]
    pub(crate) fn read_overflow(self, memory: Page) -> u64 {
        take_marks(memory, self.overflow)
    }
}

#[inline(always)]
fn take_marks(mailbox: Page, overflow: usize) -> u64 {
    let words = (0..data::OVERFLOW_KINDS / 8).map(|word| mailbox.u64(overflow + word * 8));
    // Nearly always there is none, which is seen by a look at all words together.
    if words.fold(0, |any, word| any | word.load(Ordering::Relaxed)) == 0 {
        return 0;
    }
    find_marks(mailbox, overflow)
}

#[cold]
#[inline(never)]
fn find_marks(mailbox: Page, overflow: usize) -> u64 {
    let mut marks = 0;
    for word in 0..data::OVERFLOW_KINDS / 8 {
        let at = overflow + word * 8;
        if mailbox.u64(at).load(Ordering::Relaxed) == 0 {
            continue;
        }
        for byte in 0..8 {
            let lost = mailbox.u8(at + byte);
            if lost.load(Ordering::Acquire) != 0 {
                lost.store(0, Ordering::Relaxed);
                marks |= 1 << (word * 8 + byte);
            }
        }
    }
    marks
}

pub(crate) fn mark(kind: u16) -> u64 {
    1 << usize::from(kind).min(data::OVERFLOW_KINDS - 1)
}

impl Queue {
    fn put(&mut self, event: Event) {
        if self.put.wrapping_sub(self.taken) == LENGTH {
            self.overflow |= mark(self.events[self.taken % LENGTH].kind);
            self.taken = self.taken.wrapping_add(1);
        }
        self.events[self.put % LENGTH] = event;
        self.put = self.put.wrapping_add(1);
    }

    fn take(&mut self) -> Option<Event> {
        self.take_first(&|_| true)
    }

    /// Takes the first that is wanted; those before it move up.
    fn take_first(&mut self, is_wanted: &impl Fn(Event) -> bool) -> Option<Event> {
        let count = self.put.wrapping_sub(self.taken);
        let place = |nth: usize| self.taken.wrapping_add(nth) % LENGTH;
        let found = (0..count).find(|nth| is_wanted(self.events[place(*nth)]))?;
        let event = self.events[place(found)];
        for nth in (0..found).rev() {
            let (from, to) =
                (self.taken.wrapping_add(nth) % LENGTH, self.taken.wrapping_add(nth + 1) % LENGTH);
            self.events[to] = self.events[from];
        }
        self.taken = self.taken.wrapping_add(1);
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, LENGTH, Queue, mark};

    fn queue() -> Queue {
        Queue {
            events: [Event::default(); LENGTH],
            taken: usize::MAX - 3,
            put: usize::MAX - 3,
            overflow: 0,
        }
    }

    fn event(value: u64) -> Event {
        Event { kind: 20, value }
    }

    #[test]
    fn events_come_out_in_order_and_one_can_be_taken_from_between() {
        let mut queue = queue();
        (0..6).for_each(|value| queue.put(event(value)));
        assert_eq!(queue.take_first(&|event| event.value == 3), Some(event(3)));
        assert_eq!(queue.take_first(&|event| event.value == 3), None);
        let rest: std::vec::Vec<_> =
            core::iter::from_fn(|| queue.take()).map(|it| it.value).collect();
        assert_eq!(rest, [0, 1, 2, 4, 5]);
    }

    #[test]
    fn the_oldest_makes_room_and_leaves_a_mark() {
        let mut queue = queue();
        queue.put(Event { kind: 1000, value: 0 });
        (1..LENGTH as u64).for_each(|value| queue.put(event(value)));
        assert_eq!(queue.overflow, 0);
        let alarm = Event { kind: 7, value: 9 };
        queue.put(alarm);
        assert_eq!(queue.overflow, mark(63));
        assert_eq!(queue.take_first(&|it| it.kind == 7), Some(alarm), "who waits for it gets it");
        queue.put(alarm);
        queue.put(alarm);
        assert_eq!(queue.overflow, mark(63) | mark(20));
        assert_eq!(queue.take(), Some(event(2)));
    }
}
