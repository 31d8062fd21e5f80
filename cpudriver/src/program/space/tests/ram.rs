//! Memory on the host, and an audit of the page tables in it.

use crate::machine::memory::{Range, Ranges};
use crate::program::space::entry::{self, BUILDING, FOREIGN, HUGE, PRESENT, SHARED};
use crate::program::space::frame::{Frame, RUN};
use crate::program::space::memory::{ENTRIES, Memory, PAGE};
use crate::program::space::{Spaces, words};
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use proto::program::layout::RESERVED;

/// The first address of the memory.
pub(super) const START: u64 = 0x20_0000;
/// A word of the kernel's half.
const KERNEL: u64 = 0x1234_5003;

/// Memory from [`START`] on. All of it is junk in the beginning.
pub(super) struct Ram {
    bytes: Vec<u8>,
}

impl Ram {
    /// So many pages.
    pub(super) fn new(pages: usize) -> Self {
        Self { bytes: vec![0xa5; pages * PAGE] }
    }

    fn at(&self, frame: Frame, offset: usize) -> usize {
        assert!(offset < PAGE && frame.address().is_multiple_of(PAGE as u64));
        (frame.address() - START) as usize + offset
    }

    fn get<const N: usize>(&self, frame: Frame, offset: usize) -> [u8; N] {
        assert!(offset.is_multiple_of(N));
        *self.bytes[self.at(frame, offset)..].first_chunk().unwrap()
    }

    fn put<const N: usize>(&mut self, frame: Frame, offset: usize, bytes: [u8; N]) {
        assert!(offset.is_multiple_of(N));
        let at = self.at(frame, offset);
        *self.bytes[at..].first_chunk_mut().unwrap() = bytes;
    }

    pub(super) fn page(&mut self, frame: Frame) -> &mut [u8; PAGE] {
        let at = self.at(frame, 0);
        self.bytes[at..].first_chunk_mut().unwrap()
    }
}

impl Memory for Ram {
    fn fence(&self) {}

    fn load_u32(&self, frame: Frame, offset: usize) -> u32 {
        u32::from_le_bytes(self.get(frame, offset))
    }

    fn load_u64(&self, frame: Frame, offset: usize) -> u64 {
        u64::from_le_bytes(self.get(frame, offset))
    }

    fn store_u8(&mut self, frame: Frame, offset: usize, value: u8) {
        self.put(frame, offset, [value]);
    }

    fn store_u16(&mut self, frame: Frame, offset: usize, value: u16) {
        self.put(frame, offset, value.to_le_bytes());
    }

    fn store_u32(&mut self, frame: Frame, offset: usize, value: u32) {
        self.put(frame, offset, value.to_le_bytes());
    }

    fn store_u64(&mut self, frame: Frame, offset: usize, value: u64) {
        self.put(frame, offset, value.to_le_bytes());
    }

    fn copy_out(&self, frame: Frame, offset: usize, to: &mut [u8]) {
        assert!(offset + to.len() <= PAGE);
        let at = self.at(frame, offset);
        to.copy_from_slice(&self.bytes[at..at + to.len()]);
    }

    fn copy_in(&mut self, frame: Frame, offset: usize, from: &[u8]) {
        assert!(offset + from.len() <= PAGE);
        let at = self.at(frame, offset);
        self.bytes[at..at + from.len()].copy_from_slice(from);
    }

    fn clear(&mut self, frame: Frame, start: usize, end: usize) {
        assert!(start.is_multiple_of(8) && end.is_multiple_of(8));
        if start < end {
            self.page(frame)[start..end].fill(0);
        }
    }

    fn copy_kernel_half(&mut self, root: Frame) {
        for index in ENTRIES / 2..ENTRIES {
            self.store_u64(root, index * 8, KERNEL);
        }
    }

    fn with_bytes<R>(&mut self, frame: Frame, work: impl FnOnce(&mut [u8; PAGE]) -> R) -> R {
        work(self.page(frame))
    }
}

/// Spaces with so many frames, and behind them so many pages that are nobody's.
pub(super) fn spaces(frames: usize, more: usize) -> Spaces<Ram> {
    let page = PAGE as u64;
    let mut free = Ranges::default();
    // A hole after two frames, and pieces of pages at the ends.
    let hole = START + 2 * page;
    free.add(Range { start: START - 8, end: hole + 8 });
    free.add(Range { start: hole + page, end: START + (frames as u64 + 1) * page + 9 });
    let words = vec![0; words(&free)].leak();
    let spaces = Spaces::new(Ram::new(frames + 1 + more), &free, words, true).unwrap();
    assert_eq!(spaces.total_frames() as usize, frames);
    spaces
}

/// What an audit has seen of a frame.
#[derive(Default)]
struct Seen {
    owners: u32,
    is_shared: bool,
    is_table: bool,
}

/// Checks that every frame is free or reached from one of the roots, as often as its word says, or waits in a
/// batch; that tables count their entries; that what is said to be zero is zero.
pub(super) fn audit(spaces: &Spaces<Ram>, roots: &[u64]) {
    let mut seen = BTreeMap::new();
    let mut see = |frame: Frame, is_shared: bool, is_table: bool| {
        let it: &mut Seen = seen.entry(frame.address()).or_default();
        it.owners += 1;
        it.is_shared |= is_shared;
        it.is_table |= is_table;
    };
    see(spaces.global, false, false);
    let mut huge = 0;
    let by_space: u32 = roots.iter().map(|&root| spaces.huge_blocks_of(root)).sum();
    assert_eq!(by_space, spaces.huge_blocks());
    for &root in roots {
        let root = spaces.pool.root(root).expect("it is a root");
        see(root, false, true);
        for index in 0..ENTRIES {
            let entry = spaces.memory.load_u64(root, index * 8);
            match index {
                0 | 1 if entry != 0 => huge += tables(spaces, entry, (2, index as u64), &mut see),
                0 | 1 => {}
                _ if index >= ENTRIES / 2 => assert_eq!(entry, KERNEL),
                _ => assert_eq!(entry & PRESENT, 0, "a note is not present"),
            }
        }
        spaces.waiting(root, |frame, is_shared, is_run| {
            for index in 0..if is_run { RUN } else { 1 } {
                see(frame.in_run(index), is_shared, false);
            }
        });
    }
    for (&address, it) in &seen {
        let word = spaces.pool.words()[spaces.pool.index(Frame::at(address)) as usize];
        if it.is_shared {
            assert_eq!(word, it.owners, "owners of {address:#x}");
        } else {
            assert_eq!(it.owners, 1, "{address:#x} is in two places");
        }
        assert!(!it.is_table || it.owners == 1);
    }
    assert_eq!(huge, spaces.huge_blocks());
    let mut free = 0;
    spaces.pool.for_each_free(|frame, is_clean, is_root| {
        free += 1;
        assert!(!seen.contains_key(&frame.address()), "{frame:?} is free and in use");
        let end = if is_root { ENTRIES / 2 } else { ENTRIES };
        let zero = || (0..end).all(|index| spaces.memory.load_u64(frame, index * 8) == 0);
        assert!(!is_clean || zero(), "{frame:?} is not zero");
    });
    assert_eq!(free, spaces.free_frames());
    assert_eq!(free as usize + seen.len(), spaces.total_frames() as usize, "none is lost");
}

/// Looks at a table and all below; how many blocks are mapped by one entry there?
fn tables(
    spaces: &Spaces<Ram>,
    entry: u64,
    (level, prefix): (u32, u64),
    see: &mut impl FnMut(Frame, bool, bool),
) -> u32 {
    let table = entry::frame(entry);
    see(table, false, true);
    let (mut count, mut huge) = (0, 0);
    for index in 0..ENTRIES {
        let below = spaces.memory.load_u64(table, index * 8);
        if below == 0 {
            continue;
        }
        let page = prefix << 9 | index as u64;
        let is_counted = level > 0 || prefix << 21 != RESERVED.start || index >= ENTRIES - 64;
        count += usize::from(is_counted);
        if level == 1 && below & HUGE != 0 {
            huge += u32::from(below & BUILDING == 0);
            (0..RUN).for_each(|index| see(entry::frame(below).in_run(index), false, false));
        } else if level > 0 {
            huge += tables(spaces, below, (level - 1, page), see);
        } else if below & FOREIGN == 0 {
            see(entry::frame(below), below & SHARED != 0, false);
        }
    }
    assert_eq!(entry::count(entry), count, "of table {table:?}, level {level}");
    huge
}
