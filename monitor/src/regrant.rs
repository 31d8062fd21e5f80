//! A core that goes straight from one many-core process to another.
//!
//! Where it is known who gets a core that is taken from its holder, both are said in one message, [`ToCore::Regrant`]: the core
//! saves the vcore that ran and starts the other one, and its answer under the new lease says both. Until it comes the
//! vcore that was stopped is on its way off the core, as after a `Preempt`: it is started nowhere, is on the map still, and
//! its process's memory is pinned. A core that owes an answer about that process is told the ordinary way.

use crate::allocation::{Granted, Start, start_next};
use crate::coordinator::Coordinator;
use crate::cores::Timer;
use crate::output::Outbox;
use crate::seat::Held;
use proto::id::{CoreId, Pid};
use proto::message::ToCore;

impl Coordinator {
    /// Has a core that was taken from its holder leave that vcore for one of another process, if it can: it runs, and owes
    /// nothing.
    #[inline(always)]
    pub(crate) fn regrant(&mut self, core: CoreId, to: Pid, out: &mut Outbox) -> Option<Granted> {
        let Self { cores, table, leaving, rotation, now, .. } = self;
        let it = &mut cores[core.index()];
        let may_be_leased = it.may_be_leased();
        let seat = &mut it.seat;
        let held = seat.held.as_mut().filter(|held| held.started && held.notify.is_none())?;
        let from = held.lease;
        let (holder, next) = table.two(from.pid, to)?;
        if holder.is_dying() || holder.space.is_flushing() || !may_be_leased {
            return None;
        }
        let (start, granted) = start_next(next, &mut seat.epoch, core, out)?;
        let Start { lease, root, notified, removals } = start;
        out.send(core, ToCore::Regrant { from, to: lease, root, notified, removals });
        holder.parting.insert(core);
        if let Some(vcore) = holder.gang.as_mut().and_then(|gang| gang.get_mut(from.vcore)) {
            // From now on the time is the next one's, as when a vcore gives its core to another.
            vcore.ticks += *now - held.since;
        }
        held.claimed = false;
        seat.leaver = seat.held;
        seat.held = Some(Held::new(lease, notified, *now));
        leaving.remove(core);
        if !seat.is_own(to) {
            rotation.push_anew(core.0);
        }
        Some(granted)
    }

    /// A core has left the vcore that it was to leave, which is `saved`, or is lost with it. If there is one.
    #[inline(never)]
    pub(crate) fn has_left(&mut self, core: CoreId, saved: bool, out: &mut Outbox) {
        let seat = &mut self.cores[core.index()].seat;
        let Some(left) = seat.leaver.take() else { return };
        if seat.held.as_ref().is_none_or(|held| held.leaving.is_none() || held.claimed) {
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
                self.consider_again(pid);
            }
            (false, false) => self.after_loss(left, out),
        }
    }
}
