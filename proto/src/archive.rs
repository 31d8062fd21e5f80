//! The boot archive: the programs that the host tool hands to the kernel, in one file (`-initrd`).
//!
//! All numbers are little-endian. A header of [`HEADER_BYTES`] (the [`MAGIC`], the number of programs as
//! u32, a u32 that is 0), then for each program an entry of [`ENTRY_BYTES`] (the name, at most
//! [`NAME_BYTES`] bytes of UTF-8 padded with zero bytes; offset and length of the content, u64 each),
//! then the contents. Each content lies on pages of its own, the last of them filled up with zero bytes, so
//! that pages of a program can be mapped where they are. [`Archive::parse`] believes nothing that it reads.

/// What an archive begins with.
pub const MAGIC: [u8; 8] = *b"ATOLLPRG";
/// Bytes of the header.
pub const HEADER_BYTES: usize = 16;
/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 48;
/// Contents begin and the archive ends at multiples of this.
pub const PAGE_BYTES: usize = 4096;
/// Bytes of a name at most.
pub const NAME_BYTES: usize = 32;
/// Programs in an archive at most.
pub const MAX_PROGRAMS: usize = 256;

/// One program of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program<'a> {
    /// Its name, without a blank or a control character.
    pub name: &'a str,
    /// Its file.
    pub content: &'a [u8],
}

/// Why bytes are no archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveError {
    /// They end within the header or the entries.
    Truncated,
    /// They do not begin with [`MAGIC`].
    Magic,
    /// The header has more than [`MAX_PROGRAMS`] programs, or a word that is not 0.
    Header,
    /// The name of the program at this position is empty, too long, not text, or taken.
    Name(usize),
    /// The content of the program at this position lies outside the archive, or doesn't begin with a page.
    Content(usize),
}

/// An archive whose every entry has been checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Archive<'a> {
    bytes: &'a [u8],
    count: usize,
}

impl<'a> Archive<'a> {
    /// An archive without programs.
    pub const EMPTY: Self = Self { bytes: &[], count: 0 };

    /// Checks the bytes and all entries.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ArchiveError> {
        let header = bytes.get(..HEADER_BYTES).ok_or(ArchiveError::Truncated)?;
        if header[..8] != MAGIC {
            return Err(ArchiveError::Magic);
        }
        let count = u32_at(header, 8) as usize;
        if count > MAX_PROGRAMS || u32_at(header, 12) != 0 {
            return Err(ArchiveError::Header);
        }
        if bytes.len() < HEADER_BYTES + count * ENTRY_BYTES {
            return Err(ArchiveError::Truncated);
        }
        for at in 0..count {
            let new = entry(bytes, at)?;
            let taken = (0..at).any(|old| entry(bytes, old).is_ok_and(|old| old.name == new.name));
            if taken {
                return Err(ArchiveError::Name(at));
            }
        }
        Ok(Self { bytes, count })
    }

    /// The programs, in the order of the archive.
    pub fn programs(self) -> impl Iterator<Item = Program<'a>> {
        (0..self.count).filter_map(move |at| entry(self.bytes, at).ok())
    }

    /// The program of that name.
    #[must_use]
    pub fn find(self, name: &str) -> Option<Program<'a>> {
        // The entries have been checked; only the right one is read.
        let name = name.as_bytes();
        let is_it = |at: &usize| {
            let start = HEADER_BYTES + at * ENTRY_BYTES;
            let field = self.bytes.get(start..start + NAME_BYTES);
            let (own, padding) = field.and_then(|it| it.split_at_checked(name.len()))?;
            // Most names have another length, which is seen in a byte.
            (padding.first().is_none_or(|byte| *byte == 0) && own == name).then_some(())
        };
        let at = (0..self.count).find(|at| is_it(at).is_some())?;
        entry(self.bytes, at).ok()
    }
}

fn entry(bytes: &[u8], at: usize) -> Result<Program<'_>, ArchiveError> {
    let start = HEADER_BYTES + at * ENTRY_BYTES;
    let entry = bytes.get(start..start + ENTRY_BYTES).ok_or(ArchiveError::Truncated)?;
    let name = name_of(&entry[..NAME_BYTES]).ok_or(ArchiveError::Name(at))?;
    let range = |start: u64, length: u64| {
        let (start, length) = (usize::try_from(start).ok()?, usize::try_from(length).ok()?);
        bytes.get(start..start.checked_add(length)?)
    };
    let start = u64_at(entry, NAME_BYTES);
    let content = range(start, u64_at(entry, NAME_BYTES + 8));
    let on_pages = content.filter(|_| start.is_multiple_of(PAGE_BYTES as u64));
    Ok(Program { name, content: on_pages.ok_or(ArchiveError::Content(at))? })
}

fn name_of(field: &[u8]) -> Option<&str> {
    let length = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let (name, padding) = field.split_at(length);
    let name = core::str::from_utf8(name).ok()?;
    let is_plain = is_name(name) && padding.iter().all(|byte| *byte == 0);
    is_plain.then_some(name)
}

/// Can a program be called so?
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |char: char| !char.is_whitespace() && !char.is_control();
    !name.is_empty() && name.len() <= NAME_BYTES && name.chars().all(plain)
}

/// Writes an archive of these programs, piece by piece. Their names must be [names](is_name) and differ,
/// and there may be [`MAX_PROGRAMS`] of them.
pub fn write(programs: &[Program<'_>], mut put: impl FnMut(&[u8])) {
    put(&MAGIC);
    put(&u32::try_from(programs.len()).unwrap_or(u32::MAX).to_le_bytes());
    put(&0_u32.to_le_bytes());
    let entries_end = HEADER_BYTES + programs.len() * ENTRY_BYTES;
    let mut offset = entries_end.next_multiple_of(PAGE_BYTES);
    for program in programs {
        let mut name = [0; NAME_BYTES];
        let length = program.name.len().min(NAME_BYTES);
        name[..length].copy_from_slice(&program.name.as_bytes()[..length]);
        put(&name);
        put(&(offset as u64).to_le_bytes());
        put(&(program.content.len() as u64).to_le_bytes());
        offset += program.content.len().next_multiple_of(PAGE_BYTES);
    }
    put(padding(entries_end));
    for program in programs {
        put(program.content);
        put(padding(program.content.len()));
    }
}

/// Zero bytes from here to the end of the page.
fn padding(bytes: usize) -> &'static [u8] {
    &[0; PAGE_BYTES][..bytes.next_multiple_of(PAGE_BYTES) - bytes]
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{
        Archive, ArchiveError, ENTRY_BYTES, HEADER_BYTES, PAGE_BYTES, Program, is_name, write,
    };
    use proptest::prelude::*;
    use std::vec::Vec;

    fn archive(programs: &[(&str, &[u8])]) -> Vec<u8> {
        let programs: Vec<_> =
            programs.iter().map(|&(name, content)| Program { name, content }).collect();
        let mut bytes = Vec::new();
        write(&programs, |piece| bytes.extend_from_slice(piece));
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = archive(&[("hello", b"abc"), ("empty", b""), ("last", b"xyz")]);
        let read = Archive::parse(&bytes).unwrap();
        assert_eq!(read.programs().count(), 3);
        assert_eq!(read.find("hello").unwrap().content, b"abc");
        assert_eq!(read.find("last").unwrap().content, b"xyz");
        assert_eq!((read.find("empty").unwrap().content.len(), read.find("hell")), (0, None));
        assert_eq!(Archive::parse(&archive(&[])).unwrap().programs().count(), 0);
    }

    #[test]
    fn contents_have_pages_of_their_own() {
        let long = [7; PAGE_BYTES + 1];
        let bytes = archive(&[("hello", b"abc"), ("long", &long), ("last", b"xyz")]);
        assert_eq!(bytes.len(), 5 * PAGE_BYTES);
        assert_eq!(bytes[PAGE_BYTES..PAGE_BYTES + 4], *b"abc\0");
        assert_eq!(bytes[2 * PAGE_BYTES], 7);
        assert_eq!(bytes[4 * PAGE_BYTES..4 * PAGE_BYTES + 4], *b"xyz\0");
        let read = Archive::parse(&bytes).unwrap();
        assert!(read.programs().map(|it| it.content.len()).eq([3, PAGE_BYTES + 1, 3]));
    }

    #[test]
    fn an_archive_that_ends_early_is_refused_wherever_it_ends() {
        let bytes = archive(&[("hello", b"abc"), ("last", b"xyz")]);
        let content_end = 2 * PAGE_BYTES + 3;
        // An interpreter takes a minute for all of them.
        for end in (0..content_end).step_by(if cfg!(miri) { 61 } else { 1 }) {
            assert!(Archive::parse(&bytes[..end]).is_err(), "{end}");
        }
        assert!(Archive::parse(&bytes[..content_end]).is_ok(), "only padding is missing");
    }

    #[test]
    fn each_field_is_checked() {
        let with = |at: usize, value: u8| {
            let mut bytes = archive(&[("a", b"1"), ("b", b"2")]);
            bytes[at] = value;
            Archive::parse(&bytes).map(|_| ()).unwrap_err()
        };
        let second = HEADER_BYTES + ENTRY_BYTES;
        assert_eq!(with(0, 0), ArchiveError::Magic);
        assert_eq!(with(9, 2), ArchiveError::Header);
        assert_eq!(with(12, 1), ArchiveError::Header);
        assert_eq!(with(8, 3), ArchiveError::Name(2), "an entry of zero bytes");
        assert_eq!(with(second, b'a'), ArchiveError::Name(1), "two of one name");
        assert_eq!(with(second, 0), ArchiveError::Name(1), "no name");
        assert_eq!(with(second, 0xff), ArchiveError::Name(1), "no text");
        assert_eq!(with(second, b' '), ArchiveError::Name(1), "a blank");
        assert_eq!(with(second + 5, b'x'), ArchiveError::Name(1), "text after the end");
        assert_eq!(with(second + 32, 1), ArchiveError::Content(1), "not at the start of a page");
        // The lowest byte of the length alone stays within the padding.
        for at in (32..48).filter(|at| *at != 40) {
            assert_eq!(with(second + at, 0xff), ArchiveError::Content(1), "{at}");
        }
    }

    #[test]
    fn names_fit_on_a_command_line() {
        assert!(is_name("hello-2") && is_name("straße"));
        for wrong in ["", "a b", "a\n", "x23456789012345678901234567890123"] {
            assert!(!is_name(wrong), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = bytes;
            let length = bytes.len().min(8);
            bytes[..length].copy_from_slice(&super::MAGIC[..length]);
            if let Ok(archive) = Archive::parse(&bytes) {
                archive.programs().for_each(|program| assert!(is_name(program.name)));
            }
        }
    }
}
