//! What threads wait for each other with: mutexes, conditions, barriers, channels. Whoever waits may do so for a while
//! only.

mod barrier;
mod channel;
mod condvar;
mod mutex;

use super::run::next;
use super::timers;
use crate::raw::list::Waiters;
use crate::raw::lock::Lock;
use crate::raw::thread::{current, leave};
use crate::time::Moment;

pub use crate::raw::guarded::Guarded;
pub use barrier::Barrier;
pub use channel::{Receiver, Sender, channel};
pub use condvar::Condvar;
pub use mutex::{Mutex, MutexGuard};

/// The time is over for which somebody wanted to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

impl core::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("it took too long")
    }
}

/// Lets the thread that runs wait among those that `waiters` names, if it must once it is saved, and until a moment at
/// most. False if that has come.
pub(super) fn wait<T>(
    lock: &Lock<T>,
    deadline: Option<Moment>,
    must_wait: impl FnOnce(&mut T) -> bool,
    waiters: impl Fn(&mut T) -> &mut Waiters,
) -> bool {
    if deadline.is_some_and(|deadline| deadline <= Moment::now()) {
        return false;
    }
    leave(|here, thread| {
        let goes_on = lock.with_here(here, |value| {
            if !must_wait(value) {
                return Some(thread);
            }
            // While the lock is held nobody can wake it.
            let waits = thread.thread();
            waiters(value).push(thread);
            if let Some(deadline) = deadline {
                timers::insert(here, waits, deadline);
            }
            None
        });
        goes_on.unwrap_or_else(|| next(here))
    });
    deadline.is_none() || came_in_time(lock, waiters)
}

/// Takes the thread that runs out of what it has waited in for a while; false if it was woken because it was too long.
pub(super) fn came_in_time<T>(lock: &Lock<T>, waiters: impl Fn(&mut T) -> &mut Waiters) -> bool {
    let Some(thread) = current() else { return true };
    if thread.was_timed_out() {
        lock.with(|value| waiters(value).remove(thread));
        return false;
    }
    timers::remove(thread);
    true
}
