//! Files that are as they should be, and files that are not in every way that we can think of.

use super::{ElfError, Fill, HEADER_BYTES, MAX_BYTES, Plan, Rights};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;
use proto::program::layout;

pub(in crate::program) const CODE: u64 = 0x40_0000;
pub(in crate::program) const DATA: u64 = 0x60_0010;

/// A program header.
#[derive(Clone, Copy)]
pub(in crate::program) struct Entry {
    pub(in crate::program) kind: u32,
    pub(in crate::program) flags: u32,
    pub(in crate::program) offset: u64,
    pub(in crate::program) start: u64,
    pub(in crate::program) in_file: u64,
    pub(in crate::program) bytes: u64,
    pub(in crate::program) align: u64,
}

/// The program headers of a program with a page of code and three of data, of which little is in the file.
pub(in crate::program) fn good() -> [Entry; 2] {
    let code = Entry {
        kind: 1,
        flags: 5,
        offset: 0,
        start: CODE,
        in_file: 0x1000,
        bytes: 0x1000,
        align: 0x1000,
    };
    let data =
        Entry { flags: 6, offset: 0x1010, start: DATA, in_file: 0x20, bytes: 0x2000, ..code };
    [code, data]
}

/// A file with these program headers after the header, and 0x1030 bytes long.
pub(in crate::program) fn file(entries: &[Entry]) -> Vec<u8> {
    let mut file = vec![0; 0x1030];
    file[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\x00");
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(16, &2_u16.to_le_bytes());
    put(18, &62_u16.to_le_bytes());
    put(20, &1_u32.to_le_bytes());
    put(24, &(CODE + 0x100).to_le_bytes());
    put(32, &64_u64.to_le_bytes());
    put(52, &64_u16.to_le_bytes());
    put(54, &56_u16.to_le_bytes());
    put(56, &u16::try_from(entries.len()).unwrap().to_le_bytes());
    for (index, entry) in entries.iter().enumerate() {
        let at = 64 + index * 56;
        put(at, &entry.kind.to_le_bytes());
        put(at + 4, &entry.flags.to_le_bytes());
        let words =
            [entry.offset, entry.start, entry.start, entry.in_file, entry.bytes, entry.align];
        for (index, word) in words.iter().enumerate() {
            put(at + 8 + index * 8, &word.to_le_bytes());
        }
    }
    file
}

fn error(file: &[u8]) -> ElfError {
    Plan::of(file).unwrap_err()
}

/// The error when one of the two good entries is changed.
fn error_with(index: usize, change: impl FnOnce(&mut Entry)) -> ElfError {
    let mut entries = good();
    change(&mut entries[index]);
    error(&file(&entries))
}

/// The error when bytes of the header are changed.
fn error_at(at: usize, bytes: &[u8]) -> ElfError {
    let mut file = file(&good());
    file[at..at + bytes.len()].copy_from_slice(bytes);
    error(&file)
}

#[test]
fn a_program_is_planned_page_by_page() {
    let file = file(&good());
    let plan = Plan::of(&file).unwrap();
    assert_eq!((plan.entry, plan.end), (CODE + 0x100, DATA + 0x2000));
    assert_eq!((plan.headers, plan.header_count), (CODE + 64, 2));
    let segments: Vec<_> = plan.segments().collect();
    let [code, data] = &segments[..] else { panic!() };
    assert_eq!((code.rights, data.rights), (Rights::ReadExecute, Rights::ReadWrite));
    let fills: Vec<_> = data.fills().collect();
    assert_eq!(fills[0], Fill { page: 0x60_0000, at: 0x10, file: 0x1010..0x1030 });
    assert_eq!(fills.len(), 3, "0x2000 bytes from 0x10 touch three pages");
    assert!(fills[1..].iter().all(|fill| fill.file.is_empty()));
    assert_eq!(code.fills().next(), Some(Fill { page: CODE, at: 0, file: 0..0x1000 }));
}

#[test]
fn a_file_that_ends_early_is_refused_wherever_it_ends() {
    let whole = file(&good());
    for end in 0..whole.len() {
        let expected = match end {
            0..4 => ElfError::NotElf,
            4..HEADER_BYTES => ElfError::Truncated,
            _ if end < 64 + 2 * 56 => ElfError::Truncated,
            _ => ElfError::SegmentOutsideFile,
        };
        assert_eq!(error(&whole[..end]), expected, "{end}");
    }
}

#[test]
fn each_field_of_the_header_is_checked() {
    assert_eq!(error_at(0, b"\x7fELG"), ElfError::NotElf);
    assert_eq!(error_at(4, &[1]), ElfError::Foreign, "32 bits");
    assert_eq!(error_at(5, &[2]), ElfError::Foreign, "big-endian");
    assert_eq!(error_at(6, &[0]), ElfError::Version);
    assert_eq!(error_at(7, &[9]), ElfError::Foreign, "for another system");
    assert_eq!(error_at(8, &[1]), ElfError::Version);
    assert_eq!(error_at(16, &[3, 0]), ElfError::PositionIndependent);
    for kind in [0, 1, 4, 0xff] {
        assert_eq!(error_at(16, &[kind, 0]), ElfError::NotExecutable);
    }
    assert_eq!(error_at(18, &[183, 0]), ElfError::Foreign, "for Arm");
    assert_eq!(error_at(20, &[2]), ElfError::Version);
    assert_eq!(error_at(48, &[1]), ElfError::Version, "flags");
    assert_eq!(error_at(52, &[63]), ElfError::Version);
    assert_eq!(error_at(54, &[55]), ElfError::Version);
    assert_eq!(error_at(56, &[0, 0]), ElfError::Empty);
    assert_eq!(error_at(56, &[65, 0]), ElfError::TooMany);
    assert_eq!(error_at(56, &[0xff, 0xff]), ElfError::TooMany);
    for offset in [0x1030_u64, u64::MAX, u64::MAX - 111] {
        assert_eq!(error_at(32, &offset.to_le_bytes()), ElfError::Truncated, "{offset:#x}");
    }
}

#[test]
fn the_entry_is_in_executable_memory() {
    for entry in [0, CODE - 1, CODE + 0x1000, DATA, u64::MAX, 1 << 63] {
        assert_eq!(error_at(24, &entry.to_le_bytes()), ElfError::Entry, "{entry:#x}");
    }
}

#[test]
fn segments_lie_in_the_file() {
    assert_eq!(error_with(1, |it| it.in_file = 0x21), ElfError::SegmentOutsideFile);
    assert_eq!(error_with(1, |it| it.offset = u64::MAX - 0x10), ElfError::SegmentOutsideFile);
    assert_eq!(error_with(1, |it| it.in_file = u64::MAX), ElfError::SegmentOutsideFile);
    assert_eq!(error_with(1, |it| it.bytes = 0x1f), ElfError::SegmentOutsideFile);
}

#[test]
fn segments_lie_in_the_memory_of_programs() {
    let page = |address: u64| (address & !0xfff) | 0x10;
    for start in [0, 1 << 47, 1 << 63, u64::MAX, layout::PROGRAM_END - 0x1000] {
        assert_eq!(
            error_with(1, |it| it.start = page(start)),
            ElfError::SegmentOutsideMemory,
            "{start:#x}"
        );
    }
    let kernel = layout::RESERVED.start;
    for start in [kernel - 0x1000, kernel, layout::RESERVED.end - 0x1000] {
        assert_eq!(error_with(1, |it| it.start = page(start)), ElfError::SegmentOutsideMemory);
    }
    assert_eq!(error_with(1, |it| it.bytes = u64::MAX), ElfError::SegmentOutsideMemory, "it wraps");
    assert_eq!(
        error_with(1, |it| (it.start, it.bytes) = (1 << 38 | 0x10, MAX_BYTES)),
        ElfError::TooLarge
    );
}

#[test]
fn segments_are_apart_and_aligned_and_not_both_writable_and_executable() {
    assert_eq!(error_with(1, |it| it.start = CODE + 0x10), ElfError::Overlap);
    assert_eq!(error_with(1, |it| it.start = CODE - 0x1000 + 0x10), ElfError::Overlap);
    assert_eq!(error_with(1, |it| it.start = CODE - 0x10_0000 + 0x10), ElfError::Overlap, "order");
    assert_eq!(error_with(0, |it| it.bytes = DATA - CODE), ElfError::Overlap, "on one page");
    assert_eq!(error_with(1, |it| it.start = DATA + 8), ElfError::Misaligned);
    assert_eq!(error_with(1, |it| it.align = 0x1001), ElfError::Misaligned);
    assert_eq!(error_with(1, |it| it.align = 0x10_0000), ElfError::Misaligned);
    assert_eq!(error_with(0, |it| it.flags = 7), ElfError::WritableCode);
    assert_eq!(error_with(1, |it| it.flags = 3), ElfError::WritableCode);
    assert_eq!(error_with(0, |it| it.flags = 4), ElfError::Entry, "not executable");
}

#[test]
fn what_needs_more_than_loading_is_refused() {
    assert_eq!(error_with(1, |it| it.kind = 2), ElfError::Dynamic);
    assert_eq!(error_with(1, |it| it.kind = 3), ElfError::Dynamic);
    assert_eq!(error_with(0, |it| it.kind = 4), ElfError::Entry, "a note is not loaded");
    let many: Vec<_> =
        (0..64).map(|at| Entry { start: CODE + at * 0x1000, in_file: 0, ..good()[0] }).collect();
    assert_eq!(Plan::of(&file(&many)).unwrap().segments().count(), 64);
    let nothing = Entry { in_file: 0, bytes: 0, ..good()[0] };
    assert_eq!(error(&file(&[nothing; 2])), ElfError::Empty);
}

proptest! {
    #[test]
    fn whatever_is_changed_the_plan_is_safe(
        changes in prop::collection::vec((0_usize..176, any::<u8>()), 0..6),
    ) {
        let mut file = file(&good());
        for (at, byte) in changes {
            file[at] = byte;
        }
        let Ok(plan) = Plan::of(&file) else { return Ok(()) };
        for segment in plan.segments() {
            prop_assert!(layout::is_for_programs(segment.start, segment.start + segment.bytes));
            let mut copied = 0;
            for fill in segment.fills().take(5000) {
                prop_assert!(fill.at + fill.file.len() <= 4096);
                prop_assert!(fill.file.end <= file.len());
                copied += fill.file.len();
            }
            prop_assert!(copied == segment.file.len() || segment.bytes > 5000 * 4096);
        }
    }
}
