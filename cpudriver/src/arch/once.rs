//! A value that core 0 sets once while it is alone and that all cores read from then on.
//!
//! `core::cell::OnceCell` isn't `Sync` and a lock-free one needs compare-and-swap, which the kernel does
//! without: one writer that has no company needs neither.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering};

/// A value that is written once at boot.
pub(super) struct BootOnce<T> {
    is_set: AtomicBool,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the value is written before `is_set` is (release, acquire), by a single core, and only read
// afterwards; `T: Sync` allows the shared reads, `T: Send` that the writer's value is used elsewhere.
unsafe impl<T: Send + Sync> Sync for BootOnce<T> {}

impl<T> BootOnce<T> {
    /// A value that isn't there yet.
    pub(super) const fn new() -> Self {
        Self { is_set: AtomicBool::new(false), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// Sets the value.
    ///
    /// # Panics
    ///
    /// When it has been set before.
    ///
    /// # Safety
    ///
    /// No two cores may call this at the same time: it is for core 0 before it starts the others.
    pub(super) unsafe fn set(&self, value: T) -> &T {
        assert!(!self.is_set.load(Ordering::Relaxed), "a boot value is set twice");
        // SAFETY: `is_set` is false, so there are no references, and the caller is alone.
        let value = unsafe { &mut *self.value.get() }.write(value);
        self.is_set.store(true, Ordering::Release);
        value
    }

    /// The value, if it has been set.
    pub(super) fn get(&self) -> Option<&T> {
        if !self.is_set.load(Ordering::Acquire) {
            return None;
        }
        let value: *const T = self.value.get().cast_const().cast();
        // SAFETY: `is_set` says that the value was written, and it is never written again.
        Some(unsafe { &*value })
    }
}
