//! Page tables and frames: what the image does with the coordinator's outputs about memory, and what a core
//! does with translations.

use super::action::Op;
use super::core::{Health, SimCore};
use super::huge::{Chunk, Populate, chunks};
use super::memory::{Frame, Memory, Page, is_in};
use super::world::{Happened, World, violation};
use cpudriver::driver::Trap;
use monitor::{Kind, MAX_PAGES, Output, ProcessId, RegionView};
use proto::call::Outcome;
use proto::id::CoreId;
use proto::memory::{MAP_AREA, Rights, is_guard};
use proto::message::PageRange;

/// How many pages, as a power of two, the page tables of each level reach.
const REACHES: [u32; 3] = [9, 18, 27];

/// The numbers of the pages of a range.
pub(super) fn pages(range: PageRange) -> std::ops::Range<u64> {
    range.first..range.first + u64::from(range.pages)
}

impl World {
    /// Applies an output about an address space.
    pub(crate) fn apply_memory(&mut self, output: Output) -> Happened {
        match output {
            Output::Populate { process, range, alike, rights } => {
                check_range(range)?;
                self.check_rights(process, PageRange { pages: alike, ..range }, rights)?;
                self.check_is_own(process, (range, alike))?;
                chunks(range, alike).try_for_each(|it| self.populate(process, &it, rights))
            }
            Output::Protect { process, range, alike, rights } => {
                check_range(range)?;
                self.check_rights(process, PageRange { pages: alike, ..range }, rights)?;
                let memory = self.written(process, "rights")?;
                for chunk in chunks(range, alike) {
                    memory.protect_block(&chunk, rights);
                }
                for (_, page) in memory.pages.range_mut(pages(range)) {
                    page.rights = rights;
                }
                Ok(())
            }
            Output::Unmap { process, range, alike, unused, ticket } => {
                check_range(range)?;
                self.check_is_leaving(process, PageRange { pages: alike, ..range })?;
                self.written(process, "page table")?.unmap((range, alike), unused, ticket);
                Ok(())
            }
            Output::Release { process, ticket, frames } => self.release(process, ticket, frames),
            Output::Share { from, to, range, rights } => self.share(from, to, range, rights),
            _ => Ok(()),
        }
    }

    fn populate(&mut self, process: ProcessId, chunk: &Chunk, rights: Rights) -> Happened {
        let memory = self.written(process, "page table")?;
        let range = match memory.populate_block(chunk, rights) {
            Populate::Nothing => return Ok(()),
            Populate::Block => chunk.all(),
            Populate::Pages => chunk.pages.clone(),
        };
        for number in range {
            self.check_is_no_guard(process, number)?;
            self.make_tables(process, number)?;
            let memory = self.written(process, "page table")?;
            if let Some(page) = memory.pages.get_mut(&number) {
                page.rights = rights;
                continue;
            }
            let frame = self.take_frame();
            self.written(process, "page table")?.pages.insert(number, Page { frame, rights });
        }
        Ok(())
    }

    /// No page table gives more than the coordinator says that the process may do.
    fn check_rights(&self, process: ProcessId, range: PageRange, rights: Rights) -> Happened {
        for number in pages(range) {
            let has = |region: &RegionView| is_in(region.range, number);
            let region = self.coordinator.regions(process.pid).find(has);
            if !region.is_some_and(|region| region.rights.include(rights)) {
                let wrong =
                    format!("page {number:#x} of {process:?} gets {rights:?} of {region:?}");
                return violation(wrong);
            }
        }
        Ok(())
    }

    /// What other processes may be given is there with the output that is about it, not only with a later one.
    fn check_is_own(&self, process: ProcessId, (range, alike): (PageRange, u32)) -> Happened {
        let shared = |it: &RegionView| it.shared && is_in(it.range, range.first);
        match self.coordinator.regions(process.pid).find(shared) {
            Some(it) if alike > range.pages => violation(format!("{it:?} is populated later")),
            _ => Ok(()),
        }
    }

    /// Nothing is taken out of the tables that a process which lives has by right.
    fn check_is_leaving(&self, process: ProcessId, range: PageRange) -> Happened {
        let is_dying = self.coordinator.process(process.pid).is_none_or(|it| it.state.is_dying());
        let (first, end) = (range.first, pages(range).end);
        let stays = |it: &RegionView| {
            it.kind != Kind::Leaving && it.range.first < end && pages(it.range).end > first
        };
        match self.coordinator.regions(process.pid).find(stays).filter(|_| !is_dying) {
            Some(it) => violation(format!("{range:?} of {process:?} goes, and {it:?} stays")),
            None => Ok(()),
        }
    }

    /// A page that the process has as a guard never gets a frame.
    fn check_is_no_guard(&self, process: ProcessId, number: u64) -> Happened {
        let guards = |it: &RegionView| is_in(it.range, number) && is_guard(number, it.spacing);
        match self.coordinator.regions(process.pid).find(guards) {
            Some(region) => violation(format!(
                "page {number:#x} of {process:?}, a guard of {region:?}, is given a frame"
            )),
            None => Ok(()),
        }
    }

    fn share(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        range: PageRange,
        rights: Rights,
    ) -> Happened {
        check_range(range)?;
        self.written(from, "page table")?.split_blocks(range);
        for number in pages(range) {
            let source = self.written(from, "page table")?.pages.get(&number).copied();
            let Some(Page { frame, .. }) = source else {
                return violation(format!("{from:?} shares page {number:#x}, which it has not"));
            };
            self.make_tables(to, number)?;
            let memory = self.written(to, "page table")?;
            if let Some(page) = memory.pages.insert(number, Page { frame, rights }) {
                return violation(format!("{to:?} has {page:?} already and is given {frame}"));
            }
            *self.frames.entry(frame).or_default() += 1;
        }
        Ok(())
    }

    fn make_tables(&mut self, process: ProcessId, page: u64) -> Happened {
        for reach in REACHES {
            let table = (reach, page >> reach);
            if !self.written(process, "page table")?.tables.contains_key(&table) {
                let frame = self.take_frame();
                self.written(process, "page table")?.tables.insert(table, frame);
            }
        }
        Ok(())
    }

    /// A frame that nobody has. That no core has a translation to it was checked when it came back.
    fn take_frame(&mut self) -> Frame {
        let mut free = 0;
        for &frame in self.frames.keys() {
            if frame != free {
                break;
            }
            free += 1;
        }
        self.frames.insert(free, 1);
        free
    }

    /// No core may have a translation to a frame that is given up.
    fn release(&mut self, process: ProcessId, ticket: u32, most: u32) -> Happened {
        if most > MAX_PAGES {
            return violation(format!("{most} frames are released at once"));
        }
        let quarantine = &mut self.written(process, "quarantine")?.quarantine;
        let Some(batch) = quarantine.get_mut(&ticket) else { return Ok(()) };
        let gone: Vec<Frame> = batch.drain(..batch.len().min(most as usize)).flatten().collect();
        if batch.is_empty() {
            quarantine.remove(&ticket);
        }
        for frame in gone {
            let owners = self.frames.entry(frame).or_default();
            *owners = owners.saturating_sub(1);
            let last = *owners == 0;
            if last {
                self.frames.remove(&frame);
            }
            // A processor looks at page tables when it likes, but uses no memory that nobody asks for.
            let uses = |it: &SimCore| {
                let finds = it.cached.translations.values().any(|page| page.frame == frame);
                it.health != Health::Stopped
                    && (last || it.loaded == Some(process))
                    && (it.cached.walked.contains(&frame) || finds && !it.is_to_flush())
            };
            if let Some(core) = self.cores.iter().position(uses) {
                return violation(format!("core {core} can still use what {process:?} gave back"));
            }
        }
        Ok(())
    }

    /// Memory is used through a translation if the core has one, else through the page table; else the core
    /// faults, and forgets the translation that did not allow it.
    pub(crate) fn touch(&mut self, core: CoreId, page: u64, needed: Rights) -> Happened {
        let it = &mut self.cores[core.index()];
        let (Some(lease), Some(process)) = (it.driver.lease(), it.loaded) else { return Ok(()) };
        let allows = |page: &&Page| page.rights.include(needed);
        if it.cached.translations.get(&page).filter(allows).is_some() {
            return Ok(());
        }
        let Some(memory) = self.memory.get(&process) else { return Ok(()) };
        if let Some(&found) = memory.pages.get(&page).filter(allows) {
            memory.translate(it, page, found);
            return Ok(());
        }
        it.cached.translations.remove(&page);
        it.retry = Some((page, needed));
        let code = 4 | if needed.include(Rights::WRITE) { 2 } else { 0 };
        let trap = Trap::Fault { address: page << 12, vector: 14, code, at: 0, reflect: false };
        let effects = it.driver.trap(trap);
        self.carry_out(core, Some(lease), effects)
    }

    /// The instruction that faulted is executed again.
    pub(crate) fn repeat(&mut self, core: CoreId) -> Happened {
        match self.cores[core.index()].retry.take() {
            Some((page, needed)) => self.touch(core, page, needed),
            None => Ok(()),
        }
    }

    /// A process asks for a change to its memory: until that is answered, translations may differ.
    pub(crate) fn note_change(&mut self, call: u64, process: ProcessId, op: Op) {
        match op {
            Op::Unmap(first, pages) | Op::Protect(first, pages, _) => {
                self.changes.insert(call & !7, (process, PageRange { first, pages }));
            }
            Op::Map { pages, .. } => {
                self.mappings.insert(call & !7, (process, pages));
            }
            _ => {}
        }
    }

    /// A call has its outcome. What it has mapped is new: no core has a translation of what was there before,
    /// whoever still waits for that to be taken away.
    pub(crate) fn change_is_over(&mut self, call: u64, outcome: Outcome, value: u64) -> Happened {
        self.changes.remove(&call);
        let Some((process, pages)) = self.mappings.remove(&call) else { return Ok(()) };
        if outcome.is_error() {
            return Ok(());
        }
        let mapped = PageRange { first: value >> 12, pages };
        let Some(memory) = self.memory.get(&process) else { return Ok(()) };
        let loads = |it: &&SimCore| it.loaded == Some(process) && !it.is_to_flush();
        for it in self.cores.iter().filter(loads) {
            let old = it.cached.translations.iter().find(|&(&page, used)| {
                is_in(mapped, page)
                    && memory.pages.get(&page).is_none_or(|now| now.frame != used.frame)
            });
            if let Some(old) = old.filter(|_| it.health != Health::Stopped) {
                return violation(format!(
                    "{process:?} maps {mapped:?} where a core still has {old:?}"
                ));
            }
        }
        Ok(())
    }

    /// No core uses a translation whose removal was acknowledged to the caller.
    pub(crate) fn check_translations(&self, core: CoreId) -> Happened {
        let it = &self.cores[core.index()];
        let runs = it.health != Health::Stopped && !it.is_to_flush();
        let Some(process) = it.loaded.filter(|_| runs) else { return Ok(()) };
        let Some(memory) = self.memory.get(&process) else { return Ok(()) };
        for (&number, used) in &it.cached.translations {
            let right = memory
                .pages
                .get(&number)
                .is_some_and(|page| page.frame == used.frame && page.rights.include(used.rights));
            let changes = |&(of, range): &(ProcessId, PageRange)| {
                of == process && range.pages > 0 && is_in(range, number)
            };
            if !right && !self.changes.values().any(changes) {
                return violation(format!(
                    "core {core} uses {used:?} for page {number:#x} of {process:?}, which was taken away"
                ));
            }
        }
        Ok(())
    }

    /// What is in use was reserved before.
    pub(crate) fn check_frames(&self) -> Happened {
        for view in self.coordinator.processes() {
            let Some(memory) = self.memory.get(&view.id) else { continue };
            let used = memory.frames_used();
            if used + super::memory::FRAMES as usize > view.frames as usize {
                let reserved = view.frames;
                return violation(format!("{:?} uses {used} frames of {reserved}", view.id));
            }
        }
        Ok(())
    }
}

fn check_range(range: PageRange) -> Happened {
    let inside = range.pages > 0
        && range.pages <= MAX_PAGES
        && pages(range).all(|page| page >= MAP_AREA.first && is_in(MAP_AREA, page));
    if inside { Ok(()) } else { violation(format!("an output is about {range:?}")) }
}

impl Memory {
    /// The frames of the page tables through which a page is found.
    pub(super) fn tables_to(&self, page: u64) -> impl Iterator<Item = Frame> {
        REACHES
            .into_iter()
            .filter_map(move |reach| self.tables.get(&(reach, page >> reach)).copied())
    }

    /// Frames for what is mapped, and those that wait to be released.
    #[must_use]
    pub fn frames_used(&self) -> usize {
        let waiting: usize = self.quarantine.values().flatten().map(Vec::len).sum();
        self.pages.len() + self.frames_in_building() + self.tables.len() + waiting
    }

    /// Moves the frames of a range, and of the tables that map nothing else, into quarantine.
    fn unmap(&mut self, (range, alike): (PageRange, u32), unused: PageRange, ticket: u32) {
        let mut frames = Vec::new();
        for chunk in chunks(range, alike) {
            frames.extend(self.unmap_block(&chunk));
        }
        let (first, last) = (range.first, pages(range).end - 1);
        let (from, to) = (unused.first, pages(unused).end);
        for reach in REACHES {
            for block in first >> reach..=last >> reach {
                if block << reach >= from && (block + 1) << reach <= to {
                    frames.extend(self.tables.remove(&(reach, block)).map(|table| vec![table]));
                }
            }
        }
        if !frames.is_empty() {
            self.quarantine.entry(ticket).or_default().extend(frames);
        }
    }
}
