//! Puts programs into the archive that the kernel boots with.
//!
//! [`build`] makes the one of all programs of the crate `programs`, beside the image; [`with_more`] adds a user's own to
//! it. The kernel reads only segments, so what an ELF file has behind them (symbols, line tables) is left out.

use crate::image;
use anyhow::{Context as _, ensure};
use object::Endianness;
use object::elf::{EM_X86_64, ET_DYN, ET_EXEC, FileHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use proto::archive::{self, Archive, MAX_PROGRAMS, Program, is_name};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// A program's name and file.
type Named = (String, Vec<u8>);

/// Builds the programs and puts them into an archive beside the image; its path.
///
/// # Errors
///
/// When they do not build, or the archive cannot be written.
pub fn build(image: &Path) -> anyhow::Result<PathBuf> {
    let built = image::build_programs()?;
    let read = |(name, path): (String, PathBuf)| anyhow::Ok((name, segments_of(&path)?));
    let programs: Vec<Named> = built.into_iter().map(read).collect::<Result<_, _>>()?;
    store(&image.with_file_name("programs.archive"), &packed(&programs)?)
}

/// The archive with these programs in addition, each called as its file is; the archive as it is, if there
/// are none.
///
/// # Errors
///
/// When a program is not there, is no ELF file for this machine, or has no name that is free; when the
/// archive is none.
pub fn with_more(archive: Option<PathBuf>, more: &[PathBuf]) -> anyhow::Result<Option<PathBuf>> {
    if let Some(archive) = archive.as_ref().filter(|archive| !archive.is_file()) {
        anyhow::bail!("the archive {} does not exist", archive.display());
    }
    let mut programs = archive.as_deref().map_or_else(|| Ok(Vec::new()), unpacked)?;
    if more.is_empty() {
        return Ok(archive);
    }
    for path in more {
        let name = name_of(path)?;
        let is_taken = programs.iter().any(|(taken, _)| *taken == name);
        ensure!(!is_taken, "--program {}: there is a program `{name}` already", path.display());
        programs.push((name, segments_of(path)?));
    }
    let bytes = packed(&programs)?;
    // Runs with other programs may go on at the same time.
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let folder =
        archive.as_deref().and_then(Path::parent).map_or_else(std::env::temp_dir, PathBuf::from);
    store(&folder.join(format!("programs-{:016x}.archive", hasher.finish())), &bytes).map(Some)
}

fn name_of(path: &Path) -> anyhow::Result<String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let what = "a program's name has 1 to 32 bytes, without blanks: rename the file";
    ensure!(is_name(name), "--program {}: {what}", path.display());
    Ok(name.into())
}

fn unpacked(path: &Path) -> anyhow::Result<Vec<Named>> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    let archive = Archive::parse(&bytes);
    let archive =
        archive.map_err(|error| anyhow::anyhow!("{} is no archive: {error:?}", path.display()))?;
    Ok(archive.programs().map(|it| (it.name.to_owned(), it.content.to_vec())).collect())
}

fn packed(programs: &[Named]) -> anyhow::Result<Vec<u8>> {
    ensure!(programs.len() <= MAX_PROGRAMS, "more than {MAX_PROGRAMS} programs");
    let programs: Vec<_> =
        programs.iter().map(|(name, content)| Program { name, content }).collect();
    let mut bytes = Vec::new();
    archive::write(&programs, |piece| bytes.extend_from_slice(piece));
    Ok(bytes)
}

/// Writes a file, unless it is there as it should be. Others may read it, or write the same, meanwhile.
fn store(path: &Path, bytes: &[u8]) -> anyhow::Result<PathBuf> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(path.into());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut new, bytes)?;
        new.persist(path).map_err(|error| error.error)
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.into())
}

/// An ELF file up to the end of its last segment.
fn segments_of(path: &Path) -> anyhow::Result<Vec<u8>> {
    let named = || format!("--program {}", path.display());
    let mut file = fs::read(path).with_context(named)?;
    let end = end_of_segments(&file).with_context(named)?;
    file.truncate(end);
    // Where the section headers were, their size and number.
    for field in [0x28..0x30, 0x3a..0x40] {
        file[field].fill(0);
    }
    Ok(file)
}

fn end_of_segments(file: &[u8]) -> anyhow::Result<usize> {
    ensure!(file.starts_with(b"\x7fELF"), "not an ELF file");
    let header = FileHeader64::<Endianness>::parse(file).context("not a 64-bit ELF file")?;
    let endian = header.endian().context("not a 64-bit ELF file")?;
    ensure!(header.e_machine(endian) == EM_X86_64, "not for x86_64");
    let kind = header.e_type(endian);
    let advice = "link it with -static -no-pie";
    ensure!(kind != ET_DYN, "it can be loaded anywhere, or is a library: {advice}");
    ensure!(kind == ET_EXEC, "not an executable");
    let segments = header.program_headers(endian, file).context("the file is cut off")?;
    let table = header.e_phoff(endian) + size_of_val(segments) as u64;
    let ends = segments.iter().map(|it| {
        let (start, bytes) = it.file_range(endian);
        start.saturating_add(bytes)
    });
    let end = ends.chain([table, size_of_val(header) as u64]).max().unwrap_or(0);
    ensure!(end <= file.len() as u64, "the file is cut off");
    Ok(end as usize)
}

#[cfg(test)]
mod tests;
