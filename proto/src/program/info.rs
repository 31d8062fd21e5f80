//! The pages about the process, at [`INFO`](super::layout::INFO), read-only. The kernel changes them while the
//! process runs.
//!
//! To read the map of vcores as it was at one moment: read [`SEQUENCE`] until it is even, read the map, read it
//! again, and begin anew if it has changed.

/// Pages: the first has the fields, the next two [`VCORES_MAP`], the last [`CORES_MAP`].
pub const PAGES: usize = 4;

/// u16: its pid.
pub const PID: usize = 0;
/// u16: its parent's pid; 0 if it has none, or none any more.
pub const PARENT: usize = 2;
/// u16: vcores that it may have at most: the machine's cores but the management core.
pub const MAX_VCORES: usize = 4;
/// u16: vcores that have a core; 0 for a single-core process.
pub const VCORES: usize = 6;
/// u8: it is a many-core process.
pub const IS_MANY: usize = 8;
/// u64: the address after its last segment.
pub const PROGRAM_END: usize = 16;
/// u32: counts changes of the map and of [`VCORES`]; odd while one is being made, wrapping.
pub const SEQUENCE: usize = 24;
/// u32: its generation, which no other process ever has.
pub const GENERATION: usize = 28;

/// Where each vcore is: entries of [`VCORE_BYTES`], by the vcore's number.
pub const VCORES_MAP: usize = 4096;
/// Bytes of an entry of [`VCORES_MAP`].
pub const VCORE_BYTES: usize = 32;
/// Fields of an entry of [`VCORES_MAP`].
pub mod vcore {
    /// u16: its core, or where it was last.
    pub const CORE: usize = 0;
    /// u8: it has that core.
    pub const VALID: usize = 2;
    /// u64: when its core will be taken, in ticks of the time stamp counter; 0: nobody has said so.
    pub const DEADLINE: usize = 8;
    /// u64: since when it has its core, in ticks.
    pub const SINCE: usize = 16;
    /// u64: ticks that it has had a core in earlier stays.
    pub const TICKS: usize = 24;
}

/// Which vcore each core has: entries of [`CORE_BYTES`], by the core's number.
pub const CORES_MAP: usize = 3 * 4096;
/// Bytes of an entry of [`CORES_MAP`].
pub const CORE_BYTES: usize = 4;
/// Fields of an entry of [`CORES_MAP`].
pub mod core {
    /// u16: its vcore of this process, or the last one.
    pub const VCORE: usize = 0;
    /// u8: it has that vcore.
    pub const VALID: usize = 2;
}

const _: () = assert!(256 * VCORE_BYTES <= CORES_MAP - VCORES_MAP);
const _: () = assert!(CORES_MAP + 256 * CORE_BYTES <= PAGES * 4096);
