//! What mostly comes: few pages of one region lose rights or go, and nothing else of the process is under way. It is
//! checked and changed in one go, with the same outputs as by way of [`add_job`](Coordinator::add_job).

use super::regions::{Kind, Region, is_mappable};
use super::route::Route;
use super::work::{Job, Work};
use super::{MAX_PAGES, Space};
use crate::coordinator::Coordinator;
use crate::output::{Outbox, Output};
use proto::call::{Call, Outcome};
use proto::id::Pid;
use proto::memory::Rights;
use proto::message::PageRange;

impl Space {
    /// The place of the region in which all these pages are memory, if they can be treated at once and other than
    /// the rest of it.
    fn place_at_once(&self, range: PageRange, most_regions: usize) -> Option<usize> {
        let simple = self.jobs.is_empty() && range.pages <= MAX_PAGES && is_mappable(range);
        let place = self.regions.holder(range).filter(|_| simple)?;
        (self.regions.all().len() + 2 <= most_regions).then_some(place)
    }
}

impl Coordinator {
    /// Unmaps pages if that can be done at once; says whether.
    #[inline(always)]
    pub(super) fn unmap_at_once(
        &mut self,
        pid: Pid,
        call: &Call,
        range: PageRange,
        out: &mut Outbox,
    ) -> bool {
        let most_regions = self.most_regions();
        let it = self.table.at_mut(pid);
        let Some(at) = it.space.place_at_once(range, most_regions) else { return false };
        let ticket = self.next_ticket.wrapping_add(1).max(1);
        self.next_ticket = ticket;
        self.budget = self.budget.saturating_sub(range.pages);
        let leaving = |region| Region { kind: Kind::Leaving, name: ticket, ..region };
        let at = it.space.regions.carve(at, range, leaving);
        let (unused, tables) = it.space.regions.clear_at(at, range);
        let alike = range.pages;
        out.push(Output::Unmap { process: it.id, range, alike, unused, ticket });
        let work = Work::Unmap { ticket, frames: range.pages + tables };
        it.space.jobs.push(Job::flushing(*call, work, range));
        self.begin_round(pid, range, out);
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
        call: &Call,
        (range, rights): (PageRange, Rights),
        out: &mut Outbox,
    ) -> bool {
        let most_regions = self.most_regions();
        let it = self.table.at_mut(pid);
        let Some(at) = it.space.place_at_once(range, most_regions) else { return false };
        let region = &it.space.regions.all()[at];
        if !rights.are_possible() || !region.most.include(rights) {
            return false;
        }
        let flush = self.config.strategy.interrupts(!rights.include(region.rights));
        self.budget = self.budget.saturating_sub(range.pages);
        let at = it.space.regions.carve(at, range, |region| Region { rights, ..region });
        it.space.regions.join_around(at, at + 1);
        out.push(Output::Protect { process: it.id, range, alike: range.pages, rights });
        let job = Job::flushing(*call, Work::Protect { flush }, range);
        if flush {
            it.space.jobs.push(job);
            self.begin_round(pid, range, out);
        } else {
            self.answer_job(pid, &job, out);
        }
        true
    }
}
