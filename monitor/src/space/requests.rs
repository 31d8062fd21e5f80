//! Requests about a process's own memory: checked before anything is changed.

use super::regions::{Kind, MAX_LEAVING, Region, Unmapped, end, is_mappable};
use super::route::Route;
use super::work::{Job, Work};
use crate::coordinator::Coordinator;
use crate::output::Outbox;
use proto::call::{Call, Outcome};
use proto::id::{CoreId, Pid};
use proto::memory::{BLOCK, FIXED, GUARD, POPULATE, Rights, SHARED, SPACING};
use proto::message::{PageRange, ToMonitor};

/// All that a program may ask for.
const ALL_RIGHTS: Rights = Rights(7);

impl Coordinator {
    /// A request for memory. Apart from the others, which so many registers as it takes would cost more.
    #[inline(never)]
    pub(crate) fn on_memory_call(&mut self, request: &ToMonitor, out: &mut Outbox) {
        match *request {
            ToMonitor::Map { call, first, pages, rights, flags } => {
                self.on_map(call, PageRange { first, pages }, rights, flags, out);
            }
            ToMonitor::Share { call, pid, first } => self.on_share_call(call, pid, first, out),
            _ => {}
        }
    }

    fn on_map(
        &mut self,
        call: Call,
        wanted: PageRange,
        rights: Rights,
        flags: u8,
        out: &mut Outbox,
    ) {
        let Some(pid) = self.caller(&call) else { return };
        match self.map(pid, wanted, rights, flags) {
            Err(why) => self.complete(pid, call, why, 0, out),
            Ok(range) if flags & (POPULATE | SHARED) != 0 => {
                if !self.populate_at_once(pid, &call, (range, rights), out) {
                    self.add_job(pid, Job::new(call, Work::Populate, range), out);
                }
            }
            Ok(range) => self.complete(pid, call, Outcome::OK, range.first << 12, out),
        }
    }

    /// Makes a region and reserves what it may take.
    fn map(
        &mut self,
        pid: Pid,
        wanted: PageRange,
        rights: Rights,
        flags: u8,
    ) -> Result<PageRange, Outcome> {
        let guard = flags & GUARD != 0;
        let spacing = flags >> SPACING;
        let sensible = match (guard, spacing) {
            (false, 0) => true,
            (true, 0) => flags & (POPULATE | SHARED) == 0 && rights == Rights::NONE,
            _ => !guard && flags & (POPULATE | SHARED) == 0,
        };
        if !sensible || !rights.are_possible() || wanted.pages == 0 {
            return Err(Outcome::INVALID);
        }
        let space = &mut self.table.at_mut(pid).space;
        space.regions.list_gone();
        let (range, at) = if flags & FIXED == 0 {
            let may_be_huge = flags & (POPULATE | SHARED) == POPULATE && wanted.pages >= BLOCK;
            let (regions, pages) = (&space.regions, wanted.pages);
            let block = may_be_huge.then(|| regions.free_block(pages, u64::from(BLOCK))).flatten();
            let place = block.or_else(|| regions.free_place(pages));
            let (first, at) = place.ok_or(Outcome::NO_MEMORY)?;
            (PageRange { first, ..wanted }, at)
        } else if !is_mappable(wanted) {
            return Err(Outcome::INVALID);
        } else {
            (wanted, space.regions.place_if_free(wanted).ok_or(Outcome::BUSY)?)
        };
        if flags & (POPULATE | SHARED) != 0 && !space.has_room_for_job() {
            return Err(Outcome::AGAIN);
        }
        let name = if flags & SHARED != 0 { self.take_ticket() } else { 0 };
        let kind = if guard { Kind::Guard } else { Kind::Memory };
        let (first, pages) = (range.first, range.pages);
        let most = ALL_RIGHTS;
        let new = Region { first, pages, cleared: 0, kind, rights, most, name, spacing };
        self.add_region(pid, at, new)?;
        Ok(range)
    }

    /// Adds a region where nothing is, at its place in the list, if the limits allow it, and reserves what it may take.
    #[inline(always)]
    pub(super) fn add_region(&mut self, pid: Pid, at: usize, new: Region) -> Result<(), Outcome> {
        let (most_regions, most_frames) = (self.most_regions(), self.config.max_frames);
        let left = self.frames;
        let space = &mut self.table.at_mut(pid).space;
        let Some(frames) = space.regions.room_for(at, &new, most_regions) else {
            return Err(Outcome::NO_MEMORY);
        };
        let fits = space.mapped.checked_add(frames).is_some_and(|sum| sum <= most_frames);
        if frames > left || !fits {
            return Err(Outcome::NO_MEMORY);
        }
        space.regions.insert_at(at, new);
        space.mapped += frames;
        self.frames -= frames;
        Ok(())
    }

    pub(super) fn most_regions(&self) -> usize {
        usize::from(self.config.max_regions)
    }

    /// A number that no batch, no shootdown and no shared memory has.
    pub(super) fn take_ticket(&mut self) -> u32 {
        self.next_ticket = self.next_ticket.wrapping_add(1).max(1);
        self.next_ticket
    }

    /// Gives pages other rights. Apart from the others, as [`on_memory_call`](Self::on_memory_call).
    #[inline(never)]
    pub(crate) fn on_protect(&mut self, core: CoreId, request: &ToMonitor, out: &mut Outbox) {
        let ToMonitor::Protect { ref call, range, rights } = *request else { return };
        let Some(pid) = self.caller(call) else { return };
        if !self.protect_at_once(pid, (core, call), (range, rights), out) {
            self.protect_by_and_by(pid, (core, *call), range, rights, out);
        }
    }

    #[inline(never)]
    fn protect_by_and_by(
        &mut self,
        pid: Pid,
        (core, call): (CoreId, Call),
        range: PageRange,
        rights: Rights,
        out: &mut Outbox,
    ) {
        self.let_go_on(core, &call, out);
        match self.protect(pid, range, rights) {
            Err(why) => self.complete(pid, call, why, 0, out),
            Ok(flush) => self.add_job(pid, Job::new(call, Work::Protect { flush }, range), out),
        }
    }

    /// Gives all of the range other rights; says whether cores must hear of it.
    fn protect(&mut self, pid: Pid, range: PageRange, rights: Rights) -> Result<bool, Outcome> {
        let most_regions = self.most_regions();
        let space = &mut self.table.at_mut(pid).space;
        if !rights.are_possible() || !is_mappable(range) {
            return Err(Outcome::INVALID);
        }
        let regions = space.regions.in_range(range);
        let mut covered = range.first;
        for region in regions {
            if region.first > covered || region.kind != Kind::Memory {
                return Err(Outcome::INVALID);
            }
            if !region.most.include(rights) {
                return Err(Outcome::NOT_PERMITTED);
            }
            covered = region.end();
        }
        if covered < end(range) {
            return Err(Outcome::INVALID);
        }
        let count = space.regions.count_if_cut(range, regions);
        if count > most_regions.max(space.regions.all().len()) {
            return Err(Outcome::NO_MEMORY);
        }
        if !space.has_room_for_job() {
            return Err(Outcome::AGAIN);
        }
        // The first is a part of what any request costs.
        self.budget = self.budget.saturating_sub(regions.len().saturating_sub(1) as u32);
        let takes = regions.iter().any(|region| !rights.include(region.rights));
        let flush = self.config.strategy.interrupts(takes);
        space.regions.change(range, |region| Some(Region { rights, ..region }));
        Ok(flush)
    }

    /// Takes pages out. Apart from the others, as [`on_memory_call`](Self::on_memory_call).
    #[inline(never)]
    pub(crate) fn on_unmap(&mut self, core: CoreId, request: &ToMonitor, out: &mut Outbox) {
        let ToMonitor::Unmap { ref call, range } = *request else { return };
        let Some(pid) = self.caller(call) else { return };
        if !self.unmap_at_once(pid, (core, call), range, out) {
            self.unmap_by_and_by(pid, (core, *call), range, out);
        }
    }

    #[inline(never)]
    fn unmap_by_and_by(
        &mut self,
        pid: Pid,
        (core, call): (CoreId, Call),
        range: PageRange,
        out: &mut Outbox,
    ) {
        self.let_go_on(core, &call, out);
        match self.unmap(pid, range) {
            Err(why) => self.complete(pid, call, why, 0, out),
            Ok(None) => self.complete(pid, call, Outcome::OK, 0, out),
            Ok(Some(ticket)) => {
                let work = Work::Unmap { ticket, frames: 0 };
                self.add_job(pid, Job::new(call, work, range), out);
            }
        }
    }

    /// Takes guards out of the range and marks memory as leaving; the ticket of the work that remains.
    ///
    /// What is leaving already stays as it is, but the caller waits until a round that begins after its
    /// call is over, because translations may be there still.
    fn unmap(&mut self, pid: Pid, range: PageRange) -> Result<Option<u32>, Outcome> {
        let most_regions = self.most_regions();
        if !is_mappable(range) {
            return Err(Outcome::INVALID);
        }
        let space = &mut self.table.at_mut(pid).space;
        space.regions.list_gone();
        let regions = space.regions.in_range(range);
        let memory = regions.iter().any(|it| it.kind != Kind::Guard);
        self.budget = self.budget.saturating_sub(regions.len().saturating_sub(1) as u32);
        let Unmapped { all, after, grows } = space.regions.counts_if_unmapped(range, regions);
        if grows && after > most_regions {
            return Err(Outcome::NO_MEMORY);
        }
        // What is leaving already comes to its end by itself.
        if all > most_regions + MAX_LEAVING || memory && !space.has_room_for_job() {
            return Err(Outcome::AGAIN);
        }
        let ticket = self.take_ticket();
        let regions = &mut self.table.at_mut(pid).space.regions;
        regions.change(range, |region| match region.kind {
            Kind::Guard => None,
            Kind::Leaving => Some(region),
            Kind::Memory | Kind::Incoming => {
                Some(Region { kind: Kind::Leaving, name: ticket, ..region })
            }
        });
        Ok(memory.then_some(ticket))
    }
}
