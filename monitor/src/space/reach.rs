//! Cores that a tree does not reach, or whose answers do not come up it: the coordinator tells them itself, and each
//! answers for itself.

use super::round::Shootdown;
use crate::coordinator::Coordinator;
use crate::core_set::CoreSet;
use crate::cores::CoreState;
use crate::output::Outbox;
use crate::process::ProcessId;
use proto::id::{CoreId, Pid};
use proto::message::{PageRange, ToCore};

impl Coordinator {
    /// A core could not hand a shootdown on.
    pub(crate) fn on_unreached(
        &mut self,
        core: CoreId,
        ticket: u32,
        cores: CoreSet,
        out: &mut Outbox,
    ) {
        let Some(shootdown) = self.shootdown_on(core).filter(|it| it.ticket == ticket) else {
            return self.count_unexpected(core);
        };
        if self.is_first(core, shootdown) {
            // Its answer follows, and stands for the others.
            self.reach_alone(shootdown, cores, out);
        } else {
            self.reach_group(core, out);
        }
    }

    /// A silent core has let go of the process, and with that of its translations, so nobody waits for its
    /// answer. But it serves again only when it has answered, and in a tree its answer may never come so far: so it hears
    /// of it from the coordinator now, unless it did before.
    pub(crate) fn leave_round(&mut self, core: CoreId, shootdown: Shootdown, out: &mut Outbox) {
        if !self.answers_alone(core, shootdown) {
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

    /// Has a core been sent a shootdown by the coordinator itself that it will answer, whatever other cores do?
    fn answers_alone(&self, core: CoreId, shootdown: Shootdown) -> bool {
        shootdown.awaited != shootdown.ticket || self.group_of(core, shootdown).len() < 2
    }

    /// A core is lost, or cannot answer the one above it. In a tree nobody above it will ever answer then, nor for those
    /// whose answers lie there already: all that the same core was to answer for, itself among them, hear of it from the
    /// coordinator and answer for themselves.
    pub(crate) fn reach_group(&mut self, core: CoreId, out: &mut Outbox) {
        let Some(shootdown) = self.shootdown_on(core) else { return };
        let group = self.group_of(core, shootdown);
        if group.len() > 1 {
            self.reach_alone(shootdown, group, out);
        }
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
