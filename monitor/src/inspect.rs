//! What holds a process, and who waits for what: for the console, which reads and never changes anything.

use crate::coordinator::Coordinator;
use crate::cores::{Core, Dump, Timer};
use crate::gang::Place;
use crate::handles::{Handle, MAX_HANDLES, Object};
use crate::seat::Held;
use crate::table::List;
use crate::view::{ProcessView, view};
use crate::waits::{Wait, Waiting};
use proto::id::{CoreId, Pid, VcoreId};

/// What holds a process, by kind: while any of it is there, the process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Holdings {
    /// Cores that have its memory loaded.
    pub leases: usize,
    /// Those of them that have fallen silent.
    pub lost: usize,
    /// Calls that wait.
    pub waiters: usize,
    /// Alarms that are set.
    pub alarms: usize,
    /// Children that it has not reaped.
    pub children: usize,
    /// Those of them that have ended.
    pub ended_children: usize,
    /// Handles.
    pub handles: usize,
    /// Cores that it has a right to.
    pub provisioned: usize,
}

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitsFor {
    /// The end of a child; `None` for any.
    Child(Option<Pid>),
    /// A moment, in clock ticks.
    Moment(u64),
    /// An event to the process.
    Event,
    /// Bytes, or room for them, on a handle.
    Bytes {
        /// The handle.
        handle: u8,
        /// What it stands for.
        object: Object,
    },
    /// The name of a user, which is being copied in.
    UserName,
    /// A program, which is being loaded.
    Program,
}

/// A call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WaitView {
    /// Address of its structure.
    pub call: u64,
    /// The vcore that made it.
    pub vcore: VcoreId,
    /// What it waits for.
    pub waits_for: WaitsFor,
}

/// What a core has been told and has not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owed {
    /// The answer to a ping.
    Pong,
    /// The answer to `Dump`, or to an NMI.
    Report,
    /// That it is parked.
    Stopped,
    /// That the vcore of its lease runs.
    Started,
    /// That it has let go of its lease.
    LetGo,
    /// That it has told its vcore to look for events.
    Notified,
    /// That it has flushed translations.
    Flushed,
}

impl Owed {
    /// The message that is awaited, in one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pong => "pong",
            Self::Report => "report",
            Self::Stopped => "stopped",
            Self::Started => "started",
            Self::LetGo => "let-go",
            Self::Notified => "notified",
            Self::Flushed => "flushed",
        }
    }
}

/// Something that a core owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Debt {
    /// The core.
    pub core: CoreId,
    /// What.
    pub owed: Owed,
    /// The process that it is about.
    pub pid: Option<Pid>,
    /// When it was asked, in clock ticks, where that is known.
    pub since: Option<u64>,
}

impl Coordinator {
    /// What holds the process of that pid.
    #[must_use]
    pub fn holdings(&self, pid: Pid) -> Option<Holdings> {
        let process = self.table.by_pid(pid)?;
        Some(Holdings {
            leases: process.pinned.len(),
            lost: process.lost.len(),
            waiters: process.waits.count() + view(process).unmaps,
            alarms: process.io.alarms.iter().count(),
            children: process.child_count.into(),
            ended_children: self.in_list(process.ended_children).count(),
            handles: process.io.handles.iter().count(),
            provisioned: process.provisioned.len(),
        })
    }

    /// The children of a process that it has not reaped: those that live, then those that have ended.
    pub fn children(&self, pid: Pid) -> impl Iterator<Item = ProcessView> + '_ {
        let lists = self.table.by_pid(pid).map(|it| [it.children, it.ended_children]);
        let all = lists.into_iter().flatten().flat_map(|list| self.in_list(list));
        all.map(|child| view(self.table.at(child)))
    }

    fn in_list(&self, list: List) -> impl Iterator<Item = Pid> + '_ {
        core::iter::successors(list.first(), |&pid| self.table.next(pid))
    }

    /// The handles of a process, lowest first.
    pub fn handles(&self, pid: Pid) -> impl Iterator<Item = (u8, Handle)> + '_ {
        (0..MAX_HANDLES as u8).filter_map(move |handle| Some((handle, self.handle(pid, handle)?)))
    }

    /// The vcores of a process that are on a list, in its order.
    pub fn vcores_on(&self, pid: Pid, list: Place) -> impl Iterator<Item = VcoreId> + '_ {
        let gang = self.table.by_pid(pid).and_then(|it| it.gang.as_ref());
        gang.into_iter().flat_map(move |gang| gang.on(list))
    }

    /// Clock ticks that a vcore has spent on cores until `now`, its present stay included. Of a single-core
    /// process: vcore 0, on the management core.
    #[must_use]
    pub fn time_online(&self, pid: Pid, vcore: VcoreId, now: u64) -> Option<u64> {
        let process = self.table.by_pid(pid)?;
        let (core, before) = match &process.gang {
            Some(gang) => gang.get(vcore).map(|it| (it.core, it.ticks))?,
            None => (vcore.0 == 0).then_some((CoreId::MANAGEMENT, process.ticks))?,
        };
        let held = self.cores.get(core.index()).and_then(|it| it.seat.held);
        let is_here = |held: &Held| (held.lease.pid, held.lease.vcore) == (pid, vcore);
        let stay = held.filter(is_here).map_or(0, |held| now.saturating_sub(held.since));
        Some(before.saturating_add(stay))
    }

    /// The calls of a process that wait.
    pub fn waits(&self, pid: Pid) -> impl Iterator<Item = WaitView> + '_ {
        let waits = self.table.by_pid(pid).map(|process| &process.waits);
        waits.into_iter().flat_map(|waits| waits.iter().map(wait_view))
    }

    /// What cores have been told and have not acknowledged.
    pub fn debts(&self) -> impl Iterator<Item = Debt> + '_ {
        (0..).map(CoreId).zip(&self.cores).flat_map(|(core, it)| self.debts_of(core, it))
    }

    fn debts_of(&self, core: CoreId, it: &Core) -> impl Iterator<Item = Debt> + use<> {
        let held = it.seat.held;
        let sent = |timer: Timer, patience: u64| {
            let due = self.deadlines.deadline(timer);
            due.and_then(|due| due.checked_sub(patience))
        };
        let patience = self.config.answer_timeout;
        let pid = held.map(|held| held.lease.pid);
        let of_lease = |owed, holds: bool, since| holds.then_some((owed, pid, since));
        let starting = held.filter(|held| !held.started && held.leaving.is_none());
        let leaving = held.is_some_and(|held| held.leaving.is_some());
        let notify = held.is_some_and(|held| held.notify.is_some());
        let shootdown = it.seat.shootdown.map(|it| (Owed::Flushed, Some(it.process.pid), None));
        let left = it
            .seat
            .leaver
            .map(|left| (Owed::LetGo, Some(left.lease.pid), held.map(|held| held.since)));
        let of_core = |owed, holds: bool, since| holds.then_some((owed, None, since));
        let all = [
            it.ping.map(|ping| (Owed::Pong, None, Some(ping.sent))),
            of_core(Owed::Report, it.dump != Dump::None, sent(Timer::Dump(core), patience)),
            of_core(Owed::Stopped, it.stopping, sent(Timer::Change(core), patience)),
            starting.map(|held| (Owed::Started, pid, Some(held.since))),
            of_lease(Owed::LetGo, leaving, sent(Timer::LetGo(core), patience)),
            of_lease(Owed::Notified, notify, None),
            shootdown,
            left,
        ];
        let debt = move |(owed, pid, since)| Debt { core, owed, pid, since };
        all.into_iter().flatten().map(debt)
    }

    /// Frames that there are for processes, reserved or not.
    #[must_use]
    pub const fn all_frames(&self) -> u32 {
        self.config.frames
    }

    /// Cores that can be leased, and that have a lease, the management core left out.
    #[must_use]
    pub fn leasable_and_leased(&self) -> (usize, usize) {
        let leased = self.cores.iter().skip(1).filter(|core| core.seat.held.is_some());
        (self.leasable.len(), leased.count())
    }

    /// Who has a right to a core.
    #[must_use]
    pub fn owner(&self, core: CoreId) -> Option<Pid> {
        self.cores.get(core.index())?.seat.owner.map(|owner| owner.pid)
    }

    /// The cores that run vcores of a process, or its only thread, lowest first; those that let go included.
    pub fn cores_of(&self, pid: Pid) -> impl Iterator<Item = CoreId> + use<> {
        let pinned = self.table.by_pid(pid).map(|process| process.pinned);
        pinned.into_iter().flat_map(|pinned| pinned.iter())
    }
}

fn wait_view(wait: &Wait) -> WaitView {
    let waits_for = match wait.what {
        Waiting::Child(pid) => WaitsFor::Child((pid != Pid(0)).then_some(pid)),
        Waiting::Sleep { until } => WaitsFor::Moment(until),
        Waiting::Event => WaitsFor::Event,
        Waiting::Transfer(transfer) => {
            WaitsFor::Bytes { handle: transfer.handle, object: transfer.object }
        }
        Waiting::User { .. } => WaitsFor::UserName,
        Waiting::Create { .. } => WaitsFor::Program,
    };
    WaitView { call: wait.call.at & !7, vcore: wait.call.lease.vcore, waits_for }
}
