//! Freeing spaces.

use super::entry::{self, FOREIGN, HUGE, ONE, SHARED};
use super::fields::reserved_index;
use super::frame::Frame;
use super::memory::{ENTRIES, Memory, PAGE};
use super::tables::{Slot, index};
use super::{Spaces, note};
use proto::memory::MAP_AREA;
use proto::program::info;
use proto::program::layout::{DATA, GLOBAL, INFO, PROGRAM_START, RESERVED, SAVED, WISHES};

impl<M: Memory> Spaces<M> {
    /// Frees all that a space owns. Nobody may have it loaded.
    pub fn destroy(&mut self, root: u64) {
        if let Some(root) = self.pool.root(root) {
            self.free(root);
        }
    }

    pub(super) fn free(&mut self, root: Frame) {
        self.release_all(root);
        self.free_reserved(root);
        for page in [PROGRAM_START / PAGE as u64, MAP_AREA.first] {
            let slot = Slot { table: root, index: index(page, 3) };
            let entry = slot.load(&self.memory);
            if entry != 0 {
                slot.store(&mut self.memory, 0);
                self.free_table(entry, 2);
            }
        }
        self.pool.give_root(root);
    }

    /// Frees the table that an entry leads to, with all below. `level` is that of the table's entries.
    fn free_table(&mut self, entry: u64, level: u32) {
        let table = entry::frame(entry);
        let mut left = entry::count(entry);
        for index in 0..ENTRIES {
            if left == 0 {
                break;
            }
            let slot = Slot { table, index };
            let below = slot.load(&self.memory);
            if below != 0 {
                left -= 1;
                slot.store(&mut self.memory, 0);
                match level {
                    0 => self.give_back(below),
                    1 if below & HUGE != 0 => self.give_huge(below),
                    _ => self.free_table(below, level - 1),
                }
            }
        }
        self.pool.give_clean(table);
    }

    /// Frees the table with what the kernel shares with the program, and its pages.
    fn free_reserved(&mut self, root: Frame) {
        if self.vcore_pages(root) > 0 {
            self.drop_vcores(root);
        }
        self.memory.store_u64(root, note::RESERVED * 8, 0);
        let Some(entry) = self.detach_table(root, RESERVED.start / PAGE as u64) else { return };
        let table = entry::frame(entry);
        Slot { table, index: reserved_index(GLOBAL) }.store(&mut self.memory, 0);
        let first = self.take_entry(Slot { table, index: reserved_index(INFO) });
        if first != 0 {
            self.give_info(entry::frame(first));
        }
        for address in [SAVED, WISHES, DATA] {
            self.free_page(Slot { table, index: reserved_index(address) });
        }
        // What is counted is the stack, which grows down from the table's end.
        let mut left = entry::count(entry);
        for index in (0..ENTRIES).rev() {
            if left == 0 {
                break;
            }
            left -= usize::from(self.free_page(Slot { table, index }));
        }
        self.pool.give_clean(table);
    }

    /// Frees what a many-core process has more than another.
    pub(super) fn drop_vcores(&mut self, root: Frame) {
        let (info, data) = (reserved_index(INFO), reserved_index(DATA));
        let vcores = self.vcore_pages(root);
        let table = self.reserved(root);
        for index in (info + 1..info + info::PAGES).chain(data + 1..data + vcores) {
            self.free_page(Slot { table, index });
        }
        self.memory.store_u64(root, note::VCORES * 8, 0);
    }

    /// Takes the entry that leads to a page's table out of the table above.
    fn detach_table(&mut self, root: Frame, page: u64) -> Option<u64> {
        let slot = self.find_table(root, page)?;
        let top = Slot { table: root, index: index(page, 3) };
        let table = entry::frame(top.load(&self.memory));
        let above = Slot { table, index: index(page, 2) };
        let counted = above.load(&self.memory);
        above.store(&mut self.memory, counted - ONE);
        Some(self.take_entry(slot))
    }

    /// Takes an entry out of its table.
    fn take_entry(&mut self, slot: Slot) -> u64 {
        let entry = slot.load(&self.memory);
        slot.store(&mut self.memory, 0);
        entry
    }

    /// Frees a page; was there one?
    fn free_page(&mut self, slot: Slot) -> bool {
        let entry = self.take_entry(slot);
        if entry != 0 {
            self.give_back(entry);
        }
        entry != 0
    }

    /// Frees the first page about a process, where nothing but the fields is not zero.
    fn give_info(&mut self, page: Frame) {
        for offset in (0..info::GENERATION + 4).step_by(8) {
            self.memory.store_u64(page, offset, 0);
        }
        self.pool.give_clean(page);
    }

    /// Gives a page's frame back, if it was the last owner's.
    pub(super) fn give_back(&mut self, entry: u64) {
        let frame = entry::frame(entry);
        if entry & FOREIGN != 0 {
            return;
        }
        if entry & SHARED != 0 { self.give_shared(frame) } else { self.pool.give(frame) }
    }
}
