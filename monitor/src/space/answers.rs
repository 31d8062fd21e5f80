//! What cores answer that were told to flush, and the end of a round.

use super::MAX_PAGES;
use super::work::{Stage, Work};
use crate::coordinator::Coordinator;
use crate::core_set::CoreSet;
use crate::output::{Outbox, Output};
use crate::seat::Seat;
use proto::call::Outcome;
use proto::id::{CoreId, Lease, Pid};

impl Coordinator {
    /// A core has flushed.
    #[inline(always)]
    pub(crate) fn on_shootdown_done(&mut self, core: CoreId, ticket: u32, out: &mut Outbox) {
        if !self.config.strategy.is_direct() {
            return self.on_gathered(core, ticket, out);
        }
        self.on_own_answer(core, ticket, out);
    }

    /// These cores answer, one after the other.
    pub(crate) fn on_flushed(&mut self, cores: &CoreSet, ticket: u32, out: &mut Outbox) {
        if self.have_all_flushed(cores, ticket, out) {
            return;
        }
        for core in cores.members() {
            if core.index() < self.cores.len() {
                self.on_shootdown_done(core, ticket, out);
            } else {
                self.counters.unexpected += 1;
            }
        }
    }

    /// What mostly comes: all of them were told by the coordinator, for a process that they still have. Says whether it was so.
    #[inline(always)]
    fn have_all_flushed(&mut self, cores: &CoreSet, ticket: u32, out: &mut Outbox) -> bool {
        if !self.config.strategy.is_direct() {
            return false;
        }
        let Self { cores: all, table, .. } = self;
        let mut pid = Pid(0);
        let are_there = cores.all(|core| match all.get(core.index()).map(|it| &it.seat) {
            Some(Seat { held: Some(held), shootdown: None, .. }) => {
                pid = held.lease.pid;
                true
            }
            _ => false,
        });
        if !are_there || pid == Pid(0) {
            return false;
        }
        let process = table.at_mut(pid);
        let round = &mut process.space.round;
        let waiting = round.waiting.without(&round.untold);
        // Who is awaited, and has not let go of the process, has it.
        if round.ticket != ticket || !round.alone.is_empty() || !cores.without(&waiting).is_empty()
        {
            return false;
        }
        round.waiting = round.waiting.without(cores);
        if round.waiting.is_empty() || process.is_dying() {
            self.after_answer(pid, out);
        }
        true
    }

    /// A core answers for itself.
    #[inline(always)]
    pub(super) fn on_own_answer(&mut self, core: CoreId, ticket: u32, out: &mut Outbox) {
        let seat = &self.cores[core.index()].seat;
        let held = seat.held.as_ref().filter(|_| seat.shootdown.is_none());
        let Some(Lease { pid, .. }) = held.map(|held| held.lease) else {
            return self.on_late_shootdown_done(core, ticket, out);
        };
        let process = self.table.at_mut(pid);
        let round = &mut process.space.round;
        if round.awaited(core) != Some(ticket) {
            return self.count_unexpected(core);
        }
        round.waiting.remove(core);
        round.untold_alone.remove(core);
        if round.waiting.is_empty() || process.is_dying() {
            self.after_answer(pid, out);
        }
    }

    /// A core answers that has let go of the process.
    fn on_late_shootdown_done(&mut self, core: CoreId, ticket: u32, out: &mut Outbox) {
        let seat = &mut self.cores[core.index()].seat;
        let Some(shootdown) = seat.shootdown.take_if(|it| it.awaited == ticket) else {
            return self.count_unexpected(core);
        };
        self.no_translations_on(core, shootdown, out);
        self.core_free(core, out);
    }

    /// A core has answered: all have, or the process is dying.
    pub(super) fn after_answer(&mut self, pid: Pid, out: &mut Outbox) {
        if self.table.at(pid).is_dying() {
            self.continue_demise(pid, out);
        } else {
            self.round_over(pid, out);
        }
    }

    /// All cores of the round of a process that lives have answered.
    #[inline(always)]
    pub(super) fn round_over(&mut self, pid: Pid, out: &mut Outbox) {
        let Self { table, cores, config, budget, frames: left, .. } = self;
        let process = table.at_mut(pid);
        let space = &mut process.space;
        if space.waiting_calls() > 1 {
            return self.continue_space(pid, out);
        }
        match config.strategy.is_direct() {
            true => space.round.end_of_direct(),
            false => space.round.end(),
        }
        // The same as by way of `continue_space`, in fewer instructions.
        let Some(job) = space.jobs.first_mut() else { return };
        match job.work {
            Work::Unmap { ticket, frames } if frames <= (*budget).min(MAX_PAGES) => {
                *budget -= frames;
                *left += frames;
                space.mapped -= frames;
                if frames > 0 {
                    out.push(Output::Release { process: process.id, ticket, frames });
                }
                space.regions.remove_left(job.range, ticket);
            }
            Work::Protect { .. } => {}
            _ => {
                job.stage = Stage::Releasing;
                return self.continue_space(pid, out);
            }
        }
        if job.answer_stander((cores, config), Outcome::OK, out) {
            return space.jobs.clear();
        }
        let call = (job.call.at, job.call.lease.vcore);
        space.jobs.clear();
        self.complete_after_wait(pid, call, (Outcome::OK, 0), out);
    }
}
