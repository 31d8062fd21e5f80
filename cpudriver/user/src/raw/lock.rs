//! A lock for vcores that can be preempted while they hold it.
//!
//! It is held with notifications off, so a holder that is stopped goes on where it was; and whoever waits for it
//! sees to it that the holder runs, by giving it its own core if need be ([`relax`](super::vcore::relax)). Akaros calls
//! this a preemption detection and recovery lock.

use super::here::Here;
use super::{notify, vcore};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// A value that one vcore at a time may touch.
#[derive(Debug)]
pub struct Lock<T> {
    raw: RawLock,
    value: UnsafeCell<T>,
}

// SAFETY: `with` lets one at a time at the value.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// A lock that nobody holds.
    pub const fn new(value: T) -> Self {
        Self { raw: RawLock::new(), value: UnsafeCell::new(value) }
    }

    /// Does something with the value. It must be short, and not [leave](super::thread::leave) nor take the same lock.
    #[inline]
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let before = self.raw.acquire();
        // SAFETY: nobody else holds the lock until this is over, so nobody else has a reference.
        let result = work(unsafe { &mut *self.value.get() });
        self.raw.release(before);
        result
    }
}

impl<T> Lock<T> {
    /// The same in vcore context.
    #[inline]
    pub fn with_here<R>(&self, here: &Here, work: impl FnOnce(&mut T) -> R) -> R {
        let critical = notify::critical(here.vcore());
        let was_critical = critical.load(Ordering::Relaxed);
        self.raw.take();
        critical.store(1, Ordering::Relaxed);
        // SAFETY: as above.
        let result = work(unsafe { &mut *self.value.get() });
        critical.store(was_critical, Ordering::Relaxed);
        self.raw.give();
        result
    }
}

/// The lock without a value.
#[derive(Debug)]
pub(super) struct RawLock {
    is_held: AtomicBool,
}

/// What was so before a lock was taken: on which vcore, whether notifications were on, whether it was in a critical
/// section.
pub(super) type Before = Option<(&'static vcore::Vcore, bool, u8)>;

impl RawLock {
    pub(super) const fn new() -> Self {
        Self { is_held: AtomicBool::new(false) }
    }

    #[inline]
    pub(super) fn acquire(&self) -> Before {
        let before = notify::off_for_lock();
        self.take();
        before.map(|(vcore, were_on)| {
            let critical = notify::critical(vcore);
            let was_critical = critical.load(Ordering::Relaxed);
            critical.store(1, Ordering::Relaxed);
            (vcore, were_on, was_critical)
        })
    }

    #[inline]
    pub(super) fn release(&self, before: Before) {
        if let Some((vcore, _, was_critical)) = before {
            notify::critical(vcore).store(was_critical, Ordering::Relaxed);
        }
        self.give();
        notify::on_after_lock(before.map(|(vcore, were_on, _)| (vcore, were_on)));
    }

    #[inline]
    fn take(&self) {
        if self.is_held.swap(true, Ordering::Acquire) {
            self.wait_and_take();
        }
    }

    #[inline]
    fn give(&self) {
        self.is_held.store(false, Ordering::Release);
    }

    #[cold]
    #[inline(never)]
    fn wait_and_take(&self) {
        let mut turns = 0_u32;
        loop {
            while self.is_held.load(Ordering::Relaxed) {
                core::hint::spin_loop();
                turns = turns.wrapping_add(1);
                if turns.is_multiple_of(64) {
                    vcore::relax();
                }
            }
            if !self.is_held.swap(true, Ordering::Acquire) {
                return;
            }
        }
    }
}
