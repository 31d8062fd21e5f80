//! Free frames of physical memory.
//!
//! [`Pool`] hands them out and takes them back in a few instructions each. Its lists run through an array
//! with a word per frame, not through the frames themselves: those of dead processes are touched again only
//! when they are used again, and nothing that a program writes can end up in a list.

use crate::machine::memory::{PAGE, Range, Ranges};

/// A frame that belongs to address spaces of processes, or one that they may read: whatever is there,
/// no reference of the kernel leads to it. Only this module's parent makes one, from free memory that it
/// was given and from what it wrote into page tables itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame(u64);

impl Frame {
    pub(super) const fn at(address: u64) -> Self {
        Self(address)
    }

    /// The one of this number in the run that begins with it.
    pub(super) const fn in_run(self, index: usize) -> Self {
        Self(self.0 + index as u64 * PAGE)
    }

    /// Its physical address.
    #[must_use]
    pub const fn address(self) -> u64 {
        self.0
    }
}

/// Frames of a run: side by side, from an address on that is a multiple of what they are in bytes, so that one entry of
/// a page table can map them all (Intel SDM vol. 3, table 4-18).
pub(super) const RUN: usize = 512;
/// Bytes of a run.
const RUN_BYTES: u64 = RUN as u64 * PAGE;

/// There is no free frame left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFrames;

/// The end of a list.
pub(super) const END: u32 = u32::MAX;
/// The word of a frame that is the top page table of a space.
const ROOT: u32 = u32::MAX - 1;
/// The word of any other frame that is in use and has one owner.
const IN_USE: u32 = 0;

/// The free frames.
pub(super) struct Pool {
    /// Number of the frame that the first word is about.
    first: u64,
    /// For each frame: the next one in its list while it is in one, else whether it is a root, or how many
    /// owners it has if more than one have ever had it.
    words: &'static mut [u32],
    /// Frames that are all zero.
    clean: u32,
    /// Frames with anything in them.
    dirty: u32,
    /// Top page tables without an entry in the half of programs.
    roots: u32,
    /// Runs with anything in them, by their first frames.
    runs: u32,
    /// Memory that has not been in use yet, and of which frames are taken one by one.
    current: Range,
    /// More of that, of which no run can be made.
    edges: Ranges,
    /// Runs that have not been in use yet: frames are taken from below, runs from above.
    fresh: Ranges,
    free: u32,
    total: u32,
}

/// Frame numbers from the first to after the last that `free` has.
fn span(free: &Ranges) -> Range {
    let inside = || free.iter().map(|range| range.pages_inside(PAGE)).filter(|it| it.bytes() > 0);
    let start = inside().map(|range| range.start / PAGE).min().unwrap_or(0);
    let end = inside().map(|range| range.end / PAGE).max().unwrap_or(0);
    Range { start, end: end.min(start + Pool::MOST) }
}

/// How many frames [`Pool::new`] needs words for.
pub(super) fn frames(free: &Ranges) -> usize {
    span(free).bytes() as usize
}

impl Pool {
    /// Frames that can be told apart: links have two bits to spare, and one number means the end.
    pub(super) const MOST: u64 = (1 << 30) - 2;

    /// All frames that lie wholly in `free` and that there are words for. The words are zero.
    pub(super) fn new(free: &Ranges, words: &'static mut [u32]) -> Self {
        let span = span(free);
        let (mut fresh, mut edges) = (Ranges::default(), Ranges::default());
        let end = (span.start + words.len() as u64).min(span.end) * PAGE;
        for range in free.iter() {
            let inside = range.pages_inside(PAGE);
            let inside = Range { start: inside.start, end: inside.end.min(end) };
            let runs = inside.pages_inside(RUN_BYTES);
            if runs.bytes() == 0 {
                edges.add(inside);
                continue;
            }
            edges.add(Range { start: inside.start, end: runs.start });
            edges.add(Range { start: runs.end, end: inside.end });
            fresh.add(runs);
        }
        let total = ((fresh.bytes() + edges.bytes()) / PAGE) as u32;
        Self {
            first: span.start,
            words,
            clean: END,
            dirty: END,
            roots: END,
            runs: END,
            current: Range::default(),
            edges,
            fresh,
            free: total,
            total,
        }
    }

    pub(super) fn free(&self) -> u32 {
        self.free
    }

    pub(super) fn total(&self) -> u32 {
        self.total
    }

    /// A frame's number among the words.
    pub(super) fn index(&self, frame: Frame) -> u32 {
        (frame.address() / PAGE - self.first) as u32
    }

    /// The frame of a number.
    pub(super) fn frame(&self, index: u32) -> Frame {
        Frame((self.first + u64::from(index)) * PAGE)
    }

    /// The frame at that address, if it is the top page table of a space.
    pub(super) fn root(&self, address: u64) -> Option<Frame> {
        let index = (address / PAGE).checked_sub(self.first)?;
        let is_root = self.words.get(usize::try_from(index).ok()?) == Some(&ROOT);
        (is_root && address.is_multiple_of(PAGE)).then_some(Frame(address))
    }

    /// A frame that is all zero, if there is one at hand.
    pub(super) fn take_clean(&mut self) -> Option<Frame> {
        let index = Self::pop(&mut self.clean, self.words)?;
        Some(self.taken(index))
    }

    /// A frame with anything in it.
    #[inline(always)]
    pub(super) fn take(&mut self) -> Option<Frame> {
        let index = Self::pop(&mut self.dirty, self.words).or_else(|| self.pop_other())?;
        Some(self.taken(index))
    }

    /// One that has not just been given back.
    #[inline(never)]
    fn pop_other(&mut self) -> Option<u32> {
        self.pop_fresh()
            .or_else(|| Self::pop(&mut self.clean, self.words))
            .or_else(|| Self::pop(&mut self.roots, self.words))
            .or_else(|| self.break_run())
    }

    /// A run with anything in it, if there is one.
    pub(super) fn take_run(&mut self) -> Option<Frame> {
        let index = Self::pop(&mut self.runs, self.words).or_else(|| {
            let end = self.fresh.as_slice().last()?.end;
            let run = Range { start: end - RUN_BYTES, end };
            self.fresh.remove(run);
            Some(self.index(Frame(run.start)))
        })?;
        self.words[index as usize] = IN_USE;
        self.free -= RUN as u32;
        Some(self.frame(index))
    }

    /// Takes a run back.
    pub(super) fn give_run(&mut self, run: Frame) {
        let index = self.index(run);
        Self::push(&mut self.runs, self.words, index);
        self.free += RUN as u32;
    }

    /// A top page table that has been in use before, if there is one at hand.
    pub(super) fn take_root(&mut self) -> Option<Frame> {
        let index = Self::pop(&mut self.roots, self.words)?;
        Some(self.taken(index))
    }

    /// Says that a frame is the top page table of a space.
    pub(super) fn make_root(&mut self, frame: Frame) {
        *self.word(frame) = ROOT;
    }

    /// Takes a frame back.
    pub(super) fn give(&mut self, frame: Frame) {
        let index = self.index(frame);
        Self::push(&mut self.dirty, self.words, index);
        self.free += 1;
    }

    /// Takes a frame back that is all zero.
    pub(super) fn give_clean(&mut self, frame: Frame) {
        let index = self.index(frame);
        Self::push(&mut self.clean, self.words, index);
        self.free += 1;
    }

    /// Takes a top page table back that has no entry in the half of programs.
    pub(super) fn give_root(&mut self, frame: Frame) {
        let index = self.index(frame);
        Self::push(&mut self.roots, self.words, index);
        self.free += 1;
    }

    /// The word of a frame that is in use.
    pub(super) fn word(&mut self, frame: Frame) -> &mut u32 {
        let index = self.index(frame);
        &mut self.words[index as usize]
    }

    fn taken(&mut self, index: u32) -> Frame {
        self.words[index as usize] = IN_USE;
        self.free -= 1;
        self.frame(index)
    }

    #[inline(always)]
    fn pop(list: &mut u32, words: &[u32]) -> Option<u32> {
        let index = *list;
        // The end of the list is no word's number.
        *list = *words.get(index as usize)?;
        Some(index)
    }

    fn push(list: &mut u32, words: &mut [u32], index: u32) {
        words[index as usize] = core::mem::replace(list, index);
    }

    fn pop_fresh(&mut self) -> Option<u32> {
        if self.current.start == self.current.end {
            self.current = self.next_fresh()?;
        }
        let index = self.index(Frame(self.current.start));
        self.current.start += PAGE;
        Some(index)
    }

    /// Memory that has not been in use: first such of which no run can be made.
    #[cold]
    fn next_fresh(&mut self) -> Option<Range> {
        if let Some(&edge) = self.edges.as_slice().first() {
            self.edges.remove(edge);
            return Some(edge);
        }
        let start = self.fresh.take(RUN_BYTES, RUN_BYTES)?;
        Some(Range { start, end: start + RUN_BYTES })
    }

    /// Has the frames of a free run taken one by one from now on, as nothing else is left; the first of them.
    #[cold]
    fn break_run(&mut self) -> Option<u32> {
        let index = Self::pop(&mut self.runs, self.words)?;
        let start = self.frame(index).address();
        self.current = Range { start, end: start + RUN_BYTES };
        self.pop_fresh()
    }
}

#[cfg(test)]
impl Pool {
    pub(super) fn words(&self) -> &[u32] {
        self.words
    }

    /// Calls `see` with each free frame, and whether it is zero, or zero in the half of programs.
    pub(super) fn for_each_free(&self, mut see: impl FnMut(Frame, bool, bool)) {
        for (list, is_clean, is_root) in
            [(self.clean, true, false), (self.dirty, false, false), (self.roots, true, true)]
        {
            let mut index = list;
            while index != END {
                see(self.frame(index), is_clean, is_root);
                index = self.words[index as usize];
            }
        }
        let mut see_all = |range: Range| {
            for address in (range.start..range.end).step_by(PAGE as usize) {
                see(Frame(address), false, false);
            }
        };
        let mut index = self.runs;
        while index != END {
            let start = self.frame(index).address();
            assert!(start.is_multiple_of(RUN_BYTES));
            see_all(Range { start, end: start + RUN_BYTES });
            index = self.words[index as usize];
        }
        for &range in self.edges.iter().chain(self.fresh.iter()).chain([&self.current]) {
            see_all(range);
        }
    }
}
