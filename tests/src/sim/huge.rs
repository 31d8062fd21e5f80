//! Blocks that one entry maps: as the image does with them, but of few pages, so that small runs have many.

use super::core::SimCore;
use super::memory::{Frame, Memory, Page};
use super::paging::pages;
use proto::memory::Rights;
use proto::message::PageRange;
use std::ops::Range;

/// Pages of a block.
const BLOCK: u64 = 8;

/// Pages of one block that are changed, and up to where they are changed alike.
#[derive(Clone)]
pub(super) struct Chunk {
    pub(super) pages: Range<u64>,
    end: u64,
}

/// The pages of a range, block by block; `alike` pages from the first on will be changed alike.
pub(super) fn chunks(range: PageRange, alike: u32) -> impl Iterator<Item = Chunk> {
    let (all, end) = (pages(range), range.first + u64::from(alike));
    let blocks = all.start / BLOCK..all.end.div_ceil(BLOCK);
    blocks.map(move |block| {
        let pages = all.start.max(block * BLOCK)..all.end.min((block + 1) * BLOCK);
        Chunk { pages, end }
    })
}

impl Chunk {
    fn block(&self) -> u64 {
        self.pages.start / BLOCK
    }

    /// All pages of the block.
    pub(super) fn all(&self) -> Range<u64> {
        self.block() * BLOCK..(self.block() + 1) * BLOCK
    }

    /// Do they begin their block, and is all of it changed alike?
    fn is_whole(&self) -> bool {
        self.pages.start == self.all().start && self.all().end <= self.end
    }
}

/// What is to be done to populate pages.
#[derive(PartialEq, Eq)]
pub(super) enum Populate {
    /// Nothing more.
    Nothing,
    /// The whole block is to be mapped by one entry.
    Block,
    /// They are mapped page by page.
    Pages,
}

impl Memory {
    /// Begins to populate pages.
    pub(super) fn populate_block(&mut self, chunk: &Chunk, rights: Rights) -> Populate {
        let block = chunk.block();
        if self.huge.contains(&block) {
            let done = self.protect_block(chunk, rights);
            return if done { Populate::Nothing } else { Populate::Pages };
        }
        let is_empty = self.pages.range(chunk.all()).next().is_none();
        let at = chunk.pages.start - chunk.all().start;
        let goes_on = match self.building.get(&block) {
            Some(&(built_with, cleared)) => (built_with, cleared) == (rights, at),
            None => is_empty && chunk.is_whole(),
        };
        self.building.remove(&block);
        if !goes_on {
            Populate::Pages
        } else if chunk.pages.end == chunk.all().end {
            self.huge.insert(block);
            Populate::Block
        } else {
            self.building.insert(block, (rights, chunk.pages.end - chunk.all().start));
            Populate::Nothing
        }
    }

    /// Gives pages other rights, if they are mapped by one entry that can map them still; says whether. Else it does not
    /// thereafter.
    pub(super) fn protect_block(&mut self, chunk: &Chunk, rights: Rights) -> bool {
        self.building.remove(&chunk.block());
        let mut others = self.pages.range(chunk.all());
        if !self.huge.contains(&chunk.block()) || others.all(|(_, page)| page.rights == rights) {
            return self.huge.contains(&chunk.block());
        }
        if !chunk.is_whole() || rights.include(Rights::EXECUTE) {
            self.huge.remove(&chunk.block());
            return false;
        }
        for (_, page) in self.pages.range_mut(chunk.all()) {
            page.rights = rights;
        }
        true
    }

    /// Takes pages out, and with the first all of their block if all of it goes; gives their frames, then all together.
    pub(super) fn unmap_block(&mut self, chunk: &Chunk) -> Vec<Vec<Frame>> {
        self.building.remove(&chunk.block());
        let is_whole = self.huge.remove(&chunk.block()) && chunk.is_whole();
        let gone = if is_whole { chunk.all() } else { chunk.pages.clone() };
        let frames = gone.filter_map(|number| self.pages.remove(&number).map(|page| page.frame));
        if is_whole { vec![frames.collect()] } else { frames.map(|frame| vec![frame]).collect() }
    }

    /// No entry maps several of these pages any more.
    pub(super) fn split_blocks(&mut self, range: PageRange) {
        for chunk in chunks(range, range.pages) {
            self.building.remove(&chunk.block());
            self.huge.remove(&chunk.block());
        }
    }

    /// Frames of what is being built.
    pub(super) fn frames_in_building(&self) -> usize {
        self.building.len() * BLOCK as usize
    }

    /// Puts translations into a core for what the entry of a page maps.
    pub(super) fn translate(&self, core: &mut SimCore, number: u64, found: Page) {
        core.cached.translations.insert(number, found);
        core.cached.walked.extend(self.tables_to(number));
        let block = number / BLOCK;
        if self.huge.contains(&block) {
            let all = self.pages.range(block * BLOCK..(block + 1) * BLOCK);
            core.cached.translations.extend(all.map(|(&number, &page)| (number, page)));
        }
    }
}
