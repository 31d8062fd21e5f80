//! Who gets which core.
//!
//! A process that wants more cores than it has waits in one queue with all others like it. A core that
//! comes free goes to the process that has a right to it, if that one waits, else to the head of the
//! queue. Cores to which somebody has a right are lent out like others, and taken back when their owner
//! asks. While somebody waits, every [`crate::Config::share`] one core changes hands, longest held
//! first, from a process with more cores than the one that is served has: so nobody without a core waits
//! longer than its place among those without one times that.
//!
//! Each core that changes hands does so in a step of its own: what a process asks for is noted ([`Coordinator::consider`]),
//! and then one core after the other is granted or taken back for it ([`Coordinator::serve`]), or a core is passed on
//! ([`crate::passing`]). Between two such steps all else may happen, so each looks at how things are by then.

use crate::coordinator::Coordinator;
use crate::core_set::CoreSet;
use crate::cores::{CoreState, Timer};
use crate::gang::Place;
use crate::lifecycle::{State, Trigger};
use crate::output::{Outbox, Output};
use crate::process::{Process, ProcessId};
use crate::seat::Held;
use proto::call::Outcome;
use proto::event::{Event, kind};
use proto::id::{CoreId, Epoch, Lease, Pid};
use proto::message::ToCore;

/// What becomes of a process that was granted a core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted {
    /// More of its vcores were preempted, and it is to be told of those that get no core.
    pub(crate) has_preempted: bool,
    /// It could use another one.
    pub(crate) lacks_more: bool,
}

/// What a core is told of the vcore that it is to run.
pub(crate) struct Start {
    pub(crate) lease: Lease,
    pub(crate) root: u64,
    pub(crate) notified: u32,
    pub(crate) removals: u64,
}

/// The next vcore of a process has a core from now on, under a new lease, if the process can run one.
#[inline(always)]
pub(crate) fn start_next(
    process: &mut Process,
    epoch: &mut Epoch,
    core: CoreId,
    out: &mut Outbox,
) -> Option<(Start, Granted)> {
    let gang = process.gang.as_mut()?;
    let vcore = gang.next_to_start()?;
    let notified = gang.begin(vcore, core);
    let lacks_more = gang.wanted > gang.count(Place::Online) && gang.next_to_start().is_some();
    let has_preempted = gang.count(Place::Preempted) > 0;
    if process.state() == State::RunnableM {
        let legal = process.life.follow(Trigger::RunMany).is_ok();
        debug_assert!(legal, "it was looked at just now");
    }
    process.pinned.insert(core);
    let (root, removals) = (process.root, process.removals);
    let ProcessId { pid, generation } = process.id;
    out.push(Output::Map { process: process.id, vcore, core: Some(core) });
    epoch.0 = epoch.0.wrapping_add(1);
    let lease = Lease { pid, generation, vcore, epoch: *epoch };
    Some((Start { lease, root, notified, removals }, Granted { has_preempted, lacks_more }))
}

impl Coordinator {
    /// Sees what a process lacks: a later step goes on with what can be done about that, or else the process waits for it.
    #[inline(always)]
    pub(crate) fn consider(&mut self, pid: Pid) {
        let Some(process) = self.table.by_pid(pid) else { return };
        let Some(gang) = &process.gang else { return };
        let lacks = process.could_use_core();
        let may_get = lacks && (!self.idle.is_empty() || process.has_lent());
        if may_get || gang.to_report().is_some() {
            self.queue_work(pid);
        }
        if !lacks {
            self.wanting.remove_mostly_first(pid.0);
        } else if !may_get {
            self.wait_for_core(pid);
        }
    }

    /// As [`Coordinator::consider`], of a process that may wait for a core already, and wants no fewer than before.
    #[inline(always)]
    pub(crate) fn consider_again(&mut self, pid: Pid) {
        if !self.wanting.contains(pid.0) {
            return self.consider(pid);
        }
        let process = self.table.at(pid);
        if process.has_lent() || process.is_to_report() {
            self.queue_work(pid);
        }
    }

    /// Does one thing about what a process lacks: grants it a core that is free, takes back one that it has a right to, or
    /// tells it of a vcore that was preempted and got no core.
    #[inline(always)]
    pub(crate) fn serve(&mut self, pid: Pid, out: &mut Outbox) {
        let process = self.table.at(pid);
        let lacks = process.could_use_core();
        if lacks && !self.idle.is_empty() {
            self.grant_idle(pid, out);
        } else if process.is_to_report() {
            self.report_preempted(pid, out);
            self.consider(pid);
        } else if !lacks || !process.has_lent() || !self.reclaim(pid) {
            self.queue_if(lacks, pid);
        }
    }

    /// Grants a process the free core that suits it best.
    #[inline(always)]
    fn grant_idle(&mut self, pid: Pid, out: &mut Outbox) {
        let Some(core) = self.idle_core_for(pid) else { return };
        self.idle.remove(core);
        let granted = self.grant(core, pid, out);
        if granted.is_some_and(|it| it.lacks_more || it.has_preempted) {
            self.consider(pid);
        }
    }

    /// The free core that suits a process best: one of its own, or else one to which nobody has a right, near those that it has.
    #[inline(always)]
    fn idle_core_for(&self, pid: Pid) -> Option<CoreId> {
        let process = self.table.at(pid);
        let near = process.gang.as_ref()?.last_core;
        let mut suit = self.idle;
        if !self.provisioned.is_empty() {
            let own = suit.and(&process.provisioned);
            let nobodys = suit.without(&self.provisioned);
            if !own.is_empty() {
                suit = own;
            } else if !nobodys.is_empty() {
                suit = nobodys;
            }
        }
        suit.nearest(near)
    }

    /// Gives a free core to a process that is short of one, if it can run a vcore on it.
    #[inline(always)]
    pub(crate) fn grant(&mut self, core: CoreId, pid: Pid, out: &mut Outbox) -> Option<Granted> {
        let Self { table, cores, rotation, now, .. } = self;
        let seat = &mut cores[core.index()].seat;
        let (start, granted) = start_next(table.at_mut(pid), &mut seat.epoch, core, out)?;
        let Start { lease, root, notified, removals } = start;
        out.send(core, ToCore::StartCore { lease, root, notified, removals });
        seat.held = Some(Held::new(lease, notified, *now));
        if !seat.is_own(pid) {
            rotation.push_anew(core.0);
        }
        Some(granted)
    }

    /// Puts a core whose holder has no right to it into the rotation, and takes another one out.
    fn take_turn(&mut self, core: CoreId) {
        let seat = &self.cores[core.index()].seat;
        let holder = seat.held.filter(|held| held.leaving.is_none()).map(|held| held.lease.pid);
        match holder {
            Some(holder) if seat.owner.is_none_or(|owner| owner.pid != holder) => {
                self.rotation.remove(core.0);
                self.rotation.push(core.0);
            }
            _ => {
                self.rotation.remove(core.0);
            }
        }
    }

    /// Tells a running process of a vcore that was preempted and got no core.
    fn report_preempted(&mut self, pid: Pid, out: &mut Outbox) {
        let Some(gang) = &mut self.table.at_mut(pid).gang else { return };
        let Some((online, vcore)) = gang.to_report() else { return };
        gang.move_to_head(vcore, Place::Inactive);
        let event = Event { kind: kind::VCORE_PREEMPTED, value: u64::from(vcore.0) };
        self.post(pid, online, event, out);
    }

    /// Takes a core that a process has a right to from whoever it is lent to; whether there was one.
    #[inline(always)]
    fn reclaim(&mut self, pid: Pid) -> bool {
        let process = self.table.at(pid);
        let mut lent = process.provisioned.without(&process.pinned).and(&self.leasable);
        let mut short = usize::from(process.shortage());
        if !self.leaving.is_empty() {
            short = short.saturating_sub(lent.and(&self.leaving).len());
            lent = lent.without(&self.leaving);
        }
        if short == 0 {
            return false;
        }
        // No core is idle, or it would have been granted. One that nobody holds comes free by itself: it owes an answer, or
        // is about to be passed on.
        let core = loop {
            let Some(core) = lent.take_first() else { return false };
            if self.cores[core.index()].seat.held.is_some() {
                break core;
            }
        };
        self.wait_for_core(pid);
        self.take_from_holder(core);
        if short > 1 {
            self.queue_work(pid);
        }
        true
    }

    /// Brings a process's place in the queue for cores in line with what it wants.
    #[inline(always)]
    pub(crate) fn queue_for_cores(&mut self, pid: Pid) {
        if let Some(process) = self.table.by_pid(pid) {
            self.queue_if(process.could_use_core(), pid);
        }
    }

    /// Puts a process that lacks a core behind the others that do, unless it waits already; takes one that does not
    /// out of the queue.
    #[inline(always)]
    fn queue_if(&mut self, lacks: bool, pid: Pid) {
        if !lacks {
            self.wanting.remove_mostly_first(pid.0);
        } else if !self.idle.is_empty() {
            self.queue_work(pid);
        } else {
            self.wait_for_core(pid);
        }
    }

    #[inline(always)]
    fn wait_for_core(&mut self, pid: Pid) {
        self.wanting.push(pid.0);
        if !self.sharing {
            self.sharing = true;
            self.set_timer(Timer::Share, self.now.saturating_add(self.config.share));
        }
    }

    /// A quantum is over: one core changes hands if somebody waits who has fewer than its holder. Who has
    /// as many goes behind the others, so that it keeps nobody waiting who has none.
    pub(crate) fn on_share(&mut self) {
        let Some(first) = self.wanting.first() else {
            self.sharing = false;
            return;
        };
        self.set_timer(Timer::Share, self.now.saturating_add(self.config.share));
        let Some(core) = self.rotation.first().map(CoreId) else { return };
        let holder = self.cores[core.index()].seat.held.as_ref().map(|held| held.lease.pid);
        let has = holder.map_or(0, |holder| self.online_vcores(holder));
        let mut waiting = first;
        while self.spend() {
            if has > self.online_vcores(Pid(waiting)) {
                return self.claim(core);
            }
            self.wanting.remove(waiting);
            self.queue_for_cores(Pid(waiting));
            match self.wanting.first() {
                Some(next) if next != first => waiting = next,
                _ => break,
            }
        }
        self.rotation.remove(core.0);
        self.rotation.push(core.0);
    }

    /// How many cores a process has and keeps.
    pub(crate) fn online_vcores(&self, pid: Pid) -> u16 {
        self.table.at(pid).gang.as_ref().map_or(0, |gang| gang.count(Place::Online))
    }

    /// Changes how many cores a process wants; returns how many that are at most.
    pub(crate) fn want(&mut self, pid: Pid, wanted: u16) -> Outcome {
        let Some(gang) = self.table.by_pid_mut(pid).and_then(|it| it.gang.as_mut()) else {
            return Outcome::INVALID;
        };
        gang.want(wanted);
        let accepted = i32::from(gang.wanted);
        self.consider(pid);
        Outcome(accepted)
    }

    /// Gives the right to a core to a process, or to nobody.
    pub(crate) fn provision(&mut self, core: CoreId, to: Option<Pid>) -> Outcome {
        if core == CoreId::MANAGEMENT {
            return Outcome::BUSY;
        }
        if self.cores.get(core.index()).is_none_or(|it| it.state == CoreState::Absent) {
            return Outcome::NO_CORE;
        }
        let to = match to.map(|pid| self.table.by_pid(pid).filter(|it| !it.is_dying())) {
            Some(None) => return Outcome::NO_PROCESS,
            Some(Some(process)) => Some(process.id),
            None => None,
        };
        self.take_right(core);
        if let Some(to) = to {
            self.cores[core.index()].seat.owner = Some(to);
            self.provisioned.insert(core);
            self.table.at_mut(to.pid).provisioned.insert(core);
        }
        self.take_turn(core);
        if let Some(to) = to {
            self.consider(to.pid);
        }
        Outcome::OK
    }

    /// Nobody has a right to this core any more.
    pub(crate) fn take_right(&mut self, core: CoreId) {
        let Some(owner) = self.cores[core.index()].seat.owner.take() else { return };
        self.provisioned.remove(core);
        self.table.at_mut(owner.pid).provisioned.remove(core);
        self.take_turn(core);
    }

    /// A process that is destroyed has no right to any core any more, as far as this step may; says whether it has none left.
    pub(crate) fn drop_rights(&mut self, pid: Pid) -> bool {
        let (budget, rights) = (self.budget, &mut self.table.at_mut(pid).provisioned);
        if rights.is_empty() {
            return true;
        }
        let (now, later) = match rights.count_few() {
            count if count <= budget => (*rights, CoreSet::EMPTY),
            _ => rights.split(budget as usize),
        };
        *rights = later;
        self.provisioned = self.provisioned.without(&now);
        now.for_each(|core| {
            self.budget -= 1;
            let seat = &mut self.cores[core.index()].seat;
            seat.owner = None;
            // Who has none, and is about to leave the core, is in no rotation.
            if seat.held.is_some_and(|held| held.leaving.is_none()) {
                self.take_turn(core);
            }
        });
        later.is_empty()
    }

    /// A core is online and free: it can be leased.
    pub(crate) fn open_for_lease(&mut self, core: CoreId, out: &mut Outbox) {
        if core != CoreId::MANAGEMENT {
            self.leasable.insert(core);
        }
        self.core_free(core, out);
    }

    /// A core can't be leased from now on.
    pub(crate) fn close_for_lease(&mut self, core: CoreId) {
        self.leasable.remove(core);
        self.idle.remove(core);
    }

    /// Cores that can be leased and are not.
    #[must_use]
    pub fn idle_cores(&self) -> CoreSet {
        self.idle
    }
}
