//! Marks in the instruction stream what a measurement covers.
//!
//! A marker is `nopl MAGIC+id(%rax)`: seven bytes that every x86-64 executes as nothing, in one
//! instruction. The host tool's QEMU plugin recognises them when it translates the code, and counts
//! what all cores execute between [`Regions::begin`] and [`Open::end`]: instructions, fences, cache
//! lines. It does not count the markers themselves. Without the plugin they do nothing.
//!
//! The plugin numbers the regions in the order in which they begin, from 1. A row of results names its
//! region by that number, so one [`Regions`] counts along for the whole machine: only one core begins
//! regions, and only one region is open at a time.

use core::arch::asm;
use proto::marker::{BEGIN, CLOCK_OVERHEAD, END, LAP, PHASE};

/// Counts the regions that have begun since the machine started.
#[derive(Debug, Default)]
pub struct Regions {
    begun: u32,
}

/// A region that has begun.
#[derive(Debug)]
#[must_use = "a region that does not end is cut short by the next one"]
pub struct Open {
    number: u32,
    started: u64,
}

/// A region that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The plugin's number of it, from 1.
    pub number: u32,
    /// What the guest's clock says that passed between the markers. Under `-icount` these are exactly
    /// the instructions of all cores in the region, laps and phases included, if no core's halt let the
    /// clock jump; otherwise cycles.
    pub clock: u64,
}

impl Regions {
    /// How many regions have begun.
    #[must_use]
    pub const fn begun(&self) -> u32 {
        self.begun
    }

    /// Counts regions that another core is about to begin.
    pub const fn leave_to_another(&mut self, regions: u32) {
        self.begun += regions;
    }

    /// Begins a region, in phase 0 on every core. Of this function itself, at most the move that saves
    /// the clock for the end lies in the region.
    #[inline(always)]
    pub fn begin(&mut self) -> Open {
        self.begun += 1;
        let number = self.begun;
        let started: u64;
        // SAFETY: reads the time stamp counter and executes a NOP; memory is not touched, and the
        // missing `nomem` keeps the compiler from moving the region's accesses out of it.
        unsafe {
            asm!("rdtsc", "shl rdx, 32", "or rax, rdx", "nop dword ptr [rax + {begin}]",
                begin = const BEGIN, out("rax") started, out("rdx") _, options(nostack));
        }
        Open { number, started }
    }
}

impl Open {
    /// Ends the region.
    #[inline(always)]
    pub fn end(self) -> Region {
        let ended: u64;
        // SAFETY: as in `begin`.
        unsafe {
            asm!("nop dword ptr [rax + {end}]", "rdtsc", "shl rdx, 32", "or rax, rdx",
                end = const END, out("rax") ended, out("rdx") _, options(nostack));
        }
        let clock = ended.wrapping_sub(self.started).saturating_sub(CLOCK_OVERHEAD);
        Region { number: self.number, clock }
    }
}

/// Ends one operation of the open region and starts the next: a cache line touched in both counts twice.
/// Any core may say so.
#[inline(always)]
pub fn lap() {
    // SAFETY: a NOP; as in `begin`.
    unsafe {
        asm!("nop dword ptr [rax + {lap}]", lap = const LAP, options(nostack, preserves_flags));
    }
}

/// Counts what this core executes from here on for phase `N` (0..=7), until its next phase marker or
/// the end of the region.
#[inline(always)]
pub fn phase<const N: u32>() {
    const { assert!(N < 8, "the plugin knows eight phases") };
    // SAFETY: a NOP; as in `begin`.
    unsafe {
        asm!("nop dword ptr [rax + {phase}]", phase = const PHASE + N,
            options(nostack, preserves_flags));
    }
}

/// Begins a region from another core than the one that counts along; it says so with
/// [`Regions::leave_to_another`].
#[inline(always)]
pub fn begin() {
    // SAFETY: a NOP; as in `Regions::begin`.
    unsafe {
        asm!("nop dword ptr [rax + {begin}]", begin = const BEGIN, options(nostack, preserves_flags));
    }
}

/// Ends a region that [`begin`] began.
#[inline(always)]
pub fn end() {
    // SAFETY: a NOP; as in `Regions::begin`.
    unsafe {
        asm!("nop dword ptr [rax + {end}]", end = const END, options(nostack, preserves_flags));
    }
}
