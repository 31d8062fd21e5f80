//! The heap: what `Box`, `Vec` and their like allocate from.
//!
//! The allocator is talc's. When it has none left the kernel is asked for memory, which is kept. In a process with threads
//! that is done with the heap free, by one thread at a time, which waits as for any call: it costs no vcore. Programs
//! that allocate nothing contain nothing of this.

use super::lock::{Before, RawLock};
use super::{notify, vcore};
use crate::memory::{self, POPULATE, Rights};
use crate::threads;
use crate::threads::sync::Mutex;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::NonNull;
use talc::DefaultBinning;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::lock_api::{GuardNoSend, RawMutex};
use talc::source::Source;
use talc::sync::TalcLock;

/// Bytes that are asked for at least. A page takes memory when it is used first.
const STEP: usize = 1 << 20;
/// Who needs so much at once mostly uses it: it is there at once then, in huge pages where it can be.
const LARGE: usize = memory::BLOCK as usize * 4096;
/// Of what is asked for, what the allocator may need for itself.
const OVERHEAD: usize = 8192;

#[global_allocator]
static HEAP: Heap = Heap(TalcLock::new(Kernel));

/// Held by the thread that asks the kernel for more, so that all who need some get by with what one has asked for.
static GROWING: Mutex<()> = Mutex::new(());

struct Heap(TalcLock<Lock, Kernel, DefaultBinning>);

// SAFETY: it hands out what talc hands out.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller vouches for the layout.
        let place = unsafe { self.0.alloc(layout) };
        if place.is_null() && vcore::count() != 0 { self.grow_and_alloc(layout) } else { place }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller vouches.
        unsafe { self.0.dealloc(place, layout) };
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller vouches.
        let moved = unsafe { self.0.realloc(place, layout, bytes) };
        if !moved.is_null() || vcore::count() == 0 {
            return moved;
        }
        // SAFETY: the caller vouches for the size.
        let wanted = unsafe { Layout::from_size_align_unchecked(bytes, layout.align()) };
        let new = self.grow_and_alloc(wanted);
        if !new.is_null() {
            // SAFETY: both places have so many bytes, and the new one is nobody else's.
            unsafe { new.copy_from_nonoverlapping(place, layout.size().min(bytes)) };
            // SAFETY: the caller vouches, and the old place is not used any more.
            unsafe { self.0.dealloc(place, layout) };
        }
        new
    }
}

impl Heap {
    /// Asks for memory until there is enough, if it can be had. A thread that must not wait asks at once, and polls.
    #[cold]
    #[inline(never)]
    fn grow_and_alloc(&self, layout: Layout) -> *mut u8 {
        let waits = threads::are_on() && !notify::are_off();
        let _growing = waits.then(|| GROWING.lock());
        loop {
            // Somebody else may have been faster.
            // SAFETY: as in `alloc`, which has the layout from its caller.
            let place = unsafe { self.0.alloc(layout) };
            if !place.is_null() {
                return place;
            }
            let Some(memory) = map(layout) else { return core::ptr::null_mut() };
            if claim(&mut self.0.lock(), memory).is_none() {
                return core::ptr::null_mut();
            }
        }
    }
}

/// New memory, enough for this.
fn map(layout: Layout) -> Option<NonNull<[u8]>> {
    let needed = layout.size().checked_add(layout.align())?.checked_add(OVERHEAD)?;
    let flags = if needed >= LARGE { POPULATE } else { 0 };
    memory::map(needed.checked_next_multiple_of(STEP)?, Rights::READ_WRITE, flags).ok()
}

fn claim<B: Binning>(talc: &mut Talc<Kernel, B>, memory: NonNull<[u8]>) -> Option<()> {
    // SAFETY: the memory is new, and nobody else's.
    unsafe { talc.claim(memory.as_ptr().cast(), memory.len()) }.map(|_| ())
}

/// Memory from the kernel, where nobody else can need the heap meanwhile.
#[derive(Debug)]
struct Kernel;

// SAFETY: neither function uses the heap.
unsafe impl Source for Kernel {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        if vcore::count() != 0 {
            return Err(());
        }
        map(layout).and_then(|memory| claim(talc, memory)).ok_or(())
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
