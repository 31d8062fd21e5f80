//! A value that one thread at a time may touch.

use super::wait;
use crate::raw::guarded::Guarded;
use crate::raw::here::Here;
use crate::raw::list::Waiters;
use crate::raw::lock::Lock;
use crate::raw::thread::Parked;
use crate::threads::run::ready;
use crate::time::Moment;
use core::ops::{Deref, DerefMut};
use core::time::Duration;

#[derive(Debug)]
struct Hold {
    is_held: bool,
    waiters: Waiters,
}

impl Hold {
    fn release(&mut self) -> Option<Parked> {
        self.is_held = false;
        self.waiters.wake_one()
    }
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
        while !self.take() {
            wait(&self.hold, None, |hold| hold.is_held, |hold| &mut hold.waiters);
        }
        MutexGuard { mutex: self }
    }

    /// Takes it if nobody holds it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.take().then(|| MutexGuard { mutex: self })
    }

    /// Waits so long at most.
    pub fn lock_timeout(&self, span: Duration) -> Option<MutexGuard<'_, T>> {
        let deadline = Some(Moment::now() + span);
        loop {
            if self.take() {
                return Some(MutexGuard { mutex: self });
            }
            if !wait(&self.hold, deadline, |hold| hold.is_held, |hold| &mut hold.waiters) {
                return self.try_lock();
            }
        }
    }

    fn take(&self) -> bool {
        self.hold.with(|hold| !core::mem::replace(&mut hold.is_held, true))
    }

    /// Gives it away in vcore context; gives a thread that waits for it, which can run.
    pub(super) fn release_here(&self, here: &Here) -> Option<Parked> {
        self.hold.with_here(here, Hold::release)
    }
}

/// Holds a [`Mutex`] until it is dropped.
#[derive(Debug)]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
}

impl<'a, T> MutexGuard<'a, T> {
    /// The mutex, which stays held until it is [released](Mutex::release_here).
    pub(super) fn into_mutex(self) -> &'a Mutex<T> {
        core::mem::ManuallyDrop::new(self).mutex
    }
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
        if let Some(next) = self.mutex.hold.with(Hold::release) {
            ready(next);
        }
    }
}
