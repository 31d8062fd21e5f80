//! What is known of a vcore whose core has stopped for good.
//!
//! Of what ran there nothing was saved. A thread that was in the middle of it is gone, with whatever it held; the
//! threads that the vcore had to run are still in its ring. A vcore that was in a critical section has left something
//! half-done that everybody needs: then the process cannot go on, and says so.

use super::here::Here;
use super::notify;
use super::packet::{Ending, State};
use super::thread::{Parked, Thread};
use super::vcore::Vcore;
use core::sync::atomic::{AtomicU32, Ordering};

/// Threads that were lost.
static LOST: AtomicU32 = AtomicU32::new(0);

/// Threads that were lost with the cores that they ran on.
#[must_use]
pub fn threads() -> u32 {
    LOST.load(Ordering::Relaxed)
}

/// A thread is lost. Gives the one that joins it, which is told so.
pub(super) fn thread(thread: &'static Thread) -> Option<Parked> {
    LOST.fetch_add(1, Ordering::Relaxed);
    let ending: *const Ending = thread.end.load(Ordering::Relaxed);
    // SAFETY: it leads into the thread's own stack, where it stays as long as the thread has not ended.
    let ending = unsafe { ending.as_ref() }?;
    ending.with(|end| {
        if !matches!(end.state, State::Detached) {
            end.state = State::Lost;
        }
        end.waiters.wake_one()
    })
}

/// The vcore was stopped for good in a critical section.
pub(super) fn check(vcore: &Vcore) {
    if notify::critical(vcore).load(Ordering::Relaxed) != 0 {
        end_process(vcore.number());
    }
}

#[cold]
fn end_process(vcore: u16) -> ! {
    // Not by way of the console's lock, or of anything else that may be half-done.
    crate::eprintln!("vcore {vcore} was lost in a critical section: this process cannot go on");
    crate::exit(EXIT_CODE)
}

/// The exit code of a process that cannot go on because a core was lost.
pub const EXIT_CODE: i32 = 134;

impl Here {
    /// Sees to a vcore whose core has stopped: gives the thread that joins the one that was lost with it, if there is one. What
    /// the vcore has saved, and its other threads, are where they were.
    #[must_use]
    pub fn mourn(&self, other: &Vcore) -> Option<Parked> {
        // Should it be started meanwhile, it waits; else it sees to this itself.
        if !self.vcore().begin_stealing(other) {
            return None;
        }
        let is_gone = !other.is_preempted() && !crate::info::place(other.number()).is_there;
        let joiner = is_gone.then(|| {
            check(other);
            other.current.take().and_then(thread)
        });
        other.end_stealing();
        joiner.flatten()
    }
}
