//! Many-core processes: becoming one, and what their vcores ask for.

use crate::coordinator::Coordinator;
use crate::cores::Timer;
use crate::gang::{Gang, Place};
use crate::lease::{process_of, put_on_map};
use crate::lifecycle::{State, Trigger};
use crate::output::{Outbox, Output};
use crate::seat::{Held, Leaving};
use proto::call::{KEEP, NICE, Outcome};
use proto::event::{Event, kind};
use proto::id::{CoreId, Lease, Pid, VcoreId};
use proto::message::ToCore;
use proto::program::layout::pages_of_many;

impl Coordinator {
    /// How many vcores a process may have: the machine's cores but the management core.
    #[must_use]
    pub fn max_vcores(&self) -> u16 {
        u16::try_from(self.cores.len() - 1).expect("at most MAX_CORES")
    }

    pub(crate) fn on_change_to_many(&mut self, core: CoreId, lease: Lease, out: &mut Outbox) {
        if self.requester(core, lease).is_none() {
            return;
        }
        let refusal = if self.table.at(lease.pid).state() != State::RunningS {
            Some(Outcome::INVALID)
        } else if self.leasable.is_empty() {
            Some(Outcome::NO_DEVICE)
        } else {
            self.reserve_vcores(lease.pid).err()
        };
        match refusal {
            Some(outcome) => out.send(core, ToCore::Done { lease, outcome }),
            None => self.let_go(core, Leaving::BecomeMany, out),
        }
    }

    /// Sets the vcores aside, and reserves the frames of the pages, that a many-core process has more.
    fn reserve_vcores(&mut self, pid: Pid) -> Result<(), Outcome> {
        let frames = pages_of_many(self.max_vcores());
        let left = self.frames.checked_sub(frames).ok_or(Outcome::NO_MEMORY)?;
        let vcores = self.vcores.take().ok_or(Outcome::NO_MEMORY)?;
        self.frames = left;
        let process = self.table.at_mut(pid);
        process.space.image += frames;
        process.vcores_to_be = Some(vcores);
        Ok(())
    }

    /// The context of a single-core process is saved as its first thread's: it is a many-core process
    /// now.
    pub(crate) fn become_many(&mut self, pid: Pid, out: &mut Outbox) {
        self.follow(pid, Trigger::BecomeMany);
        let process = self.table.at_mut(pid);
        let Some(vcores) = process.vcores_to_be.take() else { return };
        let mut gang = Gang::new(vcores);
        if let Some(first) = gang.get_mut(VcoreId(0)) {
            first.notified = process.notified;
        }
        out.push(Output::AddVcores { process: process.id, vcores: gang.max() });
        process.gang = Some(gang);
    }

    pub(crate) fn on_yield(
        &mut self,
        core: CoreId,
        lease: Lease,
        seen: u32,
        asked: (u16, u8),
        out: &mut Outbox,
    ) {
        let (wanted, flags) = asked;
        if core == CoreId::MANAGEMENT {
            return self.yield_single(lease, seen, flags & NICE != 0, out);
        }
        let Some(held) = self.requester(core, lease) else { return };
        if self.may_yield(&held, seen, wanted, flags & NICE != 0) {
            self.let_go(core, Leaving::Yield, out);
        } else {
            out.send(core, ToCore::Done { lease, outcome: Outcome::AGAIN });
        }
        self.consider(lease.pid);
    }

    /// A nice yield satisfies a warning; another one must not drop below what the process wants; and
    /// none may miss an event.
    fn may_yield(&mut self, held: &Held, seen: u32, wanted: u16, nice: bool) -> bool {
        let process = self.table.at_mut(held.lease.pid);
        let Some(gang) = &mut process.gang else { return false };
        // Who gives way has something to do still, whatever it wants.
        gang.want(if nice { wanted.max(1) } else { wanted });
        let allowed = if nice { held.warned } else { gang.wanted < gang.count(Place::Online) };
        allowed && process.knows_all(held.lease.vcore, seen)
    }

    /// The last vcore to leave makes the process wait, or run again when an event came meanwhile.
    pub(crate) fn after_yield(&mut self, pid: Pid) {
        if let Some(has_preempted) = self.when_off_all(pid) {
            if has_preempted {
                self.follow(pid, Trigger::LoseLast);
            } else {
                self.follow(pid, Trigger::Wait);
                let gang = self.table.at(pid).gang.as_ref();
                if gang.is_some_and(|gang| gang.urgent.is_some() || gang.wanted > 0) {
                    self.wake_many(pid);
                }
            }
        }
    }

    /// A vcore was saved: it is the first to be restarted, or others are told.
    pub(crate) fn after_preempt(&mut self, pid: Pid) {
        if self.when_off_all(pid).is_some() {
            self.follow(pid, Trigger::LoseLast);
        }
    }

    /// `Some` when no vcore has a core any more: whether some were preempted.
    fn when_off_all(&self, pid: Pid) -> Option<bool> {
        let gang = self.table.at(pid).gang.as_ref()?;
        let off = gang.count(Place::Online) == 0 && gang.count(Place::Leaving) == 0;
        off.then(|| gang.count(Place::Preempted) > 0)
    }

    /// An event has come for a many-core process that waits.
    pub(crate) fn wake_many(&mut self, pid: Pid) {
        self.follow(pid, Trigger::WakeMany);
        self.consider(pid);
    }

    pub(crate) fn on_change_vcore(
        &mut self,
        core: CoreId,
        lease: Lease,
        to: VcoreId,
        flags: u8,
        out: &mut Outbox,
    ) {
        let Some(held) = self.requester(core, lease) else { return };
        let place = self.table.at(lease.pid).gang.as_ref().map(|gang| gang.place(to));
        let outcome = match place {
            None | Some(None) => Outcome::INVALID,
            Some(Some(Place::Online)) => Outcome::BUSY,
            Some(Some(Place::Leaving | Place::Saving)) => Outcome::AGAIN,
            Some(Some(Place::Preempted | Place::Inactive)) => {
                return self.change_vcore(core, held, to, flags & KEEP != 0, out);
            }
        };
        out.send(core, ToCore::Done { lease, outcome });
    }

    fn change_vcore(
        &mut self,
        core: CoreId,
        held: Held,
        to: VcoreId,
        keep: bool,
        out: &mut Outbox,
    ) {
        let from = held.lease;
        let now = self.now;
        let process = self.table.at_mut(from.pid);
        if let Some(gang) = &mut process.gang {
            gang.move_to_tail(to, Place::Online);
            gang.move_to_tail(from.vcore, Place::Saving);
            if let Some(vcore) = gang.get_mut(from.vcore) {
                vcore.ticks += now - held.since;
            }
        }
        out.push(Output::Map { process: process.id, vcore: from.vcore, core: None });
        let notified = put_on_map(process, to, core, out);
        let id = process.id;
        if held.warned {
            // The core will be taken, whichever vcore has it.
            let deadline = self.deadlines.deadline(Timer::Warning(core)).unwrap_or(now);
            out.push(Output::Warn { process: id, vcore: to, deadline });
        }
        let seat = &mut self.cores[core.index()].seat;
        seat.epoch.0 = seat.epoch.0.wrapping_add(1);
        let lease = Lease { vcore: to, epoch: seat.epoch, ..from };
        let from_vcore = Some((from.vcore, keep));
        seat.held = Some(Held {
            lease,
            started: false,
            from: from_vcore,
            since: now,
            told: notified,
            ..held
        });
        out.send(core, ToCore::SetContext { lease, notified });
        self.queue_for_cores(from.pid);
    }

    /// Takes a core from a many-core process, at once or after a warning. Says whether there was
    /// anything to take.
    pub(crate) fn preempt(&mut self, core: CoreId, warning: u64, out: &mut Outbox) -> bool {
        let held = self.cores.get_mut(core.index()).and_then(|it| it.seat.held.as_mut());
        let Some(held) = held.filter(|_| core != CoreId::MANAGEMENT) else { return false };
        if held.leaving.is_some() {
            return false;
        }
        if warning == 0 {
            self.let_go(core, Leaving::Preempt, out);
            return true;
        }
        if !core::mem::replace(&mut held.warned, true) {
            let lease = held.lease;
            let Lease { pid, vcore, .. } = lease;
            let deadline = self.now.saturating_add(warning);
            self.set_timer(Timer::Warning(core), deadline);
            out.push(Output::Warn { process: process_of(lease), vcore, deadline });
            let event = Event { kind: kind::PREEMPT_PENDING, value: u64::from(vcore.0) };
            self.post(pid, vcore, event, out);
        }
        true
    }

    /// The time that a warning gave was up: the core is taken, unless it has been given up or warned anew since.
    pub(crate) fn on_warning_over(&mut self, core: CoreId, out: &mut Outbox) {
        let Some(held) = &mut self.cores[core.index()].seat.held else { return };
        if held.warned && self.deadlines.deadline(Timer::Warning(core)).is_none() {
            held.warned = false;
            self.let_go(core, Leaving::Preempt, out);
        }
    }
}
