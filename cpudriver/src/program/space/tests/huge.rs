//! Blocks that one entry maps.

use super::super::memory::PAGE;
use super::ram::{Ram, audit};
use super::{entry_of, frame_of, loaded, only, pages, spaces};
use crate::program::space::entry::HUGE;
use crate::program::space::tables::Block;
use crate::program::space::{NoFrames, Spaces};
use proto::memory::{MAP_AREA, Rights};
use proto::message::PageRange;

const FIRST: u64 = MAP_AREA.first;
const BLOCK: PageRange = PageRange { first: FIRST, pages: 512 };
const RIGHTS: Rights = Rights::READ_WRITE;

/// Spaces with so many runs, and a space.
fn with_runs(runs: usize) -> (Spaces<Ram>, u64) {
    // The first 2 MiB have a hole.
    let mut spaces = spaces(512 * (runs + 1), 0);
    let root = loaded(&mut spaces);
    (spaces, root)
}

/// Populates the slices of a block from one to another, of eight.
fn populate(spaces: &mut Spaces<Ram>, root: u64, slices: core::ops::Range<u32>, rights: Rights) {
    for at in slices {
        let slice = pages(FIRST + u64::from(at * 64), 64);
        spaces.populate(root, (slice, 512 - at * 64), rights).unwrap();
        audit(spaces, &[root]);
    }
}

fn unmap(spaces: &mut Spaces<Ram>, root: u64, range: PageRange) {
    let (mut first, mut left) = (range.first, range.pages);
    while left > 0 {
        let slice = pages(first, left.min(64));
        let unused = if left <= 64 && range == BLOCK { MAP_AREA } else { slice };
        spaces.unmap(root, (slice, left), unused, 1).unwrap();
        audit(spaces, &[root]);
        first += u64::from(slice.pages);
        left -= slice.pages;
    }
}

fn is_huge(spaces: &Spaces<Ram>, root: u64) -> bool {
    let root = spaces.pool.root(root).unwrap();
    let entry = |Block { slot, .. }| slot.load(&spaces.memory);
    spaces.find_block(root, FIRST).is_some_and(|block| entry(block) & HUGE != 0)
}

#[test]
fn a_whole_block_is_one_entry_and_all_zero_and_comes_and_goes_as_one() {
    let (mut spaces, root) = with_runs(2);
    let free = spaces.free_frames();
    populate(&mut spaces, root, 0..7, RIGHTS);
    assert_eq!(entry_of(&spaces, root, FIRST * PAGE as u64), 0, "not before all is clear");
    populate(&mut spaces, root, 7..8, RIGHTS);
    assert!(is_huge(&spaces, root) && spaces.huge_blocks() == 1);
    assert_eq!(free - spaces.free_frames(), 512 + 2, "no table but those above");
    let frame = frame_of(&spaces, root, FIRST * PAGE as u64);
    assert!(frame.address().is_multiple_of(2 << 20));
    for page in [0, 1, 511] {
        let address = (FIRST + page) * PAGE as u64;
        let mut bytes = [1; PAGE];
        assert_eq!(spaces.read(root, address, &mut bytes), PAGE);
        assert!(bytes.iter().all(|&byte| byte == 0));
        assert_eq!(frame_of(&spaces, root, address), frame.in_run(page as usize));
        spaces.write(root, address + 8, &page.to_le_bytes()).unwrap();
    }
    spaces.protect(root, (pages(FIRST, 64), 512), Rights::READ).unwrap();
    spaces.protect(root, (pages(FIRST + 64, 64), 448), Rights::READ).unwrap();
    assert!(is_huge(&spaces, root));
    assert!(spaces.write(root, (FIRST + 511) * PAGE as u64, &[1]).is_err());
    unmap(&mut spaces, root, BLOCK);
    assert_eq!(spaces.huge_blocks(), 0);
    assert_eq!(free - spaces.free_frames(), 512 + 2, "cores may use it still");
    spaces.release(root, 1, 64);
    assert_eq!(free, spaces.free_frames());
    populate(&mut spaces, root, 0..8, RIGHTS);
    assert_eq!(frame_of(&spaces, root, FIRST * PAGE as u64), frame, "the same run again");
    let mut bytes = [1; 16];
    assert_eq!(spaces.read(root, (FIRST + 511) * PAGE as u64, &mut bytes), 16);
    assert_eq!(bytes, [0; 16], "nobody sees what was in it");
}

#[test]
fn a_block_of_which_a_part_changes_is_split_and_keeps_what_is_in_it() {
    let part = pages(FIRST + 100, 3);
    let change = |spaces: &mut Spaces<Ram>, root, number| match number {
        0 => spaces.protect(root, only(part), Rights::READ).unwrap(),
        1 => spaces.populate(root, only(part), Rights::READ).unwrap(),
        2 => spaces.protect(root, (BLOCK, 512), Rights(5)).unwrap(),
        _ => unmap(spaces, root, part),
    };
    for number in 0..4 {
        let (mut spaces, root) = with_runs(1);
        let free = spaces.free_frames();
        populate(&mut spaces, root, 0..8, RIGHTS);
        let (inside, outside) = (part.first * PAGE as u64, (FIRST + 511) * PAGE as u64);
        spaces.write(root, inside, b"in").unwrap();
        spaces.write(root, outside, b"out").unwrap();
        change(&mut spaces, root, number);
        audit(&spaces, &[root]);
        assert!(!is_huge(&spaces, root) && spaces.huge_blocks() == 0);
        assert_eq!(free - spaces.free_frames(), 512 + 3);
        let mut bytes = [0; 3];
        assert_eq!(spaces.read(root, outside, &mut bytes), 3);
        assert_eq!(&bytes, b"out");
        assert_eq!(spaces.write(root, outside, b"more").is_ok(), number != 2);
        assert!(spaces.write(root, inside, b"in").is_err());
        assert_eq!(spaces.read(root, inside, &mut bytes[..2]), if number < 3 { 2 } else { 0 });
        unmap(&mut spaces, root, BLOCK);
        spaces.release(root, 1, 600);
        assert_eq!(free, spaces.free_frames());
        audit(&spaces, &[root]);
    }
}

/// What is being built has no translation anywhere, and nothing is in it yet.
#[test]
fn whatever_comes_in_between_what_is_being_built_is_given_up() {
    let page = only(pages(FIRST + 300, 1));
    for number in 0..6 {
        let (mut spaces, root) = with_runs(1);
        let other = loaded(&mut spaces);
        let free = spaces.free_frames();
        populate_beside(&mut spaces, (root, other), 0..4, RIGHTS);
        assert_eq!(free - spaces.free_frames(), 512 + 2);
        match number {
            0 => spaces.populate(root, page, RIGHTS).unwrap(),
            1 => spaces.protect(root, page, Rights::READ).unwrap(),
            2 => spaces.unmap(root, page, page.0, 1).unwrap(),
            3 => spaces.share(root, other, page.0, RIGHTS).unwrap(),
            4 => populate_beside(&mut spaces, (root, other), 4..5, Rights::READ),
            _ => spaces.destroy(root),
        }
        let roots = [root, other];
        audit(&spaces, &roots[usize::from(number == 5)..]);
        assert!(free < spaces.free_frames() + 100, "the run is free again");
        assert_eq!(spaces.huge_blocks(), 0);
        if number < 5 {
            populate_beside(&mut spaces, (root, other), 5..8, RIGHTS);
            assert!(!is_huge(&spaces, root) && spaces.huge_blocks() == 0);
            spaces.write(root, (FIRST + 511) * PAGE as u64, b"there").unwrap();
        }
    }
}

fn populate_beside(
    spaces: &mut Spaces<Ram>,
    (root, other): (u64, u64),
    slices: core::ops::Range<u32>,
    rights: Rights,
) {
    for at in slices {
        let slice = pages(FIRST + u64::from(at * 64), 64);
        spaces.populate(root, (slice, 512 - at * 64), rights).unwrap();
        audit(spaces, &[root, other]);
    }
}

#[test]
fn what_is_no_whole_block_or_code_is_mapped_page_by_page() {
    let (mut spaces, root) = with_runs(2);
    for (range, alike, rights) in [
        (pages(FIRST, 64), 511, RIGHTS),
        (pages(FIRST + 513, 64), 600, RIGHTS),
        (pages(FIRST + 1024, 64), 512, Rights(5)),
        (pages(FIRST + (1 << 27) - 64, 64), u32::MAX, RIGHTS),
    ] {
        spaces.populate(root, (range, alike), rights).unwrap();
        let entry = entry_of(&spaces, root, range.first * PAGE as u64);
        assert!(entry & HUGE == 0 && entry != 0, "{range:?}");
        audit(&spaces, &[root]);
    }
    assert_eq!(spaces.huge_blocks(), 0);
}

#[test]
fn without_a_free_run_pages_are_mapped_and_without_other_frames_runs_are_taken_apart() {
    let (mut spaces, root) = with_runs(2);
    let second = pages(FIRST + 512, 512);
    populate(&mut spaces, root, 0..8, RIGHTS);
    spaces.populate(root, (second, 512), RIGHTS).unwrap();
    assert_eq!(spaces.huge_blocks(), 2);
    spaces.populate(root, only(pages(FIRST + 1024, 300)), RIGHTS).unwrap();
    let left = spaces.free_frames();
    let third = pages(FIRST + 2048, 512);
    assert_eq!(spaces.populate(root, (third, 512), RIGHTS), Err(NoFrames), "no run, and too few");
    assert_eq!((spaces.free_frames(), spaces.huge_blocks()), (0, 2));
    audit(&spaces, &[root]);
    // A table that is missing is an error that changes nothing.
    assert_eq!(spaces.protect(root, only(pages(FIRST, 1)), Rights::READ), Err(NoFrames));
    audit(&spaces, &[root]);
    unmap(&mut spaces, root, BLOCK);
    spaces.release(root, 1, 64);
    assert_eq!(spaces.free_frames(), 512);
    // All of the run's frames are of use, one by one.
    let rest = pages(third.first + u64::from(left) - 1, 512);
    spaces.populate(root, only(rest), RIGHTS).unwrap_err();
    assert_eq!(spaces.free_frames(), 0);
    audit(&spaces, &[root]);
    spaces.destroy(root);
    audit(&spaces, &[]);
}
