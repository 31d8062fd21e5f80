//! The value in a mutex.

use crate::threads::sync::MutexGuard;
use core::cell::UnsafeCell;

/// A value that is reached through the guard of its mutex alone.
#[derive(Debug)]
pub struct Guarded<T>(UnsafeCell<T>);

// SAFETY: a mutex hands out one guard at a time, and it is `Send` values that it lends.
unsafe impl<T: Send> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    /// A value.
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The value, for who holds the guard.
    pub(crate) fn get<'a>(&'a self, _held: &'a MutexGuard<'_, T>) -> &'a T {
        // SAFETY: there is one guard, which is borrowed.
        unsafe { &*self.0.get() }
    }

    /// The value, to change it, for who holds the guard.
    pub(crate) fn get_mut<'a>(&'a self, _held: &'a mut MutexGuard<'_, T>) -> &'a mut T {
        // SAFETY: there is one guard, which is borrowed exclusively.
        unsafe { &mut *self.0.get() }
    }
}
