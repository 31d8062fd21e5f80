//! The heap: what `Box`, `Vec` and their like allocate from.
//!
//! The allocator is talc's; it asks the kernel for memory when it has none left, and keeps it. Programs that
//! allocate nothing contain nothing of this.

use super::lock::{Before, RawLock};
use crate::memory;
use crate::memory::Rights;
use core::alloc::Layout;
use core::cell::UnsafeCell;
use talc::DefaultBinning;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::lock_api::{GuardNoSend, RawMutex};
use talc::source::Source;
use talc::sync::TalcLock;

/// Bytes that are asked for at least. A page takes memory when it is used first.
const STEP: usize = 1 << 20;
/// Of what is asked for, what the allocator may need for itself.
const OVERHEAD: usize = 8192;

#[global_allocator]
static HEAP: TalcLock<Lock, Kernel, DefaultBinning> = TalcLock::new(Kernel);

/// Memory from the kernel.
#[derive(Debug)]
struct Kernel;

// SAFETY: neither function uses the heap.
unsafe impl Source for Kernel {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        let needed =
            layout.size().checked_add(layout.align()).and_then(|it| it.checked_add(OVERHEAD));
        let bytes = needed.and_then(|it| it.checked_next_multiple_of(STEP)).ok_or(())?;
        let memory = memory::map(bytes, Rights::READ_WRITE, 0).map_err(|_| ())?;
        // SAFETY: the memory is new, and nobody else's.
        let end = unsafe { talc.claim(memory.as_ptr().cast(), bytes) };
        end.map(|_| ()).ok_or(())
    }
}

/// Keeps vcores apart. In a single-core process it is always free.
struct Lock {
    raw: RawLock,
    /// What was so before the holder took it.
    before: UnsafeCell<Before>,
}

// SAFETY: `before` is touched by the holder alone.
unsafe impl Sync for Lock {}

// SAFETY: it is held by one at a time, see `RawLock`.
unsafe impl RawMutex for Lock {
    const INIT: Self = Self { raw: RawLock::new(), before: UnsafeCell::new(None) };
    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        let before = self.raw.acquire();
        // SAFETY: it is held here.
        unsafe { *self.before.get() = before };
    }

    fn try_lock(&self) -> bool {
        self.lock();
        true
    }

    unsafe fn unlock(&self) {
        // SAFETY: it is held here until the next line.
        let before = unsafe { *self.before.get() };
        self.raw.release(before);
    }
}
