//! Checks an ELF64 file and plans how it is loaded.
//!
//! [`Plan::of`] takes any bytes. What it accepts is a static program for x86_64 that is linked at a fixed
//! address: its segments lie in the file and in user memory, apart from each other and from what the
//! kernel puts there, none is writable and executable at once, and the entry is in an executable one.
//! (System V ABI, chapters 4 and 5; all offsets below are those of its tables.)

use crate::machine::memory::PAGE;
use core::fmt;
use core::ops::Range;
use proto::program::layout;

/// Bytes of memory that the segments of a program may take together.
pub const MAX_BYTES: u64 = 64 << 20;

const HEADER_BYTES: usize = 64;
const ENTRY_BYTES: usize = 56;
/// Program headers at most.
const MAX_ENTRIES: u16 = 64;

const EXECUTABLE_FILE: u16 = 2;
const SHARED_FILE: u16 = 3;
const X86_64: u16 = 62;

const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
const INTERPRETER: u32 = 3;

const EXECUTE: u32 = 1;
const WRITE: u32 = 2;

/// What a program may do with a segment. It may read all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
    /// Read and execute.
    ReadExecute,
}

/// A part of the file and where it goes; what the file does not fill is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its first address, in user memory.
    pub start: u64,
    /// Its bytes in memory, at least 1 and at least as many as in the file.
    pub bytes: u64,
    /// Its bytes in the file.
    pub file: Range<usize>,
    /// What the program may do with it.
    pub rights: Rights,
}

/// One page of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Address of the page.
    pub page: u64,
    /// Where in the page the file's bytes go.
    pub at: usize,
    /// Which bytes of the file.
    pub file: Range<usize>,
}

/// How a file is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan<'a> {
    /// Where the program starts.
    pub entry: u64,
    /// The address after its last segment.
    pub end: u64,
    /// Address of its program headers in memory; 0 if they are not loaded.
    pub headers: u64,
    /// How many program headers it has.
    pub header_count: u16,
    file: &'a [u8],
    table: &'a [u8],
}

/// Why a file cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElfError {
    /// It is shorter than its headers say.
    Truncated,
    /// It is no ELF file.
    NotElf,
    /// It is not for this machine: 64 bits, little-endian, x86_64.
    Foreign,
    /// It is of a version or has header sizes that are not known.
    Version,
    /// It is no executable: an object, a library, a core dump.
    NotExecutable,
    /// It can be loaded anywhere; only programs linked at a fixed address can be run.
    PositionIndependent,
    /// It needs a dynamic linker.
    Dynamic,
    /// It has too many program headers.
    TooMany,
    /// It has nothing to load.
    Empty,
    /// A segment is longer in the file than in memory, or lies outside the file.
    SegmentOutsideFile,
    /// A segment's place in the file and in memory do not fit together page by page.
    Misaligned,
    /// A segment lies outside user memory, or where the kernel puts something.
    SegmentOutsideMemory,
    /// A segment is writable and executable.
    WritableCode,
    /// Two segments share a page, or are not in ascending order (System V ABI, chapter 5).
    Overlap,
    /// The segments take more than [`MAX_BYTES`].
    TooLarge,
    /// The entry is not in an executable segment.
    Entry,
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the file is cut off",
            Self::NotElf => "not an ELF file",
            Self::Foreign => "not for 64-bit x86",
            Self::Version => "of an unknown version of ELF",
            Self::NotExecutable => "not an executable",
            Self::PositionIndependent => {
                "position-independent: link it at a fixed address (-no-pie)"
            }
            Self::Dynamic => "needs a dynamic linker: link it statically (-static)",
            Self::TooMany => "too many program headers",
            Self::Empty => "nothing to load",
            Self::SegmentOutsideFile => "a segment lies outside the file",
            Self::Misaligned => "a segment is not aligned to its pages",
            Self::SegmentOutsideMemory => "a segment lies outside the memory of programs",
            Self::WritableCode => "a segment is writable and executable",
            Self::Overlap => "segments share a page or are out of order",
            Self::TooLarge => "it takes too much memory",
            Self::Entry => "the entry is not in executable memory",
        })
    }
}

impl<'a> Plan<'a> {
    /// Checks a file and plans how it is loaded.
    ///
    /// # Errors
    ///
    /// [`ElfError`], whatever the bytes are.
    pub fn of(file: &'a [u8]) -> Result<Self, ElfError> {
        let header = file.first_chunk().ok_or(if file.starts_with(b"\x7fELF") {
            ElfError::Truncated
        } else {
            ElfError::NotElf
        })?;
        check_header(header)?;
        let (table, header_count) = table(file, header)?;
        let entry = u64_at(header, 24);
        let (mut end, mut total, mut is_entry, mut headers) = (0, 0, false, 0);
        for segment in to_load(file, table) {
            let segment = segment?;
            let pages = segment.pages();
            if pages.start < end {
                return Err(ElfError::Overlap);
            }
            total += pages.end - pages.start;
            if total > MAX_BYTES {
                return Err(ElfError::TooLarge);
            }
            is_entry |= segment.rights == Rights::ReadExecute && segment.contains(entry);
            headers = segment.address_of(u64_at(header, 32), table.len()).unwrap_or(headers);
            end = segment.start + segment.bytes;
        }
        match (end, is_entry) {
            (0, _) => Err(ElfError::Empty),
            (_, false) => Err(ElfError::Entry),
            _ => Ok(Self { entry, end, headers, header_count, file, table }),
        }
    }

    /// The segments to load, in ascending order.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + use<'a> {
        // They have been checked: there are no errors.
        to_load(self.file, self.table).flatten()
    }
}

impl Segment {
    fn contains(&self, address: u64) -> bool {
        address.checked_sub(self.start).is_some_and(|offset| offset < self.bytes)
    }

    /// The addresses of its pages: of the first, and after the last.
    fn pages(&self) -> Range<u64> {
        self.start & !(PAGE - 1)..(self.start + self.bytes).next_multiple_of(PAGE)
    }

    /// Where bytes of the file are in memory, if the segment has all of them.
    fn address_of(&self, offset: u64, bytes: usize) -> Option<u64> {
        let offset = usize::try_from(offset).ok()?;
        let end = offset.checked_add(bytes)?;
        let has_them = self.file.start <= offset && end <= self.file.end;
        has_them.then(|| self.start + (offset - self.file.start) as u64)
    }

    /// What goes into each of its pages.
    pub fn fills(&self) -> impl Iterator<Item = Fill> + '_ {
        let filled = self.start + self.file.len() as u64;
        self.pages().step_by(PAGE as usize).map(move |page| {
            let start = page.max(self.start).min(filled);
            let end = (page + PAGE).min(filled).max(start);
            let offset = |address: u64| self.file.start + (address - self.start) as usize;
            Fill { page, at: start.saturating_sub(page) as usize, file: offset(start)..offset(end) }
        })
    }
}

fn check_header(header: &[u8; HEADER_BYTES]) -> Result<(), ElfError> {
    const SYSTEM_V: u8 = 0;
    const LINUX: u8 = 3;
    if header[..4] != *b"\x7fELF" {
        return Err(ElfError::NotElf);
    }
    let [class, order, version, system, system_version] = [4, 5, 6, 7, 8].map(|at| header[at]);
    let known = version == 1 && u32_at(header, 20) == 1 && system_version == 0;
    let sizes =
        u16_at(header, 52) as usize == HEADER_BYTES && u16_at(header, 54) as usize == ENTRY_BYTES;
    match (class, order, u16_at(header, 18)) {
        (2, 1, X86_64) if matches!(system, SYSTEM_V | LINUX) => {}
        _ => return Err(ElfError::Foreign),
    }
    // No flags are defined for this processor.
    if !known || !sizes || u32_at(header, 48) != 0 {
        return Err(ElfError::Version);
    }
    match u16_at(header, 16) {
        EXECUTABLE_FILE => Ok(()),
        SHARED_FILE => Err(ElfError::PositionIndependent),
        _ => Err(ElfError::NotExecutable),
    }
}

/// The program headers and how many they are.
fn table<'a>(file: &'a [u8], header: &[u8; HEADER_BYTES]) -> Result<(&'a [u8], u16), ElfError> {
    let count = u16_at(header, 56);
    if count > MAX_ENTRIES {
        return Err(ElfError::TooMany);
    }
    let start = usize::try_from(u64_at(header, 32)).map_err(|_| ElfError::Truncated)?;
    let end = start.checked_add(usize::from(count) * ENTRY_BYTES).ok_or(ElfError::Truncated)?;
    Ok((file.get(start..end).ok_or(ElfError::Truncated)?, count))
}

/// The segments to load that have bytes. They are read from the file each time, which takes less than to keep
/// them.
fn to_load<'a>(
    file: &'a [u8],
    table: &'a [u8],
) -> impl Iterator<Item = Result<Segment, ElfError>> + use<'a> {
    table.chunks_exact(ENTRY_BYTES).filter_map(|entry| match u32_at(entry, 0) {
        LOAD => segment(file, entry).transpose(),
        DYNAMIC | INTERPRETER => Some(Err(ElfError::Dynamic)),
        _ => None,
    })
}

/// Reads a program header of a segment to load; `None` if it has no bytes.
fn segment(file: &[u8], entry: &[u8]) -> Result<Option<Segment>, ElfError> {
    let flags = u32_at(entry, 4);
    let [offset, start, _, in_file, bytes, align] =
        [8, 16, 24, 32, 40, 48].map(|at| u64_at(entry, at));
    let end_in_file = offset.checked_add(in_file).ok_or(ElfError::SegmentOutsideFile)?;
    if in_file > bytes || end_in_file > file.len() as u64 {
        return Err(ElfError::SegmentOutsideFile);
    }
    if bytes == 0 {
        return Ok(None);
    }
    let aligned = align <= 1 || (align.is_power_of_two() && offset % align == start % align);
    if !aligned || offset % PAGE != start % PAGE {
        return Err(ElfError::Misaligned);
    }
    let end = start.checked_add(bytes).ok_or(ElfError::SegmentOutsideMemory)?;
    if !layout::is_for_programs(start, end) {
        return Err(ElfError::SegmentOutsideMemory);
    }
    let rights = match (flags & WRITE != 0, flags & EXECUTE != 0) {
        (true, true) => return Err(ElfError::WritableCode),
        (true, false) => Rights::ReadWrite,
        (false, true) => Rights::ReadExecute,
        (false, false) => Rights::Read,
    };
    // Both ends are at most the file's length, which fits.
    Ok(Some(Segment { start, bytes, file: offset as usize..end_in_file as usize, rights }))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes[at..].first_chunk().map_or(0, |word| u16::from_le_bytes(*word))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

#[cfg(test)]
pub(super) mod tests;
