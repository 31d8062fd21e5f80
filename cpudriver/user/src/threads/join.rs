//! Making threads, and waiting for their end.

use super::run::{next, ready};
use super::sync::wait;
use super::timers;
use crate::raw::here::Here;
use crate::raw::list::List;
use crate::raw::lock::Lock;
use crate::raw::notify;
use crate::raw::packet::{Ending, Joint, State, Taken, Ways};
use crate::raw::thread::{Parked, leave};
use crate::time::Moment;
use core::time::Duration;

/// Threads that have ended and are used again, beyond those that vcores keep.
static SPARE: Lock<List> = Lock::new(List::new());

static WAYS: Ways = Ways { say: say_over, retire };

/// The thread was lost with the core that it ran on, and what it would have come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

impl core::fmt::Display for Lost {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the thread was lost with its core")
    }
}

/// A thread whose end can be waited for. If it is dropped, the thread goes on by itself.
#[derive(Debug)]
#[must_use = "a thread that nobody joins goes on by itself"]
pub struct JoinHandle<T: Send + 'static> {
    joint: Option<Joint<T>>,
}

/// Runs `work` in a thread of its own. The process must have [started](super::start) threads.
pub fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let thread = notify::without(Here::reuse).or_else(|| SPARE.with(List::pop));
    let thread = thread.unwrap_or_else(new_thread);
    let joint = Joint::begin(&thread, work, &WAYS);
    ready(thread);
    JoinHandle { joint: Some(joint) }
}

#[cold]
fn new_thread() -> Parked {
    timers::reserve();
    Parked::new()
}

/// A thread has nothing more to do: it is used again.
fn recycle(here: &Here, thread: Parked) {
    if let Err(thread) = here.keep(thread) {
        SPARE.with_here(here, |spare| spare.push(thread));
    }
}

/// The thread that runs has ended; who joins it goes on here. Returns if nobody can join it.
fn say_over(ending: &'static Ending) {
    leave(|here, thread| {
        let goes_on = ending.with_here(here, |end| {
            if matches!(end.state, State::Detached) {
                return Some(thread);
            }
            end.state = State::Over(thread);
            end.waiters.wake_one()
        });
        goes_on.unwrap_or_else(|| next(here))
    });
}

fn retire() -> ! {
    leave(|here, thread| {
        recycle(here, thread);
        next(here)
    });
    unreachable!("a thread that has ended is not resumed")
}

impl<T: Send + 'static> JoinHandle<T> {
    /// Waits until the thread has ended; gives what it came to.
    ///
    /// # Panics
    ///
    /// When the thread was lost with its core; see [`outcome`](Self::outcome).
    pub fn join(self) -> T {
        self.outcome().unwrap_or_else(|lost| panic!("{lost}"))
    }

    /// Waits until the thread has ended; gives what it came to.
    ///
    /// # Errors
    ///
    /// [`Lost`] if that cannot be known.
    pub fn outcome(self) -> Result<T, Lost> {
        self.outcome_until(None).unwrap_or(Err(Lost))
    }

    /// The same, but waits so long at most.
    ///
    /// # Errors
    ///
    /// The handle, if the thread has not ended.
    pub fn outcome_timeout(self, span: Duration) -> Result<Result<T, Lost>, Self> {
        self.outcome_until(Some(Moment::now() + span))
    }

    fn outcome_until(mut self, deadline: Option<Moment>) -> Result<Result<T, Lost>, Self> {
        let mut is_late = false;
        while let Some(joint) = self.joint.take() {
            let joint = match joint.take() {
                Taken::Over(value, thread) => {
                    notify::without(|here| recycle(here, thread));
                    return Ok(Ok(value));
                }
                Taken::Lost => break,
                Taken::Runs(joint) => self.joint.insert(joint),
            };
            if is_late {
                return Err(self);
            }
            let must_wait =
                |end: &mut _| matches!(end, crate::raw::packet::End { state: State::Runs, .. });
            is_late = !wait(joint.ending(), deadline, must_wait, |end| &mut end.waiters);
        }
        Ok(Err(Lost))
    }
}

impl<T: Send + 'static> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let Some(joint) = self.joint.take() else { return };
        if !joint.detach()
            && let Taken::Over(value, thread) = joint.take()
        {
            drop(value);
            notify::without(|here| recycle(here, thread));
        }
    }
}
