//! What a core owns, reached through GS.
//!
//! [`enter`] is the only way to the image's per-core state, `&mut image::Cpu`; it panics when it is entered
//! again. The rest of what GS leads to belongs to `arch`: descriptor tables, the heap arena, the report
//! buffer. Other cores look at nothing here but the atomics of the report and the arena's figures.

use super::descriptors::Descriptors;
use super::handoff::Handoff;
use super::heap::Arena;
use super::layout::Stack;
use super::once::BootOnce;
use super::report::Report;
use super::user::User;
use crate::image::Cpu;
use core::cell::{Cell, UnsafeCell};
use core::mem::{MaybeUninit, offset_of};
use core::sync::atomic::AtomicBool;
use proto::id::CoreId;
use x86_64::VirtAddr;
use x86_64::registers::model_specific::GsBase;

/// One core's memory. Its address is in GS while the kernel runs on that core. All zero bytes are a
/// valid value, which is what the cores but the first begin with.
#[repr(C, align(4096))]
pub(super) struct PerCore {
    /// This structure's own address, because code cannot read the base of GS without a slow
    /// instruction: `mov rax, gs:[0]`.
    me: Cell<*const PerCore>,
    id: Cell<CoreId>,
    is_entered: Cell<bool>,
    has_cpu: Cell<bool>,
    /// Set by interrupt handlers, cleared by the core; see [`super::interrupts::Source`].
    pub(super) pending: [AtomicBool; 3],
    /// The core is on its way to being parked after a panic.
    pub(super) is_failing: AtomicBool,
    /// The stack pointer of the kernel while the core is in user mode.
    pub(super) kernel_rsp: Cell<u64>,
    /// Who is told of interrupts in user mode, while the core is there.
    pub(super) runner: Cell<*mut Cpu>,
    /// What the core runs in user mode.
    pub(super) user: UnsafeCell<User>,
    pub(super) tables: UnsafeCell<Descriptors>,
    pub(super) arena: Arena,
    pub(super) report: Report,
    pub(super) handoff: Handoff,
    cpu: UnsafeCell<MaybeUninit<Cpu>>,
}

const _: () = assert!(offset_of!(PerCore, me) == 0);

/// Offsets that `user.s` uses.
pub(super) const KERNEL_RSP: usize = offset_of!(PerCore, kernel_rsp);
pub(super) const USER_END: usize = offset_of!(PerCore, user) + User::REGISTERS_END;

// The CPU aligns the stack that it switches to.
const _: () = assert!(USER_END.is_multiple_of(16));

// SAFETY: the cells are touched by the owning core alone, which finds the structure through GS; what
// other cores read (the report, the arena's figures) consists of atomics.
unsafe impl Sync for PerCore {}

/// Core 0's memory, in the image because it is needed before there is any other.
static MANAGEMENT: PerCore = PerCore::new();

/// The memory of the other cores, in the order of their numbers, from 1.
static OTHERS: BootOnce<&'static [PerCore]> = BootOnce::new();

impl PerCore {
    const fn new() -> Self {
        Self {
            me: Cell::new(core::ptr::null()),
            id: Cell::new(CoreId::MANAGEMENT),
            is_entered: Cell::new(false),
            has_cpu: Cell::new(false),
            pending: [const { AtomicBool::new(false) }; 3],
            is_failing: AtomicBool::new(false),
            kernel_rsp: Cell::new(0),
            runner: Cell::new(core::ptr::null_mut()),
            user: UnsafeCell::new(User::new()),
            tables: UnsafeCell::new(Descriptors::new()),
            arena: Arena::new(),
            report: Report::new(),
            handoff: Handoff::new(),
            cpu: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// The end of the registers of user mode, below which traps are pushed.
    pub(super) fn user_end(&self) -> VirtAddr {
        VirtAddr::from_ptr(self) + USER_END as u64
    }

    fn place(&self) -> *mut Cpu {
        self.cpu.get().cast()
    }

    /// The number of the core.
    pub(super) fn id(&self) -> CoreId {
        self.id.get()
    }
}

/// Writes this core's address above its interrupt stacks, where the stubs look for it.
///
/// # Safety
///
/// The stacks of the core must be mapped, and nothing may be on them.
pub(super) unsafe fn mark_stacks() {
    let me = this();
    for stack in [Stack::DoubleFault, Stack::Nmi, Stack::MachineCheck] {
        let mark =
            core::ptr::with_exposed_provenance_mut::<u64>(stack.mark(me.id().index()) as usize);
        // SAFETY: the word is the last but one of a stack of this core, which the caller vouches for.
        unsafe { mark.write(core::ptr::from_ref(me).expose_provenance() as u64) };
    }
}

/// Makes this core the core `id`: points GS at its memory and forgets what an earlier life of the core
/// has left there. Returns `None` when there is no memory for such a core.
///
/// # Safety
///
/// The caller runs at the beginning of the core's life, is the only one to run as core `id`, and has
/// no reference into the core's memory.
pub(super) unsafe fn become_core(id: CoreId) -> Option<&'static PerCore> {
    let me = of(id)?;
    me.me.set(me);
    me.id.set(id);
    me.is_entered.set(false);
    me.has_cpu.set(false);
    me.handoff.begin_life();
    for pending in &me.pending {
        pending.store(false, core::sync::atomic::Ordering::Relaxed);
    }
    me.is_failing.store(false, core::sync::atomic::Ordering::Relaxed);
    GsBase::write(VirtAddr::from_ptr(me));
    Some(me)
}

/// Sets the memory of the cores from 1.
///
/// # Safety
///
/// Only core 0 may call this, before it starts the others.
pub(super) unsafe fn set_others(others: &'static [PerCore]) {
    // SAFETY: the caller is alone.
    unsafe { OTHERS.set(others) };
}

/// The memory of core `id`.
pub(super) fn of(id: CoreId) -> Option<&'static PerCore> {
    match id.index().checked_sub(1) {
        None => Some(&MANAGEMENT),
        Some(at) => OTHERS.get()?.get(at),
    }
}

/// The memory of the core that this runs on.
pub(super) fn this() -> &'static PerCore {
    let me: *const PerCore;
    // SAFETY: GS points at this core's memory from the first instructions in Rust on, and `me` is at
    // its start. It never changes while the core lives, so the read may be moved and merged.
    unsafe {
        core::arch::asm!("mov {}, gs:[0]", out(reg) me, options(nostack, pure, readonly, preserves_flags));
    }
    // SAFETY: the memory of a core is never freed.
    unsafe { &*me }
}

/// The number of the core that this runs on.
#[must_use]
pub fn id() -> CoreId {
    this().id()
}

/// Gives the core its state, once in a life of the core, before it is first [entered](enter).
///
/// The state of an earlier life (before a panic, before INIT) is overwritten, not dropped: it may be
/// inconsistent, and what it owned outside the core's own memory is for core 0 to recover.
///
/// # Panics
///
/// When the core has its state already.
pub fn install(cpu: Cpu) {
    let me = this();
    assert!(!me.has_cpu.get(), "the core's state is installed twice");
    // SAFETY: `has_cpu` is false, so nobody has a reference to the place.
    unsafe { me.place().write(cpu) };
    me.has_cpu.set(true);
}

/// Runs `work` with this core's state.
///
/// # Panics
///
/// When it is called from within `work`, or before the state is [installed](install).
pub fn enter<R>(work: impl FnOnce(&mut Cpu) -> R) -> R {
    let me = this();
    assert!(me.has_cpu.get(), "the core has no state yet");
    assert!(!me.is_entered.replace(true), "the core's state is entered twice");
    // SAFETY: 1. the value is there (`has_cpu`). 2. `is_entered` makes this the only reference: the
    // structure belongs to this core, and interrupt handlers don't enter.
    let result = work(unsafe { &mut *me.place() });
    me.is_entered.set(false);
    result
}

/// Runs `work` with this core's state although it may have been entered, for the last words of a core that
/// panicked. Does nothing when there is no state.
///
/// # Safety
///
/// The code that entered must never run again.
pub(super) unsafe fn enter_at_the_end(work: impl FnOnce(&mut Cpu)) {
    let me = this();
    if me.has_cpu.get() {
        // SAFETY: the value is there, and the reference that `enter` gave out is not used any more.
        work(unsafe { &mut *me.place() });
    }
}
