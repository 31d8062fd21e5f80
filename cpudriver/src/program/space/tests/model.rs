//! Any order of changes to a few spaces, beside a model of what should be there.

use super::super::memory::PAGE;
use super::ram::{Ram, audit};
use super::{frame_of, loaded, only, pages, spaces};
use crate::program::space::Spaces;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;
use proto::memory::{MAP_AREA, Rights};
use proto::message::PageRange;

/// What is done to the space of this number.
#[derive(Clone, Copy, Debug)]
enum Change {
    Renew(usize),
    Populate(usize, PageRange, Rights),
    Protect(usize, PageRange, Rights),
    Write(usize, u64, u64),
    Unmap(usize, PageRange, u32),
    Release(usize, u32, u32),
    Share(usize, usize, PageRange, Rights),
    Vcores(usize, u16),
    /// To pages of a block from its start on, so many in a slice.
    PopulateBlock(usize, PageRange, Rights, u32),
    ProtectBlock(usize, PageRange, Rights, u32),
    UnmapBlock(usize, PageRange, u32, u32),
}

const SPACES: usize = 3;

/// Pages near the borders of tables.
fn page() -> impl Strategy<Value = u64> {
    const LAST: u64 = MAP_AREA.pages as u64;
    let near = prop::sample::select(&[3, 512, 1 << 18, LAST - 1][..]);
    (near, 0_u64..4).prop_map(|(near, by)| MAP_AREA.first + near - 3 + by)
}

fn range() -> impl Strategy<Value = PageRange> {
    let end = MAP_AREA.first + u64::from(MAP_AREA.pages);
    (page(), 1_u32..5)
        .prop_filter("outside", move |it| it.0 + u64::from(it.1) <= end)
        .prop_map(|(first, count)| pages(first, count))
}

/// All pages of a block, or some more.
fn block() -> impl Strategy<Value = PageRange> {
    let first = prop::sample::select(&[0, 512, 1 << 18][..]);
    (first, prop::sample::select(&[512, 515][..]))
        .prop_map(|(first, count)| pages(MAP_AREA.first + first, count))
}

fn slice() -> impl Strategy<Value = u32> {
    prop::sample::select(&[64, 100, 512][..])
}

/// The slices of a range, so many pages each, and how many pages there are from each one's first on.
fn slices(range: PageRange, most: u32) -> impl Iterator<Item = (PageRange, u32)> {
    (0..range.pages).step_by(most as usize).map(move |at| {
        let rest = range.pages - at;
        (pages(range.first + u64::from(at), rest.min(most)), rest)
    })
}

fn rights() -> impl Strategy<Value = Rights> {
    prop::sample::select(&[Rights::NONE, Rights::READ, Rights::READ_WRITE, Rights(5)][..])
}

fn change() -> impl Strategy<Value = Change> {
    let space = || 0..SPACES;
    prop_oneof![
        1 => space().prop_map(Change::Renew),
        6 => (space(), range(), rights()).prop_map(|it| Change::Populate(it.0, it.1, it.2)),
        3 => (space(), range(), rights()).prop_map(|it| Change::Protect(it.0, it.1, it.2)),
        6 => (space(), page(), any::<u64>()).prop_map(|it| Change::Write(it.0, it.1, it.2)),
        6 => (space(), range(), 0_u32..3).prop_map(|it| Change::Unmap(it.0, it.1, it.2)),
        3 => (space(), 0_u32..3, 0_u32..8).prop_map(|it| Change::Release(it.0, it.1, it.2)),
        6 => (space(), space(), range(), rights())
            .prop_map(|it| Change::Share(it.0, it.1, it.2, it.3)),
        1 => (space(), 0_u16..5).prop_map(|it| Change::Vcores(it.0, it.1)),
        8 => (space(), block(), rights(), slice())
            .prop_map(|it| Change::PopulateBlock(it.0, it.1, it.2, it.3)),
        3 => (space(), block(), rights(), slice())
            .prop_map(|it| Change::ProtectBlock(it.0, it.1, it.2, it.3)),
        3 => (space(), block(), 0_u32..3, slice())
            .prop_map(|it| Change::UnmapBlock(it.0, it.1, it.2, it.3)),
    ]
}

/// A page: which memory it shows, and what may be done with it.
#[derive(Clone, Copy)]
struct Page {
    memory: usize,
    rights: Rights,
}

#[derive(Default)]
struct Space {
    root: u64,
    pages: BTreeMap<u64, Page>,
    /// Frames that wait, by their ticket.
    waiting: BTreeMap<u32, Vec<u64>>,
}

struct Model {
    real: Spaces<Ram>,
    spaces: [Space; SPACES],
    /// What is in each memory that there ever was.
    memories: Vec<u64>,
}

impl Model {
    fn new() -> Self {
        let mut real = spaces(512 * 6, 0);
        let spaces = [(); SPACES].map(|()| Space { root: loaded(&mut real), ..Space::default() });
        Self { real, spaces, memories: Vec::new() }
    }

    fn of(range: PageRange) -> impl Iterator<Item = u64> {
        range.first..range.first + u64::from(range.pages)
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Renew(at) => {
                self.real.destroy(self.spaces[at].root);
                self.spaces[at] = Space { root: loaded(&mut self.real), ..Space::default() };
            }
            Change::Populate(at, range, rights) => self.populate(at, only(range), rights),
            Change::Protect(at, range, rights) => self.protect(at, only(range), rights),
            Change::Write(at, page, value) => self.write(at, page, value),
            Change::Unmap(at, range, ticket) => self.unmap(at, only(range), ticket),
            Change::PopulateBlock(at, range, rights, most) => {
                // Enough is left for all else that may come.
                if self.real.free_frames() > 512 + 600 {
                    slices(range, most).for_each(|slice| self.populate(at, slice, rights));
                }
            }
            Change::ProtectBlock(at, range, rights, most) => {
                slices(range, most).for_each(|slice| self.protect(at, slice, rights));
            }
            Change::UnmapBlock(at, range, ticket, most) => {
                slices(range, most).for_each(|slice| self.unmap(at, slice, ticket));
            }
            Change::Release(at, ticket, most) => {
                let space = &mut self.spaces[at];
                self.real.release(space.root, ticket, most);
                self.real.release(space.root, ticket + 100, most);
                // Which of them are released is not said: wait for all.
                if most > 6 {
                    self.real.release(space.root, ticket, 1000);
                    space.waiting.remove(&ticket);
                }
            }
            Change::Share(from, to, range, rights) => self.share(from, to, range, rights),
            Change::Vcores(at, vcores) => {
                self.real.add_vcores(self.spaces[at].root, vcores).unwrap();
            }
        }
    }

    fn protect(&mut self, at: usize, (range, alike): (PageRange, u32), rights: Rights) {
        let space = &mut self.spaces[at];
        self.real.protect(space.root, (range, alike), rights).unwrap();
        for page in Self::of(range) {
            space.pages.entry(page).and_modify(|page| page.rights = rights);
        }
    }

    fn populate(&mut self, at: usize, (range, alike): (PageRange, u32), rights: Rights) {
        let space = &mut self.spaces[at];
        self.real.populate(space.root, (range, alike), rights).unwrap();
        for page in Self::of(range) {
            let new = Page { memory: self.memories.len(), rights };
            let old = space.pages.entry(page).or_insert_with(|| {
                self.memories.push(0);
                new
            });
            old.rights = rights;
        }
    }

    fn write(&mut self, at: usize, page: u64, value: u64) {
        let space = &self.spaces[at];
        let wrote = self.real.write(space.root, page * PAGE as u64, &value.to_le_bytes());
        let may = space.pages.get(&page).filter(|page| page.rights.include(Rights::WRITE));
        assert_eq!(wrote.is_ok(), may.is_some());
        if let Some(page) = may {
            self.memories[page.memory] = value;
        }
    }

    fn unmap(&mut self, at: usize, (range, alike): (PageRange, u32), ticket: u32) {
        let space = &mut self.spaces[at];
        for page in Self::of(range) {
            if space.pages.remove(&page).is_some() {
                let frame = frame_of(&self.real, space.root, page * PAGE as u64).address();
                space.waiting.entry(ticket).or_default().push(frame);
            }
        }
        // As far as there is nothing on both sides.
        let before = space.pages.range(..range.first).next_back().map_or(0, |it| it.0 + 1);
        let after = space.pages.range(range.first..).next().map_or(1 << 28, |it| *it.0);
        let unused = pages(before, u32::try_from(after - before).unwrap());
        self.real.unmap(space.root, (range, alike), unused, ticket).unwrap();
    }

    fn share(&mut self, from: usize, to: usize, range: PageRange, rights: Rights) {
        if from == to {
            return;
        }
        let roots = (self.spaces[from].root, self.spaces[to].root);
        self.real.share(roots.0, roots.1, range, rights).unwrap();
        for page in Self::of(range) {
            if let Some(&Page { memory, .. }) = self.spaces[from].pages.get(&page) {
                self.spaces[to].pages.entry(page).or_insert(Page { memory, rights });
            }
        }
    }

    fn check(&self) {
        let mut frames = BTreeMap::new();
        for space in &self.spaces {
            for (&page, it) in &space.pages {
                let address = page * PAGE as u64;
                let frame = frame_of(&self.real, space.root, address).address();
                assert_eq!(*frames.entry(it.memory).or_insert(frame), frame);
                let mut word = [0; 8];
                let read = self.real.read(space.root, address, &mut word);
                assert_eq!(read == 8, it.rights != Rights::NONE);
                assert!(read == 0 || u64::from_le_bytes(word) == self.memories[it.memory]);
            }
        }
        let used: BTreeSet<u64> = frames.values().copied().collect();
        assert_eq!(used.len(), frames.len(), "two memories are in one frame");
        audit(&self.real, &[0, 1, 2].map(|at: usize| self.spaces[at].root));
    }
}

proptest! {
    // A case checks all frames after each change.
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_changes_leave_what_the_model_says_and_no_frame_is_lost(
        changes in prop::collection::vec(change(), 1..60),
    ) {
        let mut model = Model::new();
        let untouched = model.real.free_frames();
        for change in changes {
            model.apply(change);
            model.check();
        }
        for at in 0..SPACES {
            model.apply(Change::Renew(at));
        }
        model.check();
        prop_assert_eq!(model.real.free_frames(), untouched);
    }
}

/// A frame that one space has given up must not come back while another's cores may use it still.
#[test]
fn a_frame_waits_until_the_last_of_its_owners_has_released_it() {
    let mut model = Model::new();
    let it = pages(MAP_AREA.first, 1);
    model.apply(Change::Populate(0, it, Rights::READ_WRITE));
    model.apply(Change::Share(0, 1, it, Rights::READ_WRITE));
    model.apply(Change::Unmap(0, it, 1));
    model.apply(Change::Unmap(1, it, 2));
    let shared = model.spaces[0].waiting[&1][0];
    assert_eq!(model.spaces[1].waiting[&2], [shared]);
    model.real.release(model.spaces[1].root, 2, 64);
    let free = model.real.free_frames();
    model.check();
    model.apply(Change::Populate(2, pages(MAP_AREA.first, 4), Rights::READ));
    for page in 0..4 {
        let address = (MAP_AREA.first + page) * PAGE as u64;
        assert_ne!(frame_of(&model.real, model.spaces[2].root, address).address(), shared);
    }
    let free = free - model.real.free_frames();
    model.real.release(model.spaces[0].root, 1, 64);
    assert!(free >= 4);
    model.check();
}

#[test]
fn a_release_gives_back_no_more_frames_than_it_may() {
    let mut model = Model::new();
    let it = pages(MAP_AREA.first, 4);
    let all = model.real.free_frames();
    model.apply(Change::Populate(0, it, Rights::READ_WRITE));
    model.apply(Change::Unmap(0, it, 7));
    let root = model.spaces[0].root;
    let waiting = all - model.real.free_frames();
    assert_eq!(waiting, 4 + 3, "four pages, and three tables that nobody needs");
    for left in (0..waiting).rev() {
        model.real.release(root, 7, 1);
        assert_eq!(all - model.real.free_frames(), left);
    }
    model.real.release(root, 7, 1);
    assert_eq!(model.real.free_frames(), all);
}

/// What a table may still be needed for is not only what is mapped now: frames for it are reckoned with.
#[test]
fn a_table_stays_until_there_is_no_memory_in_its_reach() {
    let mut spaces = spaces(60, 0);
    let root = loaded(&mut spaces);
    let all = spaces.free_frames();
    let (first, it) = (MAP_AREA.first, pages(MAP_AREA.first + 7, 1));
    for (unused, tables) in [
        (it, 3),
        (pages(first, 511), 3),
        (pages(first + 1, 1 << 20), 3),
        (pages(first, 512), 2),
        (pages(first, 1 << 18), 1),
        (pages(first, (1 << 27) - 1), 1),
        (MAP_AREA, 0),
    ] {
        spaces.populate(root, only(it), Rights::READ).unwrap();
        spaces.unmap(root, only(it), unused, 1).unwrap();
        spaces.release(root, 1, 64);
        assert_eq!(all - spaces.free_frames(), tables, "{unused:?}");
        audit(&spaces, &[root]);
    }
}
