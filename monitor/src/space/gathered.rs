//! Answers that stand for all cores of a tree.

use super::round::Shootdown;
use super::route::Route;
use crate::coordinator::Coordinator;
use crate::core_set::CoreSet;
use crate::output::Outbox;
use crate::process::ProcessId;
use proto::id::{CoreId, Pid};

impl Coordinator {
    /// The cores that were told of a shootdown together with this one, itself among them.
    pub(super) fn group_of(&self, core: CoreId, shootdown: Shootdown) -> CoreSet {
        let round = self.table.get(shootdown.process).and_then(|it| it.space.round());
        let told = round.map(|round| round.told).unwrap_or_default();
        told.and(&self.config.strategy.group(core))
    }

    /// Is this the core of its group that the coordinator has told of a shootdown, and that answers for the group?
    pub(super) fn is_first(&self, core: CoreId, shootdown: Shootdown) -> bool {
        self.group_of(core, shootdown).at_or_after(CoreId(0)) == Some(core)
    }

    /// A core answers: for itself if it was told alone, and else for all of its group that were not.
    pub(super) fn on_gathered(&mut self, core: CoreId, ticket: u32, out: &mut Outbox) {
        let Some(shootdown) = self.shootdown_on(core) else { return self.count_unexpected(core) };
        let group = self.group_of(core, shootdown);
        let is_alone = shootdown.awaited != shootdown.ticket || group.len() < 2;
        if is_alone || ticket != shootdown.ticket {
            return self.on_own_answer(core, ticket, out);
        }
        if group.at_or_after(CoreId(0)) != Some(core) {
            return self.count_unexpected(core);
        }
        let ProcessId { pid, .. } = shootdown.process;
        let process = self.table.at_mut(pid);
        let round = &mut process.space.round;
        let mut answered = group.without(&round.alone);
        answered.insert(core);
        let answered = answered.and(&round.waiting);
        round.untold_alone.remove(core);
        // Those that have let go are free now, which takes its time.
        round.freed = round.freed.or(&answered.without(&process.pinned));
        round.waiting = round.waiting.without(&answered.and(&process.pinned));
        if !self.free_answered(pid, out) {
            return self.queue_work(pid);
        }
        let process = self.table.at(pid);
        if process.is_dying() || process.space.round.waiting.is_empty() {
            self.after_answer(pid, out);
        }
    }

    /// Cores that had let go of the process, and for which another one has answered, are free. False when this step may do
    /// no more.
    pub(crate) fn free_answered(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        loop {
            let process = self.table.at_mut(pid);
            let (id, round) = (process.id, &mut process.space.round);
            let Some(core) = round.freed.at_or_after(CoreId(0)) else { return true };
            if self.budget == 0 {
                return false;
            }
            self.budget -= 1;
            round.freed.remove(core);
            let its_own = |it: &mut Shootdown| it.process == id && it.awaited == round.ticket;
            // One that was lost meanwhile answers for itself.
            if self.cores[core.index()].seat.shootdown.take_if(its_own).is_some() {
                round.waiting.remove(core);
                self.core_free(core, out);
            }
        }
    }

    /// All cores that the one which answers for this one answers for: the tree is made of them.
    #[must_use]
    pub fn tree_of(&self, core: CoreId) -> CoreSet {
        self.shootdown_on(core).map(|it| self.group_of(core, it)).unwrap_or_default()
    }
}
