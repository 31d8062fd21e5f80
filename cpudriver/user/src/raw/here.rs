//! The vcore that code runs on, for code that stays there: what only it may do to its vcore.

use super::page;
use super::thread::Parked;
use super::vcore::{Vcore, at_once, change_vcore};
use crate::event::{self, Event};
use core::marker::PhantomData;
use core::sync::atomic::Ordering;
use proto::program::{data, number};

/// The vcore that this runs on, for code that stays there: in vcore context, or with notifications off.
#[derive(Debug)]
#[repr(transparent)]
pub struct Here {
    vcore: Vcore,
    not_sent: PhantomData<*mut ()>,
}

/// Threads that a vcore keeps at most.
const KEEPS: u32 = 32;

impl Here {
    /// # Safety
    ///
    /// This runs on that vcore, and stays there as long as what is given is used.
    #[inline]
    pub(super) const unsafe fn of(vcore: &'static Vcore) -> &'static Self {
        // SAFETY: it is the same in memory.
        unsafe { &*core::ptr::from_ref(vcore).cast() }
    }

    /// The vcore.
    #[must_use]
    #[inline]
    pub const fn vcore(&self) -> &'static Vcore {
        // SAFETY: vcores are never freed.
        unsafe { &*core::ptr::from_ref(&self.vcore) }
    }

    /// Puts a thread behind those that this vcore has to run; gives it back if they are too many.
    ///
    /// # Errors
    ///
    /// The thread.
    #[inline]
    pub fn push_ready(&self, thread: Parked) -> Result<(), Parked> {
        self.vcore.ready.push(thread)
    }

    /// Puts a thread behind those that this vcore has to run, and takes the first of them; gives the thread
    /// back if there is no other.
    ///
    /// # Errors
    ///
    /// The thread.
    #[inline]
    pub(crate) fn exchange_ready(&self, thread: Parked) -> Result<Parked, Parked> {
        self.vcore.ready.exchange(thread)
    }

    /// Counts one choice more, and gives the count.
    #[inline]
    pub(crate) fn count_turn(&self) -> u32 {
        let turn = self.vcore.turns.load(Ordering::Relaxed).wrapping_add(1);
        self.vcore.turns.store(turn, Ordering::Relaxed);
        turn
    }

    /// Was there something to look for? There is not any more, until something new comes.
    #[inline]
    pub fn begin_look(&self) -> bool {
        let was_pending = self.vcore.is_pending();
        self.vcore.owes_look.store(false, Ordering::Relaxed);
        self.vcore.page().u8(data::PENDING).store(0, Ordering::Relaxed);
        page::fence();
        was_pending
    }

    /// Takes an event out of the mailboxes of this vcore, which nobody else reads: for a scheduler of one's own, whose vcores
    /// are not told any more when there is no room for what tells them.
    #[must_use]
    pub fn take_event(&self) -> Option<Event> {
        let page = self.vcore.page();
        event::read_private(page).or_else(|| event::read(page))
    }

    /// Keeps a thread that has nothing more to do; gives it back if there are enough.
    #[inline]
    pub(crate) fn keep(&self, thread: Parked) -> Result<(), Parked> {
        let keeps = self.vcore.keeps.load(Ordering::Relaxed);
        if keeps >= KEEPS {
            return Err(thread);
        }
        // If the core is lost in between, the threads that were kept are lost at worst.
        let Parked(thread) = thread;
        thread.next.set(self.vcore.kept.get());
        self.vcore.kept.set(Some(thread));
        self.vcore.keeps.store(keeps + 1, Ordering::Relaxed);
        Ok(())
    }

    /// One of the threads that were kept.
    #[inline]
    pub(crate) fn reuse(&self) -> Option<Parked> {
        let first = self.vcore.kept.get()?;
        self.vcore.kept.set(first.next.get());
        let keeps = self.vcore.keeps.load(Ordering::Relaxed);
        self.vcore.keeps.store(keeps.saturating_sub(1), Ordering::Relaxed);
        // SAFETY: its `Parked` was given for its lying there, where only this vcore takes it.
        Some(unsafe { Parked::again(first) })
    }

    /// Goes on as another vcore, which was stopped in vcore context; this one begins anew when it is started. Returns
    /// only if the kernel refuses.
    pub fn give_core_to(&self, other: &Vcore) {
        change_vcore(other, false);
    }

    /// Gives this vcore's core back, with the flags of [`calls`](proto::call); it begins anew when it is
    /// started. Returns only if the kernel refuses.
    pub fn yield_core(&self, flags: u8) {
        at_once(number::YIELD, [flags.into(), 0]);
    }

    /// Tells tools whether there is something on the vcore that goes on.
    pub(crate) fn is_occupied(&self, is_so: bool) {
        self.vcore.page().u8(data::OCCUPIED).store(is_so.into(), Ordering::Relaxed);
    }

    /// Halts until something comes for this core, if nothing has come.
    pub fn halt(&self) {
        at_once(number::HALT, [0, 0]);
    }
}
