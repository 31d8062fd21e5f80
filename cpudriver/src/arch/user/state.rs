//! The state of the program that a core has in user mode: its registers, the bases of FS and GS, the extended state;
//! set, taken, kept in a page and loaded from it.

use super::super::extended;
use super::super::space::{Kept, VcorePage};
use super::{machine, this_user};
use crate::program::context::{Context, Registers, user_address};
use crate::program::extended::{Area, Parts};
use crate::program::vcore::Entry;
use x86_64::registers::model_specific::Msr;

/// The bases of FS and, while the kernel runs, of the program's GS.
const FS_BASE: u32 = 0xc000_0100;
const KERNEL_GS_BASE: u32 = 0xc000_0102;

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
