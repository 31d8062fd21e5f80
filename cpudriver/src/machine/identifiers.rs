//! Identifiers of address spaces as the processor has them (PCID; Intel SDM vol. 3, 4.10.1): whether they are used, and the
//! operands of what loads and forgets translations.

use crate::driver::{Identifier, MOST_KEPT};
use core::fmt;

/// What a core uses. All that CPUID has, and nothing of it if the identifiers themselves are not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identifiers {
    /// Address spaces have identifiers (CPUID.1:ECX\[17\]).
    pub are_used: bool,
    /// The loaded space is flushed by INVPCID (CPUID.7.0:EBX\[10\]) rather than loaded anew.
    pub invpcid: bool,
}

impl Identifiers {
    /// Chooses by the two bits of CPUID.
    #[must_use]
    pub const fn choose(pcid: bool, invpcid: bool) -> Self {
        Self { are_used: pcid, invpcid: pcid && invpcid }
    }

    /// How many spaces a core tells apart, beside the kernel's own tables.
    #[must_use]
    pub const fn count(self) -> u8 {
        if self.are_used { MOST_KEPT } else { 0 }
    }

    /// The kernel's own: its tables never change after boot, so what was kept of them always holds.
    #[must_use]
    pub const fn of_kernel(self) -> Identifier {
        Identifier { number: 0, holds: self.are_used }
    }
}

impl fmt::Display for Identifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.are_used, self.invpcid) {
            (false, _) => f.write_str("each load of an address space flushes: no PCID"),
            (true, false) => write!(f, "each core keeps {MOST_KEPT} address spaces: PCID"),
            (true, true) => write!(f, "each core keeps {MOST_KEPT} address spaces: PCID, INVPCID"),
        }
    }
}

/// What is written to CR3 to load the tables at `root`, a multiple of 4096. Bit 63 keeps what is cached under the
/// identifier, and may be set only where identifiers are used; without it all of that is forgotten (4.10.4.1).
#[must_use]
pub const fn cr3(root: u64, identifier: Identifier) -> u64 {
    root | identifier.number as u64 | (identifier.holds as u64) << 63
}

/// The descriptor for an INVPCID that forgets all that is cached under an identifier (vol. 2, INVPCID, type 1): the
/// identifier in bits 0 to 11, and no address.
#[must_use]
pub const fn invpcid_descriptor(number: u16) -> [u64; 2] {
    [number as u64 & 0xfff, 0]
}

/// The type of that INVPCID.
pub const SINGLE_CONTEXT: u64 = 1;

#[cfg(test)]
mod tests {
    use super::{Identifier, Identifiers, MOST_KEPT, cr3, invpcid_descriptor};
    use alloc::string::ToString;

    #[test]
    fn without_identifiers_nothing_is_kept_and_no_reserved_bit_is_set() {
        for invpcid in [false, true] {
            let it = Identifiers::choose(false, invpcid);
            assert_eq!((it.count(), it.invpcid), (0, false));
            assert_eq!(cr3(0x1234_5000, it.of_kernel()), 0x1234_5000);
            assert_eq!(cr3(0x1234_5000, Identifier::default()), 0x1234_5000);
            assert_eq!(it.to_string(), "each load of an address space flushes: no PCID");
        }
    }

    #[test]
    fn with_identifiers_the_kernel_is_kept_and_so_are_a_few_spaces() {
        let it = Identifiers::choose(true, false);
        assert_eq!((it.count(), it.invpcid), (MOST_KEPT, false));
        assert_eq!(cr3(0x5000, it.of_kernel()), 0x8000_0000_0000_5000);
        assert_eq!(it.to_string(), "each core keeps 6 address spaces: PCID");
        let it = Identifiers::choose(true, true);
        assert!(it.invpcid);
        assert_eq!(it.to_string(), "each core keeps 6 address spaces: PCID, INVPCID");
    }

    #[test]
    fn a_space_is_loaded_with_its_identifier_and_flushed_unless_what_was_kept_holds() {
        let (number, root) = (u16::from(MOST_KEPT), 0x000f_ffff_ffff_f000);
        let flushes = cr3(root, Identifier { number, holds: false });
        assert_eq!(flushes, 0x000f_ffff_ffff_f006);
        assert_eq!(cr3(root, Identifier { number, holds: true }), 1 << 63 | flushes);
        assert_eq!(invpcid_descriptor(number), [6, 0]);
    }
}
