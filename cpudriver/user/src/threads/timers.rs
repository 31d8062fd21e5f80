//! Threads that wait for a moment, and no longer: a heap of them, and one alarm of the kernel's for the first.
//!
//! One call at a time sets the alarm, so that the kernel is told of moments in the order in which they were chosen, on
//! whichever vcores that was.

use super::run::{next, ready_here};
use crate::raw::alarm::AlarmCall;
use crate::raw::here::Here;
use crate::raw::list::List;
use crate::raw::lock::Lock;
use crate::raw::thread::{Claim, Thread, current, leave};
use crate::time::Moment;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The number of the scheduler's alarm, which is not the program's.
pub const ALARM: u64 = 7;

static TIMERS: Lock<Timers> = Lock::new(Timers::new());
static CALL: AlarmCall = AlarmCall::new();
/// The alarm is to be set, as soon as that can be done.
static IS_DUE: AtomicBool = AtomicBool::new(false);
/// Threads that there are, so that there is room for all before they wait.
static THREADS: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug)]
struct Timers {
    /// A binary heap, each thread with its moment; a thread knows where it stands.
    heap: Vec<(u64, &'static Thread)>,
    /// The moment that the alarm is set to, or being set to.
    alarm: u64,
    /// It went off while it was being set.
    rang: bool,
}

impl Timers {
    const fn new() -> Self {
        Self { heap: Vec::new(), alarm: u64::MAX, rang: false }
    }

    fn insert(&mut self, moment: u64, thread: &'static Thread) {
        self.heap.push((moment, thread));
        self.sift_up(self.heap.len() - 1);
    }

    fn remove(&mut self, thread: &'static Thread) {
        let at = thread.timer.load(Ordering::Relaxed);
        if at < self.heap.len() && core::ptr::eq(self.heap[at].1, thread) {
            self.remove_at(at);
        }
    }

    fn remove_at(&mut self, at: usize) -> &'static Thread {
        let (_, thread) = self.heap.swap_remove(at);
        thread.timer.store(usize::MAX, Ordering::Relaxed);
        if at < self.heap.len() {
            self.sift_up(at);
            self.sift_down(at);
        }
        thread
    }

    fn first(&self) -> Option<u64> {
        self.heap.first().map(|(moment, _)| *moment)
    }

    fn sift_up(&mut self, mut at: usize) {
        while at > 0 && self.heap[at].0 < self.heap[(at - 1) / 2].0 {
            self.heap.swap(at, (at - 1) / 2);
            self.settle(at);
            at = (at - 1) / 2;
        }
        self.settle(at);
    }

    fn sift_down(&mut self, mut at: usize) {
        loop {
            let children = (2 * at + 1)..(2 * at + 3).min(self.heap.len());
            let least = children.min_by_key(|child| self.heap[*child].0);
            let Some(child) = least.filter(|child| self.heap[*child].0 < self.heap[at].0) else {
                break;
            };
            self.heap.swap(at, child);
            self.settle(at);
            at = child;
        }
        self.settle(at);
    }

    fn settle(&self, at: usize) {
        self.heap[at].1.timer.store(at, Ordering::Relaxed);
    }

    /// Those whose moment has come and whom nobody else has woken.
    fn expired(&mut self, now: u64) -> List {
        let mut threads = List::new();
        while self.first().is_some_and(|first| first <= now) {
            if let Some(thread) = self.remove_at(0).claim(Claim::TimedOut) {
                threads.push(thread);
            }
        }
        threads
    }

    /// Sets the alarm if the first moment is before that which it is set to. False if that must be tried again; while
    /// it is being set it is looked at when that is over.
    fn set(&mut self) -> bool {
        let Some(first) = self.first().filter(|first| *first < self.alarm) else { return true };
        if CALL.goes_on() {
            return true;
        }
        let is_set = CALL.set(ALARM, first);
        if is_set {
            self.alarm = first;
        }
        is_set
    }

    /// Those whose moment has come; the alarm is set to the first of the others.
    fn tend(&mut self) -> List {
        let now = Moment::now().0;
        let threads = self.expired(now);
        if self.alarm <= now {
            self.alarm = u64::MAX;
        }
        IS_DUE.store(!self.set(), Ordering::Relaxed);
        threads
    }
}

/// There is one thread more: makes room for it. In no critical section.
pub(super) fn reserve() {
    let threads = THREADS.fetch_add(1, Ordering::Relaxed) + 1;
    let mut more = Vec::new();
    loop {
        let has_room = TIMERS.with(|timers| {
            if timers.heap.capacity() < threads && more.capacity() >= threads {
                more.append(&mut timers.heap);
                core::mem::swap(&mut timers.heap, &mut more);
            }
            timers.heap.capacity() >= threads
        });
        if has_room {
            return;
        }
        more = Vec::with_capacity((2 * threads).max(16));
    }
}

/// Lets a thread that waits for something else wait until a moment at most. The caller holds the lock by which it is
/// woken.
pub(super) fn insert(here: &Here, thread: &'static Thread, moment: Moment) {
    TIMERS.with_here(here, |timers| {
        timers.insert(moment.0, thread);
        IS_DUE.store(!timers.set(), Ordering::Relaxed);
    });
}

/// A thread does not wait any more.
pub(super) fn remove(thread: &'static Thread) {
    TIMERS.with(|timers| timers.remove(thread));
}

/// Waits until a moment.
pub fn sleep_until(moment: Moment) {
    if Moment::now() >= moment {
        return super::yield_now();
    }
    leave(|here, thread| {
        insert(here, thread.open(), moment);
        next(here)
    });
    if let Some(thread) = current() {
        thread.was_timed_out();
    }
}

/// The alarm has gone off.
pub(super) fn rang(here: &Here) {
    let threads = TIMERS.with_here(here, |timers| {
        if CALL.goes_on() {
            timers.rang = true;
        } else {
            timers.alarm = u64::MAX;
        }
        timers.tend()
    });
    threads.for_each(|thread| ready_here(here, thread));
}

/// Sets the alarm if that could not be done before.
pub(super) fn set(here: &Here) {
    if IS_DUE.load(Ordering::Relaxed) {
        TIMERS.with_here(here, |timers| IS_DUE.store(!timers.set(), Ordering::Relaxed));
    }
}

/// Is the alarm set for the first thread that waits, or being set? Otherwise no vcore may halt.
pub(super) fn is_set(here: &Here) -> bool {
    set(here);
    !IS_DUE.load(Ordering::Relaxed)
}

/// Was it the scheduler's call whose structure lies at `address`?
pub(super) fn is_done(here: &Here, address: u64) -> bool {
    let is_ours = CALL.address() == address;
    if is_ours {
        look_at_call(here);
    }
    is_ours
}

/// The call that sets the alarm may be over.
pub(super) fn look_at_call(here: &Here) {
    let threads = TIMERS.with_here(here, |timers| {
        if !CALL.take_done() {
            return List::new();
        }
        // Its event and that of the alarm may have come in either order.
        if core::mem::take(&mut timers.rang) {
            timers.alarm = u64::MAX;
        }
        timers.tend()
    });
    threads.for_each(|thread| ready_here(here, thread));
}

#[cfg(test)]
mod tests {
    use super::Timers;
    use crate::raw::thread::Parked;
    use std::vec::Vec;

    #[test]
    fn threads_come_out_in_the_order_of_their_moments_and_can_leave_before() {
        let moments = [5_u64, 3, 9, 3, 7, 1, 8, 2, 6, 4];
        let threads: Vec<_> = moments.iter().map(|_| Parked::new().open()).collect();
        for left_out in 0..moments.len() {
            let mut timers = Timers::new();
            moments.iter().zip(&threads).for_each(|(moment, it)| timers.insert(*moment, it));
            timers.remove(threads[left_out]);
            timers.remove(threads[left_out]);
            let mut rest = moments.to_vec();
            rest.remove(left_out);
            rest.sort_unstable();
            let place = |it| threads.iter().position(|one| core::ptr::eq(*one, it)).unwrap();
            let out = core::iter::from_fn(|| {
                timers.first()?;
                Some(moments[place(timers.remove_at(0))])
            });
            assert_eq!(out.collect::<Vec<_>>(), rest);
        }
    }

    #[test]
    fn only_those_expire_whose_moment_has_come_and_whom_nobody_else_has_woken() {
        let threads: Vec<_> = (0..4).map(|_| Parked::new().open()).collect();
        let mut timers = Timers::new();
        (0_u64..).zip(&threads).for_each(|(moment, it)| timers.insert(moment, it));
        let woken = threads[1].claim(super::Claim::Woken).unwrap();
        let out: Vec<_> = timers.expired(2).map(|it| it.thread() as *const _).collect();
        assert_eq!(out, [threads[0] as *const _, threads[2] as *const _]);
        assert!(threads[0].was_timed_out() && !woken.thread().was_timed_out());
        assert_eq!(timers.first(), Some(3));
    }
}
