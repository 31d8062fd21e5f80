//! The page about the machine, at [`GLOBAL`](super::layout::GLOBAL): the same in all processes, read-only.

/// u64: ticks of the time stamp counter (`rdtsc`) in a second.
pub const TSC_HZ: usize = 0;
/// u32: cores of the machine.
pub const CORES: usize = 8;
/// u32: ticks that reading the counter twice in a row takes, at least.
pub const TSC_OVERHEAD: usize = 12;
/// u64: nanoseconds since 1970-01-01 00:00 UTC when the counter stood at [`WALL_TSC`]; 0 where the machine has no
/// clock.
pub const WALL_NS: usize = 16;
/// u64: see [`WALL_NS`].
pub const WALL_TSC: usize = 24;
/// u64: the parts of the extended state that the kernel has turned on (XCR0, Intel SDM vol. 1, 13.3); 0 where
/// the CPU has no XSAVE, and x87 and SSE are kept by FXSAVE.
pub const XCR0: usize = 32;
/// u32: bytes of the extended state of a vcore, at most [`EXTENDED_BYTES`](super::data::EXTENDED_BYTES).
pub const EXTENDED_BYTES: usize = 40;
/// u32: features; see [`feature`].
pub const FEATURES: usize = 44;

/// Bits of [`FEATURES`].
pub mod feature {
    /// `rdfsbase`, `wrfsbase`, `rdgsbase`, `wrgsbase` may be used.
    pub const FS_GS_BASE: u32 = 1;
    /// The clock counts instructions, not time: a machine under `-icount`.
    pub const COUNTS: u32 = 2;
}
