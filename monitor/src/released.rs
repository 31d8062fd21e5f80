//! Cores that say that they are free of processes that are destroyed, one or many together.

use crate::chores::Chore;
use crate::coordinator::Coordinator;
use crate::core_set::CoreSet;
use crate::cores::Timer;
use crate::gang::Place;
use crate::output::Outbox;
use crate::seat::{Held, Leaving};
use proto::id::{CoreId, Lease, Pid};

/// Cores that say in one input that they are free, at most.
pub const MOST_RELEASED: u32 = 32;

/// Is nothing expected of who has this lease but that it lets go, because its process is destroyed?
#[inline(always)]
fn is_killed(held: &Held) -> bool {
    held.leaving == Some(Leaving::Killed) && held.started
}

impl Coordinator {
    /// Is this the lease of this core, and nothing expected of it but that it lets go, because the process is destroyed? What
    /// many such cores say can be told together, see [`crate::Input::Released`].
    #[inline(always)]
    #[must_use]
    pub fn is_killed(&self, core: CoreId, lease: Lease) -> bool {
        let held = self.cores.get(core.index()).and_then(|it| it.seat.held.as_ref());
        held.is_some_and(|held| held.lease == lease && is_killed(held))
    }

    /// A core says that it is free, its context dropped: mostly that of a process that is destroyed.
    #[inline(always)]
    pub(crate) fn on_released(&mut self, core: CoreId, lease: Lease, out: &mut Outbox) {
        let held = self.cores[core.index()].seat.held.as_ref();
        if held.is_some_and(|held| held.lease == lease && is_killed(held)) {
            self.has_switched(core);
            self.on_killed(core, lease, out);
        } else {
            self.on_given_back(core, lease, out);
        }
    }

    #[inline(never)]
    fn on_given_back(&mut self, core: CoreId, lease: Lease, out: &mut Outbox) {
        self.on_let_go(core, lease, false, out);
    }

    /// A core says that it is free of a process that is destroyed: what [`Coordinator::on_let_go`] comes to for it.
    #[inline(always)]
    fn on_killed(&mut self, core: CoreId, lease: Lease, out: &mut Outbox) {
        let Self { cores, table, now, .. } = self;
        let seat = &mut cores[core.index()].seat;
        let process = table.at_mut(lease.pid);
        if process.space.is_flushing() && seat.shootdown.is_none() {
            seat.shootdown = process.space.shootdown_on(core, process.id);
        }
        process.pinned.remove(core);
        process.lost.remove(core);
        let since = seat.held.take().map_or(*now, |held| held.since);
        match &mut process.gang {
            Some(gang) => gang.retire(lease.vcore, *now - since),
            None => process.ticks += *now - since,
        }
        self.leaving.remove(core);
        if core == CoreId::MANAGEMENT {
            self.dispatch(out);
        } else {
            self.cancel_timer(Timer::LetGo(core));
            self.pass_on(core, out);
        }
        self.resume_demise(lease.pid, out);
    }

    /// These cores say that they are free of the leases that they have. Mostly they had them of one process.
    pub(crate) fn on_all_released(&mut self, cores: &CoreSet, out: &mut Outbox) {
        let each = match self.are_off(cores) {
            Some((pid, others)) => {
                self.pass_all_on(cores.without(&others));
                self.resume_demise(pid, out);
                others
            }
            None => *cores,
        };
        if !each.is_empty() {
            self.on_each_released(&each, out);
        }
    }

    /// Takes their leases of cores, all of which serve, if the first of them had one of a many-core process that is
    /// destroyed: which process, and who had none of it.
    #[inline(always)]
    fn are_off(&mut self, cores: &CoreSet) -> Option<(Pid, CoreSet)> {
        let Self { cores: all, table, now, deadlines, leasable, leaving, budget, .. } = self;
        let seat = &all.get(cores.at_or_after(CoreId(0))?.index())?.seat;
        let pid = seat.held.as_ref()?.lease.pid;
        let process = table.at_mut(pid);
        let gang = process.gang.as_mut()?;
        if process.space.is_flushing() || !cores.is_within(leasable) {
            return None;
        }
        let count = cores.count_few();
        *budget = budget.saturating_sub(count);
        // Where they are the last, nobody is left on the list of those that leave.
        let are_last = count == u32::from(gang.count(Place::Leaving));
        let mut others = CoreSet::EMPTY;
        cores.for_each(|core| {
            let held = &mut all[core.index()].seat.held;
            let Some(held) = held.take_if(|held| held.lease.pid == pid && is_killed(held)) else {
                others.insert(core);
                return;
            };
            let ticks = *now - held.since;
            match gang.get_mut(held.lease.vcore).filter(|_| are_last) {
                Some(vcore) => vcore.ticks += ticks,
                None => gang.retire(held.lease.vcore, ticks),
            }
            deadlines.cancel(Timer::LetGo(core));
        });
        let freed = cores.without(&others);
        if are_last {
            gang.retire_all(&freed, others.is_empty());
        }
        process.pinned = process.pinned.without(&freed);
        process.lost = process.lost.without(&freed);
        *leaving = leaving.without(&freed);
        Some((pid, others))
    }

    /// Cores that serve have nothing to do: each will be passed on by itself, if somebody waits.
    #[inline(always)]
    fn pass_all_on(&mut self, cores: CoreSet) {
        if self.wanting.is_empty() {
            self.idle = self.idle.or(&cores);
        } else {
            cores.for_each(|core| self.queue_chore(Chore::Core(core)));
        }
    }

    /// These cores say that they are free, one after the other.
    #[inline(never)]
    fn on_each_released(&mut self, cores: &CoreSet, out: &mut Outbox) {
        for core in cores.members() {
            match self.leased(core) {
                Some(lease) => self.on_released(core, lease, out),
                None => self.counters.unexpected += 1,
            }
        }
    }
}
