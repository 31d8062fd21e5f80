//! What a single-core process has once.

use super::page;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};
use proto::program::info;

/// A value for the one thread of a single-core process.
#[derive(Debug, Default)]
pub struct Local<T> {
    value: UnsafeCell<T>,
    is_lent: AtomicBool,
}

// SAFETY: `with` lets one at a time at the value, in a process that has one thread.
unsafe impl<T: Send> Sync for Local<T> {}

impl<T> Local<T> {
    /// With this value at first.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self { value: UnsafeCell::new(value), is_lent: AtomicBool::new(false) }
    }

    /// Lends the value.
    ///
    /// # Panics
    ///
    /// When it is lent already, and in a many-core process: that has a scheduler, whose business it is then.
    pub fn with<R>(&self, use_it: impl FnOnce(&mut T) -> R) -> R {
        let is_many = page::INFO.u8(info::IS_MANY).load(Ordering::Relaxed) != 0;
        assert!(!is_many, "this is for single-core processes");
        assert!(!self.is_lent.load(Ordering::Relaxed), "this is not to be nested");
        self.is_lent.store(true, Ordering::Relaxed);
        // SAFETY: there is one thread, and this is the only place that makes a reference; it ends before
        // `is_lent` is taken back.
        let result = use_it(unsafe { &mut *self.value.get() });
        self.is_lent.store(false, Ordering::Relaxed);
        result
    }
}
