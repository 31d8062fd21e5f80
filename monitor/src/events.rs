//! Events to processes, and the notifies that make vcores look for them.

use crate::coordinator::Coordinator;
use crate::gang::{Gang, Place};
use crate::lifecycle::State;
use crate::output::{Mailbox, Outbox, Output};
use crate::seat::Leaving;
use proto::call::{Call, Outcome};
use proto::event::{Event, kind};
use proto::id::{CoreId, Pid, VcoreId};
use proto::message::ToCore;

impl Coordinator {
    /// Posts an event where it will be seen: to the preferred vcore if it runs, else to one that runs,
    /// else to one that will be started before any other. Events of a kind that has a queue go there.
    pub(crate) fn post(&mut self, pid: Pid, preferred: VcoreId, event: Event, out: &mut Outbox) {
        let process = self.table.at_mut(pid);
        if process.is_dying() {
            return;
        }
        if process.io.queues.is_some() && self.enqueue(pid, preferred, event, None, out) {
            return;
        }
        self.post_to_vcore(pid, preferred, event, out);
    }

    /// The same whatever queues a process has, if it lives.
    #[inline(always)]
    pub(crate) fn post_to_vcore(
        &mut self,
        pid: Pid,
        preferred: VcoreId,
        event: Event,
        out: &mut Outbox,
    ) {
        let process = self.table.at_mut(pid);
        let vcore = process.gang.as_mut().map_or(VcoreId(0), |gang| target(gang, preferred));
        out.push(Output::Post { process: process.id, vcore, event });
        self.posted(pid, vcore, event, out);
    }

    /// As [`Coordinator::post`], for the program that made a call; says whether the call is answered elsewhere.
    #[inline(never)]
    pub(crate) fn post_for(
        &mut self,
        pid: Pid,
        event: Event,
        call: Call,
        out: &mut Outbox,
    ) -> bool {
        let (process, preferred) = (self.table.at_mut(pid), VcoreId(0));
        if process.is_dying() {
            return false;
        }
        if process.io.queues.is_some() && self.enqueue(pid, preferred, event, Some(call), out) {
            return true;
        }
        let process = self.table.at_mut(pid);
        let vcore = process.gang.as_mut().map_or(preferred, |gang| target(gang, preferred));
        self.post_from(pid, vcore, event, call.at & !7, out);
        false
    }

    /// Posts an event to a vcore for the program that made the call whose structure is there.
    #[inline(always)]
    pub(crate) fn post_from(
        &mut self,
        pid: Pid,
        vcore: VcoreId,
        event: Event,
        call: u64,
        out: &mut Outbox,
    ) {
        let (process, mailbox) = (self.table.at(pid).id, Mailbox::Public);
        out.push(Output::PostFor { process, vcore, mailbox, event, call });
        self.posted(pid, vcore, event, out);
    }

    /// An event was posted to a vcore of a living process: wakes the process if it waits, and tells the vcore's core.
    #[inline(always)]
    fn posted(&mut self, pid: Pid, vcore: VcoreId, event: Event, out: &mut Outbox) {
        let process = self.table.at_mut(pid);
        let is_news = event.kind != kind::CALL_DONE;
        process.io.posted = process.io.posted.wrapping_add(u32::from(is_news));
        let may_await = is_news && process.waits.count() > 0;
        match &mut process.gang {
            None => {
                process.notified = process.notified.wrapping_add(1);
                self.notify_single(pid, out);
            }
            Some(gang) => {
                let Some(it) = gang.get_mut(vcore) else { return };
                it.notified = it.notified.wrapping_add(1);
                let (core, count) = (it.core, it.notified);
                if gang.place(vcore) == Some(Place::Online) {
                    self.route(core, count, out);
                } else {
                    self.notify_offline(pid, vcore, out);
                }
            }
        }
        if may_await {
            self.end_await(pid, out);
        }
    }

    /// A vcore that has no core has been notified: it is started before others if its process waits.
    fn notify_offline(&mut self, pid: Pid, vcore: VcoreId, out: &mut Outbox) {
        let process = self.table.at_mut(pid);
        let waiting = process.state() == State::Waiting;
        let Some(gang) = &mut process.gang else { return };
        if waiting {
            gang.urgent = Some(vcore);
            self.wake_many(pid, out);
        } else if gang.urgent.is_some() {
            // One that is not saved yet keeps others from being started before it.
            self.queue_for_cores(pid);
        }
    }

    #[inline(always)]
    fn notify_single(&mut self, pid: Pid, out: &mut Outbox) {
        let process = self.table.at_mut(pid);
        let count = process.notified;
        if process.state() == State::Waiting {
            return self.wake_single(pid, out);
        }
        let held = self.cores[0].seat.held.as_ref().filter(|held| held.lease.pid == pid);
        match held.map(|held| held.leaving) {
            Some(None) => self.route(CoreId::MANAGEMENT, count, out),
            Some(Some(Leaving::Wait)) => process.woken = true,
            // The flag in its memory tells it when it runs next.
            _ => {}
        }
    }

    /// Tells a core how often its vcore has been notified, unless it lets go, or a `Notify` is on its
    /// way: its answer brings this one about.
    #[inline(always)]
    pub(crate) fn route(&mut self, core: CoreId, count: u32, out: &mut Outbox) {
        let Some(held) = &mut self.cores[core.index()].seat.held else { return };
        if held.leaving.is_some() || held.notify.is_some() {
            return;
        }
        held.notify = Some((held.lease.epoch, count));
        held.told = count;
        out.send(core, ToCore::Notify { lease: held.lease, count });
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
pub(crate) fn target(gang: &mut Gang, preferred: VcoreId) -> VcoreId {
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
