//! User mode on this core: into it and out of it, the registers of what runs there, and what it asks for.
//!
//! A core has one set of user registers, `User`, at a fixed place: traps push straight into it. [`run`] is a
//! function that returns when the program traps, so the kernel has one stack per core and nothing to
//! unwind. What is to run next is put there with [`set_context`] and taken away with [`context`].

use super::cpu::{self, Features};
use super::extended;
use super::layout::{self, DIRECT};
use super::once::BootOnce;
use super::percpu::{self, KERNEL_RSP, USER_END};
use super::space::{Kept, VcorePage};
use super::trap;
use crate::arch::interrupts;
use crate::image::Cpu;
use crate::program::context::{Context, Registers, user_address};
use crate::program::extended::{Area, Parts};
use crate::program::vcore::Entry;
use core::mem::offset_of;
use proto::call::Outcome;
use proto::message::PageRange;
use proto::program::context::{BYTES, WORDS};
use proto::program::{block, layout as places};
use x86_64::registers::control::{Cr3, Cr3Flags, Efer, EferFlags};
use x86_64::registers::model_specific::{LStar, Msr, SFMask};
use x86_64::registers::rflags::RFlags;
use x86_64::structures::paging::PhysFrame;
use x86_64::{PhysAddr, VirtAddr};

/// The bases of FS and, while the kernel runs, of the program's GS.
const FS_BASE: u32 = 0xc000_0100;
const KERNEL_GS_BASE: u32 = 0xc000_0102;

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
    fn atoll_read_word(from: u64, zero: u64, none: u64, has_smap: u64) -> WordRead;
    fn atoll_copy_block(from: u64, to: *mut [u64; 8], done: u64, has_smap: u64) -> u64;
    fn atoll_copy_words(from: u64, to: *mut u64, words: usize, has_smap: u64) -> u64;
    fn atoll_write_word(to: u64, value: u64, zero: u64, has_smap: u64) -> u64;
    safe static atoll_system_call: u8;
    safe static atoll_copy_start: u8;
    safe static atoll_copy_end: u8;
    safe static atoll_copy_failed: u8;
}

/// What `atoll_read_word` returns.
#[repr(C)]
struct WordRead {
    failed: u64,
    word: u64,
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
    has_smap: bool,
    has_fs_gs_base: bool,
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
    let (has_smap, has_fs_gs_base) = (features.smap, features.fs_gs_base);
    // SAFETY: the caller is alone.
    unsafe { MACHINE.set(Machine { kernel_root, has_smap, has_fs_gs_base }) };
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

/// The registers of the program, which does not run.
#[must_use]
pub fn context() -> Context {
    // SAFETY: this core alone uses it, and the program does not run.
    let registers = unsafe { (*this_user()).registers };
    let (fs_base, gs_base) = bases();
    Context { registers, fs_base, gs_base }
}

/// Sets the registers of the program that runs next; they are made safe.
pub fn set_context(context: &Context) {
    // SAFETY: this core alone uses it, and no program runs.
    let user = unsafe { &mut *this_user() };
    user.registers = context.registers.sanitised();
    user.by_sysret = false;
    set_bases(user_address(context.fs_base), user_address(context.gs_base));
}

/// Lets the program that runs next begin where a vcore is entered, with all other registers 0.
#[inline]
pub fn set_entry(entry: Entry) {
    // SAFETY: this core alone uses it, and no program runs.
    let user = unsafe { &mut *this_user() };
    let Context { registers, fs_base, gs_base } = entry.context();
    user.registers = registers;
    user.by_sysret = false;
    set_bases(fs_base, gs_base);
}

/// Where the program goes on.
#[must_use]
pub fn instruction() -> u64 {
    // SAFETY: this core alone uses it, and the program does not run.
    unsafe { (*this_user()).registers.rip }
}

/// The bases of FS and GS that the program has.
#[inline(always)]
fn bases() -> (u64, u64) {
    // While the kernel runs, `swapgs` keeps the program's base of GS there.
    // SAFETY: every 64-bit processor has the register.
    let gs_base = unsafe { Msr::new(KERNEL_GS_BASE).read() };
    let fs_base = if machine().has_fs_gs_base {
        let base;
        // SAFETY: CPUID has the instruction, and CR4 allows it.
        unsafe {
            core::arch::asm!("rdfsbase {}", out(reg) base, options(nomem, nostack, preserves_flags));
        }
        base
    } else {
        // SAFETY: every 64-bit processor has the register.
        unsafe { Msr::new(FS_BASE).read() }
    };
    (fs_base, gs_base)
}

/// Sets them; both are user addresses.
#[inline(always)]
fn set_bases(fs_base: u64, gs_base: u64) {
    // SAFETY: every 64-bit processor has the register, and user addresses are canonical.
    unsafe { Msr::new(KERNEL_GS_BASE).write(gs_base) };
    if machine().has_fs_gs_base {
        // SAFETY: CPUID has the instruction, CR4 allows it; the kernel does not use FS.
        unsafe {
            core::arch::asm!("wrfsbase {}", in(reg) fs_base, options(nostack, preserves_flags));
        }
    } else {
        // SAFETY: as above.
        unsafe { Msr::new(FS_BASE).write(fs_base) };
    }
}

fn words(registers: &mut Registers) -> &mut [u64; size_of::<Registers>() / 8] {
    // SAFETY: the structure consists of nothing but so many u64, in this order.
    unsafe { &mut *core::ptr::from_mut(registers).cast() }
}

/// Keeps the registers of the program, which does not run, in a page that only the kernel can reach, as a
/// [context](proto::program::context).
#[inline(always)]
pub fn save_own(page: VcorePage, at: usize) {
    // SAFETY: this core alone uses it, and the program does not run.
    let user = unsafe { &mut *this_user() };
    page.write_words(at, words(&mut user.registers));
    let (fs_base, gs_base) = bases();
    page.store_u64(at + size_of::<Registers>(), fs_base);
    page.store_u64(at + size_of::<Registers>() + 8, gs_base);
}

/// Sets the registers of the program that runs next from where they were kept, in a page that only the kernel can reach:
/// they are those of a program that was in user mode, or made for one, so they are safe to go there with.
#[inline(always)]
pub fn load_own(page: VcorePage, at: usize) {
    // SAFETY: this core alone uses it, and no program runs.
    let user = unsafe { &mut *this_user() };
    page.read_words(at, words(&mut user.registers));
    user.by_sysret = false;
    let base = |at| user_address(page.load_u64(at));
    set_bases(base(at + size_of::<Registers>()), base(at + size_of::<Registers>() + 8));
}

/// Which parts of the extended state are turned on.
#[must_use]
pub fn extended_parts() -> Parts {
    extended::parts()
}

/// Programs may read and write the bases of FS and GS.
#[must_use]
pub fn has_fs_gs_base() -> bool {
    machine().has_fs_gs_base
}

/// Saves the extended state to the page of a vcore, which nobody else writes there.
pub fn save_extended(page: VcorePage) {
    extended::save(page.extended());
}

/// Saves the extended state to a page that only the kernel can reach, and in which nothing but this has ever been written
/// there.
#[inline(always)]
pub fn save_own_extended(page: VcorePage) {
    extended::save_again(page.extended());
}

/// Loads the extended state from a page that only the kernel can reach, and to which it has been saved.
#[inline(always)]
pub fn load_own_extended(page: VcorePage) {
    // SAFETY: what was saved there nobody has changed.
    unsafe { extended::restore_from(page.extended()) };
}

/// Loads the extended state from a page that the program can write: from a copy that is made safe.
pub fn load_extended(page: VcorePage) {
    // SAFETY: this core alone uses it, and nobody else refers to the area.
    let area = unsafe { &mut (*this_user()).area };
    let words = extended::parts().bytes() as usize / 8;
    page.read_words(proto::program::data::EXTENDED, &mut area.words_mut()[..words]);
    area.sanitise(extended::parts());
    extended::restore(area);
}

/// Saves the state of user mode (registers, bases and extended state) and loads it again, as a switch between two
/// single-core processes does, for who wants to know what that costs.
pub fn save_and_load(kept: &mut Kept) {
    let page = VcorePage::of(kept);
    save_own(page, proto::program::data::VCORE);
    save_own_extended(page);
    load_own_extended(page);
    load_own(page, proto::program::data::VCORE);
}

/// As [`save_and_load`], of the extended state alone.
pub fn save_and_load_extended(kept: &mut Kept) {
    let page = VcorePage::of(kept);
    save_own_extended(page);
    load_own_extended(page);
}

/// Loads the extended state as it is after a reset.
pub fn reset_extended() {
    static INITIAL: Area = Area::initial();
    extended::restore(&INITIAL);
}

/// Loads the space with that top page table. Writes CR3 even if it is loaded already: what was removed
/// from it meanwhile must not be used.
///
/// Identifiers of address spaces (CR4.PCIDE, Intel SDM vol. 3, 4.10.1) are left off: only cores that have a space
/// loaded are told of its shootdowns, so each load would have to flush what the identifier stands for all the
/// same. QEMU's emulator, with which all of this is tested, has neither them nor INVPCID.
///
/// # Panics
///
/// When it is not the top page table of a space, which has the kernel's half.
pub fn load(root: u64) {
    let kernel = machine().kernel_root;
    let direct_entry = (DIRECT >> 39 & 0x1ff) * 8;
    let entry = |root: u64| {
        let place = layout::direct(root + direct_entry).cast_const().cast::<u64>();
        // SAFETY: both are frames of memory in the direct map, and nobody changes the kernel's half.
        unsafe { place.read() }
    };
    assert!(entry(root) == entry(kernel), "{root:#x} is no address space");
    // SAFETY: the space has the kernel's half, so the kernel goes on.
    unsafe { write_cr3(root) };
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
    unsafe { write_cr3(machine().kernel_root) };
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

/// # Safety
///
/// The tables must have the kernel's half.
unsafe fn write_cr3(root: u64) {
    let frame = PhysFrame::containing_address(PhysAddr::new(root));
    // SAFETY: the caller vouches for the tables.
    unsafe { Cr3::write(frame, Cr3Flags::empty()) };
}

/// Forgets translations of the space that is loaded: one by one, or all, as the coordinator has decided.
pub fn flush(range: PageRange) {
    let Some(root) = loaded() else { return };
    if range.pages == 0 {
        // SAFETY: the space is the one that is loaded.
        return unsafe { write_cr3(root) };
    }
    for page in range.first..range.first.saturating_add(range.pages.into()) {
        let address = page.wrapping_mul(4096);
        // SAFETY: forgetting a translation changes nothing but time.
        unsafe {
            core::arch::asm!("invlpg [{}]", in(reg) address, options(nostack, preserves_flags));
        };
    }
}

/// A call's structure could not be read or written: there is nothing at its address, or not for the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallFault;

/// A word of the structure of the program's call. `at` is a multiple of a word's alignment.
///
/// # Errors
///
/// When the program could not read it.
#[inline]
pub fn word(at: u64) -> Result<u64, CallFault> {
    if at >= places::USER_END {
        return Err(CallFault);
    }
    let smap = u64::from(machine().has_smap);
    // SAFETY: the word lies in the half of programs. A page fault at it ends the read.
    let WordRead { failed, word } = unsafe { atoll_read_word(at, 0, 0, smap) };
    if failed == 0 { Ok(word) } else { Err(CallFault) }
}

/// Copies the structure of the program's call in, once. `at` is a multiple of its alignment.
///
/// # Errors
///
/// When the program could not read and write it.
pub fn copy_block(at: u64) -> Result<[u64; 8], CallFault> {
    if at >= places::USER_END {
        return Err(CallFault);
    }
    let mut words = [0; 8];
    let smap = u64::from(machine().has_smap);
    // SAFETY: the structure lies in the half of programs as a whole, because it is aligned. A page fault at
    // it ends the copy; the words are this function's own.
    let failed = unsafe { atoll_copy_block(at, &raw mut words, block::DONE as u64, smap) };
    if failed == 0 { Ok(words) } else { Err(CallFault) }
}

/// Copies a context in, once, from any address that a program has named.
///
/// # Errors
///
/// When the program could not read it.
pub fn copy_context(at: u64) -> Result<[u64; WORDS], CallFault> {
    if at > places::USER_END - BYTES as u64 || !at.is_multiple_of(8) {
        return Err(CallFault);
    }
    let mut words = [0; WORDS];
    let smap = u64::from(machine().has_smap);
    // SAFETY: it lies in the half of programs as a whole. A page fault at it ends the copy; the words are this
    // function's own.
    let failed = unsafe { atoll_copy_words(at, words.as_mut_ptr(), WORDS, smap) };
    if failed == 0 { Ok(words) } else { Err(CallFault) }
}

/// Writes a word to the memory of the program.
///
/// # Errors
///
/// When the program could not write it.
pub fn write_word(at: u64, value: u64) -> Result<(), CallFault> {
    if at >= places::USER_END || !at.is_multiple_of(8) {
        return Err(CallFault);
    }
    let smap = u64::from(machine().has_smap);
    // SAFETY: the word lies in the half of programs. A page fault at it ends the write.
    let failed = unsafe { atoll_write_word(at, value, 0, smap) };
    if failed == 0 { Ok(()) } else { Err(CallFault) }
}

/// Where the kernel goes on when a page fault came while it copied from a program: `None` elsewhere.
pub(super) fn after_failed_copy(rip: u64) -> Option<u64> {
    let at = |label: *const u8| label.addr() as u64;
    let (start, end) = (at(&raw const atoll_copy_start), at(&raw const atoll_copy_end));
    (start..end).contains(&rip).then(|| at(&raw const atoll_copy_failed))
}
