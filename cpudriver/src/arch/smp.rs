//! Starting cores: INIT, start-up interrupts, argument slots, time stamps.
//!
//! All cores start at the same time ([`start`]): each finds its own slot by its APIC id, so none waits for
//! another. Core 0 doesn't wait for them either: they say by message that they are there, and
//! [`stamps`] tell how far one has come. A core may be started again at any time, whatever it is doing:
//! INIT stops it, and its memory is used anew.

use super::cpu::{self, Features};
use super::descriptors::Descriptors;
use super::once::BootOnce;
use super::trampoline::{SLOT_COUNT, SLOTS};
use super::{apic, percpu, time, user};
use crate::image;
use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use proto::id::{ApicId, CoreId};

/// Time between INIT and the first start-up interrupt that the hardware needs (Intel SDM vol. 3, 9.4.4.1).
/// An emulated or virtual machine needs none.
const AFTER_INIT_US: u64 = 10_000;
/// Time after which the start-up interrupt is sent once more to a core that has not begun.
const AFTER_START_UP_US: u64 = 200;

/// The phases of a core's start, each with a time stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Core 0 has sent INIT.
    Init,
    /// Core 0 has sent the first start-up interrupt.
    StartUp,
    /// The core runs its first instruction.
    Trampoline,
    /// The core is in the kernel's half of the address space, in 64-bit mode.
    LongMode,
    /// The core runs Rust.
    Rust,
    /// The core has all of its own and runs the image.
    Online,
}

/// The phases, in order.
pub const PHASES: [Phase; 6] =
    [Phase::Init, Phase::StartUp, Phase::Trampoline, Phase::LongMode, Phase::Rust, Phase::Online];

/// Bytes of a slot.
pub(super) const SLOT_BYTES: usize = 128;

/// What a core finds when it starts: filled in by core 0, stamped by the core.
#[repr(C, align(128))]
pub(super) struct Slot {
    pub(super) apic: AtomicU32,
    /// Not 0: the core must halt where it is, as a core would that is broken.
    pub(super) is_silent: AtomicU32,
    /// The end of the core's stack.
    pub(super) stack: AtomicU64,
    /// The memory of the core's heap.
    heap: AtomicU64,
    heap_bytes: AtomicU64,
    /// Time stamp counter at each phase; 0 for one that has not been reached.
    stamps: [AtomicU64; PHASES.len()],
}

const _: () = assert!(size_of::<Slot>() == SLOT_BYTES);

impl Slot {
    pub(super) const fn new() -> Self {
        Self {
            apic: AtomicU32::new(0),
            is_silent: AtomicU32::new(0),
            stack: AtomicU64::new(0),
            heap: AtomicU64::new(0),
            heap_bytes: AtomicU64::new(0),
            stamps: [const { AtomicU64::new(0) }; PHASES.len()],
        }
    }

    /// Where the stamp of a phase is.
    pub(super) const fn stamp_offset(phase: Phase) -> usize {
        offset_of!(Self, stamps) + phase as usize * size_of::<u64>()
    }

    fn stamp(&self, phase: Phase) {
        self.stamps[phase as usize].store(cpu::now(), Ordering::Relaxed);
    }

    /// Forgets the stamps of a life that INIT has ended.
    fn forget_life(&self) {
        for stamp in &self.stamps[Phase::StartUp as usize..] {
            stamp.store(0, Ordering::Relaxed);
        }
    }

    fn has_reached(&self, phase: Phase) -> bool {
        self.stamps[phase as usize].load(Ordering::Relaxed) != 0
    }
}

/// What all cores need to know when they start.
#[derive(Clone, Copy, Debug)]
struct Start {
    features: Features,
    /// Number of the page that the trampoline is in.
    page: u8,
}

static START: BootOnce<Start> = BootOnce::new();

/// Sets what starting cores need.
///
/// # Safety
///
/// Only core 0 may call this, before it starts another core.
pub(super) unsafe fn set_up(features: Features, page: u8) {
    // SAFETY: the caller is alone.
    unsafe { START.set(Start { features, page }) };
}

/// Adds the next core's slot.
pub(super) fn add(apic: ApicId, is_silent: bool, stack_end: u64, heap: NonNull<[u8]>) {
    let index = SLOT_COUNT.load(Ordering::Relaxed);
    let slot = &SLOTS[index as usize];
    slot.apic.store(apic.0, Ordering::Relaxed);
    slot.is_silent.store(u32::from(is_silent), Ordering::Relaxed);
    slot.stack.store(stack_end, Ordering::Relaxed);
    slot.heap.store(heap.cast::<u8>().expose_provenance().get() as u64, Ordering::Relaxed);
    slot.heap_bytes.store(heap.len() as u64, Ordering::Relaxed);
    SLOT_COUNT.store(index + 1, Ordering::Release);
}

/// How many cores the kernel knows, core 0 included. They are numbered from 0.
#[must_use]
pub fn count() -> usize {
    SLOT_COUNT.load(Ordering::Acquire) as usize
}

/// What the hardware calls a core.
///
/// # Panics
///
/// When there is no such core.
#[must_use]
pub fn apic_id(core: CoreId) -> ApicId {
    ApicId(slot(core).apic.load(Ordering::Relaxed))
}

/// The time stamp counter at each phase of a core's last start, in the order of [`PHASES`]; 0 for those
/// that it has not reached.
///
/// # Panics
///
/// When there is no such core.
#[must_use]
pub fn stamps(core: CoreId) -> [u64; PHASES.len()] {
    core::array::from_fn(|phase| slot(core).stamps[phase].load(Ordering::Relaxed))
}

fn slot(core: CoreId) -> &'static Slot {
    assert!(core.index() < count(), "there is no core {core}");
    &SLOTS[core.index()]
}

/// Stops a core, whatever it is doing, until it is [started](start) again.
///
/// # Panics
///
/// When it is core 0, or there is no such core.
pub fn stop(core: CoreId) {
    assert!(core != CoreId::MANAGEMENT, "core 0 cannot stop itself");
    apic::init_other(apic_id(core));
    slot(core).forget_life();
}

/// Makes a core write a report of what it is doing, whatever that is (by NMI; see
/// [`super::report::count`]). Returns false, and does nothing, when the core is not in the kernel: before it
/// has its interrupt table, or after it has been stopped, an NMI would reset the machine.
pub fn ask_for_report(core: CoreId) -> bool {
    let is_in_kernel = core == CoreId::MANAGEMENT || slot(core).has_reached(Phase::Online);
    if is_in_kernel {
        apic::nmi(apic_id(core));
    }
    is_in_kernel
}

/// Starts cores, all at the same time; running ones are stopped first. Returns when the interrupts have
/// been sent: whether a core is there shows when it says so, or in its [`stamps`].
///
/// # Panics
///
/// When core 0 is among them, or a core that doesn't exist.
pub fn start(cores: &[CoreId]) {
    let &Start { features, page } = START.get().expect("boot prepares the start of cores");
    for &core in cores {
        slot(core).stamp(Phase::Init);
        stop(core);
    }
    if !features.hypervisor {
        time::delay_us(AFTER_INIT_US);
    }
    for &core in cores {
        // A life that was beginning may have left stamps until INIT arrived.
        slot(core).forget_life();
        slot(core).stamp(Phase::StartUp);
        apic::start_up(apic_id(core), page);
    }
    let has_begun = |core: &CoreId| slot(*core).has_reached(Phase::Trampoline);
    time::wait_us(AFTER_START_UP_US, || cores.iter().all(has_begun));
    for &core in cores.iter().filter(|core| !has_begun(core)) {
        apic::start_up(apic_id(core), page);
    }
}

/// The first Rust on a core but core 0, on its own stack.
pub(super) extern "C" fn atoll_core(slot: &'static Slot) -> ! {
    slot.stamp(Phase::Rust);
    let index = (slot as *const Slot).addr() - SLOTS.as_ptr().addr();
    let core = u16::try_from(index / SLOT_BYTES).map(CoreId).unwrap_or_default();
    // SAFETY: this core has just been reset, so nothing refers to its memory from an earlier life.
    let Some(me) = (unsafe { percpu::become_core(core) }) else { cpu::park() };
    // SAFETY: this core alone uses its tables.
    let tables: &mut Descriptors = unsafe { &mut *me.tables.get() };
    // SAFETY: they stay where they are, and boot has mapped the stacks.
    unsafe { tables.load(core.index(), me.user_end()) };
    // SAFETY: boot has mapped the stacks, and this core is on its main one.
    unsafe { percpu::mark_stacks() };
    let start = START.get().expect("boot prepares the start of cores");
    // SAFETY: the tables in use are the kernel's.
    unsafe { cpu::protect(&start.features) };
    user::init();
    apic::init();
    let memory = heap_of(slot);
    // SAFETY: boot gave this memory to this core, whose earlier life is over.
    unsafe { me.arena.init(memory) };
    slot.stamp(Phase::Online);
    image::core_main(core)
}

fn heap_of(slot: &Slot) -> NonNull<[u8]> {
    let start = slot.heap.load(Ordering::Relaxed) as usize;
    let start = NonNull::new(core::ptr::with_exposed_provenance_mut(start));
    let bytes = slot.heap_bytes.load(Ordering::Relaxed) as usize;
    NonNull::slice_from_raw_parts(start.expect("boot gives every core a heap"), bytes)
}
