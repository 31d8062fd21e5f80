//! The code that other cores start in: its page below 1 MiB, and the argument slots they look for.

use super::layout;
use super::smp::{self, SLOT_BYTES, Slot};
use crate::machine::MAX_CORES;
use crate::machine::memory::PAGE;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The argument slots, in the order of the cores' numbers.
pub(super) static SLOTS: [Slot; MAX_CORES] = [const { Slot::new() }; MAX_CORES];
/// How many slots are in use.
pub(super) static SLOT_COUNT: AtomicU32 = AtomicU32::new(0);
/// The kernel's page tables.
static KERNEL_ROOT: AtomicU64 = AtomicU64::new(0);

core::arch::global_asm!(
    include_str!("trampoline.s"),
    root = sym KERNEL_ROOT,
    slots = sym SLOTS,
    count = sym SLOT_COUNT,
    next = sym smp::atoll_core,
    slot_bytes = const SLOT_BYTES,
    apic = const offset_of!(Slot, apic),
    silent = const offset_of!(Slot, is_silent),
    stack = const offset_of!(Slot, stack),
    trampoline_stamp = const Slot::stamp_offset(smp::Phase::Trampoline),
    long_mode_stamp = const Slot::stamp_offset(smp::Phase::LongMode),
    options(att_syntax)
);

unsafe extern "C" {
    safe static atoll_trampoline: u8;
    safe static atoll_trampoline_gdt: u8;
    safe static atoll_trampoline_long: u8;
    safe static atoll_trampoline_root: u8;
    safe static atoll_trampoline_efer: u8;
    safe static atoll_trampoline_end: u8;
}

const LONG_MODE: u32 = 0x100;
const NO_EXECUTE: u32 = 0x800;

/// Copies the code to the page at `page` and fills in what it needs: `start_root`, page tables that map
/// the page itself and the kernel's half, and `kernel_root`, those that the core goes on with.
///
/// # Safety
///
/// The page must be free memory below 1 MiB, writable in the direct map, and no core is starting.
pub(super) unsafe fn install(page: u64, start_root: u64, kernel_root: u64, has_no_execute: bool) {
    KERNEL_ROOT.store(kernel_root, Ordering::Relaxed);
    let start = &raw const atoll_trampoline;
    let bytes = (&raw const atoll_trampoline_end).addr() - start.addr();
    assert!(bytes as u64 <= PAGE, "the trampoline is larger than its page");
    // SAFETY: both the code and the page are at least this long, and they are apart.
    unsafe { layout::direct(page).copy_from_nonoverlapping(start, bytes) };
    let page = u32::try_from(page).expect("the trampoline's page is below 1 MiB");
    let start_root = u32::try_from(start_root).expect("the start's page tables are below 4 GiB");
    let efer = LONG_MODE | if has_no_execute { NO_EXECUTE } else { 0 };
    let fields = [
        (&raw const atoll_trampoline_gdt, page),
        (&raw const atoll_trampoline_long, page),
        (&raw const atoll_trampoline_root, start_root),
        (&raw const atoll_trampoline_efer, efer),
    ];
    for (field, value) in fields {
        let offset = field.addr() - start.addr();
        let place: *mut u32 = layout::direct(u64::from(page) + offset as u64).cast();
        // SAFETY: the field is in the copy.
        let template = unsafe { place.read_unaligned() };
        // SAFETY: the field is in the copy, and no core reads it yet.
        unsafe { place.write_unaligned(template + value) };
    }
}
