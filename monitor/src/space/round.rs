//! Rounds of shootdowns: no frame comes back, and no caller is answered, before every core that may have a
//! translation has said that it has flushed.
//!
//! A process has one round at a time. What loses rights meanwhile is flushed by the next, all together. A
//! core that has let go of the process is not free before it has answered.

use super::Space;
use super::regions::end;
use super::route::Route;
use super::told::Round;
use super::work::Stage;
use crate::config::Strategy;
use crate::coordinator::Coordinator;
use crate::core_set::CoreSet;
use crate::cores::CoreState;
use crate::lease::process_of;
use crate::output::Outbox;
use crate::process::{Process, ProcessId};
use proto::id::{CoreId, Lease, Pid};
use proto::message::{PageRange, ToCore};

/// A shootdown that a core has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shootdown {
    pub(crate) process: ProcessId,
    /// The round's.
    ticket: u32,
    /// The one that the core has to answer: the round's, or that of who is told alone.
    awaited: u32,
}

/// The smallest range that holds both.
fn union(one: PageRange, other: PageRange) -> PageRange {
    let first = one.first.min(other.first);
    let pages = end(one).max(end(other)) - first;
    PageRange { first, pages: u32::try_from(pages).expect("both are within the area") }
}

impl Space {
    /// What all that waits for a round has changed.
    fn changed(&self) -> Option<PageRange> {
        let changed = self.jobs.iter().filter(|job| job.stage == Stage::Changed);
        changed.map(|job| job.range).reduce(union)
    }

    /// Is a round of shootdowns under way?
    pub(crate) const fn is_flushing(&self) -> bool {
        self.round.ticket != 0
    }

    /// Is nothing to be done, and no answer to come?
    pub(crate) fn is_at_rest(&self) -> bool {
        self.jobs.is_empty() && !self.is_flushing()
    }

    /// The round that is under way.
    pub(super) fn round(&self) -> Option<&Round> {
        self.is_flushing().then_some(&self.round)
    }

    fn round_mut(&mut self) -> Option<&mut Round> {
        self.is_flushing().then_some(&mut self.round)
    }

    /// The shootdown that a core has been sent and has not answered, be it that it lets go of the process now.
    pub(crate) fn shootdown_on(&self, core: CoreId, process: ProcessId) -> Option<Shootdown> {
        let round = self.round()?;
        let awaited = round.awaited(core)?;
        Some(Shootdown { process, ticket: round.ticket, awaited })
    }

    /// Is no shootdown under way? Of a dying process: those that were not sent never will be.
    pub(super) fn all_answered(&self) -> bool {
        self.round().is_none_or(|round| round.waiting.without(&round.untold).is_empty())
    }
}

/// Tells the first core of each group of those that were not told, which tells the others. False when this step may do
/// no more.
#[inline(always)]
fn tell(budget: &mut u32, strategy: &Strategy, process: &mut Process, out: &mut Outbox) -> bool {
    let ProcessId { pid, generation } = process.id;
    let round = &mut process.space.round;
    let (ticket, range) = (round.ticket, round.range);
    if strategy.is_direct() {
        let untold = round.untold;
        while *budget > 0 {
            let Some(core) = round.untold.take_first() else { break };
            *budget -= 1;
            out.send(core, ToCore::TlbShootdown { pid, generation, range, ticket });
        }
        round.told = round.told.or(&untold.without(&round.untold));
        return round.untold.is_empty();
    }
    while !round.untold.is_empty() {
        if *budget == 0 {
            return false;
        }
        *budget -= 1;
        match round.next_group(strategy) {
            Some((core, None)) => {
                out.send(core, ToCore::TlbShootdown { pid, generation, range, ticket });
            }
            Some((core, Some(below))) => {
                out.send(core, ToCore::TlbMulticast { pid, generation, range, ticket, below });
            }
            None => {}
        }
    }
    true
}

impl Coordinator {
    /// The way in which cores are told of shootdowns.
    #[must_use]
    pub const fn strategy(&self) -> Strategy {
        self.config.strategy
    }

    /// Has cores told in another way, unless some were told in this one and have not answered: who is lost then
    /// must be looked for in the same tree.
    pub(crate) fn set_strategy(&mut self, strategy: Strategy) {
        if self.table.iter().all(|process| !process.space.is_flushing()) {
            self.config.strategy = strategy;
        }
    }

    /// Up to how many pages are flushed one by one.
    #[must_use]
    pub const fn flush_pages(&self) -> u32 {
        self.config.flush_pages
    }

    /// Has so many pages at most flushed one by one from the next round on.
    pub(crate) const fn set_flush_pages(&mut self, pages: u32) {
        self.config.flush_pages = pages;
    }

    /// Goes on with the round of a process that lives, or starts the next. False when this step may do no
    /// more.
    pub(super) fn continue_round(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        loop {
            let Some(round) = self.table.at(pid).space.round() else {
                if self.start_round(pid) {
                    continue;
                }
                return true;
            };
            if round.untold.is_empty() {
                if !round.waiting.is_empty() {
                    return true;
                }
                self.end_round(pid);
            } else if !self.tell_groups(pid, out) {
                return false;
            }
        }
    }

    /// What a core is told to flush for a change of this range.
    pub(super) const fn to_flush(&self, range: PageRange) -> PageRange {
        if range.pages > self.config.flush_pages { PageRange::ALL } else { range }
    }

    /// Begins a round for a change of this range: every core that may have the space loaded is to be told.
    #[inline(always)]
    fn set_out(&mut self, pid: Pid, changed: PageRange) {
        let (ticket, range) = (self.take_ticket(), self.to_flush(changed));
        let process = self.table.at_mut(pid);
        let cores = process.pinned;
        process.space.round.begin(ticket, range, cores);
    }

    /// Starts a round for all that waits for one.
    fn start_round(&mut self, pid: Pid) -> bool {
        let Some(changed) = self.table.at(pid).space.changed() else { return false };
        self.set_out(pid, changed);
        self.table.at_mut(pid).space.move_jobs(Stage::Changed, Stage::Flushing);
        true
    }

    /// Starts the round of the only job, which has changed a range.
    #[inline(always)]
    pub(super) fn begin_round(&mut self, pid: Pid, changed: PageRange, out: &mut Outbox) {
        self.set_out(pid, changed);
        let process = self.table.at_mut(pid);
        let told = tell(&mut self.budget, &self.config.strategy, process, out);
        if !told {
            self.queue_work(pid);
        } else if process.space.round.waiting.is_empty() {
            self.round_over(pid, out);
        }
    }

    /// Tells those that were not told. False when this step may do no more.
    fn tell_groups(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        let process = self.table.at_mut(pid);
        process.space.round.forget_others(&process.pinned);
        tell(&mut self.budget, &self.config.strategy, process, out)
    }

    /// All cores have answered: what the round was for is done, or its frames come back.
    fn end_round(&mut self, pid: Pid) {
        let space = &mut self.table.at_mut(pid).space;
        space.round.end();
        space.move_jobs(Stage::Flushing, Stage::Releasing);
    }

    #[inline(always)]
    pub(crate) fn on_shootdown_done(&mut self, core: CoreId, ticket: u32, out: &mut Outbox) {
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
    fn after_answer(&mut self, pid: Pid, out: &mut Outbox) {
        if self.table.at(pid).is_dying() {
            self.continue_demise(pid, out);
        } else {
            self.round_over(pid, out);
        }
    }

    /// All cores of the round of a process that lives have answered.
    #[inline(always)]
    fn round_over(&mut self, pid: Pid, out: &mut Outbox) {
        let space = &mut self.table.at_mut(pid).space;
        if space.waiting_calls() > 1 {
            return self.continue_space(pid, out);
        }
        space.round.end();
        space.move_jobs(Stage::Flushing, Stage::Releasing);
        self.finish_only_job(pid, out);
    }

    /// A core could not hand a shootdown on.
    pub(crate) fn on_unreached(
        &mut self,
        core: CoreId,
        ticket: u32,
        cores: CoreSet,
        out: &mut Outbox,
    ) {
        match self.shootdown_on(core).filter(|it| it.ticket == ticket) {
            Some(shootdown) => self.reach_alone(shootdown, cores, out),
            None => self.count_unexpected(core),
        }
    }

    /// The shootdown that a core was sent, by whichever way, and has not answered.
    pub(crate) fn shootdown_on(&self, core: CoreId) -> Option<Shootdown> {
        let seat = &self.cores[core.index()].seat;
        if seat.shootdown.is_some() {
            return seat.shootdown;
        }
        let process = process_of(seat.held?.lease);
        self.table.get(process)?.space.shootdown_on(core, process)
    }

    /// A core has flushed, or is known to have nothing to flush.
    pub(crate) fn no_translations_on(
        &mut self,
        core: CoreId,
        shootdown: Shootdown,
        out: &mut Outbox,
    ) {
        let pid = shootdown.process.pid;
        if self.table.get(shootdown.process).is_none() {
            return;
        }
        let process = self.table.at_mut(pid);
        let Some(round) = process.space.round_mut() else { return };
        if round.ticket != shootdown.ticket || !round.waiting.remove(core) {
            return;
        }
        round.untold_alone.remove(core);
        if round.waiting.is_empty() || process.is_dying() {
            self.after_answer(pid, out);
        }
    }

    /// A silent core has let go of the process, and with that of its translations, so nobody waits for its
    /// answer. But it serves again only when it has answered, and the round may be over, and forgotten, when
    /// the core is lost through which it was to hear of it: so it hears of it from the coordinator now, unless
    /// it did before.
    pub(crate) fn leave_round(&mut self, core: CoreId, shootdown: Shootdown, out: &mut Outbox) {
        if !self.heard_from_coordinator(core, shootdown) {
            let ProcessId { pid, generation } = shootdown.process;
            let ticket = self.take_ticket();
            self.cores[core.index()].seat.shootdown =
                Some(Shootdown { awaited: ticket, ..shootdown });
            // It has nothing of that process any more: what it is to flush makes no difference.
            let range = PageRange::default();
            out.send(core, ToCore::TlbShootdown { pid, generation, range, ticket });
        }
        self.no_translations_on(core, shootdown, out);
    }

    /// Did the coordinator itself send a core the shootdown that it has not answered?
    fn heard_from_coordinator(&self, core: CoreId, shootdown: Shootdown) -> bool {
        let round = self.table.get(shootdown.process).and_then(|it| it.space.round());
        let first = round.and_then(|round| self.config.strategy.first(&round.told, core));
        shootdown.awaited != shootdown.ticket || first == Some(core)
    }

    /// A core is lost: whoever was to hear of a shootdown through it hears of it from the coordinator.
    pub(crate) fn reach_below(&mut self, core: CoreId, out: &mut Outbox) {
        let Some(shootdown) = self.shootdown_on(core) else { return };
        let Some(process) = self.table.get(shootdown.process) else { return };
        let Some(round) = process.space.round() else { return };
        let below = self.config.strategy.below(&round.told, core);
        self.reach_alone(shootdown, below, out);
    }

    /// Tells cores that are still to answer, if they have not been told like this before.
    fn reach_alone(&mut self, shootdown: Shootdown, cores: CoreSet, out: &mut Outbox) {
        let Shootdown { process, ticket, .. } = shootdown;
        if self.table.get(process).is_none() {
            return;
        }
        let alone_ticket = self.take_ticket();
        let Some(round) = self.table.at_mut(process.pid).space.round_mut() else { return };
        if round.ticket != ticket {
            return;
        }
        if round.alone.is_empty() {
            round.alone_ticket = alone_ticket;
        }
        let waiting = round.waiting.without(&round.untold).without(&round.alone);
        let cores = cores.and(&waiting);
        round.alone = round.alone.or(&cores);
        round.untold_alone = round.untold_alone.or(&cores);
        if !cores.is_empty() {
            self.continue_space(process.pid, out);
        }
    }

    /// Tells the cores that the coordinator tells itself. False when this step may do no more.
    pub(super) fn tell_again(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        let process = self.table.at_mut(pid);
        let ProcessId { pid, generation } = process.id;
        let Some(round) = process.space.round_mut() else { return true };
        let (ticket, range) = (round.alone_ticket, round.range);
        while let Some(core) = round.untold_alone.at_or_after(CoreId(0)) {
            if self.budget == 0 {
                return false;
            }
            self.budget -= 1;
            round.untold_alone.remove(core);
            // It may have let go of the process since.
            if let Some(kept) = &mut self.cores[core.index()].seat.shootdown {
                kept.awaited = ticket;
            }
            // One that is only late must answer before it serves again.
            if matches!(self.cores[core.index()].state, CoreState::Online | CoreState::Silent) {
                out.send(core, ToCore::TlbShootdown { pid, generation, range, ticket });
            }
        }
        true
    }
}

impl Space {
    /// Moves all jobs at one stage to another.
    fn move_jobs(&mut self, from: Stage, to: Stage) {
        for job in self.jobs.iter_mut().filter(|job| job.stage == from) {
            job.stage = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PageRange, union};

    #[test]
    fn a_union_holds_both_ranges() {
        let range = |first, pages| PageRange { first, pages };
        assert_eq!(union(range(10, 2), range(14, 1)), range(10, 5));
        assert_eq!(union(range(14, 1), range(10, 2)), range(10, 5));
        assert_eq!(union(range(10, 9), range(12, 1)), range(10, 9));
    }
}
