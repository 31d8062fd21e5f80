//! Who gets which core.
//!
//! A process that wants more cores than it has waits in one queue with all others like it. A core that
//! comes free goes to the process that has a right to it, if that one waits, else to the head of the
//! queue. Cores to which somebody has a right are lent out like others, and taken back when their owner
//! asks. While somebody waits, every [`crate::Config::share`] one core changes hands, longest held
//! first, from a process with more cores than the one that is served has: so nobody without a core waits
//! longer than its place among those without one times that.

use crate::coordinator::Coordinator;
use crate::core_set::CoreSet;
use crate::cores::{CoreState, Timer};
use crate::gang::Place;
use crate::lifecycle::{State, Trigger};
use crate::output::Outbox;
use proto::call::Outcome;
use proto::event::{Event, kind};
use proto::id::{CoreId, Pid, VcoreId};

/// What becomes of a process that was granted a core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted {
    /// More of its vcores were preempted, and it is to be told of those that get no core.
    has_preempted: bool,
    /// It could use another one.
    lacks_more: bool,
}

impl Coordinator {
    /// Gives a process what it wants as far as cores are free, takes back those that it has a right to,
    /// and makes it wait for the rest.
    #[inline(always)]
    pub(crate) fn consider(&mut self, pid: Pid, out: &mut Outbox) {
        let Some(process) = self.table.by_pid(pid) else { return };
        let Some(gang) = &process.gang else { return };
        // Mostly there is nothing to consider.
        let lacks = process.could_use_core();
        if lacks || gang.to_report().is_some() || self.wanting.contains(pid.0) {
            self.consider_all(lacks, pid, out);
        }
    }

    fn consider_all(&mut self, mut lacks: bool, pid: Pid, out: &mut Outbox) {
        if lacks && !self.idle.is_empty() {
            lacks = self.grant_idle(pid, out);
        }
        if lacks && !self.provisioned.is_empty() {
            lacks = self.reclaim(pid, out);
        }
        if !self.table.at(pid).is_dying() {
            self.report_preempted(pid, out);
        }
        self.queue_if(lacks, pid);
    }

    /// Grants free cores to a process that could use some, as far as this step may; says whether it could use
    /// more.
    #[inline(always)]
    fn grant_idle(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        while let Some(core) = self.idle_core_for(pid) {
            if !self.spend() {
                break;
            }
            self.idle.remove(core);
            let granted = self.grant(core, pid, out);
            if granted.is_none_or(|granted| !granted.lacks_more) {
                return false;
            }
        }
        true
    }

    /// The free core that suits a process best.
    #[inline(always)]
    fn idle_core_for(&self, pid: Pid) -> Option<CoreId> {
        let process = self.table.at(pid);
        let near = process.gang.as_ref()?.last_core;
        if !self.provisioned.is_empty() {
            let own = self.idle.and(&process.provisioned);
            let nobodys = self.idle.without(&self.provisioned);
            if let Some(suits) = [own, nobodys].iter().find(|cores| !cores.is_empty()) {
                return suits.nearest(near);
            }
        }
        self.idle.nearest(near)
    }

    /// Gives a free core to a process that is short of one, if it can run a vcore on it.
    #[inline(always)]
    fn grant(&mut self, core: CoreId, pid: Pid, out: &mut Outbox) -> Option<Granted> {
        let (vcore, granted) = self.choose(pid)?;
        self.start(core, pid, vcore, out);
        self.begin_turn(core, pid);
        Some(granted)
    }

    /// Chooses the vcore that gets the next core of a process, which runs from now on.
    #[inline(always)]
    pub(crate) fn choose(&mut self, pid: Pid) -> Option<(VcoreId, Granted)> {
        let process = self.table.at_mut(pid);
        let gang = process.gang.as_mut()?;
        let vcore = gang.next_to_start()?;
        gang.move_to_tail(vcore, Place::Online);
        let lacks_more = gang.wanted > gang.count(Place::Online) && gang.next_to_start().is_some();
        let has_preempted = gang.count(Place::Preempted) > 0;
        if process.state() == State::RunnableM {
            self.follow(pid, Trigger::RunMany);
        }
        Some((vcore, Granted { has_preempted, lacks_more }))
    }

    /// The turn of a core's new holder begins, if it has no right to the core.
    #[inline(always)]
    pub(crate) fn begin_turn(&mut self, core: CoreId, pid: Pid) {
        if self.cores[core.index()].seat.owner.is_none_or(|owner| owner.pid != pid) {
            self.rotation.push(core.0);
        }
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

    /// Tells a running process of vcores that were preempted and got no core.
    fn report_preempted(&mut self, pid: Pid, out: &mut Outbox) {
        loop {
            let Some(gang) = self.table.by_pid_mut(pid).and_then(|it| it.gang.as_mut()) else {
                return;
            };
            let Some((online, vcore)) = gang.to_report() else { return };
            if !self.spend() {
                return self.queue_work(pid);
            }
            let gang = self.table.at_mut(pid).gang.as_mut();
            gang.expect("it had one above").move_to_head(vcore, Place::Inactive);
            let event = Event { kind: kind::VCORE_PREEMPTED, value: u64::from(vcore.0) };
            self.post(pid, online, event, out);
        }
    }

    /// Takes cores that a process has a right to from those to whom they are lent; says whether it could use more.
    fn reclaim(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        let process = self.table.at(pid);
        if !process.could_use_core() {
            return false;
        }
        let lent = process.provisioned.without(&process.pinned).and(&self.leasable);
        if lent.is_empty() {
            return true;
        }
        let coming = if self.leaving.is_empty() { 0 } else { lent.and(&self.leaving).len() };
        let short = usize::from(process.shortage()).saturating_sub(coming);
        let candidates = lent.without(&self.leaving).without(&self.idle);
        for core in candidates.iter().take(short) {
            if !self.spend() {
                self.queue_work(pid);
                return true;
            }
            let granted = self.take_for(core, pid, out);
            if granted.is_some_and(|granted| !granted.lacks_more) {
                return false;
            }
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
            // The step's budget is spent; the free cores are its all the same.
            self.queue_work(pid);
        } else {
            self.wanting.push(pid.0);
            if !self.sharing {
                self.sharing = true;
                self.set_timer(Timer::Share, self.now.saturating_add(self.config.share));
            }
        }
    }

    /// A core has nothing to do: finds somebody for it.
    pub(crate) fn core_free(&mut self, core: CoreId, out: &mut Outbox) {
        if core == CoreId::MANAGEMENT {
            self.dispatch(out);
        } else {
            self.pass_on(core, out);
        }
    }

    /// A core other than the management core has nothing to do: finds somebody for it, and says whom.
    #[inline(always)]
    pub(crate) fn pass_on(&mut self, core: CoreId, out: &mut Outbox) -> Option<Pid> {
        let it = &self.cores[core.index()];
        if it.state != CoreState::Online || it.stopping || !it.seat.is_free() {
            self.pass_on_unfit(core, out);
            return None;
        }
        let Some(pid) = self.first_waiting_for(core) else {
            self.idle.insert(core);
            return None;
        };
        self.grant_to_waiting(core, pid, out);
        Some(pid)
    }

    /// Who gets a core next.
    #[inline(always)]
    fn first_waiting_for(&self, core: CoreId) -> Option<Pid> {
        let owner = self.cores[core.index()].seat.owner.map(|owner| owner.pid.0);
        let waits = owner.filter(|owner| self.wanting.contains(*owner));
        waits.or_else(|| self.wanting.first()).map(Pid)
    }

    /// Grants a core to a process that waits for one; if it wants more it waits behind the others.
    fn grant_to_waiting(&mut self, core: CoreId, pid: Pid, out: &mut Outbox) {
        self.wanting.remove_mostly_first(pid.0);
        match self.grant(core, pid, out) {
            Some(granted) => self.go_on_waiting(granted, pid, out),
            None => {
                self.idle.insert(core);
            }
        }
    }

    /// Who was granted a core and wants more waits behind the others.
    #[inline(always)]
    fn go_on_waiting(&mut self, granted: Granted, pid: Pid, out: &mut Outbox) {
        match granted {
            Granted { has_preempted: true, lacks_more } => self.consider_all(lacks_more, pid, out),
            Granted { lacks_more: true, .. } => self.wanting.push(pid.0),
            Granted { .. } => {}
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

    /// A quantum is over: one core changes hands if somebody waits who has fewer than its holder. Who has
    /// as many goes behind the others, so that it keeps nobody waiting who has none.
    pub(crate) fn on_share(&mut self, out: &mut Outbox) {
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
                return self.take_for_waiting(core, out);
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

    /// Takes a core from its holder for whoever gets it next, who waits behind the others if it wants more.
    fn take_for_waiting(&mut self, core: CoreId, out: &mut Outbox) {
        let Some(pid) = self.first_waiting_for(core) else { return };
        if let Some(granted) = self.take_for(core, pid, out) {
            self.wanting.remove(pid.0);
            self.go_on_waiting(granted, pid, out);
        }
    }

    fn online_vcores(&self, pid: Pid) -> u16 {
        self.table.at(pid).gang.as_ref().map_or(0, |gang| gang.count(Place::Online))
    }

    /// Changes how many cores a process wants; returns how many that are at most.
    pub(crate) fn want(&mut self, pid: Pid, wanted: u16, out: &mut Outbox) -> Outcome {
        let Some(gang) = self.table.by_pid_mut(pid).and_then(|it| it.gang.as_mut()) else {
            return Outcome::INVALID;
        };
        gang.want(wanted);
        let accepted = i32::from(gang.wanted);
        self.consider(pid, out);
        Outcome(accepted)
    }

    /// Gives the right to a core to a process, or to nobody.
    pub(crate) fn provision(&mut self, core: CoreId, to: Option<Pid>, out: &mut Outbox) -> Outcome {
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
            self.consider(to.pid, out);
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
        while let Some(core) = self.table.at_mut(pid).provisioned.take_first() {
            if !self.spend() {
                self.table.at_mut(pid).provisioned.insert(core);
                return false;
            }
            self.provisioned.remove(core);
            let seat = &mut self.cores[core.index()].seat;
            seat.owner = None;
            // Who has none, and is about to leave the core, is in no rotation.
            if seat.held.is_some_and(|held| held.leaving.is_none()) {
                self.take_turn(core);
            }
        }
        true
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
