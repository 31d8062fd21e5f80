//! Threads that fault, and who sees to them: a pager, for instance.
//!
//! After [`reflect`] a thread that faults stands still, and the process goes on. Whoever [waits](wait) for that gets it with what
//! it faulted with, and lets it execute the instruction again, when it has put memory there, or ends it. A fault in
//! a critical section of the scheduler ends the process all the same.

use super::run::{next, ready, ready_here};
use crate::raw::fault;
pub use crate::raw::fault::Fault;
use crate::raw::here::Here;
use crate::raw::list::{List, Waiters};
use crate::raw::lock::Lock;
use crate::raw::thread::{Parked, leave};
use core::ops::Range;

/// Threads that have faulted, and those that wait for them.
#[derive(Debug)]
struct Faulting {
    threads: List,
    waiters: Waiters,
}

static FAULTING: Lock<Faulting> =
    Lock::new(Faulting { threads: List::new(), waiters: Waiters::new() });

/// A thread that stands still because it has faulted. Dropped, it stands still for ever.
#[derive(Debug)]
#[must_use = "a thread that faulted goes on or ends only when it is told so"]
pub struct Faulted(Parked);

/// Has threads that fault stand still from now on. The process must have [started](super::start) threads.
pub fn reflect() {
    fault::reflect(true);
}

/// The next thread that has faulted; waits for one.
pub fn wait() -> Faulted {
    loop {
        if let Some(faulted) = FAULTING.with(|it| it.threads.pop()) {
            return Faulted(faulted);
        }
        leave(|here, thread| {
            let found = FAULTING.with_here(here, |it| {
                if it.threads.is_empty() {
                    it.waiters.push(thread);
                    return None;
                }
                Some(thread)
            });
            found.unwrap_or_else(|| next(here))
        });
    }
}

/// A vcore was entered because this thread has faulted.
pub(super) fn stand_still(here: &Here, thread: Parked) {
    let waiter = FAULTING.with_here(here, |it| {
        it.threads.push(thread);
        it.waiters.wake_one()
    });
    if let Some(waiter) = waiter {
        ready_here(here, waiter);
    }
}

impl Faulted {
    /// What it faulted with.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.0.fault()
    }

    /// Where its stack lies; `None` for the thread that the program began with.
    #[must_use]
    pub fn stack(&self) -> Option<Range<u64>> {
        self.0.thread().stack()
    }

    /// Is its stack full?
    #[must_use]
    pub fn has_overflowed(&self) -> bool {
        self.0.has_overflowed()
    }

    /// Lets it execute the instruction again.
    pub fn resume(self) {
        ready(self.0);
    }

    /// Ends it, with whatever it held: a mutex stays held. Whoever joins it is told that it was [lost](super::Lost).
    pub fn end(self) {
        leave(|here, thread| {
            if let Some(joiner) = here.end(self.0) {
                ready_here(here, joiner);
            }
            thread
        });
    }
}
