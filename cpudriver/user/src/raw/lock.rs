//! A lock for vcores that can be preempted while they hold it.
//!
//! It is held with notifications off, so a holder that is stopped goes on where it was; and whoever waits for it
//! sees to it that the holder runs, by giving it its own core if need be (`threads::relax`). Akaros calls
//! this a preemption detection and recovery lock.

use super::notify;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// A value that one vcore at a time may touch.
#[derive(Debug)]
pub struct Lock<T> {
    is_held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `with` lets one at a time at the value.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// A lock that nobody holds.
    pub(crate) const fn new(value: T) -> Self {
        Self { is_held: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Does something with the value. Must not be nested.
    #[inline]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let were_on = notify::disable_notifications();
        self.acquire();
        let critical = notify::critical();
        if let Some(critical) = critical {
            critical.store(1, Ordering::Relaxed);
        }
        // SAFETY: `is_held` was false and is true until this is over, so nobody else has a reference.
        let result = work(unsafe { &mut *self.value.get() });
        if let Some(critical) = critical {
            critical.store(0, Ordering::Relaxed);
        }
        self.is_held.store(false, Ordering::Release);
        if were_on {
            notify::enable_notifications();
        }
        result
    }

    #[inline]
    fn acquire(&self) {
        if self.is_held.swap(true, Ordering::Acquire) {
            self.wait_and_acquire();
        }
    }

    #[cold]
    fn wait_and_acquire(&self) {
        let mut turns = 0_u32;
        loop {
            while self.is_held.load(Ordering::Relaxed) {
                core::hint::spin_loop();
                turns = turns.wrapping_add(1);
                if turns.is_multiple_of(64) {
                    crate::threads::relax_here();
                }
            }
            if !self.is_held.swap(true, Ordering::Acquire) {
                return;
            }
        }
    }
}
