//! Marks in the instruction stream, which kernel and programs execute and the host's counting plugin recognises.
//!
//! A marker is `nopl MAGIC+id(%rax)`: seven bytes that every x86-64 executes as nothing, in one instruction.
//! These are its displacements: the magic number in the upper three bytes, the id in the lowest.

const MAGIC: u32 = 0x4154_4c00;

/// A region begins.
pub const BEGIN: u32 = MAGIC;
/// The region ends.
pub const END: u32 = MAGIC + 1;
/// One operation of the region ends, and the next begins.
pub const LAP: u32 = MAGIC + 2;
/// What this core executes from here on belongs to phase 0; the next seven displacements mean phases 1 to 7.
pub const PHASE: u32 = MAGIC + 0x10;

/// Instructions that lie between two reads of the clock around a region, but not in the region: `shl`, `or` and the
/// marker behind the first read, the marker before the second, and one of the two reads.
pub const CLOCK_OVERHEAD: u64 = 5;
