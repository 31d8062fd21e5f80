//! What mostly comes: few pages of one region lose rights or go, and nothing else of the process is under way. It is
//! checked and changed in one go, with the same outputs as by way of [`add_job`](Coordinator::add_job).

use super::regions::{Kind, Region};
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
    fn place_at_once(&self, range: PageRange, most_regions: usize) -> Option<usize> {
        let few = range.pages > 0 && range.pages <= MAX_PAGES;
        let simple = few && self.jobs.is_empty() && self.regions.all().len() + 2 <= most_regions;
        self.regions.holder(range).filter(|_| simple)
    }
}

impl Coordinator {
    /// What both ways of taking rights begin with: the core whose vcore stands still for the call, and the place of the
    /// region; `None` if it cannot be done at once.
    #[inline(always)]
    fn begin_at_once(
        &mut self,
        pid: Pid,
        (core, call): (CoreId, &Call),
        range: PageRange,
    ) -> Option<(Option<CoreId>, usize)> {
        let at = self.table.at(pid).space.place_at_once(range, self.most_regions())?;
        self.budget = self.budget.saturating_sub(range.pages);
        Some((self.stands(core, call).then_some(core), at))
    }

    /// Unmaps pages if that can be done at once; says whether.
    #[inline(always)]
    pub(super) fn unmap_at_once(
        &mut self,
        pid: Pid,
        caller: (CoreId, &Call),
        range: PageRange,
        out: &mut Outbox,
    ) -> bool {
        let Some((own, at)) = self.begin_at_once(pid, caller, range) else { return false };
        let it = self.table.at_mut(pid);
        let ticket = self.next_ticket.wrapping_add(1).max(1);
        self.next_ticket = ticket;
        let leaves = |it: &mut Region| (it.kind, it.name) = (Kind::Leaving, ticket);
        let at = it.space.regions.carve(at, range, leaves);
        let (unused, tables) = it.space.regions.clear_at(at, range);
        let alike = range.pages;
        out.push(Output::Unmap { process: it.id, range, alike, unused, ticket });
        let work = Work::Unmap { ticket, frames: range.pages + tables };
        let but = own.filter(|_| tables == 0);
        it.space.jobs.push(Job::flushing(*caller.1, work, range, (own, but.is_some())));
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
        caller: (CoreId, &Call),
        (range, rights): (PageRange, Rights),
        out: &mut Outbox,
    ) -> bool {
        let Some((own, at)) = self.begin_at_once(pid, caller, range) else { return false };
        let it = self.table.at_mut(pid);
        let region = &it.space.regions.all()[at];
        if !rights.are_possible() || !region.most.include(rights) {
            return false;
        }
        let flush = self.config.strategy.interrupts(!rights.include(region.rights));
        let at = it.space.regions.carve(at, range, |it| it.rights = rights);
        it.space.regions.join_around(at, at + 1);
        out.push(Output::Protect { process: it.id, range, alike: range.pages, rights });
        let call = *caller.1;
        if flush {
            let job = Job::flushing(call, Work::Protect { flush }, range, (own, true));
            it.space.jobs.push(job);
            self.begin_round(pid, range, own, out);
        } else if let Some(core) = own {
            out.send(core, ToCore::Done { lease: call.lease, outcome: Outcome::OK });
        } else {
            self.complete(pid, call, Outcome::OK, 0, out);
        }
        true
    }
}
