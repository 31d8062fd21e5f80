//! What the console and tests may know about processes.

use crate::coordinator::Coordinator;
use crate::gang::Place;
use crate::lifecycle::State;
use crate::pipes::PipeId;
use crate::process::{Demise, Name, Process, ProcessId};
use crate::space::RegionView;
use proto::call::Outcome;
use proto::id::{CoreId, Pid, VcoreId};

/// What may be known about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessView {
    /// Its name for ever.
    pub id: ProcessId,
    /// The program's name.
    pub name: Name,
    /// What it is doing.
    pub state: State,
    /// Its parent, unless it has none or was set free.
    pub parent: Option<ProcessId>,
    /// Is it a many-core process?
    pub many: bool,
    /// How many cores it wants, and how many it is granted.
    pub wanted: u16,
    /// See `wanted`.
    pub granted: u16,
    /// Its exit code, once it is being destroyed.
    pub exit: Option<Outcome>,
    /// It is off all cores, and its parent can reap it.
    pub ended: bool,
    /// Clock ticks on the management core, up to when it last left it.
    pub ticks: u64,
    /// Calls that wait.
    pub waits: usize,
    /// Calls that wait for cores to flush.
    pub unmaps: usize,
    /// Frames that are reserved for it.
    pub frames: u32,
}

/// What may be known about a vcore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VcoreView {
    /// The list that it is on.
    pub place: Place,
    /// The core that it has, if it is online or leaving.
    pub core: Option<CoreId>,
    /// Clock ticks that it has spent on cores, up to when it last left one.
    pub ticks: u64,
}

/// What may be known about a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PipeView {
    /// Its name while it is open.
    pub id: PipeId,
    /// Handles to read from it; the keyboard has one beside those of processes.
    pub readers: u32,
    /// Handles to write to it, see `readers`.
    pub writers: u32,
    /// Bytes that have been written and not been read.
    pub bytes: usize,
}

impl Coordinator {
    /// All processes by pid, those that have ended and were reaped left out.
    pub fn processes(&self) -> impl Iterator<Item = ProcessView> + '_ {
        self.table.iter().filter(|it| !it.reaped).map(view)
    }

    /// The processes of that pid and above, by pid.
    pub fn processes_from(&self, first: Pid) -> impl Iterator<Item = ProcessView> + '_ {
        self.table.range(first, Pid(u16::MAX)).filter(|it| !it.reaped).map(view)
    }

    /// The process of that pid.
    #[must_use]
    pub fn process(&self, pid: Pid) -> Option<ProcessView> {
        self.table.by_pid(pid).filter(|it| !it.reaped).map(view)
    }

    /// Physical address of the top page table of a process's address space, as long as it is not freed.
    #[must_use]
    pub fn root(&self, process: ProcessId) -> Option<u64> {
        self.table.get(process).map(|it| it.root)
    }

    /// What a process has mapped, by address.
    pub fn regions(&self, pid: Pid) -> impl Iterator<Item = RegionView> + '_ {
        self.table.by_pid(pid).into_iter().flat_map(|it| it.space.views())
    }

    /// The n-th process by pid, from 0, as [`Coordinator::processes`] counts them.
    #[must_use]
    pub fn nth_process(&self, n: usize) -> Option<ProcessView> {
        self.processes().nth(n)
    }

    /// All pipes that are open, the keyboard first.
    pub fn pipes(&self) -> impl Iterator<Item = PipeView> + '_ {
        self.pipes.iter().map(|(id, pipe)| PipeView {
            id,
            readers: pipe.readers,
            writers: pipe.writers,
            bytes: pipe.ring.len(),
        })
    }

    /// A vcore of a many-core process.
    #[must_use]
    pub fn vcore(&self, pid: Pid, vcore: VcoreId) -> Option<VcoreView> {
        let gang = self.table.by_pid(pid)?.gang.as_ref()?;
        let it = gang.get(vcore)?;
        let place = gang.place(vcore)?;
        let on_core = matches!(place, Place::Online | Place::Leaving);
        Some(VcoreView { place, core: on_core.then_some(it.core), ticks: it.ticks })
    }

    /// How many processes take a place in the table, those that have ended and still pin memory
    /// included.
    #[must_use]
    pub fn process_count(&self) -> usize {
        self.table.count()
    }
}

pub(crate) fn view(process: &Process) -> ProcessView {
    let gang = process.gang.as_ref();
    ProcessView {
        id: process.id,
        name: process.name,
        state: process.state(),
        parent: process.parent,
        many: gang.is_some(),
        wanted: gang.map_or(0, |gang| gang.wanted),
        granted: gang.map_or(0, |gang| gang.count(Place::Online)),
        exit: process.exit,
        ended: process.demise == Demise::Ended,
        ticks: process.ticks,
        waits: process.waits.count(),
        frames: process.space.frames(),
        unmaps: if process.is_dying() { 0 } else { process.space.waiting_calls() },
    }
}
