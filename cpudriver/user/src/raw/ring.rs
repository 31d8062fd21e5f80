//! The threads that a vcore has to run: a ring that its vcore fills, and from which any vcore takes.
//!
//! There is no lock: whoever is stopped in the middle holds nobody up, and what lies in the ring of a vcore
//! that was preempted is taken by the others. The positions count up and are never used again, so a thief that was stopped
//! between looking and taking finds that the position has moved on. The run queues of Go's and Tokio's schedulers are like
//! this.

use super::thread::{Parked, Thread};
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// Threads that a ring has room for.
pub(super) const LENGTH: usize = 256;

/// See the module.
#[derive(Debug)]
pub(super) struct Ring {
    /// The position of the next thread to take.
    head: AtomicU64,
    /// The position of the next thread to put.
    tail: AtomicU64,
    places: [AtomicPtr<Thread>; LENGTH],
}

impl Ring {
    pub(super) const fn new() -> Self {
        Self {
            head: AtomicU64::new(0),
            tail: AtomicU64::new(0),
            places: [const { AtomicPtr::new(core::ptr::null_mut()) }; LENGTH],
        }
    }

    #[inline]
    fn place(&self, position: u64) -> &AtomicPtr<Thread> {
        &self.places[position as usize % LENGTH]
    }

    /// Is nothing there? It may change at once.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed) == self.tail.load(Ordering::Relaxed)
    }

    /// Puts a thread behind the others; gives it back if there is no room. Only the vcore whose ring it is.
    #[inline]
    pub(super) fn push(&self, thread: Parked) -> Result<(), Parked> {
        let tail = self.tail.load(Ordering::Relaxed);
        // A place is free once the head has passed it; it never moves back.
        if tail - self.head.load(Ordering::Acquire) == LENGTH as u64 {
            return Err(thread);
        }
        self.put(tail, thread);
        Ok(())
    }

    #[inline]
    fn put(&self, tail: u64, thread: Parked) {
        self.place(tail).store(core::ptr::from_ref(thread.0).cast_mut(), Ordering::Relaxed);
        // Whoever sees the position sees the thread, and all that was done to it before.
        self.tail.store(tail + 1, Ordering::Release);
    }

    /// Takes the first thread. Any vcore.
    #[inline]
    pub(super) fn pop(&self) -> Option<Parked> {
        loop {
            let head = self.head.load(Ordering::Acquire);
            if head == self.tail.load(Ordering::Acquire) {
                return None;
            }
            if let Some(thread) = self.take(head) {
                return Some(thread);
            }
        }
    }

    /// Takes the thread at that position, unless somebody else does.
    #[inline]
    fn take(&self, head: u64) -> Option<Parked> {
        // It may be overwritten meanwhile, but only after the head has moved on.
        let thread = self.place(head).load(Ordering::Relaxed);
        self.head.compare_exchange(head, head + 1, Ordering::AcqRel, Ordering::Relaxed).ok()?;
        // SAFETY: a thread was put there.
        let thread = unsafe { core::ptr::NonNull::new_unchecked(thread) };
        // SAFETY: threads are never freed.
        let thread = unsafe { thread.as_ref() };
        // SAFETY: its `Parked` was put there, and only one can move the head on from here.
        Some(unsafe { Parked::again(thread) })
    }

    /// Puts a thread behind the others and takes the first; gives the thread back if there are no others, or somebody
    /// else took the first. Only the vcore whose ring it is.
    #[inline]
    pub(super) fn exchange(&self, thread: Parked) -> Result<Parked, Parked> {
        let (head, tail) = (self.head.load(Ordering::Relaxed), self.tail.load(Ordering::Relaxed));
        if head == tail {
            return Err(thread);
        }
        let Some(first) = self.take(head) else { return Err(thread) };
        // There is room: of what was taken, if of nothing else.
        self.put(tail, thread);
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use super::{LENGTH, Ring};
    use crate::raw::thread::{Parked, Thread};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::vec::Vec;

    fn parked(thread: &'static Thread) -> Parked {
        // SAFETY: no thread ever runs in these tests, and each is parked in one place.
        unsafe { Parked::again(thread) }
    }

    #[test]
    fn a_ring_is_filled_to_the_brim_and_emptied_in_order() {
        let ring = Ring::new();
        let all: Vec<_> = (0..LENGTH).map(|_| Thread::new()).collect();
        for _ in 0..3 {
            assert!(all.iter().all(|it| ring.push(parked(it)).is_ok()));
            let one_more = Thread::new();
            assert!(ring.push(parked(one_more)).is_err());
            let first = ring.exchange(parked(one_more)).unwrap();
            assert!(core::ptr::eq(first.thread(), all[0]));
            for it in all[1..].iter().chain([&one_more]) {
                assert!(core::ptr::eq(ring.pop().unwrap().thread(), *it));
            }
            assert!(ring.pop().is_none() && ring.is_empty());
            assert!(ring.exchange(parked(one_more)).is_err());
        }
    }

    /// Under Miri this looks for data races and for orders that the memory model allows.
    #[test]
    fn each_thread_is_taken_once_by_whomever() {
        const THREADS: usize = 8;
        let rounds = if cfg!(miri) { 40 } else { 20_000 };
        let ring = Ring::new();
        let all: Vec<_> = (0..THREADS).map(|_| Thread::new()).collect();
        let is_out: [AtomicBool; THREADS] = [const { AtomicBool::new(false) }; THREADS];
        let place =
            |it: &Parked| all.iter().position(|one| core::ptr::eq(*one, it.thread())).unwrap();
        let (taken, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        let took = |it: Parked| {
            assert!(!is_out[place(&it)].swap(true, Ordering::AcqRel), "taken twice");
            taken.fetch_add(1, Ordering::Relaxed);
        };
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Acquire) {
                        ring.pop().into_iter().for_each(&took);
                    }
                });
            }
            let mut put = 0;
            while put < rounds {
                for (at, it) in all.iter().enumerate() {
                    let free = put < THREADS || is_out[at].swap(false, Ordering::AcqRel);
                    if free {
                        ring.push(parked(it)).unwrap();
                        put += 1;
                    }
                }
                ring.pop().into_iter().for_each(&took);
            }
            while taken.load(Ordering::Relaxed) < put {
                ring.pop().into_iter().for_each(&took);
            }
            is_over.store(true, Ordering::Release);
            assert_eq!(taken.load(Ordering::Relaxed), put);
        });
    }
}
