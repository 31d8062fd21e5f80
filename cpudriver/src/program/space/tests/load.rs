//! Programs are loaded as their files say, or nothing is left of them.

use super::super::entry::{PRESENT, WRITE};
use super::super::memory::{Memory, PAGE};
use super::ram::{START, audit};
use super::{elf, entry_of, frame_of, loaded, spaces};
use crate::program::elf::ElfError;
use crate::program::space::{Fault, File, LoadError, Place};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;
use proto::id::{Generation, Pid};
use proto::program::layout::{DATA, GLOBAL, INFO, STACK_BYTES, STACK_END, WISHES};
use proto::program::{global, info};

const NO_EXECUTE: u64 = 1 << 63;
const USER: u64 = 4;
const ACCESSED_AND_DIRTY: u64 = 0x60;

/// A file whose code and data are numbered bytes.
fn numbered() -> Vec<u8> {
    let mut file = elf::file(&elf::good());
    for (at, byte) in file.iter_mut().enumerate().skip(256) {
        *byte = at as u8 ^ (at >> 8) as u8 | 1;
    }
    file
}

#[test]
fn segments_are_where_they_belong_with_their_rights_and_the_rest_is_zero() {
    let mut spaces = spaces(40, 0);
    let bytes = numbered();
    let it = spaces.load(File { bytes: &bytes, place: None }, b"p\0arg\0").unwrap();
    assert_eq!((it.entry, it.program_end), (elf::CODE + 0x100, elf::DATA + 0x2000));
    let mut code = vec![1; PAGE];
    assert_eq!(spaces.read(it.root, elf::CODE, &mut code), PAGE);
    assert_eq!(code, bytes[..PAGE]);
    // The data begin at 0x10 of their page, 0x20 of them are in the file, 0x2000 in memory.
    let mut data = vec![1; 4 * PAGE];
    assert_eq!(spaces.read(it.root, elf::DATA & !0xfff, &mut data), 3 * PAGE);
    assert_eq!(data[0x10..0x30], bytes[0x1010..0x1030]);
    assert!(data[..0x10].iter().chain(&data[0x30..3 * PAGE]).all(|byte| *byte == 0));
    let rights = |address| {
        let entry = entry_of(&spaces, it.root, address);
        assert_eq!(entry & (USER | ACCESSED_AND_DIRTY), USER | ACCESSED_AND_DIRTY);
        (entry & PRESENT != 0, entry & WRITE != 0, entry & NO_EXECUTE == 0)
    };
    assert_eq!(rights(elf::CODE), (true, false, true));
    assert_eq!(rights(elf::DATA), (true, true, false));
    for (address, writable) in [(GLOBAL, false), (INFO, false), (WISHES, true), (DATA, true)] {
        assert_eq!(rights(address), (true, writable, false), "{address:#x}");
    }
    assert_eq!(rights(STACK_END - 1), (true, true, false));
    assert_eq!(entry_of(&spaces, it.root, STACK_END - STACK_BYTES - 1), 0, "the guard");
    audit(&spaces, &[it.root]);
    spaces.destroy(it.root);
    audit(&spaces, &[]);
}

#[test]
fn the_stack_has_the_arguments() {
    let mut spaces = spaces(40, 0);
    let bytes = numbered();
    let it = spaces.load(File { bytes: &bytes, place: None }, b"p\0arg\0").unwrap();
    assert_eq!(it.stack % 16, 0);
    let word = |address: u64| {
        let mut word = [0; 8];
        assert_eq!(spaces.read(it.root, address, &mut word), 8);
        u64::from_le_bytes(word)
    };
    assert_eq!(word(it.stack), 2);
    let mut text = [0; 4];
    spaces.read(it.root, word(it.stack + 16), &mut text);
    assert_eq!(&text, b"arg\0");
    // After the arguments and two zeros the auxiliary vector: first where the program headers are.
    assert_eq!((word(it.stack + 40), word(it.stack + 48)), (3, elf::CODE + 64));
}

#[test]
fn the_pages_about_machine_and_process_are_filled_in() {
    let mut spaces = spaces(60, 0);
    let machine = super::super::Global { tsc_hz: 7, cores: 3, features: 9, ..Default::default() };
    spaces.set_global(&machine);
    let root = loaded(&mut spaces);
    let identity = super::super::Identity {
        pid: Pid(5),
        parent: Pid(4),
        generation: Generation(6),
        max_vcores: 2,
    };
    spaces.set_identity(root, &identity);
    spaces.set_parent(root, Pid(0));
    let mut page = [1; PAGE];
    assert_eq!(spaces.read(root, INFO, &mut page), PAGE);
    assert_eq!(page[..8], [5, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(page[info::GENERATION..][..4], [6, 0, 0, 0]);
    assert_eq!(page[info::PROGRAM_END..][..8], (elf::DATA + 0x2000).to_le_bytes());
    assert_eq!(spaces.read(root, GLOBAL, &mut page), PAGE);
    assert_eq!((page[global::TSC_HZ], page[global::CORES], page[global::FEATURES]), (7, 3, 9));
    let other = loaded(&mut spaces);
    assert_eq!(frame_of(&spaces, root, GLOBAL), frame_of(&spaces, other, GLOBAL));
    assert_ne!(frame_of(&spaces, root, INFO), frame_of(&spaces, other, INFO));
    spaces.destroy(root);
    let next = loaded(&mut spaces);
    assert_eq!(spaces.read(next, INFO, &mut page), PAGE);
    assert!(page[..16].iter().all(|byte| *byte == 0), "nothing is left of the one before");
    audit(&spaces, &[other, next]);
}

#[test]
fn pages_that_nobody_writes_are_mapped_from_the_archive() {
    let mut spaces = spaces(60, 3);
    let bytes = numbered();
    let start = START + 61 * PAGE as u64;
    for (index, page) in bytes.chunks(PAGE).enumerate() {
        let frame = super::Frame::at(start + (index * PAGE) as u64);
        spaces.memory.page(frame).fill(0);
        spaces.memory.copy_in(frame, 0, page);
    }
    let file = |start, end| File { bytes: &bytes, place: Some(Place { start, end }) };
    let end = start + 2 * PAGE as u64;
    let mapped = spaces.load(file(start, end), b"").unwrap();
    assert_eq!(frame_of(&spaces, mapped.root, elf::CODE).address(), start);
    assert_ne!(frame_of(&spaces, mapped.root, elf::DATA).address(), start + PAGE as u64);
    let copied = [file(start + 8, end), file(start, start + PAGE as u64 - 1)];
    let copied = copied.map(|file| spaces.load(file, b"").unwrap());
    for it in copied {
        assert!(frame_of(&spaces, it.root, elf::CODE).address() < start);
        assert_eq!(it.frames, mapped.frames + 1);
    }
    let mut code = [0; PAGE];
    for it in [mapped, copied[0]] {
        spaces.read(it.root, elf::CODE, &mut code);
        assert_eq!(code, bytes[..PAGE]);
        assert_eq!(
            spaces.write(it.root, elf::CODE, b"x"),
            Err(Fault { address: elf::CODE }),
            "nobody writes code"
        );
    }
    audit(&spaces, &[mapped.root, copied[0].root, copied[1].root]);
    for it in [mapped, copied[0], copied[1]] {
        spaces.destroy(it.root);
    }
    audit(&spaces, &[]);
}

#[test]
fn whatever_is_missing_nothing_is_left_of_the_space() {
    let bytes = numbered();
    let file = File { bytes: &bytes, place: None };
    let needed = {
        let mut spaces = spaces(60, 0);
        spaces.load(file, b"p\0").unwrap().frames
    };
    for frames in 3..=needed {
        let mut spaces = spaces(frames as usize, 0);
        assert_eq!(spaces.load(file, b"p\0"), Err(LoadError::NoFrames), "{frames} frames");
        audit(&spaces, &[]);
        assert_eq!(spaces.free_frames(), frames - 1, "all but the page about the machine");
    }
    let mut spaces = spaces(needed as usize + 1, 0);
    assert_eq!(spaces.load(file, b"no end"), Err(LoadError::Arguments));
    let cut = File { bytes: &bytes[..100], place: None };
    assert_eq!(spaces.load(cut, b"p\0"), Err(LoadError::File(ElfError::Truncated)));
    audit(&spaces, &[]);
    assert!(spaces.load(file, b"p\0").is_ok());
    assert_eq!(spaces.free_frames(), 0);
}

#[test]
fn a_root_that_is_none_is_refused() {
    let mut spaces = spaces(60, 0);
    let root = loaded(&mut spaces);
    let free = spaces.free_frames();
    for wrong in [0, root + 8, root + PAGE as u64, START - 0x1000, u64::MAX] {
        spaces.destroy(wrong);
        assert_eq!(spaces.read(wrong, elf::CODE, &mut [0]), 0);
    }
    assert_eq!(spaces.free_frames(), free);
    spaces.destroy(root);
    spaces.destroy(root);
    audit(&spaces, &[]);
    assert_eq!(spaces.read(root, elf::CODE, &mut [0]), 0, "it is gone");
}

/// The program headers of the good file, one of them with these values.
fn changed(which: usize, values: [Option<u64>; 6]) -> Vec<u8> {
    let mut entries = elf::good();
    let entry = &mut entries[which];
    let [offset, start, in_file, bytes, align, flags] = values;
    let set = |field: &mut u64, value: Option<u64>| *field = value.unwrap_or(*field);
    set(&mut entry.offset, offset);
    set(&mut entry.start, start);
    set(&mut entry.in_file, in_file);
    set(&mut entry.bytes, bytes);
    set(&mut entry.align, align);
    entry.flags = flags.map_or(entry.flags, |flags| flags as u32);
    elf::file(&entries)
}

/// Numbers at which something could go wrong.
fn odd() -> impl Strategy<Value = u64> {
    let interesting = [0, 1, 7, 64, 0xfff, 0x1000, 0x1030, elf::CODE, elf::DATA, 1 << 39, 1 << 47];
    let extremes = [1 << 63, u64::MAX, u32::MAX.into(), i64::MAX as u64];
    let base = prop::sample::select([&interesting[..], &extremes].concat());
    (base, -2_i64..=2).prop_map(|(base, by)| base.wrapping_add_signed(by))
}

proptest! {
    #[test]
    fn any_program_header_is_loaded_or_refused_without_a_loss(
        which in 0_usize..2,
        values in prop::array::uniform6(prop::option::weighted(0.4, odd())),
        frames in 12_usize..50,
    ) {
        let mut spaces = spaces(frames, 0);
        let bytes = changed(which, values);
        match spaces.load(File { bytes: &bytes, place: None }, b"p\0") {
            Ok(it) => {
                audit(&spaces, &[it.root]);
                spaces.destroy(it.root);
            }
            Err(error) => prop_assert_ne!(error, LoadError::Arguments),
        }
        audit(&spaces, &[]);
    }

    #[test]
    fn a_file_with_any_bytes_changed_is_loaded_or_refused_without_a_loss(
        changes in prop::collection::vec((0_usize..64 + 2 * 56, any::<u8>()), 1..4),
        length in prop::option::weighted(0.2, 0_usize..0x1030),
    ) {
        let mut bytes = numbered();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(length.unwrap_or(usize::MAX));
        let mut spaces = spaces(30, 0);
        if let Ok(it) = spaces.load(File { bytes: &bytes, place: None }, b"p\0") {
            audit(&spaces, &[it.root]);
            spaces.destroy(it.root);
        }
        audit(&spaces, &[]);
    }
}

#[test]
fn each_field_at_its_extremes_is_loaded_or_refused_without_a_loss() {
    let good = numbered();
    let mut spaces = spaces(30, 0);
    let (mut refused, mut loaded) = (0, 0);
    for size in [1, 2, 4, 8] {
        for at in (0..64 + 2 * 56).step_by(size) {
            for value in extremes(size) {
                let mut bytes = good.clone();
                bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
                match spaces.load(File { bytes: &bytes, place: None }, b"p\0") {
                    Ok(it) => {
                        loaded += 1;
                        spaces.destroy(it.root);
                    }
                    Err(_) => refused += 1,
                }
                assert_eq!(spaces.free_frames() + 1, spaces.total_frames(), "{value:#x} at {at}");
            }
        }
    }
    audit(&spaces, &[]);
    assert!(refused > 1000 && loaded > 100, "{refused} and {loaded}");
}

/// Numbers of so many bytes at which something could go wrong.
fn extremes(bytes: usize) -> impl Iterator<Item = u64> {
    let bits = bytes * 8;
    let powers = (0..bits).map(|bit| 1_u64 << bit);
    let near = powers.flat_map(|power| [power, power - 1, power.wrapping_neg()]);
    near.map(move |value| value & u64::MAX >> (64 - bits))
}

#[test]
fn a_file_that_ends_early_leaves_nothing_wherever_it_ends() {
    let bytes = numbered();
    let mut spaces = spaces(30, 0);
    let free = spaces.free_frames();
    for end in 0..bytes.len() {
        let it = spaces.load(File { bytes: &bytes[..end], place: None }, b"p\0");
        assert!(it.is_err(), "{end}");
        assert_eq!(spaces.free_frames(), free, "{end}");
    }
    assert!(spaces.load(File { bytes: &bytes, place: None }, b"").is_ok());
}
