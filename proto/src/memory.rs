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
/// Set in the flags of `Map`: with frames at once, rather than each at its first use.
pub const POPULATE: u8 = 2;
/// Set in the flags of `Map`: children may be given the same memory.
pub const SHARED: u8 = 4;
/// Set in the flags of `Map`: no memory, but nothing else is put there.
pub const GUARD: u8 = 8;

/// Where programs may map and unmap: one entry of the top page table, so that the tables below it hold
/// nothing else. All other memory of a process stays as it was when the process was made.
pub const MAP_AREA: PageRange = PageRange { first: 1 << 27, pages: 1 << 27 };

#[cfg(test)]
mod tests {
    use super::Rights;

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
