//! What mostly comes: few pages of one region lose rights or go, and nothing else of the process is under way. It is
//! checked and changed in one go, with the same outputs as by way of [`add_job`](Coordinator::add_job).

use super::route::Route;
use super::work::{Job, Work};
use super::{MAX_PAGES, Space};
use crate::coordinator::Coordinator;
use crate::output::{Outbox, Output};
use proto::call::{Call, Outcome};
use proto::id::{CoreId, Pid};
use proto::memory::Rights;
use proto::message::{PageRange, ToCore};

impl Space {
    /// The place of the region in which all these pages are memory, if they can be treated at once and other than
    /// the rest of it.
    #[inline(always)]
    fn place_at_once(&self, range: PageRange, most_regions: usize) -> Option<usize> {
        let few = range.pages > 0 && range.pages <= MAX_PAGES;
        let simple = few && self.jobs.is_empty() && self.regions.all().len() + 2 <= most_regions;
        self.regions.holder(range).filter(|_| simple)
    }

    /// The same if they are to be unmapped: also where there are as many regions as there may be, unless there would be more.
    #[inline(always)]
    fn place_to_unmap(&self, range: PageRange, most_regions: usize) -> Option<usize> {
        let few = range.pages > 0 && range.pages <= MAX_PAGES;
        let at = self.regions.holder(range).filter(|_| few && self.jobs.is_empty())?;
        let has_room = self.regions.all().len() < most_regions;
        (has_room || !self.regions.is_within(at, range)).then_some(at)
    }
}

impl Coordinator {
    /// The core whose vcore stands still for a call, and whether that core need not be told to flush, as it does so before its
    /// vcore goes on. In a tree it has its place all the same: without it the tree is another one, with rings of its own
    /// to be made.
    #[inline(always)]
    fn stander(&self, core: CoreId, call: &Call) -> (Option<CoreId>, bool) {
        (self.stands(core, call).then_some(core), self.config.strategy.is_direct())
    }

    /// Unmaps pages if that can be done at once; says whether.
    #[inline(always)]
    pub(super) fn unmap_at_once(
        &mut self,
        pid: Pid,
        (core, call): (CoreId, &Call),
        range: PageRange,
        out: &mut Outbox,
    ) -> bool {
        let (own, alone) = self.stander(core, call);
        let most_regions = self.most_regions();
        let it = self.table.at_mut(pid);
        let Some(at) = it.space.place_to_unmap(range, most_regions) else { return false };
        self.budget = self.budget.saturating_sub(range.pages);
        let ticket = self.next_ticket.wrapping_add(1).max(1);
        self.next_ticket = ticket;
        let (unused, tables) = it.space.regions.take_out(at, range, ticket);
        let alike = range.pages;
        out.push(Output::Unmap { process: it.id, range, alike, unused, ticket });
        let work = Work::Unmap { ticket, frames: range.pages + tables };
        let but = own.filter(|_| alone && tables == 0);
        it.space.jobs.push(Job::flushing(*call, work, range, (own, but.is_some())));
        self.begin_round(pid, range, but, out);
        true
    }

    /// Gives frames to pages that have just been mapped, with these rights, if that can be done at once; says whether.
    #[inline(always)]
    pub(super) fn populate_at_once(
        &mut self,
        pid: Pid,
        call: &Call,
        (range, rights): (PageRange, Rights),
        out: &mut Outbox,
    ) -> bool {
        let it = self.table.at(pid);
        let simple = it.space.jobs.is_empty() && range.pages <= self.budget.min(MAX_PAGES);
        if simple {
            self.budget -= range.pages;
            out.push(Output::Populate { process: it.id, range, alike: range.pages, rights });
            self.complete(pid, *call, Outcome::OK, range.first << 12, out);
        }
        simple
    }

    /// Gives pages other rights if that can be done at once; says whether.
    #[inline(always)]
    pub(super) fn protect_at_once(
        &mut self,
        pid: Pid,
        (core, call): (CoreId, &Call),
        (range, rights): (PageRange, Rights),
        out: &mut Outbox,
    ) -> bool {
        let (own, alone) = self.stander(core, call);
        let most_regions = self.most_regions();
        let it = self.table.at_mut(pid);
        let Some(at) = it.space.place_at_once(range, most_regions) else { return false };
        let region = &it.space.regions.all()[at];
        if !rights.are_possible() || !region.most.include(rights) {
            return false;
        }
        self.budget = self.budget.saturating_sub(range.pages);
        let flush = self.config.strategy.interrupts(!rights.include(region.rights));
        it.space.regions.set_rights(at, range, rights);
        out.push(Output::Protect { process: it.id, range, alike: range.pages, rights });
        let call = *call;
        if flush {
            let but = own.filter(|_| alone);
            let job = Job::flushing(call, Work::Protect { flush }, range, (own, but.is_some()));
            it.space.jobs.push(job);
            self.begin_round(pid, range, but, out);
        } else if let Some(core) = own {
            out.send(core, ToCore::Done { lease: call.lease, outcome: Outcome::OK });
        } else {
            self.complete(pid, call, Outcome::OK, 0, out);
        }
        true
    }
}
