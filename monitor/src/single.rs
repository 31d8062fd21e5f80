//! Single-core processes: one at a time on the management core, in turn.

use crate::coordinator::Coordinator;
use crate::cores::Timer;
use crate::lifecycle::{State, Trigger};
use crate::output::Outbox;
use crate::seat::Leaving;
use proto::call::{NICE, Outcome};
use proto::id::{CoreId, Lease, Pid, VcoreId};
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
            self.set_timer(Timer::Slice, self.slice_end.max(self.now));
        } else {
            self.dispatch(out);
        }
    }

    /// Gives the management core to the first in the run queue, if it is free.
    pub(crate) fn dispatch(&mut self, out: &mut Outbox) {
        if !self.cores[0].seat.is_free() {
            return;
        }
        let Some(pid) = self.run.pop().map(Pid) else { return };
        self.follow(pid, Trigger::RunSingle);
        self.slice_end = self.now.saturating_add(self.config.slice);
        if !self.run.is_empty() {
            self.set_timer(Timer::Slice, self.slice_end);
        }
        self.start(HERE, pid, VcoreId(0), out);
    }

    /// The running process's time is up, if another one wants to run.
    pub(crate) fn on_slice_over(&mut self, out: &mut Outbox) {
        if !self.run.is_empty() {
            self.let_go(HERE, Leaving::Slice, out);
        }
    }

    /// A single-core process waits for an event or gives way.
    pub(crate) fn yield_single(&mut self, lease: Lease, seen: u32, flags: u8, out: &mut Outbox) {
        let nice = flags & NICE != 0;
        if nice && self.run.is_empty() {
            return out.send(HERE, ToCore::Done { lease, outcome: Outcome::OK });
        }
        if !nice && !self.table.at_mut(lease.pid).knows_all(lease.vcore, seen) {
            return out.send(HERE, ToCore::Done { lease, outcome: Outcome::AGAIN });
        }
        let why = if nice { Leaving::GiveWay } else { Leaving::Wait };
        self.let_go(HERE, why, out);
    }
}
