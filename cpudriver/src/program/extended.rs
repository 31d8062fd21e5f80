//! The extended state of a program (x87, SSE, AVX) as it lies in memory, and which parts of it there are.
//!
//! The layout is XSAVE's standard form (Intel SDM vol. 1, 13.4): 512 bytes as FXSAVE writes them, a header of 64,
//! then the other parts. Whatever a program has written there, [`Area::sanitise`] makes it something that
//! the CPU loads without a fault.

use proto::program::data::EXTENDED_BYTES;

/// The state of SSE after a reset: all exceptions masked.
const MXCSR_RESET: u32 = 0x1f80;
/// The bits of MXCSR that exist on every CPU that has SSE2.
const MXCSR_KNOWN: u32 = 0xffff;
/// Control word of x87 after FINIT.
const X87_RESET: u16 = 0x037f;

const MXCSR_AT: usize = 24;
/// Where the header of XSAVE lies.
pub const HEADER_AT: usize = 512;
/// Its bytes.
pub const HEADER_LEN: usize = 64;

/// Bytes of x87 and SSE with the header.
const LEGACY_BYTES: u32 = 576;

/// The parts of the state that are turned on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    xcr0: Option<u64>,
}

impl Parts {
    /// x87 and SSE, by FXSAVE.
    pub const LEGACY: Self = Self { xcr0: None };

    /// Those of these bits of XCR0.
    #[must_use]
    pub const fn of_xcr0(xcr0: u64) -> Self {
        Self { xcr0: Some(xcr0) }
    }

    /// The bits of XCR0; `None` where FXSAVE is used.
    #[must_use]
    pub const fn xcr0(self) -> Option<u64> {
        self.xcr0
    }

    /// Bytes that the state takes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        match self.xcr0 {
            Some(bits) if bits & 1 << 7 != 0 => EXTENDED_BYTES as u32,
            Some(bits) if bits & 1 << 2 != 0 => LEGACY_BYTES + 256,
            _ => LEGACY_BYTES,
        }
    }
}

/// A saved state.
#[repr(C, align(64))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    words: [u64; EXTENDED_BYTES / 8],
}

impl Area {
    /// All zero bytes: not yet a state that can be loaded, because MXCSR would let every exception through.
    pub const ZERO: Self = Self { words: [0; EXTENDED_BYTES / 8] };

    /// The state after a reset.
    #[must_use]
    pub const fn initial() -> Self {
        let mut new = Self::ZERO;
        new.words[0] = X87_RESET as u64;
        new.words[MXCSR_AT / 8] = MXCSR_RESET as u64;
        new
    }

    /// Its words.
    #[must_use]
    pub const fn words(&self) -> &[u64; EXTENDED_BYTES / 8] {
        &self.words
    }

    /// Its words, to be overwritten; see [`Area::sanitise`].
    pub const fn words_mut(&mut self) -> &mut [u64; EXTENDED_BYTES / 8] {
        &mut self.words
    }

    /// Makes it safe to load: no parts but those that are turned on, no compacted form, nothing in what is
    /// reserved, no unknown bit in MXCSR.
    pub const fn sanitise(&mut self, parts: Parts) {
        let allowed = match parts.xcr0 {
            Some(xcr0) => xcr0,
            None => 0,
        };
        let header = HEADER_AT / 8;
        self.words[header] &= allowed;
        let mut at = header + 1;
        while at < header + 8 {
            self.words[at] = 0;
            at += 1;
        }
        let at = MXCSR_AT / 8;
        let (mxcsr, mask) = (self.words[at] as u32 & MXCSR_KNOWN, self.words[at] >> 32);
        self.words[at] = mxcsr as u64 | mask << 32;
    }
}

#[cfg(test)]
mod tests {
    use super::{Area, Parts};
    use proptest::prelude::*;

    const AVX: Parts = Parts::of_xcr0(0b111);

    #[test]
    fn a_new_state_masks_all_exceptions() {
        let new = Area::initial();
        assert_eq!(new.words()[0] & 0xffff, 0x037f);
        assert_eq!(new.words()[3] & 0xffff_ffff, 0x1f80);
        let mut same = new.clone();
        same.sanitise(AVX);
        assert_eq!(same, new);
    }

    proptest! {
        #[test]
        fn whatever_a_program_writes_the_header_and_mxcsr_become_acceptable(
            words in prop::collection::vec(any::<u64>(), 72),
        ) {
            let mut area = Area::ZERO;
            area.words_mut()[..72].copy_from_slice(&words);
            area.sanitise(AVX);
            prop_assert_eq!(area.words()[64] & !0b111, 0, "parts that are off");
            prop_assert_eq!(&area.words()[65..72], &[0; 7], "compaction and what is reserved");
            prop_assert_eq!(area.words()[3] & 0xffff_0000, 0, "unknown bits of MXCSR");
            prop_assert_eq!(&area.words()[..3], &words[..3]);
            prop_assert_eq!(&area.words()[4..64], &words[4..64], "its own values stay");
        }
    }

    #[test]
    fn the_room_is_enough_for_what_can_be_turned_on() {
        assert_eq!(Parts::LEGACY.bytes(), 576);
        assert_eq!(AVX.bytes(), 832);
        assert_eq!(Parts::of_xcr0(0b1110_0111).bytes() as usize, size_of::<Area>());
    }
}
