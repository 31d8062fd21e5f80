//! Where things are in the memory of a process.

use super::info;
use crate::memory::MAP_AREA;
use core::ops::Range;

const PAGE: u64 = 4096;

/// Where user memory ends: one page below the half of the address space that user mode can reach.
pub const USER_END: u64 = 0x7fff_ffff_f000;
/// The first address that a program can be linked at.
pub const PROGRAM_START: u64 = 0x1_0000;
/// The address after the last.
pub const PROGRAM_END: u64 = MAP_AREA.first * PAGE;
/// What the kernel keeps for itself in between: the last 2 MiB of the first GiB, so that one page table
/// holds it all.
pub const RESERVED: Range<u64> = 0x3fe0_0000..0x4000_0000;
/// The page about the machine.
pub const GLOBAL: u64 = RESERVED.start;
/// The pages about the process, [`info::PAGES`] of them.
pub const INFO: u64 = RESERVED.start + PAGE;
/// A page that only the kernel can reach: the registers of a single-core process that does not run.
pub const SAVED: u64 = WISHES - PAGE;
/// The page of what the process wants.
pub const WISHES: u64 = RESERVED.start + 0x7_f000;
/// The page of vcore 0; that of vcore `n` lies `n` pages behind it.
pub const DATA: u64 = RESERVED.start + 0x8_0000;
/// Pages of vcores at most.
pub const DATA_PAGES: u64 = 255;
/// The address after the stack.
pub const STACK_END: u64 = RESERVED.end;
/// Bytes of the stack.
pub const STACK_BYTES: u64 = 256 << 10;

const _: () = assert!(INFO + info::PAGES as u64 * PAGE <= SAVED && WISHES + PAGE <= DATA);
const _: () = assert!(DATA + DATA_PAGES * PAGE < STACK_END - STACK_BYTES);
const _: () = assert!(PROGRAM_END <= USER_END);

/// Pages that a process gets when it becomes a many-core process of at most so many vcores.
#[must_use]
pub const fn pages_of_many(vcores: u16) -> u32 {
    let vcores = if vcores == 0 { 1 } else { vcores as u32 };
    info::PAGES as u32 - 1 + vcores - 1
}

/// Can `start..end` be a part of a program, with all the pages that it touches?
#[must_use]
pub const fn is_for_programs(start: u64, end: u64) -> bool {
    let inside = PROGRAM_START <= start && start < end && end <= PROGRAM_END;
    inside && (end <= RESERVED.start || RESERVED.end <= start)
}

#[cfg(test)]
mod tests {
    use super::{PROGRAM_END, PROGRAM_START, RESERVED, is_for_programs};

    #[test]
    fn programs_lie_in_user_memory_and_not_where_the_kernel_puts_things() {
        assert!(is_for_programs(PROGRAM_START, RESERVED.start));
        assert!(is_for_programs(RESERVED.end, PROGRAM_END));
        let (low, high) = (PROGRAM_START, PROGRAM_END);
        for (start, end) in [(low - 1, low + 1), (high - 1, high + 1), (low, low), (high, low)] {
            assert!(!is_for_programs(start, end), "{start:#x}..{end:#x}");
        }
        for at in [RESERVED.start, RESERVED.end - 1] {
            assert!(!is_for_programs(at, at + 1) && !is_for_programs(low, at + 1));
        }
    }
}
