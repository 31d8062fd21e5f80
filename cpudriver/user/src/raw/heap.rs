//! The heap: what `Box`, `Vec` and their like allocate from.
//!
//! The allocator is talc's; it asks the kernel for memory when it has none left, and keeps it. Programs that
//! allocate nothing contain nothing of this.

use super::notify;
use crate::memory;
use crate::memory::Rights;
use core::alloc::Layout;
use core::sync::atomic::{AtomicBool, Ordering};
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

/// Keeps vcores apart, as [`super::lock::Lock`] does. In a single-core process it is always free.
struct Lock {
    is_held: AtomicBool,
    /// The holder had notifications on before.
    were_on: AtomicBool,
}

// SAFETY: the flag is true exactly while it is held.
unsafe impl RawMutex for Lock {
    const INIT: Self = Self { is_held: AtomicBool::new(false), were_on: AtomicBool::new(false) };
    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        while !self.try_lock() {
            crate::threads::relax_here();
        }
    }

    fn try_lock(&self) -> bool {
        let were_on = notify::disable_notifications();
        let is_mine = !self.is_held.swap(true, Ordering::Acquire);
        if is_mine {
            self.were_on.store(were_on, Ordering::Relaxed);
        } else if were_on {
            notify::enable_notifications();
        }
        is_mine
    }

    unsafe fn unlock(&self) {
        let were_on = self.were_on.load(Ordering::Relaxed);
        self.is_held.store(false, Ordering::Release);
        if were_on {
            notify::enable_notifications();
        }
    }
}
