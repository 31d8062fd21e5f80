//! Memory that a process maps while it runs, its stack, and the pages of its vcores.
//!
//! Ranges are the coordinator's: few pages a call, all in [`MAP_AREA`], or in the stack where it is only about
//! frames for it. A call about other pages does nothing.

use super::entry::{self, FOREIGN, HUGE, ONE, PRESENT, SHARED};
use super::fields::reserved_index;
use super::frame::{Frame, NoFrames};
use super::huge::is_whole;
use super::memory::{ENTRIES, Memory, PAGE};
use super::tables::{Leaf, Slot, index};
use super::{Spaces, note};
use core::ops::Range;
use proto::memory::{MAP_AREA, Rights};
use proto::message::PageRange;
use proto::program::info;
use proto::program::layout::{DATA, DATA_PAGES, INFO, STACK_BYTES, STACK_END};

/// Numbers of the pages that a process may map and unmap.
const MAPPED: Range<u64> = MAP_AREA.first..MAP_AREA.first + MAP_AREA.pages as u64;
/// Numbers of the pages of the stack.
const STACK: Range<u64> = (STACK_END - STACK_BYTES) / PAGE as u64..STACK_END / PAGE as u64;

/// The pages of a range, if they all lie in one of the areas.
fn within(areas: &[Range<u64>], range: PageRange) -> Option<Range<u64>> {
    let end = range.first.checked_add(range.pages.into())?;
    let fits = |area: &Range<u64>| area.start <= range.first && end <= area.end;
    areas.iter().any(fits).then_some(range.first..end)
}

/// The same pages, table by table.
fn by_table(pages: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let mut rest = pages;
    core::iter::from_fn(move || {
        let first = rest.start;
        if first >= rest.end {
            return None;
        }
        rest.start = rest.end.min((first | (ENTRIES as u64 - 1)) + 1);
        Some(first..rest.start)
    })
}

/// Does the whole reach of a page's table lie in `unused`? The table is one of this level, 1 for those of pages.
fn reaches(page: u64, level: usize, unused: &Range<u64>) -> bool {
    let reach = 1_u64 << (9 * level);
    let start = page & !(reach - 1);
    unused.start <= start && start + reach <= unused.end
}

impl<M: Memory> Spaces<M> {
    /// Gives zeroed frames to the pages that have none, and these rights to all of the range. `alike` pages, from the
    /// first of the range on, will have been populated like this in the end.
    ///
    /// # Errors
    ///
    /// [`NoFrames`]; the pages before have been done.
    #[inline(always)]
    pub fn populate(
        &mut self,
        root: u64,
        (range, alike): (PageRange, u32),
        rights: Rights,
    ) -> Result<(), NoFrames> {
        let Some(root) = self.pool.root(root) else { return Ok(()) };
        if range.pages == 1 && self.populate_one(root, range.first, rights)? {
            return Ok(());
        }
        self.populate_all(root, (range, alike), rights)
    }

    /// As [`populate`](Self::populate), of the page of a fault.
    ///
    /// # Errors
    ///
    /// [`NoFrames`].
    #[inline(always)]
    pub fn mend(&mut self, root: u64, page: u64, rights: Rights) -> Result<(), NoFrames> {
        let Some(root) = self.pool.root(root) else { return Ok(()) };
        if self.populate_one(root, page, rights)? {
            return Ok(());
        }
        self.mend_otherwise(root, page, rights)
    }

    #[inline(never)]
    fn mend_otherwise(&mut self, root: Frame, page: u64, rights: Rights) -> Result<(), NoFrames> {
        self.looks += u64::from(self.find(root, page) != 0);
        self.populate_all(root, (PageRange { first: page, pages: 1 }, 1), rights)
    }

    /// Gives a zeroed frame to a page that has none and whose table is there, as it mostly is when a page is used first;
    /// says whether that was so.
    #[inline(always)]
    fn populate_one(&mut self, root: Frame, page: u64, rights: Rights) -> Result<bool, NoFrames> {
        let is_inside = MAPPED.contains(&page) || STACK.contains(&page);
        let Some(Leaf { above, to_table, slot }) = self.find_leaf(root, page, is_inside) else {
            return Ok(false);
        };
        if slot.load(&self.memory) != 0 {
            return Ok(false);
        }
        let new = self.zeroed()?;
        slot.store(&mut self.memory, self.format.page(new, rights));
        above.store(&mut self.memory, to_table + ONE);
        Ok(true)
    }

    #[inline(never)]
    fn populate_all(
        &mut self,
        root: Frame,
        (range, alike): (PageRange, u32),
        rights: Rights,
    ) -> Result<(), NoFrames> {
        let end = range.first.saturating_add(alike.into());
        let Some(pages) = within(&[MAPPED, STACK], range) else { return Ok(()) };
        for pages in by_table(pages) {
            let block = self.make_block(root, pages.start)?;
            let entry = block.slot.load(&self.memory);
            let may_be_huge = entry & HUGE != 0 || entry == 0 && is_whole(&pages, end);
            if may_be_huge && self.populate_huge(block, &pages, end, rights)? {
                continue;
            }
            let above = self.table_of(block)?;
            let table = entry::frame(above.load(&self.memory));
            for page in pages {
                let slot = Slot { table, index: index(page, 0) };
                let old = slot.load(&self.memory);
                if old == 0 {
                    let new = self.zeroed()?;
                    self.put_entry(above, page, self.format.page(new, rights));
                } else {
                    slot.store(&mut self.memory, self.format.with_rights(old, rights));
                }
            }
        }
        Ok(())
    }

    /// Sets the rights of those pages that have frames; so will all of `alike` pages from the first on be in the end.
    ///
    /// # Errors
    ///
    /// [`NoFrames`]; the pages before have been done.
    #[inline(always)]
    pub fn protect(
        &mut self,
        root: u64,
        (range, alike): (PageRange, u32),
        rights: Rights,
    ) -> Result<(), NoFrames> {
        let Some(root) = self.pool.root(root) else { return Ok(()) };
        // Mostly it is one page, which a table maps.
        let is_one = range.pages == 1 && MAPPED.contains(&range.first);
        if let Some(Leaf { slot, .. }) = self.find_leaf(root, range.first, is_one) {
            let old = slot.load(&self.memory);
            if old != 0 {
                slot.store(&mut self.memory, self.format.with_rights(old, rights));
            }
            return Ok(());
        }
        self.protect_all(root, (range, alike), rights)
    }

    #[inline(never)]
    fn protect_all(
        &mut self,
        root: Frame,
        (range, alike): (PageRange, u32),
        rights: Rights,
    ) -> Result<(), NoFrames> {
        let end = range.first.saturating_add(alike.into());
        let Some(pages) = within(&[MAPPED], range) else { return Ok(()) };
        for pages in by_table(pages) {
            let Some(block) = self.find_block(root, pages.start) else { continue };
            let above = block.slot;
            let entry = above.load(&self.memory);
            if entry == 0 || entry & HUGE != 0 && self.protect_huge(block, &pages, end, rights)? {
                continue;
            }
            let table = entry::frame(above.load(&self.memory));
            for page in pages {
                let slot = Slot { table, index: index(page, 0) };
                let old = slot.load(&self.memory);
                if old != 0 {
                    slot.store(&mut self.memory, self.format.with_rights(old, rights));
                }
            }
        }
        Ok(())
    }

    /// Takes pages out of the tables, and tables that are empty then and whose whole reach lies in `unused`.
    /// Their frames stay apart, in the batch of that ticket, until they are [released](Self::release). `alike` pages, from
    /// the first on, will be out in the end, and nobody uses them any more.
    ///
    /// # Errors
    ///
    /// [`NoFrames`]; the pages before have been done.
    #[inline(always)]
    pub fn unmap(
        &mut self,
        root: u64,
        (range, alike): (PageRange, u32),
        unused: PageRange,
        ticket: u32,
    ) -> Result<(), NoFrames> {
        let Some(root) = self.pool.root(root) else { return Ok(()) };
        // Mostly it is one page, whose table stays.
        let is_one = range.pages == 1 && unused == range && MAPPED.contains(&range.first);
        if is_one && self.unmap_one(root, range.first, ticket) {
            return Ok(());
        }
        self.unmap_all(root, (range, alike), unused, ticket)
    }

    /// Takes a page out of a table if it is there and its frame is the space's alone; says whether.
    #[inline(always)]
    fn unmap_one(&mut self, root: Frame, page: u64, ticket: u32) -> bool {
        let Some(Leaf { above, to_table, slot }) = self.find_leaf(root, page, true) else {
            return false;
        };
        let old = slot.load(&self.memory);
        if old == 0 || old & (FOREIGN | SHARED) != 0 {
            return false;
        }
        slot.store(&mut self.memory, 0);
        above.store(&mut self.memory, to_table - ONE);
        self.put_own(root, ticket, entry::frame(old));
        true
    }

    #[inline(never)]
    fn unmap_all(
        &mut self,
        root: Frame,
        (range, alike): (PageRange, u32),
        unused: PageRange,
        ticket: u32,
    ) -> Result<(), NoFrames> {
        let end = range.first.saturating_add(alike.into());
        let Some(pages) = within(&[MAPPED], range) else { return Ok(()) };
        let unused = unused.first..unused.first.saturating_add(unused.pages.into());
        for pages in by_table(pages) {
            let first = pages.start;
            if let Some(block) = self.find_block(root, first) {
                let entry = block.slot.load(&self.memory);
                let is_done =
                    entry & HUGE != 0 && self.unmap_huge((root, block), &pages, end, ticket)?;
                if entry != 0 && !is_done {
                    self.unmap_small(root, block.slot, pages, ticket);
                }
            }
            if reaches(first, 1, &unused) {
                self.prune(root, first, &unused, ticket);
            }
        }
        Ok(())
    }

    /// Takes pages of one table, which `above` leads to, out of it.
    #[inline(always)]
    fn unmap_small(&mut self, root: Frame, above: Slot, pages: Range<u64>, ticket: u32) {
        let to_table = above.load(&self.memory);
        let table = entry::frame(to_table);
        let mut gone = 0;
        for page in pages {
            let slot = Slot { table, index: index(page, 0) };
            let old = slot.load(&self.memory);
            if old != 0 {
                slot.store(&mut self.memory, 0);
                let batch = self.batch(root, ticket);
                self.put_page(batch, old);
                gone += ONE;
            }
        }
        above.store(&mut self.memory, to_table - gone);
    }

    /// Takes the tables of a page out that are empty and whose reach lies in `unused`, lowest first.
    fn prune(&mut self, root: Frame, page: u64, unused: &Range<u64>, ticket: u32) {
        let mut path = [None; 3];
        let mut table = root;
        for level in [3, 2, 1] {
            let slot = Slot { table, index: index(page, level) };
            let entry = slot.load(&self.memory);
            if entry & PRESENT == 0 || level == 1 && entry & HUGE != 0 {
                break;
            }
            path[level as usize - 1] = Some(slot);
            table = entry::frame(entry);
        }
        for level in 1..=3 {
            if !reaches(page, level, unused) {
                break;
            }
            let Some(slot) = path[level - 1] else { continue };
            let entry = slot.load(&self.memory);
            if entry::count(entry) > 0 {
                break;
            }
            slot.store(&mut self.memory, 0);
            if let Some(above) = path.get(level).copied().flatten() {
                let counted = above.load(&self.memory);
                above.store(&mut self.memory, counted - ONE);
            }
            let batch = self.batch(root, ticket);
            self.put_table(batch, entry::frame(entry));
        }
    }

    /// Gives the frames of pages of one space to another too, at the same place, where it has none.
    ///
    /// # Errors
    ///
    /// [`NoFrames`]; the pages before have been done.
    pub fn share(
        &mut self,
        from: u64,
        to: u64,
        range: PageRange,
        rights: Rights,
    ) -> Result<(), NoFrames> {
        let (Some(from), Some(to)) = (self.pool.root(from), self.pool.root(to)) else {
            return Ok(());
        };
        let Some(pages) = within(&[MAPPED], range).filter(|_| from != to) else { return Ok(()) };
        for pages in by_table(pages) {
            let Some(block) = self.find_block(from, pages.start) else { continue };
            if block.slot.load(&self.memory) & HUGE != 0 {
                self.split(block)?;
            }
            let Some(above) = self.find_table(from, pages.start) else { continue };
            let source = entry::frame(above.load(&self.memory));
            let above = self.make_table(to, pages.start)?;
            let table = entry::frame(above.load(&self.memory));
            for page in pages {
                let slot = |table| Slot { table, index: index(page, 0) };
                let has_none = slot(table).load(&self.memory) == 0;
                if has_none && slot(source).load(&self.memory) != 0 {
                    let shared = self.add_owner(slot(source))?;
                    let entry = self.format.with_rights(shared, rights);
                    self.put_entry(above, page, entry);
                }
            }
        }
        Ok(())
    }

    /// Reckons with one more owner of a page's frame; returns the page's entry.
    fn add_owner(&mut self, slot: Slot) -> Result<u64, NoFrames> {
        let entry = slot.load(&self.memory);
        let frame = entry::frame(entry);
        if entry & SHARED != 0 {
            self.nodes.reserve(1)?;
            *self.pool.word(frame) += 1;
            return Ok(entry);
        }
        self.nodes.reserve(2)?;
        *self.pool.word(frame) = 2;
        slot.store(&mut self.memory, entry | SHARED);
        Ok(entry | SHARED)
    }

    /// Makes the process a many-core one, unless it is one: it gets the rest of the pages about the process,
    /// and the pages of so many vcores.
    ///
    /// # Errors
    ///
    /// [`NoFrames`]; it is as it was before.
    pub fn add_vcores(&mut self, root: u64, max_vcores: u16) -> Result<(), NoFrames> {
        let Some(first) = self.info(root, 0) else { return Ok(()) };
        let root = Frame::at(root);
        if self.vcore_pages(root) > 0 {
            return Ok(());
        }
        let vcores = u64::from(max_vcores).clamp(1, DATA_PAGES);
        self.memory.store_u64(root, note::VCORES * 8, vcores << 1);
        let page = PAGE as u64;
        let info = (INFO + page..INFO + info::PAGES as u64 * page, Rights::READ);
        let data = (DATA + page..DATA + vcores * page, Rights::READ_WRITE);
        for (range, rights) in [info, data] {
            for address in range.step_by(PAGE) {
                let slot = Slot { table: self.reserved(root), index: reserved_index(address) };
                let frame = self.zeroed().inspect_err(|NoFrames| self.drop_vcores(root))?;
                slot.store(&mut self.memory, self.format.page(frame, rights));
            }
        }
        self.memory.store_u16(first, info::MAX_VCORES, vcores as u16);
        self.memory.store_u8(first, info::IS_MANY, 1);
        Ok(())
    }
}
