//! Walking page tables.

use super::entry::{self, ONE, PRESENT};
use super::frame::{Frame, NoFrames};
use super::memory::{ENTRIES, Memory};
use super::{Spaces, note};

/// An entry of a page table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) table: Frame,
    pub(super) index: usize,
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
    /// The entry of level 1 that leads to the page's table, if there is that table.
    pub(super) fn find_table(&self, root: Frame, page: u64) -> Option<Slot> {
        let mut slot = Slot { table: root, index: index(page, 3) };
        for level in [2, 1] {
            let entry = slot.load(&self.memory);
            if entry & PRESENT == 0 {
                return None;
            }
            slot = Slot { table: entry::frame(entry), index: index(page, level) };
        }
        (slot.load(&self.memory) & PRESENT != 0).then_some(slot)
    }

    /// The entry of a page, if there is its table.
    pub(super) fn find(&self, root: Frame, page: u64) -> Option<Slot> {
        let table = entry::frame(self.find_table(root, page)?.load(&self.memory));
        Some(Slot { table, index: index(page, 0) })
    }

    /// The entry of level 1 that leads to the page's table; tables that are missing are made.
    pub(super) fn make_table(&mut self, root: Frame, page: u64) -> Result<Slot, NoFrames> {
        let mut slot = Slot { table: root, index: index(page, 3) };
        if slot.load(&self.memory) == 0 {
            let new = self.zeroed()?;
            slot.store(&mut self.memory, entry::to_table(new));
        }
        for level in [2, 1] {
            let above = slot.load(&self.memory);
            let below = Slot { table: entry::frame(above), index: index(page, level) };
            if below.load(&self.memory) == 0 {
                let new = self.zeroed()?;
                below.store(&mut self.memory, entry::to_table(new));
                slot.store(&mut self.memory, above + ONE);
            }
            slot = below;
        }
        Ok(slot)
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
