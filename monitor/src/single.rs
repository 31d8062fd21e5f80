//! Single-core processes: one at a time on the management core, in turn.
//!
//! One that gives way to another costs one message, [`ToCore::Switch`], and no answer: only this core ever runs either, and
//! it takes its orders one after the other, so whatever it is told later finds the first one saved. Only who frees memory
//! must know that the core has switched: see [`Coordinator::ask_whether_left`].

use crate::coordinator::Coordinator;
use crate::cores::Timer;
use crate::lifecycle::{State, Trigger};
use crate::output::Outbox;
use crate::process::ProcessId;
use crate::seat::Leaving;
use proto::call::Outcome;
use proto::id::{CoreId, Epoch, Lease, Pid};
use proto::message::ToCore;

const HERE: CoreId = CoreId::MANAGEMENT;

impl Coordinator {
    /// Lets a process run that was created or waits; does nothing to others.
    pub(crate) fn wake_single(&mut self, pid: Pid, out: &mut Outbox) {
        if matches!(self.table.at(pid).state(), State::Created | State::Waiting) {
            self.follow(pid, Trigger::WakeSingle);
            self.queue_to_run(pid, out);
        }
    }

    /// Puts a runnable process at the end of the run queue.
    pub(crate) fn queue_to_run(&mut self, pid: Pid, out: &mut Outbox) {
        self.run.push(pid.0);
        if self.cores[0].seat.held.is_some() {
            self.watch_slice();
        } else {
            self.dispatch(out);
        }
    }

    /// Gives the management core to the first in the run queue, if it is free.
    #[inline(always)]
    pub(crate) fn dispatch(&mut self, out: &mut Outbox) {
        if !self.cores[0].seat.is_free() {
            return;
        }
        let Some(pid) = self.run.pop().map(Pid) else { return };
        self.follow(pid, Trigger::RunSingle);
        self.begin_slice();
        self.start_single(pid, out);
    }

    /// The turn of a process that comes out of the run queue begins.
    #[inline(always)]
    fn begin_slice(&mut self) {
        self.slice_end = self.now.saturating_add(self.config.slice);
        if !self.run.is_empty() {
            self.watch_slice();
        }
    }

    /// Has the end of the slice noticed. A timer that is set already comes early, and is set once more then: that costs
    /// less than to move it whenever a process gives way.
    #[inline(always)]
    fn watch_slice(&mut self) {
        if self.deadlines.deadline(Timer::Slice).is_none() {
            self.set_timer(Timer::Slice, self.slice_end.max(self.now));
        }
    }

    /// The running process's time is up, if another one wants to run.
    pub(crate) fn on_slice_over(&mut self, out: &mut Outbox) {
        if self.run.is_empty() || self.cores[0].seat.held.is_none() {
            return;
        }
        if self.now < self.slice_end {
            return self.watch_slice();
        }
        self.let_go(HERE, Leaving::Slice, out);
    }

    /// A single-core process waits for an event or gives way.
    #[inline(always)]
    pub(crate) fn yield_single(&mut self, lease: Lease, seen: u32, nice: bool, out: &mut Outbox) {
        let Some(held) = self.held(HERE, lease) else { return };
        // See `requester`: a message that answers the request is on its way, or will be.
        let is_answered = !held.started || held.leaving.is_some();
        let owes = held.notify.is_some();
        let process = self.table.at_mut(lease.pid);
        if is_answered || process.is_dying() {
            return;
        }
        let nobody_waits = self.run.is_empty();
        if nice && nobody_waits {
            return out.send(HERE, ToCore::Done { lease, outcome: Outcome::OK });
        }
        if !nice && !process.knows_all(lease.vcore, seen) {
            return out.send(HERE, ToCore::Done { lease, outcome: Outcome::AGAIN });
        }
        // A core that owes an answer which is about this process cannot go straight on with another one: who lets go
        // keeps count of those (`vacate`).
        let owes = owes || self.cores[0].seat.shootdown.is_some() || !process.space.is_at_rest();
        if !nobody_waits && !owes {
            return self.switch(lease, nice, out);
        }
        let why = if nice { Leaving::GiveWay } else { Leaving::Wait };
        self.let_go(HERE, why, out);
    }

    /// One process waits or gives way, and the first in the run queue goes on, in one message. Its core holds that lease,
    /// runs it, and owes nothing.
    #[inline(always)]
    fn switch(&mut self, from: Lease, nice: bool, out: &mut Outbox) {
        let (Some(next), Some(held)) = (self.run.pop(), &mut self.cores[0].seat.held) else {
            return;
        };
        let process = self.table.at_mut(from.pid);
        process.pinned.remove(HERE);
        process.ticks += self.now - held.since;
        let trigger = if nice { Trigger::SliceOver } else { Trigger::Wait };
        let mut legal = process.life.follow(trigger).is_ok();
        let left = process.id;
        let process = self.table.at_mut(Pid(next));
        process.pinned.insert(HERE);
        legal &= process.life.follow(Trigger::RunSingle).is_ok();
        debug_assert!(
            legal,
            "who is switched from runs, and who stands in the run queue is runnable"
        );
        self.counters.illegal += u64::from(!legal);
        let (root, notified, removals) = (process.root, process.notified, process.removals);
        let ProcessId { pid, generation } = process.id;
        let to = Lease { pid, generation, epoch: Epoch(from.epoch.0.wrapping_add(1)), ..from };
        // Of the rest nothing is to be remembered: the core owes nothing.
        (held.lease, held.told, held.since) = (to, notified, self.now);
        let seat = &mut self.cores[0].seat;
        (seat.epoch, seat.left) = (to.epoch, Some(left));
        let outcome = Outcome::OK;
        out.send(HERE, ToCore::Switch { from, outcome, to, root, notified, removals });
        if nice {
            self.run.push(from.pid.0);
        }
        self.begin_slice();
    }

    /// The core may not have switched from this process yet, and have its memory loaded.
    pub(crate) fn is_being_left(&self, pid: Pid) -> bool {
        self.cores[0].seat.left.is_some_and(|left| left.pid == pid)
    }

    /// Who frees the memory of a process must know that the core has left it. All that it says under its lease tells so; if
    /// it owes nothing it is asked by a notify, as which a program may always come.
    pub(crate) fn ask_whether_left(&mut self, pid: Pid, out: &mut Outbox) {
        let told = self.cores[0].seat.held.as_ref().map(|held| held.told);
        if let Some(told) = told.filter(|_| self.is_being_left(pid)) {
            self.route(HERE, told, out);
        }
    }

    /// What a core says shows that it has switched, if it was told to.
    #[inline(always)]
    pub(crate) fn has_switched(&mut self, core: CoreId) {
        let Some(left) = self.cores[core.index()].seat.left.take() else { return };
        if self.table.at(left.pid).is_dying() {
            self.queue_work(left.pid);
        }
    }
}
