//! The heap: an arena per core, and one for the coordinator, without a lock.
//!
//! The global allocator goes to the arena of the core that it runs on. A core seals its arena when it has
//! all that it needs; from then on, an allocation there is a bug and panics. The coordinator, which
//! goes on allocating, has an arena of its own on core 0 ([`with_coordinator_arena`]). Memory may be freed only on
//! the core, and goes back to the arena, that it came from.

use super::percpu;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::{Cell, UnsafeCell};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};
use linked_list_allocator::Heap;
use proto::id::CoreId;

/// Figures of an arena, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Size of the arena.
    pub size: usize,
    /// Allocated now, overhead included.
    pub used: usize,
    /// The most that was allocated at a time.
    pub peak: usize,
    /// All that was ever allocated, wrapping.
    pub allocated: usize,
}

/// Memory that one core allocates from. All zero bytes are an arena without memory.
pub(super) struct Arena {
    heap: UnsafeCell<Heap>,
    is_sealed: Cell<bool>,
    size: AtomicUsize,
    used: AtomicUsize,
    peak: AtomicUsize,
    allocated: AtomicUsize,
}

// SAFETY: only one core uses the heap and the seal: its owner. Others read the atomic figures.
unsafe impl Sync for Arena {}

/// The coordinator's arena. Only core 0 uses it.
static COORDINATOR: Arena = Arena::new();

/// Whether core 0 allocates for the coordinator now.
static IS_COORDINATING: CoreZeroCell = CoreZeroCell(Cell::new(false));

struct CoreZeroCell(Cell<bool>);

// SAFETY: every access is preceded by a check that this is core 0.
unsafe impl Sync for CoreZeroCell {}

impl Arena {
    pub(super) const fn new() -> Self {
        Self {
            heap: UnsafeCell::new(Heap::empty()),
            is_sealed: Cell::new(false),
            size: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            allocated: AtomicUsize::new(0),
        }
    }

    /// Gives the arena its memory and forgets what was allocated before.
    ///
    /// # Safety
    ///
    /// Only the owning core may call this; the memory is the arena's alone, for good, and nothing that was
    /// allocated there earlier is used any more.
    pub(super) unsafe fn init(&self, memory: NonNull<[u8]>) {
        // SAFETY: the caller owns the arena, and no reference to the heap outlives a call in here.
        let heap = unsafe { &mut *self.heap.get() };
        // SAFETY: the caller vouches for the memory.
        *heap = unsafe { Heap::new(memory.cast().as_ptr(), memory.len()) };
        self.is_sealed.set(false);
        self.size.store(heap.size(), Ordering::Relaxed);
        self.used.store(0, Ordering::Relaxed);
        self.peak.store(0, Ordering::Relaxed);
        self.allocated.store(0, Ordering::Relaxed);
    }

    fn stats(&self) -> Stats {
        Stats {
            size: self.size.load(Ordering::Relaxed),
            used: self.used.load(Ordering::Relaxed),
            peak: self.peak.load(Ordering::Relaxed),
            allocated: self.allocated.load(Ordering::Relaxed),
        }
    }

    fn publish(&self, used: usize) {
        self.used.store(used, Ordering::Relaxed);
        if used > self.peak.load(Ordering::Relaxed) {
            self.peak.store(used, Ordering::Relaxed);
        }
    }

    /// # Safety
    ///
    /// Only the owning core may call this.
    unsafe fn allocate(&self, layout: Layout) -> *mut u8 {
        let bytes = layout.size();
        assert!(!self.is_sealed.get(), "allocation of {bytes} bytes after the heap was sealed");
        // SAFETY: the caller owns the arena, and no other reference to the heap exists.
        let heap = unsafe { &mut *self.heap.get() };
        let place = heap.allocate_first_fit(layout).map_or(ptr::null_mut(), NonNull::as_ptr);
        self.publish(heap.used());
        let allocated = self.allocated.load(Ordering::Relaxed);
        self.allocated.store(allocated.wrapping_add(bytes), Ordering::Relaxed);
        place
    }

    /// # Safety
    ///
    /// Only the owning core may call this; `place` was allocated here with the same layout.
    unsafe fn free(&self, place: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller owns the arena, and no other reference to the heap exists.
        let heap = unsafe { &mut *self.heap.get() };
        // SAFETY: the caller vouches for place and layout.
        unsafe { heap.deallocate(place, layout) };
        self.publish(heap.used());
    }

    /// # Safety
    ///
    /// Only the owning core may call this.
    unsafe fn contains(&self, place: *const u8) -> bool {
        // SAFETY: the caller owns the arena, and no exclusive reference to the heap exists.
        let heap = unsafe { &*self.heap.get() };
        (heap.bottom().cast_const()..heap.top().cast_const()).contains(&place)
    }
}

struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

// SAFETY: the arenas hand out memory that is nobody else's until it is freed.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let me = percpu::this();
        let is_coordinator = me.id() == CoreId::MANAGEMENT && IS_COORDINATING.0.get();
        let arena = if is_coordinator { &COORDINATOR } else { &me.arena };
        // SAFETY: this core owns its own arena, core 0 the coordinator's too.
        unsafe { arena.allocate(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        let me = percpu::this();
        let coordinator = (me.id() == CoreId::MANAGEMENT).then_some(&COORDINATOR);
        for arena in [Some(&me.arena), coordinator].into_iter().flatten() {
            // SAFETY: this core owns its own arena, core 0 the coordinator's too.
            if unsafe { arena.contains(place) } {
                let place = NonNull::new(place).expect("an arena does not contain null");
                // SAFETY: as above, and the caller vouches for place and layout.
                unsafe { arena.free(place, layout) };
                return;
            }
        }
        panic!(
            "{} bytes at {place:p} are freed on a core that did not allocate them",
            layout.size()
        );
    }
}

/// Forbids further allocations from this core's own arena. Freeing stays allowed.
pub fn seal() {
    percpu::this().arena.is_sealed.set(true);
}

/// Runs `work` with the coordinator's arena as the heap. What is allocated within may be freed anywhere on
/// core 0. May be nested.
///
/// # Panics
///
/// On any core but core 0.
pub fn with_coordinator_arena<R>(work: impl FnOnce() -> R) -> R {
    let _coordinating = Coordinating::begin();
    work()
}

/// While there is one, core 0 allocates from the coordinator's arena, see [`with_coordinator_arena`].
#[derive(Debug)]
pub struct Coordinating {
    before: bool,
}

impl Coordinating {
    /// From now on.
    ///
    /// # Panics
    ///
    /// On any core but core 0.
    #[inline(always)]
    #[must_use]
    pub fn begin() -> Self {
        assert!(percpu::id() == CoreId::MANAGEMENT, "the coordinator's heap is core 0's");
        Self { before: IS_COORDINATING.0.replace(true) }
    }
}

impl Drop for Coordinating {
    #[inline(always)]
    fn drop(&mut self) {
        IS_COORDINATING.0.set(self.before);
    }
}

/// Figures of a core's own arena; they may be a moment old.
#[must_use]
pub fn stats(core: CoreId) -> Stats {
    percpu::of(core).map(|core| core.arena.stats()).unwrap_or_default()
}

/// Figures of the coordinator's arena; they may be a moment old.
#[must_use]
pub fn coordinator_stats() -> Stats {
    COORDINATOR.stats()
}

/// Gives the coordinator's arena its memory.
///
/// # Safety
///
/// As for [`Arena::init`], on core 0.
pub(super) unsafe fn init_coordinator(memory: NonNull<[u8]>) {
    // SAFETY: the caller vouches.
    unsafe { COORDINATOR.init(memory) };
}
