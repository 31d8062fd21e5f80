//! Measured stretches of code: marks for the host tool's counting plugin, and the clock at both ends.
//!
//! [`proto::marker`] says what a mark is. The plugin sees no difference between a mark of the kernel and one of a
//! program, so one region may begin in one process and end in another.

use super::page;
use crate::info;
use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};
use proto::marker::{BEGIN, CLOCK_OVERHEAD, END};
use proto::program::data;

/// A region that has begun.
#[derive(Clone, Copy, Debug)]
#[must_use = "a region that does not end is cut short by the next one"]
pub struct Open {
    started: u64,
}

/// Begins a region.
#[inline(always)]
pub fn begin() -> Open {
    let started: u64;
    // SAFETY: reads the time stamp counter and executes a NOP; memory is not touched, and the missing `nomem` keeps
    // the compiler from moving the region's accesses out of it.
    unsafe {
        asm!("rdtsc", "shl rdx, 32", "or rax, rdx", "nop dword ptr [rax + {begin}]",
            begin = const BEGIN, out("rax") started, out("rdx") _, options(nostack));
    }
    Open { started }
}

impl Open {
    /// The lower half of the clock at its beginning, for another process.
    #[must_use]
    pub const fn low(self) -> u32 {
        self.started as u32
    }

    /// Ends the region: what the clock says that it took. Where the clock counts instructions these are exactly those
    /// of all cores in the region.
    #[must_use]
    #[inline(always)]
    pub fn end(self) -> u64 {
        let ended = end();
        ended.wrapping_sub(self.started).saturating_sub(CLOCK_OVERHEAD)
    }
}

/// Ends a region that another process has begun; the clock, for [`since`].
#[must_use]
#[inline(always)]
pub fn end() -> u64 {
    let ended: u64;
    // SAFETY: as in `begin`.
    unsafe {
        asm!("nop dword ptr [rax + {end}]", "rdtsc", "shl rdx, 32", "or rax, rdx",
            end = const END, out("rax") ended, out("rdx") _, options(nostack));
    }
    ended
}

/// When a vcore of [`end_at_entry`] was entered last.
static ENTERED: AtomicU64 = AtomicU64::new(0);

/// Lets the region that is open whenever this vcore of a process with threads is entered end there, at the first
/// instruction that the kernel has it execute. Nothing happens if there is no such vcore.
pub fn end_at_entry(vcore: u16) {
    if vcore >= info::max_vcores() {
        return;
    }
    let entry = (entry_that_ends as *const ()).addr() as u64;
    page::vcore(vcore.into()).u64(data::ENTRY).store(entry, Ordering::Relaxed);
}

/// When that happened last, if it has happened since this was asked: the clock, for [`since`].
#[must_use]
pub fn entered() -> Option<u64> {
    let at = ENTERED.load(Ordering::Relaxed);
    if at == 0 {
        return None;
    }
    ENTERED.store(0, Ordering::Relaxed);
    Some(at)
}

/// Ends the region, keeps the clock, and goes on as any vcore: its registers are dead but RDI.
#[unsafe(naked)]
extern "C" fn entry_that_ends() -> ! {
    core::arch::naked_asm!(
        "nop dword ptr [rax + {end}]",
        "rdtsc",
        "shl rdx, 32",
        "or rax, rdx",
        "mov [rip + {entered}], rax",
        "jmp {entry}",
        end = const END,
        entered = sym ENTERED,
        entry = sym super::switch::vcore_entry,
    )
}

/// What the clock says that a region took that began at a moment with this lower half.
#[must_use]
pub const fn since(low: u32, ended: u64) -> u64 {
    ((ended as u32).wrapping_sub(low) as u64).saturating_sub(CLOCK_OVERHEAD)
}

/// A region of nothing but the instruction of a null call, from it to the next one: what the clock says that it took.
#[must_use]
#[cfg(atoll)]
pub fn null_call() -> u64 {
    let block = super::call::Block::new(proto::program::number::NULL, [0; 5]);
    let (started, ended): (u64, u64);
    // SAFETY: as in `begin` and `Block::enter`; a null call leaves memory alone.
    unsafe {
        asm!("rdtsc", "shl rdx, 32", "or rax, rdx", "mov r8, rax", "nop dword ptr [rax + {begin}]",
            "syscall",
            "nop dword ptr [rax + {end}]", "rdtsc", "shl rdx, 32", "or rax, rdx",
            begin = const BEGIN, end = const END, in("rdi") &raw const block,
            out("rax") ended, out("r8") started,
            out("rdx") _, out("rcx") _, out("r11") _, options(nostack));
    }
    // One instruction more lies between the reads: the move.
    ended.wrapping_sub(started).saturating_sub(CLOCK_OVERHEAD + 1)
}

/// Without the kernel there are no calls.
#[must_use]
#[cfg(not(atoll))]
pub fn null_call() -> u64 {
    0
}
