//! What threads wait for each other with: mutexes, conditions, barriers, channels.

use crate::raw::lock::Lock;
use crate::raw::thread::{self, Thread};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::ops::{Deref, DerefMut};

pub use crate::raw::guarded::Guarded;

/// Threads that wait for the same.
#[derive(Debug, Default)]
pub(super) struct Waiters(VecDeque<&'static Thread>);

impl Waiters {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn wake_all(self) {
        self.0.into_iter().for_each(super::ready);
    }

    fn wake_one(&mut self) -> Option<&'static Thread> {
        self.0.pop_front()
    }

    /// Waits among those that `where_to` names, if it names any: it is asked once the thread is saved.
    pub(super) fn wait<T>(lock: &Lock<T>, where_to: impl FnOnce(&mut T) -> Option<&mut Self>) {
        thread::leave(|thread| {
            let waits = lock.with(|value| match where_to(value) {
                Some(waiters) => {
                    waiters.0.push_back(thread);
                    true
                }
                None => false,
            });
            if !waits {
                super::ready(thread);
            }
        });
    }
}

#[derive(Debug)]
struct Hold {
    is_held: bool,
    waiters: Waiters,
}

/// A value that one thread at a time may touch.
#[derive(Debug)]
pub struct Mutex<T> {
    hold: Lock<Hold>,
    value: Guarded<T>,
}

impl<T> Mutex<T> {
    /// A mutex that nobody holds.
    #[must_use]
    pub const fn new(value: T) -> Self {
        let hold = Lock::new(Hold { is_held: false, waiters: Waiters::new() });
        Self { hold, value: Guarded::new(value) }
    }

    /// Waits until nobody holds it, and takes it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        while !self.try_take() {
            Waiters::wait(&self.hold, |hold| hold.is_held.then_some(&mut hold.waiters));
        }
        MutexGuard { mutex: self }
    }

    fn try_take(&self) -> bool {
        self.hold.with(|hold| !core::mem::replace(&mut hold.is_held, true))
    }

    fn release(&self) {
        let next = self.hold.with(|hold| {
            hold.is_held = false;
            hold.waiters.wake_one()
        });
        if let Some(next) = next {
            super::ready(next);
        }
    }
}

/// Holds a [`Mutex`] until it is dropped.
#[derive(Debug)]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.mutex.value.get(self)
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.mutex.value.get_mut(self)
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.mutex.release();
    }
}

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
        let mutex = guard.mutex;
        core::mem::forget(guard);
        thread::leave(|thread| {
            self.waiters.with(|waiters| waiters.0.push_back(thread));
            mutex.release();
        });
        mutex.lock()
    }

    /// Wakes one thread that waits.
    pub fn notify_one(&self) {
        if let Some(thread) = self.waiters.with(Waiters::wake_one) {
            super::ready(thread);
        }
    }

    /// Wakes all threads that wait.
    pub fn notify_all(&self) {
        self.waiters.with(core::mem::take).wake_all();
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct Gathering {
    missing: usize,
    round: u64,
    waiters: Waiters,
}

/// Where threads wait for each other.
#[derive(Debug)]
pub struct Barrier {
    threads: usize,
    gathering: Lock<Gathering>,
}

impl Barrier {
    /// For so many threads, at least 1.
    #[must_use]
    pub const fn new(threads: usize) -> Self {
        let gathering = Gathering { missing: threads, round: 0, waiters: Waiters::new() };
        Self { threads, gathering: Lock::new(gathering) }
    }

    /// Waits until all threads are here; true for the last one that came.
    pub fn wait(&self) -> bool {
        let (round, others) = self.gathering.with(|it| {
            it.missing -= 1;
            let round = it.round;
            if it.missing > 0 {
                return (round, None);
            }
            (it.missing, it.round) = (self.threads, round + 1);
            (round, Some(core::mem::take(&mut it.waiters)))
        });
        if let Some(others) = others {
            others.wake_all();
            return true;
        }
        let is_over = |it: &mut Gathering| it.round != round;
        while !self.gathering.with(is_over) {
            Waiters::wait(&self.gathering, |it| (it.round == round).then_some(&mut it.waiters));
        }
        false
    }
}

#[derive(Debug)]
struct Queue<T> {
    items: VecDeque<T>,
    senders: usize,
    waiters: Waiters,
}

/// The end of a channel that takes; see [`channel`].
#[derive(Debug)]
pub struct Receiver<T>(Arc<Lock<Queue<T>>>);

/// An end of a channel that gives; see [`channel`].
#[derive(Debug)]
pub struct Sender<T>(Arc<Lock<Queue<T>>>);

/// A channel without bounds: what is sent comes out in the same order.
#[must_use]
pub fn channel<T: Send>() -> (Sender<T>, Receiver<T>) {
    let queue = Queue { items: VecDeque::new(), senders: 1, waiters: Waiters::new() };
    let queue = Arc::new(Lock::new(queue));
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

impl<T: Send> Sender<T> {
    /// Sends something.
    pub fn send(&self, item: T) {
        let waiter = self.0.with(|queue| {
            queue.items.push_back(item);
            queue.waiters.wake_one()
        });
        if let Some(waiter) = waiter {
            super::ready(waiter);
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.with(|queue| queue.senders += 1);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let waiters = self.0.with(|queue| {
            queue.senders -= 1;
            if queue.senders == 0 { core::mem::take(&mut queue.waiters) } else { Waiters::new() }
        });
        waiters.wake_all();
    }
}

impl<T: Send> Receiver<T> {
    /// The oldest thing that was sent; waits for it. `None` when all senders are gone and nothing is left.
    pub fn receive(&self) -> Option<T> {
        loop {
            let (item, is_over) =
                self.0.with(|queue| (queue.items.pop_front(), queue.senders == 0));
            if item.is_some() || is_over {
                return item;
            }
            Waiters::wait(&self.0, |queue| {
                let is_idle = queue.items.is_empty() && queue.senders > 0;
                is_idle.then_some(&mut queue.waiters)
            });
        }
    }
}
