//! Events to processes, and the notifies that make vcores look for them.

use crate::coordinator::Coordinator;
use crate::gang::{Gang, Place};
use crate::lifecycle::State;
use crate::output::{Outbox, Output};
use crate::seat::Leaving;
use proto::call::{Call, Outcome};
use proto::event::{Event, kind};
use proto::id::{CoreId, Pid, VcoreId};
use proto::message::ToCore;

impl Coordinator {
    /// Posts an event where it will be seen: to the preferred vcore if it runs, else to one that runs,
    /// else to one that will be started before any other.
    pub(crate) fn post(&mut self, pid: Pid, preferred: VcoreId, event: Event, out: &mut Outbox) {
        let process = self.table.at_mut(pid);
        if process.is_dying() {
            return;
        }
        let (mut vcore, mut is_urgent) = (VcoreId(0), false);
        if let Some(gang) = &mut process.gang {
            vcore = target(gang, preferred);
            is_urgent = gang.urgent.is_some();
        }
        out.push(Output::Post { process: process.id, vcore, event });
        self.notify_living(pid, vcore, out);
        if is_urgent {
            // One that is not saved yet keeps others from being started before it.
            self.queue_for_cores(pid);
        }
        self.count_event(pid, event, out);
    }

    /// Marks a vcore as having something to look for, wakes its process, and tells its core.
    #[inline(always)]
    pub(crate) fn notify(&mut self, pid: Pid, vcore: VcoreId, out: &mut Outbox) {
        if !self.table.at(pid).is_dying() {
            self.notify_living(pid, vcore, out);
        }
    }

    #[inline(always)]
    fn notify_living(&mut self, pid: Pid, vcore: VcoreId, out: &mut Outbox) {
        let process = self.table.at_mut(pid);
        out.push(Output::SetPending { process: process.id, vcore });
        let waiting = process.state() == State::Waiting;
        let Some(gang) = &mut process.gang else {
            process.notified = process.notified.wrapping_add(1);
            if waiting {
                return self.wake_single(pid, out);
            }
            return self.notify_single(pid, out);
        };
        let Some(it) = gang.get_mut(vcore) else { return };
        it.notified = it.notified.wrapping_add(1);
        let core = it.core;
        if gang.place(vcore) == Some(Place::Online) {
            self.route(core, out);
        } else if waiting {
            gang.urgent = Some(vcore);
            self.wake_many(pid, out);
        }
    }

    fn notify_single(&mut self, pid: Pid, out: &mut Outbox) {
        let held = self.cores[0].seat.held.filter(|held| held.lease.pid == pid);
        match held.map(|held| held.leaving) {
            Some(None) => self.route(CoreId::MANAGEMENT, out),
            Some(Some(Leaving::Wait)) => self.table.at_mut(pid).woken = true,
            // The flag in its memory tells it when it runs next.
            _ => {}
        }
    }

    /// Tells a core how often its vcore has been notified, unless it lets go, or a `Notify` is on its
    /// way: its answer brings this one about.
    #[inline(always)]
    pub(crate) fn route(&mut self, core: CoreId, out: &mut Outbox) {
        let Some(held) = self.cores[core.index()].seat.held else { return };
        if held.leaving.is_some() || held.notify.is_some() {
            return;
        }
        let lease = held.lease;
        let count = self.table.at(lease.pid).notified(lease.vcore);
        if let Some(held) = &mut self.cores[core.index()].seat.held {
            held.notify = Some((lease.epoch, count));
            held.told = count;
        }
        out.send(core, ToCore::Notify { lease, count });
    }

    /// Writes the outcome of a call into its structure, and posts the event if one was asked for.
    pub(crate) fn complete(
        &mut self,
        pid: Pid,
        call: Call,
        outcome: Outcome,
        value: u64,
        out: &mut Outbox,
    ) {
        let process = self.table.at(pid);
        if process.is_dying() {
            return;
        }
        out.push(Output::Complete { process: process.id, call: call.at & !7, outcome, value });
        if call.wants_event() {
            let event = Event { kind: kind::CALL_DONE, value: call.at & !7 };
            self.post(pid, call.lease.vcore, event, out);
        }
    }
}

/// The vcore that will see an event soonest. When none is online it becomes the urgent one.
fn target(gang: &mut Gang, preferred: VcoreId) -> VcoreId {
    if gang.place(preferred) == Some(Place::Online) {
        return preferred;
    }
    if let Some(online) = gang.first(Place::Online) {
        return online;
    }
    let startable = || gang.next_to_start().or_else(|| gang.first(Place::Leaving));
    let vcore = gang.urgent.or_else(startable).unwrap_or(VcoreId(0));
    gang.urgent = Some(vcore);
    vcore
}
