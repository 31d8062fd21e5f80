//! Walking page tables.

use super::entry::{self, BUILDING, HUGE, ONE, PRESENT};
use super::frame::{Frame, NoFrames};
use super::memory::{ENTRIES, Memory};
use super::{Spaces, note};

/// An entry of a page table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) table: Frame,
    pub(super) index: usize,
}

/// Where the entry is for the pages of one lowest table: the 512 that follow a multiple of that number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// The entry that leads to the table that it lies in, and counts that one's entries.
    pub(super) above: Slot,
    pub(super) slot: Slot,
}

/// Where the entry of a page is that has one of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    /// The entry that leads to its table, and what it was.
    pub(super) above: Slot,
    pub(super) to_table: u64,
    pub(super) slot: Slot,
}

impl Slot {
    pub(super) fn load(self, memory: &impl Memory) -> u64 {
        memory.load_u64(self.table, self.index * 8)
    }

    pub(super) fn store(self, memory: &mut impl Memory, entry: u64) {
        memory.store_u64(self.table, self.index * 8, entry);
    }
}

/// The number of a page's entry in its table of that level: 0 for those that lead to pages, 3 for the root.
pub(super) const fn index(page: u64, level: u32) -> usize {
    (page >> (9 * level)) as usize % ENTRIES
}

impl<M: Memory> Spaces<M> {
    /// The entry of level 1 for the page's block, if there is the table that it lies in: it leads to the table with the
    /// page's own entry, or to a run of which the page is one ([`HUGE`]), or is 0.
    #[inline(always)]
    pub(super) fn find_block(&self, root: Frame, page: u64) -> Option<Block> {
        let mut above = Slot { table: root, index: index(page, 3) };
        let mut slot = above;
        for level in [2, 1] {
            above = slot;
            let entry = above.load(&self.memory);
            if entry & PRESENT == 0 {
                return None;
            }
            slot = Slot { table: entry::frame(entry), index: index(page, level) };
        }
        Some(Block { above, slot })
    }

    /// The same entry, if it leads to a table.
    pub(super) fn find_table(&self, root: Frame, page: u64) -> Option<Slot> {
        let Block { slot, .. } = self.find_block(root, page)?;
        (slot.load(&self.memory) & (PRESENT | HUGE) == PRESENT).then_some(slot)
    }

    /// The place of the page's own entry, if `is_sought` and there is the table that it lies in.
    #[inline(always)]
    pub(super) fn find_leaf(&self, root: Frame, page: u64, is_sought: bool) -> Option<Leaf> {
        if !is_sought {
            return None;
        }
        let Block { slot: above, .. } = self.find_block(root, page)?;
        let to_table = above.load(&self.memory);
        let slot = Slot { table: entry::frame(to_table), index: index(page, 0) };
        (to_table & (PRESENT | HUGE) == PRESENT).then_some(Leaf { above, to_table, slot })
    }

    /// The page's entry, or what it would be were its block not mapped by one entry; 0 if there is neither.
    pub(super) fn find(&self, root: Frame, page: u64) -> u64 {
        let Some(Block { slot, .. }) = self.find_block(root, page) else { return 0 };
        let above = slot.load(&self.memory);
        if above & (HUGE | BUILDING) == HUGE {
            return entry::of_page(above, index(page, 0));
        }
        if above & PRESENT == 0 {
            return 0;
        }
        Slot { table: entry::frame(above), index: index(page, 0) }.load(&self.memory)
    }

    /// The entry of level 1 for the page's block; tables that are missing above it are made.
    pub(super) fn make_block(&mut self, root: Frame, page: u64) -> Result<Block, NoFrames> {
        let mut above = Slot { table: root, index: index(page, 3) };
        if above.load(&self.memory) == 0 {
            let new = self.zeroed()?;
            above.store(&mut self.memory, entry::to_table(new));
        }
        let to_table = above.load(&self.memory);
        let below = Slot { table: entry::frame(to_table), index: index(page, 2) };
        if below.load(&self.memory) == 0 {
            let new = self.zeroed()?;
            below.store(&mut self.memory, entry::to_table(new));
            above.store(&mut self.memory, to_table + ONE);
        }
        above = below;
        let table = entry::frame(above.load(&self.memory));
        Ok(Block { above, slot: Slot { table, index: index(page, 1) } })
    }

    /// The entry of level 1 that leads to the page's table; tables that are missing are made.
    pub(super) fn make_table(&mut self, root: Frame, page: u64) -> Result<Slot, NoFrames> {
        let block = self.make_block(root, page)?;
        self.table_of(block)
    }

    /// The entry of a block, which leads to a table thereafter.
    #[inline(always)]
    pub(super) fn table_of(&mut self, block: Block) -> Result<Slot, NoFrames> {
        let entry = block.slot.load(&self.memory);
        if entry & HUGE != 0 {
            self.split(block)?;
        }
        if block.slot.load(&self.memory) == 0 {
            let new = self.zeroed()?;
            self.put_block(block, entry::to_table(new));
        }
        Ok(block.slot)
    }

    /// Stores the entry of a block that has none.
    pub(super) fn put_block(&mut self, Block { above, slot }: Block, entry: u64) {
        slot.store(&mut self.memory, entry);
        let counted = above.load(&self.memory);
        above.store(&mut self.memory, counted + ONE);
    }

    /// Takes the entry of a block out.
    pub(super) fn take_block(&mut self, Block { above, slot }: Block) -> u64 {
        let entry = slot.load(&self.memory);
        slot.store(&mut self.memory, 0);
        let counted = above.load(&self.memory);
        above.store(&mut self.memory, counted - ONE);
        entry
    }

    /// Stores the entry of a page that has none yet; tables that are missing are made.
    pub(super) fn map(&mut self, root: Frame, page: u64, entry: u64) -> Result<(), NoFrames> {
        let above = self.make_table(root, page)?;
        self.put_entry(above, page, entry);
        Ok(())
    }

    /// Stores the entry of a page that has none yet; `above` is what leads to its table.
    pub(super) fn put_entry(&mut self, above: Slot, page: u64, entry: u64) {
        let to_table = above.load(&self.memory);
        let table = entry::frame(to_table);
        Slot { table, index: index(page, 0) }.store(&mut self.memory, entry);
        above.store(&mut self.memory, to_table + ONE);
    }

    /// The page table with what the kernel shares with the program.
    pub(super) fn reserved(&self, root: Frame) -> Frame {
        reserved(&self.memory, root)
    }
}

/// See [`Spaces::reserved`].
pub(super) fn reserved(memory: &impl Memory, root: Frame) -> Frame {
    Frame::at(memory.load_u64(root, note::RESERVED * 8))
}
