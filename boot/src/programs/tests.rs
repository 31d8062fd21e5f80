use super::{end_of_segments, with_more};
use proto::archive::{Archive, Program, write};
use std::fs;
use std::path::{Path, PathBuf};

/// An ELF file with one segment of the whole file's first 130 bytes, and 20 bytes behind it.
fn elf() -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec();
    elf.extend([0x40_0078_u64, 64, 130].iter().flat_map(|word| word.to_le_bytes()));
    elf.extend([0_u16, 0, 64, 56, 1, 64, 3, 2].iter().flat_map(|word| word.to_le_bytes()));
    elf.extend([1_u32, 5].iter().flat_map(|word| word.to_le_bytes()));
    let words = [0_u64, 0x40_0000, 0x40_0000, 130, 130, 4096];
    elf.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    elf.resize(150, 0xcc);
    elf
}

struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn archive(&self, name: &str) -> PathBuf {
        let mut bytes = Vec::new();
        write(&[Program { name, content: b"content" }], |piece| bytes.extend_from_slice(piece));
        self.file("programs.archive", &bytes)
    }
}

fn complaint(archive: Option<PathBuf>, program: &Path) -> String {
    format!("{:#}", with_more(archive, &[program.into()]).unwrap_err())
}

#[test]
fn a_users_program_joins_the_others_without_what_is_behind_its_segments() {
    let scene = Scene::new();
    let archive = scene.archive("hello");
    let more = [scene.file("mine", &elf())];
    let path = with_more(Some(archive.clone()), &more).unwrap().unwrap();
    let bytes = fs::read(&path).unwrap();
    let read = Archive::parse(&bytes).unwrap();
    assert_eq!(read.find("hello").unwrap().content, b"content");
    let mine = read.find("mine").unwrap().content;
    assert_eq!((mine.len(), &mine[64..130]), (130, &elf()[64..130]));
    assert_eq!((&mine[0x28..0x30], &mine[0x3a..0x40]), (&[0; 8][..], &[0; 6][..]));
    // The same again is the same file; the one that it began with is as it was.
    assert_eq!(with_more(Some(archive.clone()), &more).unwrap(), Some(path));
    assert!(Archive::parse(&fs::read(archive).unwrap()).unwrap().find("mine").is_none());
}

#[test]
fn without_programs_of_ones_own_the_archive_stays() {
    let scene = Scene::new();
    let archive = scene.archive("hello");
    assert_eq!(with_more(Some(archive.clone()), &[]).unwrap(), Some(archive));
    assert_eq!(with_more(None, &[]).unwrap(), None);
}

#[test]
fn what_is_wrong_with_a_program_is_said() {
    let scene = Scene::new();
    let archive = || Some(scene.archive("hello"));
    let missing = complaint(archive(), Path::new("/nonexistent/mine"));
    assert!(missing.contains("/nonexistent/mine") && missing.contains("No such file"), "{missing}");
    let text = complaint(archive(), &scene.file("text", b"#!/bin/sh\n"));
    assert!(text.contains("text: not an ELF file"), "{text}");
    let clash = complaint(archive(), &scene.file("hello", &elf()));
    assert!(clash.contains("there is a program `hello` already"), "{clash}");
    let blank = complaint(archive(), &scene.file("my program", &elf()));
    assert!(blank.contains("rename"), "{blank}");
    let no_archive = complaint(Some(scene.file("no-archive", b"")), &scene.file("mine", &elf()));
    assert!(no_archive.contains("no-archive is no archive"), "{no_archive}");
    let gone = complaint(Some("/nonexistent/archive".into()), Path::new("mine"));
    assert!(gone.contains("/nonexistent/archive does not exist"), "{gone}");
}

#[test]
fn files_that_cannot_be_programs_of_this_machine_are_told_apart() {
    let with = |at: usize, value: u8| {
        let mut elf = elf();
        elf[at] = value;
        format!("{:#}", end_of_segments(&elf).unwrap_err())
    };
    assert!(with(4, 1).contains("64-bit"));
    assert!(with(18, 0xb7).contains("not for x86_64"));
    assert!(with(16, 3).contains("-static -no-pie"));
    assert!(with(16, 1).contains("not an executable"));
    assert!(with(0x21, 0x10).contains("cut off"), "program headers outside");
    assert!(with(64 + 33, 0x10).contains("cut off"), "a segment outside");
    for end in 0..130 {
        assert!(end_of_segments(&elf()[..end]).is_err(), "{end}");
    }
    assert_eq!(end_of_segments(&elf()).unwrap(), 130);
}
