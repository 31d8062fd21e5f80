//! The start information of the PVH boot protocol (Xen's `hvm_start_info`, version 1).
//!
//! The same structure comes from QEMU's `-kernel` and from the UEFI loader. All numbers are
//! little-endian, all addresses physical.

use super::memory::Range;

/// Size of the structure in bytes.
pub const START_INFO_BYTES: usize = 56;
/// Size of an entry of the memory map in bytes.
pub const MAP_ENTRY_BYTES: usize = 24;
/// Size of an entry of the list of modules in bytes.
pub const MODULE_BYTES: usize = 32;

const MAGIC: u32 = 0x336e_c578;
/// Kind of a memory map entry: usable memory (the kinds are those of the BIOS' E820).
const USABLE: u32 = 1;

/// The fields of the start information that the kernel uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartInfo {
    /// Number of modules (`-initrd`).
    pub module_count: u32,
    /// Address of the list of modules, entries of [`MODULE_BYTES`].
    pub modules: u64,
    /// Address of the command line, ending in a zero byte; 0 if there is none.
    pub command_line: u64,
    /// Address of ACPI's root pointer; 0 if there is no ACPI.
    pub acpi_root: u64,
    /// Address of the memory map, entries of [`MAP_ENTRY_BYTES`].
    pub memory_map: u64,
    /// Number of entries of the memory map.
    pub memory_map_count: u32,
}

/// Why the start information cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartInfoError {
    /// The first word is not the protocol's magic number, but this.
    Magic(u32),
    /// Version 0 has no memory map.
    NoMemoryMap,
}

impl StartInfo {
    /// Reads the structure.
    pub fn parse(bytes: &[u8; START_INFO_BYTES]) -> Result<Self, StartInfoError> {
        let magic = u32_at(bytes, 0);
        if magic != MAGIC {
            return Err(StartInfoError::Magic(magic));
        }
        let info = Self {
            module_count: u32_at(bytes, 12),
            modules: u64_at(bytes, 16),
            command_line: u64_at(bytes, 24),
            acpi_root: u64_at(bytes, 32),
            memory_map: u64_at(bytes, 40),
            memory_map_count: u32_at(bytes, 48),
        };
        let version = u32_at(bytes, 4);
        let has_map = version >= 1 && info.memory_map != 0 && info.memory_map_count != 0;
        if has_map { Ok(info) } else { Err(StartInfoError::NoMemoryMap) }
    }
}

/// Reads an entry of the memory map: its range if it is usable memory. Empty entries, entries that
/// end beyond the last address and kinds that the kernel doesn't know are not.
#[must_use]
pub fn usable(entry: &[u8; MAP_ENTRY_BYTES]) -> Option<Range> {
    let (start, bytes, kind) = (u64_at(entry, 0), u64_at(entry, 8), u32_at(entry, 16));
    let end = start.checked_add(bytes)?;
    (kind == USABLE && bytes != 0).then_some(Range { start, end })
}

/// Reads an entry of the list of modules: the range that the module lies in.
#[must_use]
pub fn module(entry: &[u8; MODULE_BYTES]) -> Option<Range> {
    let start = u64_at(entry, 0);
    let end = start.checked_add(u64_at(entry, 8))?;
    (end > start).then_some(Range { start, end })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::{MAGIC, MAP_ENTRY_BYTES, START_INFO_BYTES, StartInfo, StartInfoError, usable};
    use crate::machine::memory::Range;

    fn start_info(magic: u32, version: u32) -> [u8; START_INFO_BYTES] {
        let mut bytes = [0; START_INFO_BYTES];
        bytes[0..4].copy_from_slice(&magic.to_le_bytes());
        bytes[4..8].copy_from_slice(&version.to_le_bytes());
        bytes[32..40].copy_from_slice(&0xf_59e0_u64.to_le_bytes());
        bytes[40..48].copy_from_slice(&0x9000_u64.to_le_bytes());
        bytes[48..52].copy_from_slice(&7_u32.to_le_bytes());
        bytes
    }

    fn entry(start: u64, bytes: u64, kind: u32) -> [u8; MAP_ENTRY_BYTES] {
        let mut entry = [0; MAP_ENTRY_BYTES];
        entry[0..8].copy_from_slice(&start.to_le_bytes());
        entry[8..16].copy_from_slice(&bytes.to_le_bytes());
        entry[16..20].copy_from_slice(&kind.to_le_bytes());
        entry
    }

    #[test]
    fn the_start_information_is_read_and_a_foreign_one_refused() {
        let info = StartInfo::parse(&start_info(MAGIC, 1)).unwrap();
        assert_eq!((info.acpi_root, info.memory_map, info.memory_map_count), (0xf_59e0, 0x9000, 7));
        assert_eq!(StartInfo::parse(&start_info(7, 1)), Err(StartInfoError::Magic(7)));
        assert_eq!(StartInfo::parse(&start_info(MAGIC, 0)), Err(StartInfoError::NoMemoryMap));
    }

    #[test]
    fn only_memory_of_the_usable_kind_is_used() {
        assert_eq!(usable(&entry(0x1000, 0x2000, 1)), Some(Range { start: 0x1000, end: 0x3000 }));
        for odd in [entry(0, 0, 0), entry(0, 0, 1), entry(0xfd_0000_0000, 3 << 30, 2)] {
            assert_eq!(usable(&odd), None);
        }
        assert_eq!(usable(&entry(u64::MAX - 4, 8, 1)), None, "it ends beyond the last address");
        assert_eq!(usable(&entry(0x7fe_0000, 0x1000, 4)), None, "the firmware keeps it");
    }
}
