//! Threads that wait until another one says that something has changed.

use super::mutex::MutexGuard;
use super::{came_in_time, timers};
use crate::raw::list::Waiters;
use crate::raw::lock::Lock;
use crate::raw::thread::leave;
use crate::threads::run::{next, ready, ready_all, ready_here};
use crate::time::Moment;
use core::time::Duration;

/// Threads that wait until another one says that something has changed.
#[derive(Debug)]
pub struct Condvar {
    waiters: Lock<Waiters>,
}

impl Condvar {
    /// A condition that nobody waits for.
    #[must_use]
    pub const fn new() -> Self {
        Self { waiters: Lock::new(Waiters::new()) }
    }

    /// Gives the mutex away until somebody [notifies](Condvar::notify_one); may return without.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.wait_until(guard, None).0
    }

    /// Waits so long at most; false if that was not long enough. The mutex is held again in any case.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        span: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        self.wait_until(guard, Some(Moment::now() + span))
    }

    fn wait_until<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Option<Moment>,
    ) -> (MutexGuard<'a, T>, bool) {
        let mutex = guard.into_mutex();
        leave(|here, thread| {
            self.waiters.with_here(here, |waiters| {
                let waits = thread.thread();
                waiters.push(thread);
                if let Some(deadline) = deadline {
                    timers::insert(here, waits, deadline);
                }
            });
            // Whoever notifies now has taken the mutex after this, and this thread takes it after that.
            if let Some(thread) = mutex.release_here(here) {
                ready_here(here, thread);
            }
            next(here)
        });
        let in_time = deadline.is_none() || came_in_time(&self.waiters, |waiters| waiters);
        (mutex.lock(), in_time)
    }

    /// Wakes one thread that waits.
    pub fn notify_one(&self) {
        if let Some(thread) = self.waiters.with(Waiters::wake_one) {
            ready(thread);
        }
    }

    /// Wakes all threads that wait.
    pub fn notify_all(&self) {
        ready_all(self.waiters.with(Waiters::wake_all));
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}
