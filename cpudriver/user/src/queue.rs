//! Event queues: events of one's own choice, in a mailbox of one's own, told to vcores of one's own choice.
//!
//! An [`EventQueue`] is memory that the kernel reads whenever an event comes: its [flags](flag) say who is told and how, its
//! mailbox is where the events go. That is a [`Ring`], which keeps all; a [`Bitmap`], which keeps what kinds have come;
//! [`Counters`], which keep how many of each; or [`OfVcore`]: the mailbox of the vcore that is told.
//!
//! Whoever waits for a queue ([`EventQueue::wait`]) needs [`flag::INDIR`], else nothing wakes him. An event that finds no
//! room in a queue is refused to the program that sent it; of the kernel's a mark stays
//! ([`EventQueue::take_overflow`]).
//!
//! ```no_run
//! # fn example() -> Result<(), user::Error> {
//! use user::queue::{EventQueue, Ring, flag};
//! use user::{calls, event};
//!
//! let queue = EventQueue::new(flag::INDIR | flag::SPAM_INDIR | flag::IPI, Ring::new(64));
//! calls::set_queue(event::kind::ALARM, Some(queue.address())).call()?;
//! let alarm = queue.wait();
//! # Ok(()) }
//! ```

use crate::event::{self, Event, Layout};
use crate::raw::lock::Lock;
use crate::raw::page::{self, Page};
use crate::wait;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
pub use proto::event::flag;
use proto::program::mailbox::{self, BITMAP, COUNTERS, RING};
use proto::program::queue;

/// Where an event queue is, for [`calls::send`](crate::calls::send) and [`calls::set_queue`](crate::calls::set_queue).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub u64);

/// A mailbox of an event queue.
pub trait Mailbox {
    /// What comes out of it.
    type Item;

    /// Its memory; `None` for that of a vcore.
    fn memory(&self) -> Option<Page>;

    /// Takes the next thing out.
    fn take(&self) -> Option<Self::Item>;
}

/// An event queue. It is never freed, since something may be on its way there at any time.
#[derive(Debug)]
pub struct EventQueue<M> {
    page: Page,
    mailbox: M,
}

impl<M: Mailbox> EventQueue<M> {
    /// A queue that tells vcore 0.
    pub fn new(flags: u16, mailbox: M) -> Self {
        let page = page::own(queue::BYTES);
        let place = mailbox.memory().map_or(0, Page::address);
        page.u64(queue::MAILBOX).store(place, Ordering::Relaxed);
        page.u16(queue::FLAGS).store(flags, Ordering::Release);
        Self { page, mailbox }
    }

    /// Where it is.
    pub fn address(&self) -> Address {
        Address(self.page.address())
    }

    /// Gives it other flags, for the events that come from now on.
    pub fn set_flags(&self, flags: u16) {
        self.page.u16(queue::FLAGS).store(flags, Ordering::Release);
    }

    /// Has it tell that vcore.
    pub fn set_vcore(&self, vcore: u16) {
        self.page.u16(queue::VCORE).store(vcore, Ordering::Release);
    }

    /// Has a vcore been told since somebody looked?
    pub fn is_alerted(&self) -> bool {
        self.page.u8(queue::ALERTED).load(Ordering::Acquire) != 0
    }

    /// Takes the next thing out of its mailbox.
    pub fn take(&self) -> Option<M::Item> {
        if self.is_alerted() {
            self.page.u8(queue::ALERTED).store(0, Ordering::Relaxed);
            page::fence();
        }
        self.mailbox.take()
    }

    /// The next thing; waits until one comes.
    pub fn wait(&self) -> M::Item {
        loop {
            let mut found = None;
            wait::until(|| {
                event::collect(|_| false);
                found = found.take().or_else(|| self.take());
                found.is_some()
            });
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Was an event of this kind lost since the last time, because it found no room? Kinds from 63 on share one
    /// mark.
    pub fn take_overflow(&self, kind: u16) -> bool {
        let byte = mailbox::OVERFLOW + event::mark(kind).trailing_zeros() as usize;
        self.mailbox.memory().is_some_and(|page| {
            let lost = page.u8(byte);
            lost.load(Ordering::Acquire) != 0 && {
                lost.store(0, Ordering::Relaxed);
                true
            }
        })
    }
}

fn make(kind: u32, length: u32) -> Page {
    let bytes = mailbox::bytes(kind, length);
    let page = page::own(bytes.expect("a mailbox of this length"));
    page.u32(mailbox::KIND).store(kind, Ordering::Relaxed);
    page.u32(mailbox::LENGTH).store(length, Ordering::Relaxed);
    page
}

/// No mailbox: events go to that of the vcore that is told.
#[derive(Debug)]
pub struct OfVcore;

impl Mailbox for OfVcore {
    type Item = Event;

    fn memory(&self) -> Option<Page> {
        None
    }

    fn take(&self) -> Option<Event> {
        None
    }
}

/// Events in their order.
#[derive(Debug)]
pub struct Ring {
    page: Page,
    layout: Layout,
    taking: Lock<()>,
}

impl Ring {
    /// A ring with room for so many events.
    ///
    /// # Panics
    ///
    /// When that is not a power of two, or more than [`mailbox::MOST_EVENTS`].
    #[must_use]
    pub fn new(events: u32) -> Self {
        let layout = Layout {
            posted: mailbox::POSTED,
            taken: mailbox::TAKEN,
            overflow: mailbox::OVERFLOW,
            slots: mailbox::SLOTS,
            events,
        };
        Self { page: make(RING, events), layout, taking: Lock::new(()) }
    }
}

impl Mailbox for Ring {
    type Item = Event;

    fn memory(&self) -> Option<Page> {
        Some(self.page)
    }

    fn take(&self) -> Option<Event> {
        self.taking.with(|()| self.layout.read(self.page))
    }
}

/// Which kinds of events have come.
#[derive(Debug)]
pub struct Bitmap {
    page: Page,
    kinds: u32,
    taking: Lock<()>,
}

impl Bitmap {
    /// A bitmap for kinds below this number.
    ///
    /// # Panics
    ///
    /// When that is 0, or more than [`mailbox::MOST_KINDS`].
    #[must_use]
    pub fn new(kinds: u32) -> Self {
        Self { page: make(BITMAP, kinds), kinds, taking: Lock::new(()) }
    }
}

impl Mailbox for Bitmap {
    type Item = u16;

    fn memory(&self) -> Option<Page> {
        Some(self.page)
    }

    fn take(&self) -> Option<u16> {
        self.taking.with(|()| take_kind(self.page, self.kinds))
    }
}

/// Takes the lowest kind whose byte is set.
fn take_kind(page: Page, kinds: u32) -> Option<u16> {
    let check = page.u8(mailbox::CHECK);
    if check.load(Ordering::Acquire) == 0 {
        return None;
    }
    check.store(0, Ordering::Relaxed);
    page::fence();
    let is_set = |kind: &u32| page.u8(mailbox::SLOTS + *kind as usize).load(Ordering::Acquire) != 0;
    let found = (0..kinds).find(is_set)?;
    page.u8(mailbox::SLOTS + found as usize).store(0, Ordering::Relaxed);
    // There may be others.
    check.store(1, Ordering::Relaxed);
    // What the kernel writes from now on sets the byte again.
    page::fence();
    u16::try_from(found).ok()
}

/// How many events of each kind have come, and the sum of what went with them.
#[derive(Debug)]
pub struct Counters {
    page: Page,
    kinds: u32,
    /// What has been taken of each.
    taken: Lock<Vec<(u64, u64)>>,
}

/// Events of one kind that have come since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Their kind.
    pub kind: u16,
    /// How many.
    pub count: u64,
    /// The sum of what went with them, wrapping.
    pub sum: u64,
}

impl Counters {
    /// Counters for kinds below this number.
    ///
    /// # Panics
    ///
    /// When that is 0, or more than [`mailbox::MOST_KINDS`].
    #[must_use]
    pub fn new(kinds: u32) -> Self {
        let taken = Lock::new(alloc::vec![(0, 0); kinds as usize]);
        Self { page: make(COUNTERS, kinds), kinds, taken }
    }
}

impl Mailbox for Counters {
    type Item = Counted;

    fn memory(&self) -> Option<Page> {
        Some(self.page)
    }

    fn take(&self) -> Option<Counted> {
        self.taken.with(|taken| {
            let kind = take_kind(self.page, self.kinds)?;
            let at = mailbox::counters(self.kinds) + usize::from(kind) * mailbox::COUNTER_BYTES;
            let read = |field| self.page.u64(at + field).load(Ordering::Relaxed);
            let now = (read(mailbox::COUNT), read(mailbox::SUM));
            let before = core::mem::replace(&mut taken[usize::from(kind)], now);
            let (count, sum) = (now.0.wrapping_sub(before.0), now.1.wrapping_sub(before.1));
            Some(Counted { kind, count, sum })
        })
    }
}
