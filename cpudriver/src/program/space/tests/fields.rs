//! What the kernel writes into the pages that it shares with programs, and what it copies for them.

use super::super::memory::PAGE;
use super::ram::{Ram, audit};
use super::{elf, frame_of, loaded, only, pages, spaces};
use crate::program::space::{Fault, NoFrames, Spaces, TRACED, saved_frame, vcore_frame};
use proto::call::Outcome;
use proto::event::Event;
use proto::id::{CoreId, VcoreId};
use proto::memory::{MAP_AREA, Rights};
use proto::program::layout::{DATA, INFO, SAVED, STACK_BYTES, STACK_END, USER_END, pages_of_many};
use proto::program::{block, data, info};

const ZERO: VcoreId = VcoreId(0);

fn u8_at(spaces: &Spaces<Ram>, root: u64, address: u64) -> u8 {
    let mut byte = [0xee];
    assert_eq!(spaces.read(root, address, &mut byte), 1, "{address:#x}");
    byte[0]
}

fn u16_at(spaces: &Spaces<Ram>, root: u64, address: u64) -> u16 {
    u16::from_le_bytes([0, 1].map(|at| u8_at(spaces, root, address + at)))
}

fn u64_at(spaces: &Spaces<Ram>, root: u64, address: u64) -> u64 {
    u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|at| u8_at(spaces, root, address + at)))
}

#[test]
fn an_event_for_which_there_is_no_room_is_something_to_look_for_too() {
    let mut spaces = spaces(60, 0);
    let root = loaded(&mut spaces);
    let pending = DATA + data::PENDING as u64;
    for _ in 0..=data::EVENTS {
        spaces.write(root, pending, &[0]).unwrap();
        spaces.post(root, ZERO, Event { kind: 7, value: 0 });
        assert_eq!(u8_at(&spaces, root, pending), 1);
    }
}

#[test]
fn events_are_posted_until_there_is_no_room_and_then_their_kind_is_noted() {
    let mut spaces = spaces(60, 0);
    let root = loaded(&mut spaces);
    for number in 0..data::EVENTS + 2 {
        spaces.post(root, ZERO, Event { kind: 7, value: number.into() });
    }
    spaces.post(root, ZERO, Event { kind: 1000, value: 1 });
    let field = |spaces: &Spaces<Ram>, at: usize| u8_at(spaces, root, DATA + at as u64);
    assert_eq!(u64::from(field(&spaces, data::POSTED)), u64::from(data::EVENTS));
    let overflow = |spaces: &Spaces<Ram>, kind| field(spaces, data::OVERFLOW + kind);
    assert_eq!([6, 7, 8, 63].map(|kind| overflow(&spaces, kind)), [0, 1, 0, 1]);
    let last = DATA + (data::MAILBOX + 31 * data::EVENT_BYTES) as u64;
    assert_eq!((u16_at(&spaces, root, last), u64_at(&spaces, root, last + 8)), (7, 31));
    // The program takes two: there is room again, and the first places are used again.
    spaces.write(root, DATA + data::TAKEN as u64, &2_u32.to_le_bytes()).unwrap();
    spaces.post(root, ZERO, Event { kind: 9, value: 99 });
    let first = DATA + data::MAILBOX as u64;
    assert_eq!((u16_at(&spaces, root, first), u64_at(&spaces, root, first + 8)), (9, 99));
    assert_eq!(field(&spaces, data::PENDING), 1);
}

#[test]
fn counts_that_cannot_be_are_a_full_mailbox_and_wrapping_ones_are_not() {
    let mut spaces = spaces(60, 0);
    let root = loaded(&mut spaces);
    let mut with = |posted: u32, taken: u32| {
        spaces.write(root, DATA + data::POSTED as u64, &posted.to_le_bytes()).unwrap();
        spaces.write(root, DATA + data::TAKEN as u64, &taken.to_le_bytes()).unwrap();
        spaces.write(root, DATA + data::OVERFLOW as u64, &[0; 64]).unwrap();
        spaces.post(root, ZERO, Event { kind: 3, value: 0 });
        u8_at(&spaces, root, DATA + data::OVERFLOW as u64 + 3) == 0
    };
    assert!(!with(0, 1), "more taken than posted");
    assert!(!with(100, 3));
    assert!(with(5, u32::MAX - 20), "the count has wrapped");
    assert!(with(u32::MAX, u32::MAX), "the count wraps");
    audit(&spaces, &[root]);
}

#[test]
fn a_call_is_completed_where_the_program_may_write_and_nowhere_else() {
    let mut spaces = spaces(60, 0);
    let root = loaded(&mut spaces);
    let call = (elf::DATA & !0xfff) + 128;
    spaces.complete(root, call, Outcome::AGAIN, 77);
    assert_eq!(u64_at(&spaces, root, call + block::OUTCOME as u64), -11_i64 as u64);
    assert_eq!(u64_at(&spaces, root, call + block::VALUE as u64), 77);
    assert_eq!(u8_at(&spaces, root, call + block::DONE as u64), 1);
    let wrong = [call + 8, elf::CODE + 128, INFO, 0, 64, u64::MAX - 63, USER_END, 1 << 63, 1 << 47];
    let before = spaces.memory.page(frame_of(&spaces, root, elf::CODE)).to_vec();
    for call in wrong {
        spaces.complete(root, call, Outcome::OK, 1);
    }
    assert_eq!(spaces.memory.page(frame_of(&spaces, root, elf::CODE))[..], before);
    assert_eq!(u64_at(&spaces, root, INFO + 8), 0);
    assert_eq!(u64_at(&spaces, root, call + 8 + block::VALUE as u64), 0);
}

#[test]
fn reading_and_writing_go_over_pages_and_stop_where_the_process_could_not_go_on() {
    let mut spaces = spaces(60, 0);
    let root = loaded(&mut spaces);
    // The data take three pages, the last of them to its end.
    let (start, end) = (elf::DATA & !0xfff, (elf::DATA & !0xfff) + 0x3000);
    let bytes: [u8; 6000] = core::array::from_fn(|at| at as u8);
    assert_eq!(spaces.write(root, start + 0xfff, &bytes), Ok(()));
    let mut back = [0; 6000];
    assert_eq!(spaces.read(root, start + 0xfff, &mut back), 6000);
    assert_eq!(back, bytes);
    assert_eq!(spaces.read(root, end - 100, &mut back), 100);
    assert_eq!(spaces.write(root, end - 100, &bytes), Err(Fault { address: end }));
    for (address, length) in [(0, 1), (USER_END - 4, 8), (USER_END, 1), (u64::MAX - 3, 8)] {
        assert_eq!(spaces.read(root, address, &mut back[..length]), 0, "{address:#x}");
        assert!(spaces.write(root, address, &bytes[..length]).is_err(), "{address:#x}");
    }
    assert_eq!(spaces.write(root, elf::CODE, &[1]), Err(Fault { address: elf::CODE }));
    assert_eq!(spaces.write(root, INFO, &[1]), Err(Fault { address: INFO }));
    assert_eq!(spaces.read(root, 0, &mut []), 0);
    assert_eq!(spaces.write(root, 0, &[]), Ok(()));
}

/// What the kernel keeps of a process's registers there it loads into the core later on.
#[test]
fn the_page_with_saved_registers_is_out_of_reach() {
    let mut spaces = spaces(60, 0);
    let root = loaded(&mut spaces);
    let frame = saved_frame(&spaces.memory, root).unwrap();
    let before = spaces.memory.page(frame).to_vec();
    assert_eq!([data::EXTENDED_SAVED, TRACED].map(|at| before[at]), [0, 0], "not what was there");
    assert_eq!(spaces.read(root, SAVED, &mut [0]), 0);
    assert_eq!(spaces.write(root, SAVED, &[1]), Err(Fault { address: SAVED }));
    spaces.complete(root, SAVED + 64, Outcome::OK, 1);
    assert_eq!(spaces.memory.page(frame)[..], before);
}

#[test]
fn pages_without_rights_are_not_there_for_anybody_but_keep_what_is_in_them() {
    let mut spaces = spaces(60, 0);
    let root = loaded(&mut spaces);
    let (page, address) = (MAP_AREA.first + 5, (MAP_AREA.first + 5) * PAGE as u64);
    spaces.populate(root, only(pages(page, 1)), Rights::READ_WRITE).unwrap();
    spaces.write(root, address, b"kept").unwrap();
    spaces.protect(root, only(pages(page, 1)), Rights::NONE).unwrap();
    assert_eq!(spaces.read(root, address, &mut [0]), 0);
    spaces.protect(root, only(pages(page, 2)), Rights::READ).unwrap();
    assert_eq!(u8_at(&spaces, root, address), b'k');
    assert_eq!(spaces.write(root, address, b"x"), Err(Fault { address }));
    audit(&spaces, &[root]);
}

#[test]
fn a_fault_on_a_page_that_is_there_already_is_counted_and_leaves_what_is_in_it() {
    let mut spaces = spaces(60, 0);
    let root = loaded(&mut spaces);
    let (page, address) = (MAP_AREA.first + 5, (MAP_AREA.first + 5) * PAGE as u64);
    spaces.mend(root, page, Rights::READ_WRITE).unwrap();
    assert_eq!(spaces.looks(), 0, "it was not there, nor its table");
    spaces.write(root, address, b"kept").unwrap();
    spaces.mend(root, page + 1, Rights::READ_WRITE).unwrap();
    assert_eq!(spaces.looks(), 0, "its table was there");
    spaces.mend(root, page, Rights::READ_WRITE).unwrap();
    assert_eq!((spaces.looks(), u8_at(&spaces, root, address)), (1, b'k'));
    audit(&spaces, &[root]);
}

#[test]
fn the_stack_gets_its_frames_when_they_are_asked_for() {
    let mut spaces = spaces(100, 0);
    let root = loaded(&mut spaces);
    let first = (STACK_END - STACK_BYTES) / PAGE as u64;
    spaces.populate(root, only(pages(first, 64)), Rights::READ_WRITE).unwrap();
    assert_eq!(u8_at(&spaces, root, STACK_END - STACK_BYTES), 0);
    for (first, count) in [(first - 1, 2), (INFO / PAGE as u64, 1), (elf::DATA >> 12, 1), (0, 1)] {
        let free = spaces.free_frames();
        spaces.populate(root, only(pages(first, count)), Rights::READ_WRITE).unwrap();
        spaces.unmap(root, only(pages(first, count)), pages(first, count), 1).unwrap();
        assert_eq!(spaces.free_frames(), free);
    }
    assert_eq!(spaces.write(root, INFO, b"x"), Err(Fault { address: INFO }));
    audit(&spaces, &[root]);
    spaces.destroy(root);
    audit(&spaces, &[]);
}

#[test]
fn a_many_core_process_has_maps_and_a_page_for_each_vcore() {
    let mut spaces = spaces(60, 0);
    let root = loaded(&mut spaces);
    spaces.map_vcore(root, ZERO, Some(CoreId(0)), 5);
    assert_eq!(u16_at(&spaces, root, INFO + info::VCORES as u64), 0, "it has no map yet");
    let free = spaces.free_frames();
    spaces.add_vcores(root, 3).unwrap();
    assert_eq!(free - spaces.free_frames(), pages_of_many(3));
    assert_eq!(u8_at(&spaces, root, INFO + info::IS_MANY as u64), 1);
    let frame = |vcore| vcore_frame(&spaces.memory, root, VcoreId(vcore));
    assert!(frame(2).is_some() && frame(2) == Some(frame_of(&spaces, root, DATA + 0x2000)));
    assert_eq!([frame(3), frame(255), frame(u16::MAX)], [None; 3]);
    spaces.post(root, VcoreId(2), Event { kind: 4, value: 0 });
    assert_eq!(u8_at(&spaces, root, DATA + 0x2000 + data::POSTED as u64), 1);
    audit(&spaces, &[root]);
    spaces.destroy(root);
    audit(&spaces, &[]);
}

#[test]
fn the_map_tells_where_each_vcore_is_and_how_long_it_has_been_there() {
    let mut spaces = spaces(60, 0);
    let root = loaded(&mut spaces);
    spaces.add_vcores(root, 3).unwrap();
    let vcore = |spaces: &Spaces<Ram>, vcore: u64| {
        let at = INFO + info::VCORES_MAP as u64 + vcore * info::VCORE_BYTES as u64;
        let valid = u8_at(spaces, root, at + info::vcore::VALID as u64);
        let ticks = u64_at(spaces, root, at + info::vcore::TICKS as u64);
        (u16_at(spaces, root, at), valid, ticks)
    };
    let core = |spaces: &Spaces<Ram>, core: u64| {
        let at = INFO + info::CORES_MAP as u64 + core * info::CORE_BYTES as u64;
        (u16_at(spaces, root, at), u8_at(spaces, root, at + info::core::VALID as u64))
    };
    let online = |spaces: &Spaces<Ram>| u16_at(spaces, root, INFO + info::VCORES as u64);
    let sequence = |spaces: &Spaces<Ram>| u16_at(spaces, root, INFO + info::SEQUENCE as u64);
    spaces.map_vcore(root, VcoreId(1), Some(CoreId(200)), 100);
    spaces.map_vcore(root, VcoreId(2), Some(CoreId(3)), 110);
    assert_eq!((vcore(&spaces, 1), core(&spaces, 200), online(&spaces)), ((200, 1, 0), (1, 1), 2));
    spaces.set_deadline(root, VcoreId(1), 500);
    spaces.map_vcore(root, VcoreId(1), None, 130);
    assert_eq!((vcore(&spaces, 1), core(&spaces, 200), online(&spaces)), ((200, 0, 30), (1, 0), 1));
    let deadline = INFO + (info::VCORES_MAP + info::VCORE_BYTES + info::vcore::DEADLINE) as u64;
    assert_eq!(u64_at(&spaces, root, deadline), 0, "who has no core loses none");
    spaces.map_vcore(root, VcoreId(1), None, 140);
    spaces.map_vcore(root, VcoreId(1), Some(CoreId(3)), 150);
    spaces.map_vcore(root, VcoreId(1), None, 151);
    assert_eq!((vcore(&spaces, 1), online(&spaces)), ((3, 0, 31), 1));
    assert_eq!(sequence(&spaces), 12, "two a change");
    spaces.map_vcore(root, VcoreId(256), Some(CoreId(3)), 160);
    spaces.map_vcore(root, VcoreId(0), Some(CoreId(u16::MAX)), 160);
    assert_eq!(online(&spaces), 2, "a vcore that cannot be is in no map");
    audit(&spaces, &[root]);
}

#[test]
fn without_frames_a_process_does_not_become_many_core_by_halves() {
    let mut spaces = spaces(60, 0);
    let root = loaded(&mut spaces);
    let free = spaces.free_frames();
    for vcores in [60, 255, u16::MAX] {
        assert_eq!(spaces.add_vcores(root, vcores), Err(NoFrames));
        assert_eq!(spaces.free_frames(), free);
        assert_eq!(u8_at(&spaces, root, INFO + info::IS_MANY as u64), 0);
    }
    audit(&spaces, &[root]);
    spaces.add_vcores(root, free as u16 - 2).unwrap();
    assert_eq!(spaces.free_frames(), 0);
    spaces.destroy(root);
    audit(&spaces, &[]);
}
