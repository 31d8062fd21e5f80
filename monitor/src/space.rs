//! Taking memory out of an address space: no frame comes back, and no caller is answered, before every
//! core that may have a translation of it has said that it has flushed.
//!
//! A process has one round of shootdowns at a time. What it unmaps meanwhile is put into the next round,
//! which flushes the union. A core has one shootdown at a time: it is not free before it has answered.

use crate::coordinator::Coordinator;
use crate::core_set::CoreSet;
use crate::output::{Outbox, Output};
use crate::process::ProcessId;
use proto::call::{Call, Outcome};
use proto::id::{CoreId, Pid};
use proto::message::{PageRange, ToCore};

/// Regions that a process may have.
pub const MAX_REGIONS: usize = 64;

/// Pages that one output is about.
pub const MAX_PAGES: u32 = 64;

/// Calls that one round answers; more are refused.
pub(crate) const MAX_UNMAPS: usize = 8;

/// What is unmapped together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Batch {
    pub(crate) ticket: u32,
    range: PageRange,
    calls: [Option<Call>; MAX_UNMAPS],
}

/// A batch whose shootdowns are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Round {
    batch: Batch,
    /// Cores that have not answered, and those of them that have not been told.
    pub(crate) waiting: CoreSet,
    untold: CoreSet,
}

/// What a process is unmapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Space {
    pub(crate) round: Option<Round>,
    next: Option<Batch>,
}

impl Space {
    /// Calls that are not answered.
    pub(crate) fn waiting_calls(&self) -> usize {
        let batches = self.round.iter().map(|round| &round.batch).chain(&self.next);
        batches.flat_map(|batch| batch.calls.iter().flatten()).count()
    }
}

/// A shootdown that a core has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shootdown {
    pub(crate) process: ProcessId,
    pub(crate) ticket: u32,
}

/// The smallest range that holds both; 0 pages stand for everything.
fn union(one: PageRange, other: PageRange) -> PageRange {
    if one.pages == 0 || other.pages == 0 {
        return PageRange::default();
    }
    let first = one.first.min(other.first);
    let end = |range: PageRange| range.first.saturating_add(u64::from(range.pages));
    match u32::try_from(end(one).max(end(other)) - first) {
        Ok(pages) => PageRange { first, pages },
        Err(_) => PageRange::default(),
    }
}

impl Coordinator {
    pub(crate) fn on_unmap(&mut self, call: Call, range: PageRange, out: &mut Outbox) {
        let Some(pid) = self.caller(&call) else { return };
        let ticket = self.next_ticket;
        let space = &mut self.table.at_mut(pid).space;
        let new = Batch { ticket, range, calls: [None; MAX_UNMAPS] };
        let batch = space.next.get_or_insert(new);
        let Some(free) = batch.calls.iter_mut().find(|it| it.is_none()) else {
            return self.complete(pid, call, Outcome::AGAIN, 0, out);
        };
        *free = Some(call);
        batch.range = union(batch.range, range);
        let batch = *batch;
        if batch.ticket == ticket {
            self.next_ticket = ticket.wrapping_add(1);
        }
        let process = self.table.at(pid).id;
        out.push(Output::Unmap { process, range, unused: range, ticket: batch.ticket });
        self.start_round(pid, out);
    }

    /// Starts the next round, unless one is under way.
    fn start_round(&mut self, pid: Pid, out: &mut Outbox) {
        let process = self.table.at_mut(pid);
        if process.space.round.is_some() {
            return;
        }
        let Some(batch) = process.space.next.take() else { return };
        let targets = process.pinned;
        process.space.round = Some(Round { batch, waiting: targets, untold: targets });
        self.continue_round(pid, out);
    }

    /// Tells the cores that have not been told, as far as this step's budget goes.
    pub(crate) fn continue_round(&mut self, pid: Pid, out: &mut Outbox) {
        loop {
            let process = self.table.at(pid);
            let Some(round) = process.space.round.filter(|_| !process.is_dying()) else { return };
            let Some(core) = round.untold.at_or_after(CoreId(0)) else { break };
            let (process, ticket) = (process.id, round.batch.ticket);
            let still_there = self.table.at(pid).pinned.contains(core);
            if !self.spend() {
                return self.queue_work(pid);
            }
            if let Some(round) = &mut self.table.at_mut(pid).space.round {
                round.untold.remove(core);
                if !still_there {
                    // It has let go meanwhile, and what it loads next is the new table.
                    round.waiting.remove(core);
                }
            }
            if still_there {
                self.cores[core.index()].seat.shootdown = Some(Shootdown { process, ticket });
                let ProcessId { pid, generation } = process;
                let range = round.batch.range;
                out.send(core, ToCore::TlbShootdown { pid, generation, range, ticket });
            }
        }
        self.end_round_if_done(pid, out);
    }

    pub(crate) fn on_shootdown_done(&mut self, core: CoreId, ticket: u32, out: &mut Outbox) {
        let seat = &mut self.cores[core.index()].seat;
        let Some(shootdown) = seat.shootdown.take_if(|it| it.ticket == ticket) else {
            return self.count_unexpected(core);
        };
        self.no_translations_on(core, shootdown, out);
        self.core_free(core, out);
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
        if let Some(round) = &mut self.table.at_mut(pid).space.round
            && round.batch.ticket == shootdown.ticket
        {
            round.waiting.remove(core);
        }
        self.end_round_if_done(pid, out);
    }

    /// When all cores have answered the frames come back, the callers are answered, and the next round
    /// starts. A dying process has no rounds: its memory comes back as a whole.
    fn end_round_if_done(&mut self, pid: Pid, out: &mut Outbox) {
        let process = self.table.at_mut(pid);
        if process.is_dying() || !process.space.round.is_some_and(|it| it.waiting.is_empty()) {
            return;
        }
        let Some(Round { batch, .. }) = process.space.round.take() else { return };
        let (process, ticket) = (process.id, batch.ticket);
        out.push(Output::Release { process, ticket, frames: MAX_PAGES });
        for call in batch.calls.into_iter().flatten() {
            self.complete(pid, call, Outcome::OK, 0, out);
        }
        self.start_round(pid, out);
    }
}

#[cfg(test)]
mod tests {
    use super::{PageRange, union};

    #[test]
    fn a_union_holds_both_ranges_and_everything_swallows_all() {
        let range = |first, pages| PageRange { first, pages };
        assert_eq!(union(range(10, 2), range(14, 1)), range(10, 5));
        assert_eq!(union(range(14, 1), range(10, 2)), range(10, 5));
        assert_eq!(union(range(0, 0), range(10, 2)), range(0, 0));
        assert_eq!(union(range(0, 1), range(u64::MAX - 1, 1)), range(0, 0));
    }
}
