//! Blocks of 2 MiB that one entry maps.
//!
//! The coordinator knows nothing of them. With each slice of a change it says how many pages, from the slice's first on,
//! are to be changed alike: where that is a whole block, and 512 frames side by side are free, the block is mapped by one
//! entry, and it is protected and taken out as one when its first slice comes; what comes after finds that done. Where
//! only a part is to be changed, the block's entry is split into a page table, for which a frame is reserved as for any.
//!
//! To clear 2 MiB in one go would keep the coordinator from everything else, so a block is *built*, slice by slice, and
//! mapped with the last. If anything else comes in between, like a fault, what was built is given up: the pages
//! are mapped when they are used.
//!
//! Code is mapped page by page: there are processors that stop for good when they fetch by translations of both
//! sizes, as they may after a block is split (CVE-2018-12207).

use super::Spaces;
use super::entry::{self, BUILDING, HUGE, ONE, PRESENT};
use super::frame::{Frame, NoFrames, RUN};
use super::memory::{ENTRIES, Memory, PAGE};
use super::tables::{Block, Slot, index};
use core::ops::Range;
use proto::memory::{MAP_AREA, Rights};

/// Do these pages, of one block, begin it, and do all of it lie before `end`?
pub(super) const fn is_whole(pages: &Range<u64>, end: u64) -> bool {
    pages.start.is_multiple_of(RUN as u64) && pages.start + RUN as u64 <= end
}

impl<M: Memory> Spaces<M> {
    /// Blocks that are mapped by one entry, of all spaces.
    #[must_use]
    pub fn huge_blocks(&self) -> u32 {
        self.huge
    }

    /// The same of one space: looks at all tables above those of pages.
    #[must_use]
    pub fn huge_blocks_of(&self, root: u64) -> u32 {
        let Some(root) = self.pool.root(root) else { return 0 };
        let top = Slot { table: root, index: index(MAP_AREA.first, 3) }.load(&self.memory);
        self.huge_below(top, 2)
    }

    /// Those in the table that an entry leads to, whose own entries are of this level.
    fn huge_below(&self, above: u64, level: u32) -> u32 {
        if above & PRESENT == 0 {
            return 0;
        }
        let table = entry::frame(above);
        let all = (0..ENTRIES).map(|index| Slot { table, index }.load(&self.memory));
        if level == 1 {
            return all.filter(|entry| entry & (HUGE | BUILDING) == HUGE).count() as u32;
        }
        all.map(|entry| self.huge_below(entry, level - 1)).sum()
    }

    /// Gives frames and rights to pages of a block whose entry is 0 or leads to a run, if that can be done without a
    /// page table; says whether. What is changed alike with these pages ends before `end`.
    #[inline(never)]
    pub(super) fn populate_huge(
        &mut self,
        block: Block,
        pages: &Range<u64>,
        end: u64,
        rights: Rights,
    ) -> Result<bool, NoFrames> {
        let entry = block.slot.load(&self.memory);
        if entry & HUGE != 0 && entry & BUILDING == 0 {
            return self.protect_huge(block, pages, end, rights);
        }
        let run = if entry == 0 {
            if rights.include(Rights::EXECUTE) {
                return Ok(false);
            }
            let Some(run) = self.pool.take_run() else { return Ok(false) };
            self.put_block(block, entry::building(run, rights, 0));
            run
        } else if entry::count(entry) == index(pages.start, 0) && entry::built_with(entry) == rights
        {
            entry::frame(entry)
        } else {
            self.give_up(block);
            return Ok(false);
        };
        for page in pages.clone() {
            self.memory.clear(run.in_run(index(page, 0)), 0, PAGE);
        }
        let cleared = index(pages.end - 1, 0) + 1;
        let entry = if cleared < RUN {
            entry::building(run, rights, cleared)
        } else {
            self.huge += 1;
            self.format.huge(run, rights)
        };
        block.slot.store(&mut self.memory, entry);
        Ok(true)
    }

    /// Sets the rights of pages of a block that is not mapped by a table, if it need not be for that; says whether.
    pub(super) fn protect_huge(
        &mut self,
        block: Block,
        pages: &Range<u64>,
        end: u64,
        rights: Rights,
    ) -> Result<bool, NoFrames> {
        let old = block.slot.load(&self.memory);
        if old & BUILDING != 0 {
            self.give_up(block);
            return Ok(true);
        }
        let new = self.format.with_rights(old, rights);
        // It is as it should be already when a slice before was one of the same change.
        if old != new && (rights.include(Rights::EXECUTE) || !is_whole(pages, end)) {
            self.split(block)?;
            return Ok(false);
        }
        block.slot.store(&mut self.memory, new);
        Ok(true)
    }

    /// Takes pages of a block out that is not mapped by a table, and the rest of it, if all of it goes; says whether.
    pub(super) fn unmap_huge(
        &mut self,
        (root, block): (Frame, Block),
        pages: &Range<u64>,
        end: u64,
        ticket: u32,
    ) -> Result<bool, NoFrames> {
        if block.slot.load(&self.memory) & BUILDING != 0 {
            self.give_up(block);
            return Ok(true);
        }
        if !is_whole(pages, end) {
            self.split(block)?;
            return Ok(false);
        }
        let run = entry::frame(self.take_block(block));
        self.huge -= 1;
        let batch = self.batch(root, ticket);
        self.put_run(batch, run);
        Ok(true)
    }

    /// Has a table map what one entry maps; what was being built is given up.
    ///
    /// Cores may keep the translation of the whole, which is as good as those that the table gives, until one of the
    /// pages changes: to flush any page of it flushes it (Intel SDM vol. 3, 4.10.4.1).
    pub(super) fn split(&mut self, block: Block) -> Result<(), NoFrames> {
        let huge = block.slot.load(&self.memory);
        if huge & BUILDING != 0 {
            self.give_up(block);
            return Ok(());
        }
        let table = self.pool.take().ok_or(NoFrames)?;
        for index in 0..RUN {
            Slot { table, index }.store(&mut self.memory, entry::of_page(huge, index));
        }
        block.slot.store(&mut self.memory, entry::to_table(table) + RUN as u64 * ONE);
        self.huge -= 1;
        Ok(())
    }

    /// Gives a run back that is being built: it was never mapped.
    fn give_up(&mut self, block: Block) {
        let entry = self.take_block(block);
        self.pool.give_run(entry::frame(entry));
    }

    /// Gives the run of a block back whose space nobody has loaded.
    pub(super) fn give_huge(&mut self, entry: u64) {
        self.huge -= u32::from(entry & BUILDING == 0);
        self.pool.give_run(entry::frame(entry));
    }
}

/// A table has as many entries as a run has frames.
const _: () = assert!(RUN == ENTRIES && RUN == proto::memory::BLOCK as usize);
