//! What programs may ask for of their memory.

use crate::message::PageRange;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// What a program may do with a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub struct Rights(pub u8);

impl Rights {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Read it.
    pub const READ: Self = Self(1);
    /// Write it.
    pub const WRITE: Self = Self(2);
    /// Execute it.
    pub const EXECUTE: Self = Self(4);
    /// Read and write it.
    pub const READ_WRITE: Self = Self(3);

    /// Are all of the other's rights among these?
    #[must_use]
    pub const fn include(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Can a page have these? Not when they name something unknown, nor to be written and executed.
    #[must_use]
    pub const fn are_possible(self) -> bool {
        self.0 < 8 && !self.include(Self(Self::WRITE.0 | Self::EXECUTE.0))
    }

    /// The right that a page fault of this error code lacked (Intel SDM vol. 3, 5.7): bit 1 is set for a
    /// write, bit 4 for an instruction fetch.
    #[must_use]
    pub const fn of_fault(code: u32) -> Self {
        if code & 1 << 4 != 0 {
            Self::EXECUTE
        } else if code & 1 << 1 != 0 {
            Self::WRITE
        } else {
            Self::READ
        }
    }
}

/// Set in the flags of `Map`: at the page that is named and nowhere else.
pub const FIXED: u8 = 1;
/// Set in the flags of `Map`: with frames at once, rather than each at its first use; in [blocks](BLOCK) where it can be.
pub const POPULATE: u8 = 2;
/// Set in the flags of `Map`: children may be given the same memory.
pub const SHARED: u8 = 4;
/// Set in the flags of `Map`: no memory, but nothing else is put there.
pub const GUARD: u8 = 8;
/// From this bit up in the flags of `Map`: with N > 0 there, each page whose number is a multiple of 2^N is a guard,
/// where memory never comes. So stacks side by side, a guard below each, are one region. Not with [`POPULATE`],
/// [`SHARED`] or [`GUARD`].
pub const SPACING: u32 = 4;

/// Pages that one entry of a page table can map, from a multiple of this number on. Memory of at least so many pages that
/// is mapped with [`POPULATE`] and is not [`SHARED`] is put where such a block begins, and mapped so if it can be.
pub const BLOCK: u32 = 512;

/// Pages of a change to memory that is mostly made in one step of the coordinator: a vcore stands still for it.
pub const FEW: u32 = 64;

/// The flags of `Map` for a guard in every so many pages, a power of two from 2 to 2^15.
#[must_use]
pub const fn guard_every(pages: u32) -> u8 {
    assert!(pages.is_power_of_two() && pages > 1 && pages < 1 << 16);
    (pages.trailing_zeros() << SPACING) as u8
}

/// Is this page a guard in a region of such a spacing (0: there are none)?
#[must_use]
pub const fn is_guard(page: u64, spacing: u8) -> bool {
    spacing > 0 && page & ((1 << spacing) - 1) == 0
}

/// Where programs may map and unmap: one entry of the top page table, so that the tables below it hold
/// nothing else. All other memory of a process stays as it was when the process was made.
pub const MAP_AREA: PageRange = PageRange { first: 1 << 27, pages: 1 << 27 };

#[cfg(test)]
mod tests {
    use super::{FIXED, GUARD, POPULATE, Rights, SHARED, SPACING, guard_every, is_guard};

    #[test]
    fn a_spacing_goes_with_the_flags_and_says_which_pages_are_guards() {
        assert_eq!(guard_every(8) & (FIXED | POPULATE | SHARED | GUARD), 0);
        for pages in [2, 8, 1 << 15] {
            let spacing = guard_every(pages) >> SPACING;
            let pages = u64::from(pages);
            assert!(is_guard(0, spacing) && is_guard(5 * pages, spacing));
            assert!(!is_guard(1, spacing) && !is_guard(5 * pages - 1, spacing));
        }
        assert!(!is_guard(0, 0) && !is_guard(8, 0));
    }

    #[test]
    fn nothing_can_be_written_and_executed() {
        assert!(Rights::READ_WRITE.are_possible() && Rights(5).are_possible());
        assert!(
            !Rights(6).are_possible() && !Rights(7).are_possible() && !Rights(8).are_possible()
        );
    }

    #[test]
    fn a_fault_tells_which_right_it_lacked() {
        assert_eq!(Rights::of_fault(0b0_0101), Rights::READ);
        assert_eq!(Rights::of_fault(0b0_0110), Rights::WRITE);
        assert_eq!(Rights::of_fault(0b1_0100), Rights::EXECUTE);
    }
}
