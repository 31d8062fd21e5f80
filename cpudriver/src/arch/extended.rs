//! The extended state of user mode: x87, SSE, AVX and what else programs may use. The kernel itself touches none
//! of it, so it stays in the registers until something else is to run in user mode.
//!
//! XSAVE and XRSTOR in their standard form where the CPU has them, else FXSAVE and FXRSTOR. Intel SDM vol. 1,
//! chapter 13.

use super::cpu::Features;
use super::once::BootOnce;
use crate::program::extended::{Area, HEADER_AT, HEADER_LEN, Parts};
use raw_cpuid::CpuId;
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

/// The parts of the state that are turned on, the same on all cores.
static PARTS: BootOnce<Parts> = BootOnce::new();

/// Parts that programs get where the CPU has them: x87, SSE, AVX, and the three of AVX-512.
const WANTED: u64 = 0b1110_0111;
const AVX512: u64 = 0b1110_0000;
const LEGACY: u64 = 0b11;

/// The parts of the state that are turned on.
pub(super) fn parts() -> Parts {
    PARTS.get().copied().unwrap_or(Parts::LEGACY)
}

/// Chooses the parts.
///
/// # Safety
///
/// Only core 0 may call this, before it starts another core.
pub(super) unsafe fn choose(features: &Features) {
    if !features.xsave {
        return;
    }
    let supported = CpuId::new().get_extended_state_info().map_or(LEGACY, |info| {
        let mut bits = LEGACY;
        let is = [
            (2, info.xcr0_supports_avx_256()),
            (5, info.xcr0_supports_avx512_opmask()),
            (6, info.xcr0_supports_avx512_zmm_hi256()),
            (7, info.xcr0_supports_avx512_zmm_hi16()),
        ];
        for (bit, has) in is {
            bits |= u64::from(has) << bit;
        }
        bits
    });
    let mut enabled = supported & WANTED;
    if enabled & AVX512 != AVX512 || enabled & 4 == 0 {
        enabled &= !AVX512;
    }
    // SAFETY: the caller is alone.
    unsafe { PARTS.set(Parts::of_xcr0(enabled)) };
}

/// Turns the parts on, on this core.
pub(super) fn init() {
    let parts = parts();
    if let Some(xcr0) = parts.xcr0() {
        // SAFETY: CPUID has these parts, x87 among them, and CR4.OSXSAVE is set.
        unsafe { XCr0::write(XCr0Flags::from_bits_truncate(xcr0)) };
    }
    restore(&Area::initial());
}

/// Saves the state that is in the registers to memory with room for [`Parts::bytes`], aligned to 64.
pub(super) fn save(place: *mut u8) {
    if parts().xcr0().is_some() {
        for word in HEADER_AT / 8..(HEADER_AT + HEADER_LEN) / 8 {
            // SAFETY: the caller's memory. XSAVE writes only a part of the header, and the rest must be zero.
            unsafe { place.cast::<u64>().wrapping_add(word).write_volatile(0) };
        }
    }
    save_again(place);
}

/// As [`save`], to where nothing was ever written but by this, so that what is not written of the header is zero.
#[inline(always)]
pub(super) fn save_again(place: *mut u8) {
    match parts().xcr0() {
        Some(xcr0) => {
            // SAFETY: the caller's memory: it has room for all parts that are turned on, and is aligned to 64.
            unsafe {
                core::arch::asm!("xsave64 [{}]", in(reg) place, in("eax") xcr0 as u32,
                    in("edx") (xcr0 >> 32) as u32, options(nostack, preserves_flags));
            }
        }
        None => {
            // SAFETY: the memory has 512 bytes and more, and is aligned to 64.
            unsafe {
                core::arch::asm!("fxsave64 [{}]", in(reg) place, options(nostack, preserves_flags));
            };
        }
    }
}

/// Loads a state. What a program may have written must have been made safe ([`Area::sanitise`]).
pub(super) fn restore(area: &Area) {
    // SAFETY: nobody but XSAVE and `sanitise` makes what is in an area, which has room for all parts.
    unsafe { restore_from(core::ptr::from_ref(area).cast()) };
}

/// Loads a state.
///
/// # Safety
///
/// At `place`, aligned to 64, lies a state that the CPU accepts.
pub(super) unsafe fn restore_from(place: *const u8) {
    match parts().xcr0() {
        Some(xcr0) => {
            // SAFETY: the caller vouches for the state.
            unsafe {
                core::arch::asm!("xrstor64 [{}]", in(reg) place, in("eax") xcr0 as u32,
                    in("edx") (xcr0 >> 32) as u32, options(nostack, preserves_flags, readonly));
            }
        }
        None => {
            // SAFETY: as above; of the rest only MXCSR can be refused.
            unsafe {
                core::arch::asm!("fxrstor64 [{}]", in(reg) place, options(nostack, preserves_flags, readonly));
            }
        }
    }
}
