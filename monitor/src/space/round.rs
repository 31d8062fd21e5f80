//! Rounds of shootdowns: no frame comes back, and no caller is answered, before every core that may have a
//! translation has said that it has flushed.
//!
//! A process has one round at a time. What loses rights meanwhile is flushed by the next, all together. A
//! core that has let go of the process is not free before it has answered.

use super::Space;
use super::regions::end;
use super::told::Round;
use super::work::Stage;
use crate::config::{Config, Strategy};
use crate::coordinator::Coordinator;
use crate::core_set::CoreSet;
use crate::lease::process_of;
use crate::output::Outbox;
use crate::process::{Process, ProcessId};
use proto::id::{CoreId, Pid};
use proto::message::{PageRange, ToCore};

/// A shootdown that a core has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shootdown {
    pub(crate) process: ProcessId,
    /// The round's.
    pub(super) ticket: u32,
    /// The one that the core has to answer: the round's, or that of who is told alone.
    pub(super) awaited: u32,
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

    pub(super) fn round_mut(&mut self) -> Option<&mut Round> {
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

/// What a core is told to flush for a change of this range.
#[inline(always)]
pub(super) const fn to_flush(config: &Config, range: PageRange) -> PageRange {
    if range.pages > config.flush_pages { PageRange::ALL } else { range }
}

/// Tells all of these cores itself, if this step may do as much, and none of the process is told before; how many they are.
#[inline(always)]
fn tell_at_once(budget: u32, process: &Process, cores: CoreSet, out: &mut Outbox) -> Option<u32> {
    let ProcessId { pid, generation } = process.id;
    let Round { ticket, range, .. } = process.space.round;
    let order = ToCore::TlbShootdown { pid, generation, range, ticket };
    if let Some(core) = cores.only().filter(|_| budget > 0) {
        out.send(core, order);
        return Some(1);
    }
    let count = cores.count_few();
    if count > budget {
        return None;
    }
    if count > 0 {
        out.send_all(cores, count, order);
    }
    Some(count)
}

/// Tells the first core of each group of those that were not told, which tells the others. False when this step may do
/// no more.
#[inline(always)]
fn tell(budget: &mut u32, config: &Config, process: &mut Process, out: &mut Outbox) -> bool {
    let Config { strategy, fan_out, .. } = config;
    let ProcessId { pid, generation } = process.id;
    let round = &mut process.space.round;
    let (ticket, range) = (round.ticket, round.range);
    if strategy.is_direct() {
        let order = ToCore::TlbShootdown { pid, generation, range, ticket };
        let (cores, count) = round.take_untold(*budget);
        *budget -= count;
        if count > 0 {
            out.send_all(cores, count, order);
        }
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
                let fan_out = *fan_out;
                out.send(
                    core,
                    ToCore::TlbMulticast { pid, generation, range, ticket, fan_out, below },
                );
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

    /// To how many others a core of a tree hands a shootdown on at most.
    #[must_use]
    pub const fn fan_out(&self) -> u8 {
        self.config.fan_out
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

    /// Begins a round for a change of this range: every core that may have the space loaded is waited for, but for one. Gives
    /// the process and those cores that are to be told.
    #[inline(always)]
    fn set_out(
        &mut self,
        pid: Pid,
        changed: PageRange,
        but: Option<CoreId>,
    ) -> (&mut Process, CoreSet) {
        let (ticket, range) = (self.take_ticket(), to_flush(&self.config, changed));
        let process = self.table.at_mut(pid);
        let cores = process.pinned;
        let round = &mut process.space.round;
        round.begin(ticket, range, cores);
        if let Some(core) = but {
            round.waiting.remove(core);
        }
        let cores = round.waiting;
        // Whoever is told from now on to load the space flushes what it has kept of it; who was told before is one of these.
        process.removals += 1;
        // Who has been told to leave loads other tables. That it does is waited for: what it may keep is too old from now on.
        let parting = &process.parting;
        let untold = if parting.is_empty() { cores } else { cores.without(parting) };
        (process, untold)
    }

    /// Starts a round for all that waits for one.
    fn start_round(&mut self, pid: Pid) -> bool {
        let Some(changed) = self.table.at(pid).space.changed() else { return false };
        let (process, untold) = self.set_out(pid, changed, None);
        process.space.round.untold = untold;
        process.space.move_jobs(Stage::Changed, Stage::Flushing);
        true
    }

    /// Starts the round of the only job, which has changed a range; one core flushes without being told.
    #[inline(always)]
    pub(super) fn begin_round(
        &mut self,
        pid: Pid,
        changed: PageRange,
        but: Option<CoreId>,
        out: &mut Outbox,
    ) {
        let is_direct = self.config.strategy.is_direct();
        let budget = self.budget;
        let (process, untold) = self.set_out(pid, changed, but);
        if is_direct && let Some(spent) = tell_at_once(budget, process, untold, out) {
            let is_over = spent == 0 && process.space.round.waiting.is_empty();
            self.budget = budget - spent;
            if is_over {
                self.after_answer(pid, out);
            }
            return;
        }
        process.space.round.untold = untold;
        self.tell_slowly(pid, out);
    }

    /// Tells those whom a round that has just begun did not tell at once.
    #[inline(never)]
    fn tell_slowly(&mut self, pid: Pid, out: &mut Outbox) {
        let process = self.table.at_mut(pid);
        let told = tell(&mut self.budget, &self.config, process, out);
        if !told {
            self.queue_work(pid);
        } else if process.space.round.waiting.is_empty() {
            self.after_answer(pid, out);
        }
    }

    /// Tells those that were not told. False when this step may do no more.
    fn tell_groups(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        let process = self.table.at_mut(pid);
        process.space.round.forget_others(&process.pinned);
        tell(&mut self.budget, &self.config, process, out)
    }

    /// All cores have answered: what the round was for is done, or its frames come back.
    fn end_round(&mut self, pid: Pid) {
        let space = &mut self.table.at_mut(pid).space;
        space.round.end();
        space.move_jobs(Stage::Flushing, Stage::Releasing);
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
