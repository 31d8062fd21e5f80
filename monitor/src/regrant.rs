//! A core that goes straight from one many-core process to another.
//!
//! Where it is known who gets a core that is taken from its holder, both are said in one message, [`ToCore::Regrant`]: the core
//! saves the vcore that ran and starts the other one, and its answer under the new lease says both. Until it comes the
//! vcore that was stopped is on its way off the core, as after a `Preempt`: it is started nowhere, is on the map still, and
//! its process's memory is pinned. A core that owes an answer about that process is told the ordinary way.

use crate::allocation::Granted;
use crate::coordinator::Coordinator;
use crate::cores::Timer;
use crate::gang::Place;
use crate::output::Outbox;
use crate::seat::{Held, Leaving};
use proto::id::{CoreId, Lease, Pid};
use proto::message::ToCore;

impl Coordinator {
    /// Takes a core from its holder for a process that waits for it: in one message if it can be, or else the core says first
    /// that it is free, and `None` comes of it.
    pub(crate) fn take_for(&mut self, core: CoreId, pid: Pid, out: &mut Outbox) -> Option<Granted> {
        let chosen = if self.may_regrant(core, pid) { self.choose(pid) } else { None };
        let Some((vcore, granted)) = chosen else {
            self.let_go(core, Leaving::Preempt, out);
            return None;
        };
        let from = self.begin_leaving(core);
        let (to, root, notified) = self.lend(core, pid, vcore, out);
        out.send(core, ToCore::Regrant { from, to, root, notified });
        self.begin_turn(core, pid);
        // As after a `Preempt`: who has a right to another core may be short of one from now on.
        self.queue_for_cores(from.pid);
        Some(granted)
    }

    /// Can a core that has a lease go straight on with a vcore of this process? It runs, and owes nothing.
    #[inline(always)]
    fn may_regrant(&self, core: CoreId, to: Pid) -> bool {
        let seat = &self.cores[core.index()].seat;
        let Some(held) = &seat.held else { return false };
        if !held.started || held.leaving.is_some() || held.notify.is_some() {
            return false;
        }
        let holder = self.table.at(held.lease.pid);
        held.lease.pid != to
            && !holder.is_dying()
            && !holder.space.is_flushing()
            && self.leasable.contains(core)
    }

    /// A core is about to be told to leave its vcore for another one: under which lease it has it.
    #[inline(always)]
    fn begin_leaving(&mut self, core: CoreId) -> Lease {
        let seat = &mut self.cores[core.index()].seat;
        let held = seat.held.expect("it was looked at before");
        seat.leaver = Some(Held { leaving: Some(Leaving::Preempt), ..held });
        let (pid, vcore) = (held.lease.pid, held.lease.vcore);
        if held.warned {
            self.cancel_timer(Timer::Warning(core));
        }
        let process = self.table.at_mut(pid);
        process.parting.insert(core);
        if let Some(gang) = &mut process.gang {
            gang.move_to_tail(vcore, Place::Leaving);
            if let Some(vcore) = gang.get_mut(vcore) {
                // From now on the time is the next one's, as when a vcore gives its core to another.
                vcore.ticks += self.now - held.since;
            }
        }
        self.rotation.remove(core.0);
        let deadline = self.now.saturating_add(self.config.answer_timeout);
        self.deadlines.set_anew(Timer::LetGo(core), deadline);
        held.lease
    }

    /// A core has left the vcore that it was to leave, which is `saved`, or is lost with it. If there is one.
    #[inline(never)]
    pub(crate) fn has_left(&mut self, core: CoreId, saved: bool, out: &mut Outbox) {
        let seat = &mut self.cores[core.index()].seat;
        let Some(left) = seat.leaver.take() else { return };
        if seat.held.is_none_or(|held| held.leaving.is_none()) {
            self.cancel_timer(Timer::LetGo(core));
        }
        let pid = left.lease.pid;
        let process = self.table.at_mut(pid);
        process.parting.remove(core);
        let is_flushing = process.space.is_flushing();
        let shootdown = is_flushing.then(|| process.space.shootdown_on(core, process.id)).flatten();
        let dying = self.part(core, &left, 0, saved, out);
        if let Some(shootdown) = shootdown {
            // It was not told of that, because with the lease it would lose all translations.
            self.no_translations_on(core, shootdown, out);
        }
        match (dying, saved) {
            (true, _) => self.resume_demise(pid, out),
            (false, true) => {
                self.after_preempt(pid);
                self.consider(pid, out);
            }
            (false, false) => self.after_loss(left, out),
        }
    }
}
