//! A core that changes hands, in a step of its own.
//!
//! One that comes free while somebody waits is neither idle nor leased until that step, and goes to whoever is the first
//! to wait for it by then. One that is claimed, by who has a right to it or because its holder has had it long enough, is
//! first taken from its holder, whose vcore is on its way off from then on; the next step sees who gets the core, and has
//! the core told.

use crate::allocation::Granted;
use crate::chores::Chore;
use crate::coordinator::Coordinator;
use crate::cores::{CoreState, Timer};
use crate::gang::Place;
use crate::output::Outbox;
use crate::seat::Leaving;
use proto::id::{CoreId, Lease, Pid};

impl Coordinator {
    /// A core has nothing to do: finds somebody for it.
    pub(crate) fn core_free(&mut self, core: CoreId, out: &mut Outbox) {
        if core == CoreId::MANAGEMENT {
            self.dispatch(out);
        } else {
            self.pass_on(core, out);
        }
    }

    /// A core other than the management core has nothing to do: it will be passed on, if somebody waits.
    #[inline(always)]
    pub(crate) fn pass_on(&mut self, core: CoreId, out: &mut Outbox) {
        let it = &self.cores[core.index()];
        if !it.may_be_leased() || !it.seat.is_free() {
            self.pass_on_unfit(core, out);
        } else if self.wanting.is_empty() {
            self.idle.insert(core);
        } else {
            self.queue_chore(Chore::Core(core));
        }
    }

    /// A core that is not to be leased at once, if it has let go of all that it had.
    #[cold]
    fn pass_on_unfit(&mut self, core: CoreId, out: &mut Outbox) {
        let it = &self.cores[core.index()];
        match it.state {
            CoreState::Online if it.seat.is_free() => self.send_stop(core, out),
            CoreState::Silent if it.seat.is_free() => self.bring_back(core, out),
            _ => {}
        }
    }

    /// A core will be taken from whoever holds it then.
    pub(crate) fn claim(&mut self, core: CoreId) {
        if let Some(held) = &mut self.cores[core.index()].seat.held {
            held.claimed = true;
        }
        self.queue_chore(Chore::Core(core));
    }

    /// Does what is due with a core: it is free, or claimed, or its holder's time is up.
    #[inline(always)]
    pub(crate) fn continue_core(&mut self, core: CoreId, out: &mut Outbox) {
        let seat = &self.cores[core.index()].seat;
        match &seat.held {
            None if seat.shootdown.is_none() => self.grant_free(core, out),
            None => {}
            Some(held) if !held.claimed => self.on_warning_over(core, out),
            Some(held) if held.leaving.is_some() => self.hand_over(core, out),
            Some(held) if self.is_for_poorer(core, held.lease.pid) => self.take_from_holder(core),
            Some(_) => self.disclaim(core),
        }
    }

    /// Does somebody wait who gets this core, and has fewer than its holder, or a right to it?
    #[inline(always)]
    fn is_for_poorer(&self, core: CoreId, holder: Pid) -> bool {
        let Some(pid) = self.first_waiting_for(core) else { return false };
        self.cores[core.index()].seat.owner.is_some_and(|owner| owner.pid == pid)
            || self.online_vcores(pid) < self.online_vcores(holder)
    }

    fn disclaim(&mut self, core: CoreId) {
        if let Some(held) = &mut self.cores[core.index()].seat.held {
            held.claimed = false;
        }
    }

    /// The holder of a core loses it. Whoever gets the core next, and in which way the core is told, is seen in the core's
    /// next step.
    #[inline(always)]
    pub(crate) fn take_from_holder(&mut self, core: CoreId) {
        let Some(held) = &mut self.cores[core.index()].seat.held else { return };
        (held.leaving, held.claimed) = (Some(Leaving::Preempt), true);
        let Lease { pid, vcore, .. } = held.lease;
        if core::mem::take(&mut held.warned) {
            self.cancel_timer(Timer::Warning(core));
        }
        if let Some(gang) = &mut self.table.at_mut(pid).gang {
            gang.move_to_tail(vcore, Place::Leaving);
        }
        self.leaving.insert(core);
        self.rotation.remove(core.0);
        self.queue_chore(Chore::Core(core));
        // Who has a right to another core may be short of one from now on.
        self.queue_for_cores(pid);
    }

    /// Has a core that was taken from its holder told so: it goes straight on with a vcore of whoever waits for it, or if it
    /// cannot it says first that it is free.
    #[inline(always)]
    fn hand_over(&mut self, core: CoreId, out: &mut Outbox) {
        let waiting = self.first_waiting_for(core);
        match waiting.and_then(|pid| Some((pid, self.regrant(core, pid, out)?))) {
            Some((pid, granted)) => self.wait_for_more(granted, pid),
            None => self.tell_to_leave(core, out),
        }
        let deadline = self.now.saturating_add(self.config.answer_timeout);
        self.deadlines.set_anew(Timer::LetGo(core), deadline);
    }

    /// Has a core that was taken from its holder told to let go.
    #[inline(never)]
    fn tell_to_leave(&mut self, core: CoreId, out: &mut Outbox) {
        let Some(held) = &mut self.cores[core.index()].seat.held else { return };
        held.claimed = false;
        out.send(core, Leaving::Preempt.message(held.lease));
        if !held.started {
            // See `let_go`.
            self.cancel_timer(Timer::LetGo(core));
        }
    }

    /// Grants a core that is free to the first who waits for it.
    #[inline(always)]
    fn grant_free(&mut self, core: CoreId, out: &mut Outbox) {
        if !self.cores[core.index()].may_be_leased() {
            return;
        }
        let Some(pid) = self.first_waiting_for(core) else {
            self.idle.insert(core);
            return;
        };
        // Meanwhile it may have been.
        self.idle.remove(core);
        match self.grant(core, pid, out) {
            Some(granted) => self.wait_for_more(granted, pid),
            None => {
                self.wanting.remove(pid.0);
                self.idle.insert(core);
            }
        }
    }

    /// Who gets a core next: its owner, if that one waits, or else the first who does.
    #[inline(always)]
    fn first_waiting_for(&self, core: CoreId) -> Option<Pid> {
        let owner = self.cores[core.index()].seat.owner.as_ref().map(|owner| owner.pid.0);
        let waits = owner.filter(|owner| self.wanting.contains(*owner));
        waits.or_else(|| self.wanting.first()).map(Pid)
    }

    /// Who was granted a core for which it waited, and wants more, waits behind the others.
    #[inline(always)]
    fn wait_for_more(&mut self, granted: Granted, pid: Pid) {
        self.wanting.remove_mostly_first(pid.0);
        if granted.lacks_more {
            self.wanting.push(pid.0);
        }
        if granted.has_preempted {
            self.queue_work(pid);
        }
    }
}
