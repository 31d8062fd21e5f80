//! Values that move from core 0 to another core and back, and the estate that a core keeps over restarts.
//!
//! Messages hold numbers; what cannot be one (the ends of a ring) waits in the core's handoff cell while a
//! message says so. There is a cell for each direction, so each has one that puts and one that takes.
//!
//! A core that panics or is stopped loses its `image::Cpu`, which may be half changed, but not its *estate*:
//! `image::Estate`, which core 0 gives it before its first start, for the ends of its rings. Each life of the
//! core gets it again. Nothing has to be allocated or recovered when a core is started anew.

use super::percpu;
use super::smp;
use crate::image::{Estate, Parcel};
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering};
use proto::id::CoreId;

/// A place for one value, with one core that puts and one that takes. All zero bytes are an empty one.
struct Way<T> {
    is_full: AtomicBool,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Way<T> {
    const fn new() -> Self {
        Self { is_full: AtomicBool::new(false), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// # Safety
    ///
    /// Only the one core that puts may call this.
    unsafe fn put(&self, value: T) -> Result<(), T> {
        if self.is_full.load(Ordering::Acquire) {
            return Err(value);
        }
        let place: *mut T = self.value.get().cast();
        // SAFETY: an empty cell is the putting core's.
        unsafe { place.write(value) };
        self.is_full.store(true, Ordering::Release);
        Ok(())
    }

    /// # Safety
    ///
    /// Only the one core that takes may call this.
    unsafe fn take(&self) -> Option<T> {
        if !self.is_full.load(Ordering::Acquire) {
            return None;
        }
        let place: *mut T = self.value.get().cast();
        // SAFETY: a full cell is the taking core's, holds a value, and is emptied below.
        let value = unsafe { place.read() };
        self.is_full.store(false, Ordering::Release);
        Some(value)
    }
}

/// What a core and core 0 hand to each other. All zero bytes are a valid value: all is empty.
pub(super) struct Handoff {
    to_core: Way<Parcel>,
    to_management: Way<Parcel>,
    estate: UnsafeCell<MaybeUninit<Estate>>,
    has_estate: AtomicBool,
    /// This life of the core has its estate.
    is_claimed: Cell<bool>,
}

impl Handoff {
    pub(super) const fn new() -> Self {
        Self {
            to_core: Way::new(),
            to_management: Way::new(),
            estate: UnsafeCell::new(MaybeUninit::uninit()),
            has_estate: AtomicBool::new(false),
            is_claimed: Cell::new(false),
        }
    }

    /// A new life of the core begins: it has not claimed its estate.
    pub(super) fn begin_life(&self) {
        self.is_claimed.set(false);
    }
}

// SAFETY: each cell is put into by one core and taken from by another, in turns that its flag orders. The
// estate is written before `has_estate`, then only the owning core's, which claims it once in a life.
unsafe impl Sync for Handoff
where
    Parcel: Send,
    Estate: Send,
{
}

fn handoff_of(core: CoreId) -> &'static Handoff {
    &percpu::of(core).expect("there is such a core").handoff
}

fn assert_management() {
    assert!(percpu::id() == CoreId::MANAGEMENT, "this is for core 0 to do");
}

/// Puts a parcel into a core's cell, on core 0. Gives it back when the core has not taken the last one.
///
/// # Panics
///
/// On any core but core 0, or when there is no such core.
pub fn put_for(core: CoreId, parcel: Parcel) -> Result<(), Parcel> {
    assert_management();
    // SAFETY: only core 0 puts into this cell.
    unsafe { handoff_of(core).to_core.put(parcel) }
}

/// Takes what a core has put into its cell, on core 0.
///
/// # Panics
///
/// On any core but core 0, or when there is no such core.
pub fn take_from(core: CoreId) -> Option<Parcel> {
    assert_management();
    // SAFETY: only core 0 takes from this cell.
    unsafe { handoff_of(core).to_management.take() }
}

/// Puts a parcel into this core's cell, for core 0. Gives it back when core 0 has not taken the last one.
pub fn put(parcel: Parcel) -> Result<(), Parcel> {
    // SAFETY: only the core itself puts into this cell.
    unsafe { percpu::this().handoff.to_management.put(parcel) }
}

/// Takes what core 0 has put into this core's cell.
pub fn take() -> Option<Parcel> {
    // SAFETY: only the core itself takes from this cell.
    unsafe { percpu::this().handoff.to_core.take() }
}

/// Gives a core its estate, on core 0, before the core's first start (or core 0's own).
///
/// # Panics
///
/// On any core but core 0, when there is no such core, when it has its estate, or has been started.
pub fn endow(core: CoreId, estate: Estate) {
    assert_management();
    let handoff = handoff_of(core);
    assert!(!handoff.has_estate.load(Ordering::Relaxed), "core {core} has its estate already");
    let is_fresh = core == CoreId::MANAGEMENT || smp::stamps(core).iter().all(|stamp| *stamp == 0);
    assert!(is_fresh, "core {core} has been started without its estate");
    let place: *mut Estate = handoff.estate.get().cast();
    // SAFETY: `has_estate` is false, so nobody else looks at the place.
    unsafe { place.write(estate) };
    handoff.has_estate.store(true, Ordering::Release);
}

/// This core's estate, once in each life of the core; `None` when core 0 has given it none, or when it has been
/// claimed. It is as the last life left it, be that in the middle of a change.
pub fn claim_estate() -> Option<&'static mut Estate> {
    let handoff = &percpu::this().handoff;
    if !handoff.has_estate.load(Ordering::Acquire) || handoff.is_claimed.replace(true) {
        return None;
    }
    let place: *mut Estate = handoff.estate.get().cast();
    // SAFETY: 1. `has_estate` says that it was written. 2. `is_claimed` makes this the only reference: the
    // structure belongs to this core, and the code of its earlier lives never runs again.
    Some(unsafe { &mut *place })
}
