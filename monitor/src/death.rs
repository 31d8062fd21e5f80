//! The end of a process: a list of steps in a fixed order, each repeated until it has nothing left to
//! do, so that it can be interrupted anywhere and started again.
//!
//! Take its cores, set its children free, close its handles (DYING), abort its waits and give back what
//! it holds (DYING_ABORT); when the last core has let go tell the parent; when the parent has asked and
//! no core can have the address space loaded, free the memory.

use crate::coordinator::Coordinator;
use crate::core_set::CoreSet;
use crate::cores::Timer;
use crate::gang::{Gang, Place};
use crate::lease::is_to_leave;
use crate::lifecycle::{State, Trigger};
use crate::output::{Event as Told, Outbox, Output};
use crate::process::Demise;
use crate::seat::Leaving;
use proto::call::Outcome;
use proto::event::{Event, kind};
use proto::id::{CoreId, Pid, VcoreId};

/// Exit code of a process that an exception ended.
pub const FAULTED: Outcome = Outcome(1337);
/// Exit code of a process that was on a core when the core was lost.
pub const LOST_CORE: Outcome = Outcome(1338);
/// Exit code of a process whose parent ended before it let it run: nobody else would.
pub(crate) const NEVER_RUN: Outcome = Outcome(1339);

impl Coordinator {
    /// Destroys a process. Does nothing when it is being destroyed already: the first exit code counts.
    pub(crate) fn destroy(&mut self, pid: Pid, code: Outcome, out: &mut Outbox) {
        let process = self.table.at_mut(pid);
        if process.is_dying() {
            return;
        }
        process.exit = Some(code);
        process.demise = Demise::Revoke;
        self.run.remove(pid.0);
        self.wanting.remove(pid.0);
        self.follow(pid, Trigger::Kill);
        self.continue_demise(pid, out);
    }

    /// Goes on with destroying a process, as far as this step's budget and its cores allow.
    pub(crate) fn continue_demise(&mut self, pid: Pid, out: &mut Outbox) {
        let mut is_first = true;
        loop {
            let Some(process) = self.table.by_pid(pid) else { return };
            let (done, next) = match process.demise {
                Demise::None => return,
                Demise::Revoke => (self.revoke_all(pid, out), Demise::Disown),
                Demise::Disown => (self.disown_children(pid, out), Demise::Close),
                Demise::Close => (self.close_all(pid, out), Demise::Abort),
                Demise::Abort => (self.abort_waits(pid, out), Demise::Cores),
                Demise::Cores if !process.is_off_all_cores() || self.is_being_left(pid) => return,
                Demise::Cores => (true, Demise::Ended),
                Demise::Ended => return self.free_if_over(pid, out),
            };
            if !done {
                return self.queue_work(pid);
            }
            let process = self.table.at_mut(pid);
            process.demise = next;
            if next == Demise::Ended {
                self.tell_parent(pid, out);
                // Nothing but its cores was waited for, if that is the first that is done.
                if is_first && self.table.by_pid(pid).is_some_and(|it| it.reaped) {
                    // Who wants the core comes first: the memory comes back behind whatever else waits.
                    return self.queue_work(pid);
                }
            }
            is_first = false;
        }
    }

    /// Something that destroying a process may have waited for has come about.
    #[inline(always)]
    pub(crate) fn resume_demise(&mut self, pid: Pid, out: &mut Outbox) {
        let Some(process) = self.table.by_pid(pid) else { return };
        // The first of several cores that let go bring nothing about.
        let goes_on = match process.demise {
            Demise::None => false,
            Demise::Cores => process.is_off_all_cores(),
            _ => true,
        };
        // What goes on anyway does so in its own steps, or else each of these would be as long.
        if goes_on && !self.work.contains(pid.0) {
            self.continue_demise(pid, out);
        }
    }

    /// Tells all its cores to let go. Those that were told before need not be told again.
    fn revoke_all(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        if self.table.at(pid).gang.is_none() {
            if let Some(core) = self.single_core_of(pid) {
                if !self.spend() {
                    return false;
                }
                self.let_go(core, Leaving::Killed, out);
            }
            self.ask_whether_left(pid, out);
            return true;
        }
        let is_done = self.revoke_many(pid, out);
        if is_done {
            self.ask_whether_left(pid, out);
        }
        is_done
    }

    /// Tells the cores of its vcores to let go, as far as this step may; whether that were all.
    #[inline(always)]
    fn revoke_many(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        let Self { table, cores, budget, deadlines, rotation, .. } = self;
        let Some(gang) = &mut table.at_mut(pid).gang else { return true };
        let most = u16::try_from(*budget).unwrap_or(u16::MAX);
        let (mut next, most) = gang.move_many(Place::Online, Place::Leaving, most);
        *budget -= u32::from(most);
        let deadline = self.now.saturating_add(self.config.answer_timeout);
        let (mut told, mut count) = (CoreSet::EMPTY, 0);
        while let Some((it, behind)) = next.and_then(|vcore| gang.with_next(vcore)) {
            let core = it.core;
            next = behind;
            let Some(held) = &mut cores[core.index()].seat.held else { continue };
            if is_to_leave(held, core, Leaving::Killed, deadlines) {
                rotation.remove(core.0);
                deadlines.set_anew(Timer::LetGo(core), deadline);
                told.insert(core);
                count += 1;
            }
        }
        let is_done = gang.count(Place::Online) == 0;
        self.leaving = self.leaving.or(&told);
        match told.only().and_then(|core| Some((core, self.leased(core)?))) {
            Some((core, lease)) => out.send(core, Leaving::Killed.message(lease)),
            None if count > 0 => out.let_go_all(told, count),
            None => {}
        }
        is_done
    }

    fn single_core_of(&self, pid: Pid) -> Option<CoreId> {
        let held = self.cores[0].seat.held?;
        (held.lease.pid == pid && held.leaving.is_none()).then_some(CoreId::MANAGEMENT)
    }

    /// Its children have no parent any more; nobody will ask for the codes of those that have ended.
    fn disown_children(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        loop {
            let process = self.table.at_mut(pid);
            let mut list = process.children;
            let mut ended = process.ended_children;
            let Some(child) = list.first().or_else(|| ended.first()) else { return true };
            if !self.spend() {
                return false;
            }
            let from = if list.is_empty() { &mut ended } else { &mut list };
            self.table.unlink(from, child);
            let process = self.table.at_mut(pid);
            (process.children, process.ended_children) = (list, ended);
            process.child_count -= 1;
            let orphan = self.table.at_mut(child);
            orphan.parent = None;
            out.push(Output::Orphan { process: orphan.id });
            if orphan.demise == Demise::Ended {
                orphan.reaped = true;
                self.free_if_over(child, out);
            } else if orphan.state() == State::Created {
                self.destroy(child, NEVER_RUN, out);
            }
        }
    }

    fn abort_waits(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        if self.table.at(pid).state() == State::Dying {
            self.follow(pid, Trigger::Abort);
        }
        self.abort_all(pid, out);
        self.drop_alarms(pid);
        self.drop_rights(pid)
    }

    fn tell_parent(&mut self, pid: Pid, out: &mut Outbox) {
        let process = self.table.at(pid);
        let parent = process.parent.filter(|&parent| self.table.get(parent).is_some());
        let Some(parent) = parent else {
            let (process, code) = (process.id, process.exit.unwrap_or_default());
            self.table.at_mut(pid).reaped = true;
            return out.tell(Told::Ended { process, code });
        };
        let it = self.table.at_mut(parent.pid);
        let (mut children, mut ended) = (it.children, it.ended_children);
        self.table.unlink(&mut children, pid);
        self.table.push_back(&mut ended, pid);
        let it = self.table.at_mut(parent.pid);
        (it.children, it.ended_children) = (children, ended);
        let event = Event { kind: kind::CHILD_ENDED, value: u64::from(pid.0) };
        self.post(parent.pid, VcoreId(0), event, out);
        self.answer_waits(parent.pid, out);
    }

    /// Frees the memory when nobody will ask for the exit code, and no core can have it loaded.
    pub(crate) fn free_if_over(&mut self, pid: Pid, out: &mut Outbox) {
        let process = self.table.at(pid);
        if process.demise != Demise::Ended || !process.reaped || !process.pinned.is_empty() {
            return;
        }
        if self.is_shooting_down(pid) {
            return;
        }
        if !self.free_mapped(pid, out) {
            return self.queue_work(pid);
        }
        let process = self.table.at(pid);
        let (process, root) = (process.id, process.root);
        self.work.remove(pid.0);
        out.push(Output::FreeSpace { process, root });
        let process = self.table.at_mut(pid);
        self.frames += process.space.frames();
        let gang = process.gang.take();
        let vcores = gang.map(Gang::into_vcores).or_else(|| process.vcores_to_be.take());
        self.table.remove(pid);
        self.vcores.shrink(vcores, self.table.count());
    }
}
