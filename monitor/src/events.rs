//! Events to processes, and the notifies that make vcores look for them.

use crate::coordinator::Coordinator;
use crate::cores::Core;
use crate::gang::{Gang, Place};
use crate::lifecycle::State;
use crate::output::{Mailbox, Outbox, Output};
use crate::process::Process;
use crate::seat::{Leaving, Seat};
use proto::call::{Call, Outcome};
use proto::event::{Event, kind};
use proto::id::{CoreId, Pid, VcoreId};
use proto::message::ToCore;

/// What a process that an event was posted to needs besides.
pub(crate) enum Need {
    Nothing,
    /// It is single-core and waits: it is woken.
    Wakes,
    /// Its vcore has no core.
    IsOff(VcoreId),
    /// Nothing was posted: it has queues, and the event may be for one of them.
    HasQueues,
}

/// Posts an event to a living process. What that needs, and whether a call may wait for it, [`Coordinator::posted`] sees to.
#[inline(always)]
pub(crate) fn put(
    process: &mut Process,
    cores: &mut [Core],
    preferred: VcoreId,
    event: Event,
    out: &mut Outbox,
) -> (Need, bool) {
    if !process.io.queues.is_empty() {
        return (Need::HasQueues, false);
    }
    put_to_vcore(process, cores, preferred, event, out)
}

/// A call has ended that had waited: writes its outcome into its structure, and posts the event if one was asked for. What
/// that needs [`Coordinator::after_end`] sees to.
#[inline(always)]
pub(crate) fn end(
    process: &mut Process,
    cores: &mut [Core],
    call: (u64, VcoreId),
    (outcome, value): (Outcome, u64),
    out: &mut Outbox,
) -> (Need, bool) {
    if process.is_dying() {
        return (Need::Nothing, false);
    }
    let (at, vcore) = call;
    out.push(Output::Complete { process: process.id, call: at & !7, outcome, value });
    if at & 1 == 0 {
        return (Need::Nothing, false);
    }
    put(process, cores, vcore, end_of(at), out)
}

/// The event that tells of the end of a call.
const fn end_of(call: u64) -> Event {
    Event { kind: kind::CALL_DONE, value: call & !7 }
}

/// Posts an event to a living process whatever queues it has, see [`put`].
#[inline(always)]
fn put_to_vcore(
    process: &mut Process,
    cores: &mut [Core],
    preferred: VcoreId,
    event: Event,
    out: &mut Outbox,
) -> (Need, bool) {
    let id = process.id;
    let post = |vcore| Output::Post { process: id, vcore, event };
    (put_with(process, cores, preferred, post, out), process.counts(event))
}

/// Posts to the preferred vcore if it runs, which is told, or else where it will be seen soonest.
#[inline(always)]
fn put_with(
    process: &mut Process,
    cores: &mut [Core],
    preferred: VcoreId,
    post: impl Fn(VcoreId) -> Output,
    out: &mut Outbox,
) -> Need {
    let Some(gang) = &mut process.gang else {
        out.push(post(VcoreId(0)));
        return tell_single(process, cores, out);
    };
    let vcore = match gang.get_mut(preferred) {
        Some(it) if it.place() == Place::Online => {
            it.notified = it.notified.wrapping_add(1);
            let (core, count) = (it.core, it.notified);
            out.push(post(preferred));
            notify(&mut cores[core.index()].seat, core, count, out);
            return Need::Nothing;
        }
        _ => other_target(gang),
    };
    tell(process, cores, (vcore, post(vcore)), out)
}

/// Posts an event for the program that made a call to a living process whatever queues it has.
#[inline(always)]
fn put_for(
    process: &mut Process,
    cores: &mut [Core],
    preferred: VcoreId,
    (event, call): (Event, Call),
    out: &mut Outbox,
) -> (Need, bool) {
    let (id, mailbox, call) = (process.id, Mailbox::Public, call.at & !7);
    let post = |vcore| Output::PostFor { process: id, vcore, mailbox, event, call };
    (put_with(process, cores, preferred, post, out), process.counts(event))
}

/// Has an event posted to a vcore of a living process, and tells the core that has it.
#[inline(always)]
fn tell(
    process: &mut Process,
    cores: &mut [Core],
    (vcore, post): (VcoreId, Output),
    out: &mut Outbox,
) -> Need {
    let Some(gang) = &mut process.gang else {
        out.push(post);
        return tell_single(process, cores, out);
    };
    let Some(it) = gang.get_mut(vcore) else { return Need::Nothing };
    it.notified = it.notified.wrapping_add(1);
    let (place, core, count) = (it.place(), it.core, it.notified);
    out.push(post);
    if place != Place::Online {
        return Need::IsOff(vcore);
    }
    notify(&mut cores[core.index()].seat, core, count, out);
    Need::Nothing
}

#[inline(always)]
fn tell_single(process: &mut Process, cores: &mut [Core], out: &mut Outbox) -> Need {
    process.notified = process.notified.wrapping_add(1);
    if process.state() == State::Waiting {
        return Need::Wakes;
    }
    let seat = &mut cores[0].seat;
    let held = seat.held.as_ref().filter(|held| held.lease.pid == process.id.pid);
    match held.map(|held| held.leaving) {
        Some(None) => notify(seat, CoreId::MANAGEMENT, process.notified, out),
        Some(Some(Leaving::Wait)) => process.woken = true,
        // The flag in its memory tells it when it runs next.
        _ => {}
    }
    Need::Nothing
}

/// Tells a core how often its vcore has been notified, unless it lets go, or a `Notify` is on its way: its answer
/// brings this one about.
#[inline(always)]
fn notify(seat: &mut Seat, core: CoreId, count: u32, out: &mut Outbox) {
    let Some(held) = &mut seat.held else { return };
    if held.leaving.is_some() || held.notify.is_some() {
        return;
    }
    held.notify = Some((held.lease.epoch, count));
    held.told = count;
    out.send(core, ToCore::Notify { lease: held.lease, count });
}

impl Coordinator {
    /// Posts an event where it will be seen: to the preferred vcore if it runs, else to one that runs,
    /// else to one that will be started before any other. Events of a kind that has a queue go there.
    pub(crate) fn post(&mut self, pid: Pid, preferred: VcoreId, event: Event, out: &mut Outbox) {
        let Self { table, cores, .. } = self;
        let process = table.at_mut(pid);
        if !process.is_dying() {
            let done = put(process, cores, preferred, event, out);
            self.posted(pid, (preferred, event), done, out);
        }
    }

    /// The same for a process that has queues.
    #[inline(never)]
    fn post_to_queue(&mut self, pid: Pid, preferred: VcoreId, event: Event, out: &mut Outbox) {
        if !self.enqueue(pid, preferred, event, None, out) {
            self.post_to_vcore(pid, preferred, event, out);
        }
    }

    /// Posts an event to a process that lives, whatever queues it has.
    pub(crate) fn post_to_vcore(
        &mut self,
        pid: Pid,
        preferred: VcoreId,
        event: Event,
        out: &mut Outbox,
    ) {
        let Self { table, cores, .. } = self;
        let done = put_to_vcore(table.at_mut(pid), cores, preferred, event, out);
        self.posted(pid, (preferred, event), done, out);
    }

    /// As [`Coordinator::post`], for the program that made a call; says whether the call is answered elsewhere.
    #[inline(always)]
    pub(crate) fn post_for(
        &mut self,
        pid: Pid,
        event: Event,
        call: Call,
        out: &mut Outbox,
    ) -> bool {
        let Self { table, cores, .. } = self;
        let (process, preferred) = (table.at_mut(pid), VcoreId(0));
        if process.is_dying() {
            return false;
        }
        if !process.io.queues.is_empty() {
            return self.post_for_to_queue(pid, event, call, out);
        }
        let (need, may_await) = put_for(process, cores, preferred, (event, call), out);
        self.posted(pid, (preferred, event), (need, false), out);
        if may_await {
            self.end_await_here(pid, out);
        }
        false
    }

    /// The same for a process that has queues.
    #[inline(never)]
    fn post_for_to_queue(&mut self, pid: Pid, event: Event, call: Call, out: &mut Outbox) -> bool {
        let preferred = VcoreId(0);
        if self.enqueue(pid, preferred, event, Some(call), out) {
            return true;
        }
        let Self { table, cores, .. } = self;
        let done = put_for(table.at_mut(pid), cores, preferred, (event, call), out);
        self.posted(pid, (preferred, event), done, out);
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
        let (process, mailbox) = (self.table.at_mut(pid), Mailbox::Public);
        let post = Output::PostFor { process: process.id, vcore, mailbox, event, call };
        let need = tell(process, &mut self.cores, (vcore, post), out);
        let done = (need, process.counts(event));
        self.posted(pid, (vcore, event), done, out);
    }

    /// An event was posted to a living process: sees to what that needs, and to who may wait for one.
    #[inline(always)]
    pub(crate) fn posted(
        &mut self,
        pid: Pid,
        what: (VcoreId, Event),
        done: (Need, bool),
        out: &mut Outbox,
    ) {
        let (need, may_await) = done;
        match need {
            Need::Nothing => {}
            Need::Wakes => self.wake_single(pid, out),
            Need::IsOff(vcore) => self.notify_offline(pid, vcore),
            Need::HasQueues => self.post_to_queue(pid, what.0, what.1, out),
        }
        if may_await {
            self.end_await(pid, out);
        }
    }

    /// A vcore that has no core has been notified: it is started before others if its process waits.
    fn notify_offline(&mut self, pid: Pid, vcore: VcoreId) {
        let process = self.table.at_mut(pid);
        let waiting = process.state() == State::Waiting;
        let Some(gang) = &mut process.gang else { return };
        if waiting {
            gang.urgent = Some(vcore);
            self.wake_many(pid);
        } else if gang.urgent.is_some() {
            // One that is not saved yet keeps others from being started before it.
            self.queue_for_cores(pid);
        }
    }

    /// See [`notify`].
    #[inline(always)]
    pub(crate) fn route(&mut self, core: CoreId, count: u32, out: &mut Outbox) {
        notify(&mut self.cores[core.index()].seat, core, count, out);
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
            self.post(pid, call.lease.vcore, end_of(call.at), out);
        }
    }

    /// The same for a call that has waited, which mostly asks for an event.
    #[inline(always)]
    pub(crate) fn complete_after_wait(
        &mut self,
        pid: Pid,
        call: (u64, VcoreId),
        result: (Outcome, u64),
        out: &mut Outbox,
    ) {
        let Self { table, cores, .. } = self;
        let done = end(table.at_mut(pid), cores, call, result, out);
        self.after_end(pid, call, done, out);
    }

    /// A call has ended: sees to what its event needs, if one was posted.
    #[inline(always)]
    pub(crate) fn after_end(
        &mut self,
        pid: Pid,
        (at, vcore): (u64, VcoreId),
        done: (Need, bool),
        out: &mut Outbox,
    ) {
        self.posted(pid, (vcore, end_of(at)), done, out);
    }
}

impl Process {
    /// Counts an event, if it is news to those who wait for one: not that a call is done. Says whether a call may wait for it.
    #[inline(always)]
    fn counts(&mut self, event: Event) -> bool {
        let is_news = event.kind != kind::CALL_DONE;
        self.io.posted = self.io.posted.wrapping_add(u32::from(is_news));
        is_news && self.waits.count() > 0
    }
}

/// The vcore that will see an event soonest. When none is online it becomes the urgent one.
#[inline(always)]
pub(crate) fn target(gang: &mut Gang, preferred: VcoreId) -> VcoreId {
    if gang.place(preferred) == Some(Place::Online) { preferred } else { other_target(gang) }
}

fn other_target(gang: &mut Gang) -> VcoreId {
    if let Some(online) = gang.first(Place::Online) {
        return online;
    }
    let startable = || gang.next_to_start().or_else(|| gang.first(Place::Leaving));
    let vcore = gang.urgent.or_else(startable).unwrap_or(VcoreId(0));
    gang.urgent = Some(vcore);
    vcore
}
