//! User mode on this core: into it and out of it, the registers of what runs there, and what it asks for.
//!
//! A core has one set of user registers, `User`, at a fixed place: traps push straight into it. [`run`] is a
//! function that returns when the program traps, so the kernel has one stack per core and nothing to
//! unwind. What is to run next is put there with [`set_context`] and taken away with [`context`].

mod memory;
mod state;

pub(super) use memory::after_failed_copy;
pub use memory::{CallFault, copy_block, copy_context, word, write_word};
pub use state::{
    context, extended_parts, has_fs_gs_base, load_extended, load_own, load_own_extended,
    reset_extended, save_and_load, save_and_load_extended, save_extended, save_own,
    save_own_extended, set_context, set_entry,
};

use super::cpu::{self, Features};
use super::extended;
use super::layout::{self, DIRECT};
use super::once::BootOnce;
use super::percpu::{self, KERNEL_RSP, USER_END};
use super::space::VcorePage;
use super::trap;
use crate::arch::interrupts;
use crate::driver::Identifier;
use crate::image::Cpu;
use crate::machine::identifiers::{self, Identifiers};
use crate::program::context::Registers;
use crate::program::extended::Area;
use core::mem::offset_of;
use proto::call::Outcome;
use proto::message::PageRange;
use x86_64::VirtAddr;
use x86_64::registers::control::{Cr3, Efer, EferFlags};
use x86_64::registers::model_specific::{LStar, Msr, SFMask};
use x86_64::registers::rflags::RFlags;

/// The vector that stands for a system call; no exception and no interrupt has it.
const SYSTEM_CALL: u64 = 256;

core::arch::global_asm!(
    include_str!("user.s"),
    me = const 0,
    kernel_rsp = const KERNEL_RSP,
    registers = const USER_END - size_of::<Registers>(),
    system_call = const SYSTEM_CALL,
    options(att_syntax)
);

unsafe extern "C" {
    fn atoll_run_user();
    safe static atoll_system_call: u8;
}

/// What a core runs in user mode. All zero bytes are a valid value.
#[repr(C, align(64))]
pub(super) struct User {
    registers: Registers,
    /// The registers come from a system call and have not been replaced: SYSRET may go back.
    by_sysret: bool,
    /// The top page table of the space that is loaded; 0 for the kernel's own.
    root: u64,
    /// On the management core, the pages of the process that is loaded, see [`Own`].
    own: Own,
    /// Its calls are traced.
    is_traced: bool,
    /// What a program has written is made safe here before it is loaded.
    area: Area,
}

/// The pages of a single-core process, which the management core uses at each switch.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    /// Where its registers are kept, which only the kernel can reach.
    pub saved: VcorePage,
    /// That of its vcore.
    pub vcore: VcorePage,
}

impl Own {
    const NONE: Self = Self { saved: VcorePage::NONE, vcore: VcorePage::NONE };
}

impl User {
    /// The end of the registers, where traps begin to push.
    pub(super) const REGISTERS_END: usize = offset_of!(Self, registers) + size_of::<Registers>();

    pub(super) const fn new() -> Self {
        Self {
            registers: Registers::ZERO,
            by_sysret: false,
            root: 0,
            own: Own::NONE,
            is_traced: false,
            area: Area::ZERO,
        }
    }
}

/// What all cores need to know.
#[derive(Clone, Copy, Debug)]
struct Machine {
    kernel_root: u64,
    /// What loads it.
    kernel_cr3: u64,
    has_smap: bool,
    has_fs_gs_base: bool,
    identifiers: Identifiers,
}

static MACHINE: BootOnce<Machine> = BootOnce::new();

fn machine() -> Machine {
    *MACHINE.get().expect("boot says what the machine has")
}

/// Why a program is not in user mode any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It makes a system call.
    Call,
    /// It raised an exception: vector, error code, and for a page fault the address.
    Fault {
        /// The vector.
        vector: u8,
        /// The error code, 0 where there is none.
        code: u32,
        /// The address that a page fault was about, else 0.
        address: u64,
    },
    /// An interrupt came, and was noted ([`interrupts::take`]); there is more to do than can be done in passing.
    Interrupt,
}

/// Learns what the machine has, and the root of the kernel's own tables.
///
/// # Safety
///
/// Only core 0 may call this, before it starts another core.
pub(super) unsafe fn set_up(features: &Features, kernel_root: u64) {
    let Features { smap: has_smap, fs_gs_base: has_fs_gs_base, identifiers, .. } = *features;
    let kernel_cr3 = identifiers::cr3(kernel_root, identifiers.of_kernel());
    let machine = Machine { kernel_root, kernel_cr3, has_smap, has_fs_gs_base, identifiers };
    // SAFETY: the caller is alone.
    unsafe { MACHINE.set(machine) };
    // SAFETY: the caller is alone.
    unsafe { extended::choose(features) };
}

/// Prepares this core for user mode: the target of SYSCALL, the flags that it clears, the extended state.
pub(super) fn init() {
    const STAR: u32 = 0xc000_0081;
    // The selectors of SYSCALL: kernel code and the one behind it. Those of SYSRET: 8 and 16 above the base.
    const SELECTORS: u64 = 8 << 32 | (0x10 | 3) << 48;
    // SAFETY: the descriptor tables have these segments in this order.
    unsafe { Msr::new(STAR).write(SELECTORS) };
    LStar::write(VirtAddr::from_ptr(&raw const atoll_system_call));
    let cleared = RFlags::INTERRUPT_FLAG
        | RFlags::TRAP_FLAG
        | RFlags::DIRECTION_FLAG
        | RFlags::ALIGNMENT_CHECK
        | RFlags::NESTED_TASK
        | RFlags::IOPL_LOW
        | RFlags::IOPL_HIGH;
    SFMask::write(cleared);
    // SAFETY: the target is in place.
    unsafe { Efer::update(|efer| *efer |= EferFlags::SYSTEM_CALL_EXTENSIONS) };
    extended::init();
    let user = this_user();
    // SAFETY: this core alone uses it, and nothing else refers to it now.
    unsafe { *user = User::new() };
}

fn this_user() -> *mut User {
    percpu::this().user.get()
}

/// Runs the program whose registers are set, in the space that is loaded, until it traps. Of an interrupt `cpu` is told
/// while the program is still on its way back: often it can go on.
#[inline]
pub fn run(cpu: &mut Cpu) -> Exit {
    percpu::this().runner.set(cpu);
    let user = this_user();
    // SAFETY: this core alone uses it; nobody holds a reference into it while the program runs.
    let by_sysret = unsafe { (*user).by_sysret };
    let vector: u64;
    // SAFETY: the registers are safe to go to user mode with: every way to set them makes them so. What the
    // function loses is said here; RBX and RBP it keeps.
    unsafe {
        core::arch::asm!("call {run}", run = sym atoll_run_user, in("rdi") u64::from(by_sysret),
            lateout("rax") vector, lateout("r12") _, lateout("r13") _, lateout("r14") _,
            lateout("r15") _, clobber_abi("C"));
    }
    // SAFETY: as above.
    unsafe { (*user).by_sysret = vector == SYSTEM_CALL };
    if vector == SYSTEM_CALL {
        return Exit::Call;
    }
    if vector >= trap::FIRST_INTERRUPT as u64 {
        return Exit::Interrupt;
    }
    // SAFETY: as above.
    let code = unsafe { (*user).registers.error } as u32;
    let is_page_fault = vector == trap::PAGE_FAULT as u64;
    let address = if is_page_fault { cpu::fault_address() } else { 0 };
    Exit::Fault { vector: vector as u8, code, address }
}

/// An interrupt came in user mode; true if the program goes on as if nothing had been.
#[unsafe(no_mangle)]
extern "C" fn atoll_interrupted(vector: usize) -> bool {
    interrupts::on_interrupt(vector);
    // SAFETY: `run` was called with it, holds it exclusively and does not use it before it returns.
    let cpu = unsafe { &mut *percpu::this().runner.get() };
    cpu.serves_in_passing()
}

/// A register of the program: RDI, the address of a call.
#[must_use]
pub fn call_address() -> u64 {
    // SAFETY: this core alone uses it, and the program does not run.
    unsafe { (*this_user()).registers.rdi }
}

/// Lets the call that the program has made return this.
pub fn answer(value: i64) {
    // SAFETY: this core alone uses it, and the program does not run.
    unsafe { (*this_user()).registers.rax = value.cast_unsigned() };
}

/// Lets the call that the program has made return this outcome.
pub fn answer_outcome(outcome: Outcome) {
    answer(outcome.0.into());
}

/// Puts the program back on the system call that it has just made, so that it makes it once more.
pub fn repeat_call() {
    const SYSCALL_BYTES: u64 = 2;
    // SAFETY: this core alone uses it, and the program does not run.
    let user = unsafe { &mut *this_user() };
    user.registers.rip = user.registers.rip.saturating_sub(SYSCALL_BYTES);
    user.by_sysret = false;
}

/// Where the program goes on.
#[must_use]
pub fn instruction() -> u64 {
    // SAFETY: this core alone uses it, and the program does not run.
    unsafe { (*this_user()).registers.rip }
}

/// How address spaces are told apart.
pub fn identifiers() -> Identifiers {
    machine().identifiers
}

/// Loads the space with that top page table. Writes CR3 even if it is loaded already: what was removed
/// from it meanwhile must not be used. What is kept under the identifier is forgotten unless it holds.
///
/// # Panics
///
/// When it is not the top page table of a space, which has the kernel's half.
pub fn load(root: u64, identifier: Identifier) {
    let kernel = machine().kernel_root;
    let direct_entry = (DIRECT >> 39 & 0x1ff) * 8;
    let entry = |root: u64| {
        let place = layout::direct(root + direct_entry).cast_const().cast::<u64>();
        // SAFETY: both are frames of memory in the direct map, and nobody changes the kernel's half.
        unsafe { place.read() }
    };
    assert!(entry(root) == entry(kernel), "{root:#x} is no address space");
    // SAFETY: the space has the kernel's half, so the kernel goes on.
    unsafe { write_cr3(identifiers::cr3(root, identifier)) };
    // SAFETY: this core alone uses it.
    unsafe { (*this_user()).root = root };
}

/// Keeps at hand where the pages of the process are that has just been loaded on the management core.
#[inline(always)]
pub fn keep_own_pages(own: Own) {
    // SAFETY: this core alone uses it.
    unsafe { (*this_user()).own = own };
}

/// The pages that were kept at hand of the process that is loaded.
#[inline(always)]
#[must_use]
pub fn own_pages() -> Option<Own> {
    // SAFETY: this core alone uses it.
    let own = unsafe { (*this_user()).own };
    own.saved.is_some().then_some(own)
}

/// Loads the kernel's own tables.
pub fn unload() {
    // SAFETY: the kernel goes on under its own tables.
    unsafe { write_cr3(machine().kernel_cr3) };
    // SAFETY: this core alone uses it.
    unsafe { (*this_user()).root = 0 };
    keep_own_pages(Own::NONE);
}

/// Whether the calls of the program that is loaded are traced.
#[must_use]
pub fn is_traced() -> bool {
    // SAFETY: this core alone uses it, and the program does not run.
    unsafe { (*this_user()).is_traced }
}

/// Says whether the calls of the program that is loaded are traced.
pub fn set_traced(is_traced: bool) {
    // SAFETY: as above.
    unsafe { (*this_user()).is_traced = is_traced };
}

/// The top page table of the space that is loaded, if one is.
#[must_use]
pub fn loaded() -> Option<u64> {
    // SAFETY: this core alone uses it.
    let root = unsafe { (*this_user()).root };
    (root != 0).then_some(root)
}

/// Loads tables. With identifiers in use this is tested on no machine: QEMU's emulator, on which all of the kernel runs in
/// tests, has neither PCID nor INVPCID. There the identifier is 0, bit 63 is clear, and all translations are forgotten.
/// Which identifier a space gets and whether what was kept holds ([`crate::driver`]), and the bits that stand for it
/// ([`identifiers::cr3`]), are tested on the host.
///
/// # Safety
///
/// The tables must have the kernel's half. The identifier must be one that [`Identifiers`] allows, and what was kept
/// under it, if it holds, of these tables.
unsafe fn write_cr3(value: u64) {
    // SAFETY: the caller vouches for the tables.
    unsafe { core::arch::asm!("mov cr3, {}", in(reg) value, options(nostack, preserves_flags)) };
}

/// Forgets all translations of the space that is loaded, and its page tables.
fn flush_all(root: u64) {
    // Seldom wanted, so that it is not kept at each load.
    let (_, number) = Cr3::read_raw();
    if machine().identifiers.invpcid {
        let descriptor = identifiers::invpcid_descriptor(number);
        let kind = identifiers::SINGLE_CONTEXT;
        // SAFETY: CPUID has the instruction, and CR4 the identifier. Forgetting translations changes nothing but time. Tested on no
        // machine, see `write_cr3`.
        unsafe {
            core::arch::asm!("invpcid {}, [{}]", in(reg) kind, in(reg) &raw const descriptor,
                options(nostack, preserves_flags));
        };
    } else {
        // SAFETY: the space is the one that is loaded.
        unsafe { write_cr3(identifiers::cr3(root, Identifier { number, holds: false })) };
    }
}

/// Forgets translations of the space that is loaded: one by one, or all, as the coordinator has decided.
pub fn flush(range: PageRange) {
    let Some(root) = loaded() else { return };
    if range.pages == 0 {
        return flush_all(root);
    }
    // Under the identifier that is loaded, and all that is cached of page tables under it (Intel SDM vol. 3, 4.10.4.1).
    for page in range.first..range.first.saturating_add(range.pages.into()) {
        let address = page.wrapping_mul(4096);
        // SAFETY: forgetting a translation changes nothing but time.
        unsafe {
            core::arch::asm!("invlpg [{}]", in(reg) address, options(nostack, preserves_flags));
        };
    }
}
