//! Checks that the coordinator's state holds together, for simulations and tests: it walks over
//! everything.

use crate::chores::Chore;
use crate::coordinator::Coordinator;
use crate::core_set::CoreSet;
use crate::cores::Core;
use crate::gang::Place;
use crate::lease::process_of;
use crate::lifecycle::State;
use crate::process::{Demise, Process};
use crate::seat::Held;
use crate::table::List;
use alloc::vec::Vec;
use core::fmt;
use proto::id::{CoreId, Pid};

/// A rule that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The rule, as a sentence.
    pub rule: &'static str,
    /// The process that it does not hold for.
    pub pid: Option<Pid>,
    /// The core that it does not hold for.
    pub core: Option<CoreId>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule)?;
        self.pid.map_or(Ok(()), |pid| write!(f, " (process {pid})"))?;
        self.core.map_or(Ok(()), |core| write!(f, " (core {core})"))
    }
}

pub(crate) type Audit = Result<(), Broken>;

pub(crate) fn core_rule(core: CoreId, holds: bool, rule: &'static str) -> Audit {
    if holds { Ok(()) } else { Err(Broken { rule, pid: None, core: Some(core) }) }
}

pub(crate) fn process_rule(process: &Process, holds: bool, rule: &'static str) -> Audit {
    if holds { Ok(()) } else { Err(Broken { rule, pid: Some(process.id.pid), core: None }) }
}

impl Coordinator {
    /// Checks every rule about cores, processes, vcores and queues.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn audit(&self) -> Result<(), Broken> {
        for (core, it) in (0..).map(CoreId).zip(&self.cores) {
            self.audit_core(core, it)?;
        }
        self.audit_rooms()?;
        for process in self.table.iter() {
            self.audit_holdings(process)?;
            self.audit_state(process)?;
            self.audit_family(process)?;
            self.audit_space(process)?;
        }
        self.audit_spaces()?;
        self.audit_promises()?;
        self.audit_io()?;
        self.audit_queues()
    }

    fn audit_rooms(&self) -> Audit {
        let has = |it: &&Process| it.gang.is_some() || it.vcores_to_be.is_some();
        let (free, total) = self.vcores.counts();
        let exact = total == self.vcores.needed(self.table.count())
            && total == free + self.table.iter().filter(has).count();
        core_rule(CoreId::MANAGEMENT, exact, "each process that can become many-core has room to")
    }

    fn audit_core(&self, core: CoreId, it: &Core) -> Audit {
        let rule = |holds, rule| core_rule(core, holds, rule);
        let held = it.seat.held;
        rule(held.is_none() || !self.idle.contains(core), "a leased core is not idle")?;
        let leaving = held.is_some_and(|held| held.leaving.is_some());
        rule(leaving == self.leaving.contains(core), "the set of leaving cores is exact")?;
        if self.leasable.contains(core) {
            rule(it.may_be_leased(), "only a core that serves can be leased")?;
            let is_passed_on = self.is_to_do(Chore::Core(core));
            let used = self.idle.contains(core) || !it.seat.is_free() || is_passed_on;
            rule(used, "I12: a core that can be leased is idle or leased, or is being passed on")?;
        }
        rule(
            self.idle.without(&self.leasable).is_empty(),
            "only cores that can be leased are idle",
        )?;
        let owner = it.seat.owner.map(|owner| self.table.get(owner).is_some());
        rule(owner != Some(false), "a core's owner exists")?;
        rule(
            owner.is_some() == self.provisioned.contains(core),
            "the set of owned cores is exact",
        )?;
        let left = it.seat.left.map(|left| self.table.get(left).is_some());
        rule(
            left != Some(false),
            "I8: a process exists whose memory a core may have loaded still",
        )?;
        self.audit_leaver(core, it)?;
        let Some(held) = held else { return Ok(()) };
        let Some(process) = self.table.get(process_of(held.lease)) else {
            return rule(false, "the process of a lease exists");
        };
        rule(process.pinned.contains(core), "a leased core pins its process's memory")?;
        let is_forgotten = held.claimed && !self.is_to_do(Chore::Core(core));
        rule(!is_forgotten, "a core that is claimed is being passed on")?;
        let Some(gang) = &process.gang else {
            return rule(core == CoreId::MANAGEMENT, "a single-core process runs on core 0");
        };
        let place = if leaving { Place::Leaving } else { Place::Online };
        let vcore = gang.get(held.lease.vcore);
        rule(gang.place(held.lease.vcore) == Some(place), "a leased vcore is on its list")?;
        rule(vcore.is_some_and(|it| it.core == core), "I1: a vcore is on one core")?;
        let saving = held.from.is_none_or(|(from, _)| gang.place(from) == Some(Place::Saving));
        rule(saving, "I6: a vcore that is not saved cannot be started")
    }

    /// A vcore that the core was told to leave for the one that it holds.
    fn audit_leaver(&self, core: CoreId, it: &Core) -> Audit {
        let rule = |holds, rule| core_rule(core, holds, rule);
        let Some(left) = it.seat.leaver else { return Ok(()) };
        let next = it.seat.held.filter(|held| !held.started);
        rule(next.is_some(), "who was left for another vcore is so until that one is started")?;
        let Some(process) = self.table.get(process_of(left.lease)) else {
            return rule(false, "I8: a process exists that a core has not left");
        };
        rule(
            process.pinned.contains(core) && process.parting.contains(core),
            "I8: a core that has not left a process pins its memory",
        )?;
        let vcore = process.gang.as_ref().and_then(|gang| {
            let place = gang.place(left.lease.vcore)?;
            gang.get(left.lease.vcore).map(|vcore| (place, vcore.core))
        });
        rule(
            vcore == Some((Place::Leaving, core)),
            "I6: a vcore that a core has not left cannot be started",
        )
    }

    fn audit_holdings(&self, process: &Process) -> Audit {
        let rule = |holds, rule| process_rule(process, holds, rule);
        let is_mine = |held: &Held| process_of(held.lease) == process.id;
        let mine = |it: &Core| {
            it.seat.held.as_ref().is_some_and(is_mine)
                || it.seat.leaver.as_ref().is_some_and(is_mine)
        };
        let mut held = CoreSet::EMPTY;
        for (core, _) in (0..).map(CoreId).zip(&self.cores).filter(|(_, it)| mine(it)) {
            held.insert(core);
        }
        rule(held == process.pinned, "I8: memory is pinned by exactly the cores that have it")?;
        rule(process.lost.without(&held).is_empty(), "a core that is lost still pins")?;
        let leaves =
            |core: CoreId| self.cores[core.index()].seat.leaver.as_ref().is_some_and(is_mine);
        rule(process.parting.iter().all(leaves), "only cores that were told to leave do so")?;
        let Some(gang) = &process.gang else { return Ok(()) };
        let count = |place| usize::from(gang.count(place));
        let on_cores = count(Place::Online) + count(Place::Leaving);
        rule(on_cores == held.len(), "I3: as many vcores have cores as cores are held")?;
        let places =
            [Place::Online, Place::Leaving, Place::Saving, Place::Preempted, Place::Inactive];
        let mut total = 0;
        for place in places {
            rule(gang.on(place).count() == count(place), "a list's count is exact")?;
            rule(gang.on(place).all(|it| gang.place(it) == Some(place)), "I2: one list a vcore")?;
            total += count(place);
        }
        rule(total == usize::from(gang.max()), "I2: every vcore is on a list")?;
        let reported = count(Place::Online) == 0 || count(Place::Preempted) == 0;
        let working = self.work.contains(process.id.pid.0);
        rule(reported || working || process.is_dying(), "I2: online xor preempted")?;
        let urgent = gang.urgent.is_none() || count(Place::Online) == 0;
        rule(urgent, "no vcore is urgent while one is online")
    }

    fn audit_state(&self, process: &Process) -> Audit {
        let rule = |holds, rule| process_rule(process, holds, rule);
        let cores = process.pinned.len();
        let many = process.gang.is_some();
        match process.state() {
            State::Created => rule(cores == 0 && !many, "a process that never ran has no core"),
            State::RunnableS => {
                rule(
                    self.run.contains(process.id.pid.0),
                    "a runnable process is in the run queue",
                )?;
                rule(cores == 0 && !many, "a runnable process has no core")
            }
            State::RunningS => rule(cores == 1 && !many, "a running process has one core"),
            State::Waiting => rule(cores == 0, "I4: a waiting process has no core"),
            State::RunnableM => rule(cores == 0 && many, "a preempted process has no core"),
            State::RunningM => rule(cores > 0 && many, "I5: a running process has a core"),
            State::Dying | State::DyingAbort => {
                rule(!self.is_queued(process), "a dying process waits for nothing")?;
                rule(process.demise != Demise::None, "a dying process is being destroyed")?;
                let off = process.demise != Demise::Ended || process.is_off_all_cores();
                rule(off, "a process has ended only when all its cores have let go or are lost")
            }
        }
    }

    fn audit_family(&self, process: &Process) -> Audit {
        let rule = |holds, rule| process_rule(process, holds, rule);
        let children = self.walk(process.children);
        let ended = self.walk(process.ended_children);
        let count = children.len() + ended.len();
        rule(count == usize::from(process.child_count), "the count of children is exact")?;
        let is_child = |pid: &Pid| self.table.at(*pid).parent == Some(process.id);
        rule(children.iter().chain(&ended).all(is_child), "children know their parent")?;
        let over = |pid: &Pid| self.table.at(*pid).demise == Demise::Ended;
        rule(ended.iter().all(over), "I11: a child to be reaped has ended")?;
        let kept = |pid: &Pid| !self.table.at(*pid).reaped;
        rule(children.iter().chain(&ended).all(kept), "I11: a child is reaped once")
    }

    fn audit_queues(&self) -> Audit {
        let exists = |number: u16| self.table.by_pid(Pid(number)).is_some();
        let with_work =
            self.work.iter().filter(|it| matches!(self.chore_of(*it), Chore::Process(_)));
        let mut all = self.run.iter().chain(self.wanting.iter()).chain(with_work);
        core_rule(CoreId(0), all.all(exists), "who is in a queue exists")?;
        for process in self.run.iter().filter_map(|number| self.table.by_pid(Pid(number))) {
            let runnable = process.state() == State::RunnableS;
            process_rule(process, runnable, "the run queue is runnable")?;
            let once = !self.wanting.contains(process.id.pid.0);
            process_rule(process, once, "I10: a process that was woken is in a queue once")?;
        }
        for process in self.table.iter() {
            let could = process.shortage() > 0
                && process.gang.as_ref().is_some_and(|gang| gang.next_to_start().is_some());
            let Pid(number) = process.id.pid;
            if self.wanting.contains(number) {
                process_rule(process, could, "who waits for a core is short of one and can run")?;
            } else if !self.work.contains(number) {
                process_rule(process, !could, "who is short of a core and can run a vcore waits")?;
            }
        }
        let conserving = self.wanting.is_empty() || self.idle.is_empty() || !self.work.is_empty();
        core_rule(CoreId(0), conserving, "no core is idle while a process waits for one")?;
        for core in self.rotation.iter().map(CoreId) {
            let held = self.cores[core.index()].seat.held;
            let staying = held.is_some_and(|held| held.leaving.is_none());
            core_rule(core, staying, "a core in the rotation is leased")?;
        }
        core_rule(CoreId(0), self.counters.illegal == 0, "no illegal transition was tried")
    }

    fn walk(&self, list: List) -> Vec<Pid> {
        core::iter::successors(list.first(), |&pid| self.table.next(pid)).collect()
    }
}
