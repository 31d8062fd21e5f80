//! Leases of cores: starting, letting go, and what cores answer.

use crate::coordinator::Coordinator;
use crate::cores::{CoreState, Timer};
use crate::deadlines::Deadlines;
use crate::gang::Place;
use crate::lifecycle::Trigger;
use crate::output::{Outbox, Output};
use crate::process::{Process, ProcessId};
use crate::seat::{Held, Leaving};
use proto::event::{Event, kind};
use proto::id::{CoreId, Lease, Pid, VcoreId};
use proto::message::{ToCore, tag};

pub(crate) fn process_of(lease: Lease) -> ProcessId {
    ProcessId { pid: lease.pid, generation: lease.generation }
}

/// Puts a vcore on the map of its process, if that is a many-core one; how often it has been notified.
#[inline(always)]
pub(crate) fn put_on_map(
    process: &mut Process,
    vcore: VcoreId,
    core: CoreId,
    out: &mut Outbox,
) -> u32 {
    let Some(gang) = &mut process.gang else { return process.notified };
    gang.last_core = core;
    let Some(it) = gang.get_mut(vcore) else { return 0 };
    it.core = core;
    let notified = it.notified;
    out.push(Output::Map { process: process.id, vcore, core: Some(core) });
    notified
}

/// A core is to leave the lease that it holds, unless it was told so before; says whether. Nothing else is waited for any more.
#[inline(always)]
pub(crate) fn is_to_leave(
    held: &mut Held,
    core: CoreId,
    why: Leaving,
    deadlines: &mut Deadlines,
) -> bool {
    if held.leaving.is_some() {
        return false;
    }
    (held.leaving, held.claimed) = (Some(why), false);
    if core::mem::take(&mut held.warned) {
        deadlines.cancel(Timer::Warning(core));
    }
    if !held.started {
        // That the core leaves another vcore for this one may be awaited still: it says so before it lets go.
        deadlines.cancel(Timer::LetGo(core));
    }
    true
}

impl Coordinator {
    /// Gives the management core to a single-core process.
    #[inline(always)]
    pub(crate) fn start_single(&mut self, pid: Pid, out: &mut Outbox) {
        let (core, vcore) = (CoreId::MANAGEMENT, VcoreId(0));
        let Self { table, cores, now, .. } = self;
        let process = table.at_mut(pid);
        process.pinned.insert(core);
        let (root, notified, removals) = (process.root, process.notified, process.removals);
        let seat = &mut cores[core.index()].seat;
        seat.epoch.0 = seat.epoch.0.wrapping_add(1);
        let generation = process.id.generation;
        let lease = Lease { pid, generation, vcore, epoch: seat.epoch };
        seat.held = Some(Held::new(lease, notified, *now));
        out.send(core, ToCore::StartCore { lease, root, notified, removals });
    }

    /// Tells a core to let go of its lease, unless it was told before.
    pub(crate) fn let_go(&mut self, core: CoreId, why: Leaving, out: &mut Outbox) {
        self.let_go_here(core, why, out);
    }

    /// As [`Coordinator::let_go`], in code of the caller's own.
    #[inline(always)]
    pub(crate) fn let_go_here(&mut self, core: CoreId, why: Leaving, out: &mut Outbox) {
        let Some(lease) = self.tell_to_let_go(core, why, out) else { return };
        if let Some(gang) = &mut self.table.at_mut(lease.pid).gang {
            gang.move_to_tail(lease.vcore, Place::Leaving);
        }
        if why == Leaving::Preempt {
            // Who has a right to another core may be short of one from now on, not only when this is free.
            self.queue_for_cores(lease.pid);
        }
    }

    /// Tells a core to let go of its lease, unless it was told before: of which. The caller has its vcore leave.
    #[inline(always)]
    fn tell_to_let_go(&mut self, core: CoreId, why: Leaving, out: &mut Outbox) -> Option<Lease> {
        let held = self.cores[core.index()].seat.held.as_mut()?;
        let lease = held.lease;
        if !is_to_leave(held, core, why, &mut self.deadlines) {
            return None;
        }
        self.leaving.insert(core);
        if core != CoreId::MANAGEMENT {
            self.rotation.remove(core.0);
            let deadline = self.now.saturating_add(self.config.answer_timeout);
            self.deadlines.set_anew(Timer::LetGo(core), deadline);
        }
        out.send(core, why.message(lease));
        Some(lease)
    }

    /// The lease of a core, if it has one.
    #[inline(always)]
    #[must_use]
    pub fn leased(&self, core: CoreId) -> Option<Lease> {
        let held = self.cores.get(core.index())?.seat.held.as_ref()?;
        Some(held.lease)
    }

    /// The lease of a core, if it is the one that the core speaks of; else the message is stale.
    #[inline(always)]
    pub(crate) fn held(&mut self, core: CoreId, lease: Lease) -> Option<&mut Held> {
        let Self { cores, counters, .. } = self;
        let seat = &mut cores[core.index()].seat;
        let held = seat.held.as_mut().filter(|held| held.lease == lease);
        if held.is_none() {
            counters.stale += 1;
            return None;
        }
        self.has_switched(core);
        self.cores[core.index()].seat.held.as_mut()
    }

    /// The lease of a core whose vcore waits for the answer to a request; `None` when the message is
    /// stale, or when a message that answers the request is on its way, or will be when the work of
    /// destroying its process comes to this core.
    #[inline(always)]
    pub(crate) fn requester(&mut self, core: CoreId, lease: Lease) -> Option<Held> {
        let held = *self.held(core, lease)?;
        let dying = self.table.at(lease.pid).is_dying();
        (held.started && held.leaving.is_none() && !dying).then_some(held)
    }

    #[inline(always)]
    pub(crate) fn on_started(&mut self, core: CoreId, lease: Lease, out: &mut Outbox) {
        let Self { cores, counters, .. } = self;
        let seat = &mut cores[core.index()].seat;
        let Some(held) = seat.held.as_mut().filter(|held| held.lease == lease) else {
            counters.stale += 1;
            return;
        };
        let is_expected = !core::mem::replace(&mut held.started, true);
        let from = held.from.take();
        let (has_left, has_switched) = (seat.leaver.is_some(), seat.left.is_some());
        if has_switched {
            self.has_switched(core);
        }
        if !is_expected {
            return self.count_unexpected(core);
        }
        if has_left {
            return self.has_left(core, true, out);
        }
        let Some((from, kept)) = from else { return };
        let process = self.table.at_mut(lease.pid);
        if let Some(gang) = &mut process.gang {
            gang.move_to_head(from, Place::Inactive);
        }
        if !process.is_dying() {
            let kind = if kept { kind::VCORE_PREEMPTED } else { kind::CHECK_MESSAGES };
            let event = Event { kind, value: u64::from(from.0) };
            self.post(lease.pid, lease.vcore, event, out);
            self.consider(lease.pid);
        }
    }

    /// The answer may be about the vcore that ran here before a change.
    pub(crate) fn on_notified(&mut self, core: CoreId, lease: Lease, count: u32, out: &mut Outbox) {
        let Some(held) = &mut self.cores[core.index()].seat.held else {
            self.counters.stale += 1;
            return;
        };
        if held.notify != Some((lease.epoch, count)) {
            self.counters.stale += 1;
            return;
        }
        held.notify = None;
        let (lease, told) = (held.lease, held.told);
        self.has_switched(core);
        let notified = self.table.at(lease.pid).notified(lease.vcore);
        if notified != told {
            self.route(core, notified, out);
        }
    }

    /// A core says that it is free: its context saved, or dropped.
    #[inline(always)]
    pub(crate) fn on_let_go(&mut self, core: CoreId, lease: Lease, saved: bool, out: &mut Outbox) {
        let Some(held) = self.held(core, lease) else { return };
        let Some(why) = held.leaving.filter(|why| why.saves() == saved) else {
            return self.count_unexpected(core);
        };
        let pid = lease.pid;
        let dying = self.vacate(core, saved, out);
        if !dying {
            self.after_leaving(pid, why, out);
        }
        if core == CoreId::MANAGEMENT {
            self.dispatch(out);
        } else {
            self.pass_on(core, out);
        }
        if dying {
            self.resume_demise(pid, out);
        } else {
            // Who waits for the core comes first: what its last holder still wants can wait until then.
            self.consider_again(pid);
        }
    }

    /// A core did not hold the lease that a message named. When we think that it does, whatever ran
    /// there is lost.
    pub(crate) fn on_stale(&mut self, core: CoreId, message: u8, lease: Lease, out: &mut Outbox) {
        let Some(&mut held) = self.held(core, lease) else { return };
        match message {
            tag::START_CORE | tag::PREEMPT | tag::DEATH | tag::SWITCH | tag::REGRANT => {
                self.vacate(core, false, out);
                self.after_loss(held, out);
                self.core_free(core, out);
                self.resume_demise(lease.pid, out);
            }
            _ => self.count_unexpected(core),
        }
    }

    /// Takes the lease off a core that is free, and its vcore off the map. One that was preempted and is
    /// `saved` will be restarted before others. Says whether its process is dying.
    #[inline(always)]
    pub(crate) fn vacate(&mut self, core: CoreId, saved: bool, out: &mut Outbox) -> bool {
        let seat = &mut self.cores[core.index()].seat;
        let Some(held) = seat.held.take() else { return false };
        let process = self.table.at_mut(held.lease.pid);
        if seat.shootdown.is_none() && process.space.is_flushing() {
            seat.shootdown = process.space.shootdown_on(core, process.id);
        }
        let dying = self.part(core, &held, self.now - held.since, saved, out);
        if held.leaving.is_some() {
            self.leaving.remove(core);
        }
        if core != CoreId::MANAGEMENT {
            self.forget_lease(core, &held);
        }
        if !held.started {
            // If it was to leave another vcore for this one, it never said that it had.
            self.has_left(core, false, out);
        }
        dying
    }

    /// A process has no more of a core on which one of its vcores was, for so many `ticks` that were not counted yet. Says
    /// whether it is dying.
    #[inline(always)]
    pub(crate) fn part(
        &mut self,
        core: CoreId,
        held: &Held,
        ticks: u64,
        saved: bool,
        out: &mut Outbox,
    ) -> bool {
        let process = self.table.at_mut(held.lease.pid);
        process.pinned.remove(core);
        process.lost.remove(core);
        let (id, dying) = (process.id, process.is_dying());
        match &mut process.gang {
            None => process.ticks += ticks,
            Some(gang) => {
                let vcore = held.lease.vcore;
                if let Some(vcore) = gang.get_mut(vcore) {
                    vcore.ticks += ticks;
                }
                if saved && !dying && held.leaving == Some(Leaving::Preempt) {
                    gang.move_to_tail(vcore, Place::Preempted);
                } else {
                    gang.move_to_head(vcore, Place::Inactive);
                }
                if let Some((from, _)) = held.from {
                    gang.move_to_head(from, Place::Inactive);
                }
                if !dying {
                    // Nobody is left who would look.
                    out.push(Output::Map { process: id, vcore, core: None });
                }
            }
        }
        dying
    }

    /// Nothing is expected any more of a core that had a lease.
    #[inline(always)]
    fn forget_lease(&mut self, core: CoreId, held: &Held) {
        if held.leaving.is_some() {
            self.cancel_timer(Timer::LetGo(core));
        } else {
            self.rotation.remove(core.0);
        }
        if held.warned {
            self.cancel_timer(Timer::Warning(core));
        }
    }

    /// What becomes of a living process whose core is free.
    #[inline(always)]
    pub(crate) fn after_leaving(&mut self, pid: Pid, why: Leaving, out: &mut Outbox) {
        match why {
            Leaving::Slice => {
                self.follow(pid, Trigger::SliceOver);
                self.queue_to_run(pid, out);
            }
            Leaving::GiveWay => {
                self.follow(pid, Trigger::Wait);
                self.wake_single(pid, out);
            }
            Leaving::Wait => {
                self.follow(pid, Trigger::Wait);
                if core::mem::take(&mut self.table.at_mut(pid).woken) {
                    self.wake_single(pid, out);
                }
            }
            Leaving::BecomeMany => self.become_many(pid, out),
            Leaving::Preempt => self.after_preempt(pid),
            Leaving::Yield => self.after_yield(pid),
            Leaving::Killed => {}
        }
    }

    /// The core did not let go in time.
    pub(crate) fn on_let_go_overdue(&mut self, core: CoreId, out: &mut Outbox) {
        if self.cores[core.index()].state == CoreState::Online {
            self.lose(core, crate::LossCause::NoAnswer, out);
        }
    }

    /// Makes a transition that the caller has checked to be one.
    pub(crate) fn follow(&mut self, pid: Pid, trigger: Trigger) {
        if self.table.at_mut(pid).life.follow(trigger).is_err() {
            debug_assert!(false, "{trigger:?} in {:?}", self.table.at(pid).state());
            self.counters.illegal += 1;
        }
    }
}
