//! What the coordinator wants done to processes' memory, and how programs become processes.
//!
//! [`Programs`] owns the address spaces and the boot archive. Outputs are applied at once; what brings the
//! coordinator an input of its own (bytes copied in, a program loaded) waits as a [`Chore`] until the step's
//! outputs have all been applied.

use super::chores::Chore;
use super::printed::Printed;
use super::{Hub, Node};
use crate::arch::space::Spaces;
use crate::arch::{self, cpu, time, user};
use crate::image::vcore;
use crate::program::space::{Global, Identity, LoadError, Loaded};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use monitor::{Coordinator, Input, Name, Output, ProcessId, Program, State};
use proto::archive::Archive;
use proto::call::{Call, Outcome};
use proto::id::Pid;
use proto::program::global::feature;
use proto::program::number::{PROCESS_BYTES, process};

/// The longest name of a program and the most bytes of arguments that a caller may name.
const MAX_NAME: usize = proto::archive::NAME_BYTES;
const MAX_ARGUMENT_BYTES: usize = crate::program::stack::MAX_ARGUMENT_BYTES;

/// Chores for which there is room from the start.
const CHORES: usize = 64;
/// Bytes for which there is room from the start when output is kept.
const CAPTURED_BYTES: usize = 8192;

/// The memory of processes, and the programs that there are.
pub(crate) struct Programs {
    pub(super) spaces: Spaces,
    archive: Archive<'static>,
    pub(super) chores: VecDeque<Chore>,
    /// The call that comes to something else than the coordinator knows, and to what.
    pub(super) failed: Option<(u64, Outcome)>,
    /// Events that were put where queues say, of which the coordinator is to be told.
    pub(super) enqueued: VecDeque<Input<'static>>,
    /// What programs print.
    pub(super) printed: Printed,
    /// What they print is kept here instead, but for complaints.
    captured: Option<Vec<u8>>,
}

impl core::fmt::Debug for Programs {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Programs").field("chores", &self.chores).finish_non_exhaustive()
    }
}

/// Why a program cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunError {
    /// The archive has none of that name.
    NotFound,
    /// It cannot be loaded.
    Load(LoadError),
}

impl RunError {
    fn outcome(self) -> Outcome {
        match self {
            Self::NotFound => Outcome::NOT_FOUND,
            Self::Load(LoadError::File(_)) => Outcome::NOT_A_PROGRAM,
            Self::Load(LoadError::Arguments) => Outcome::TOO_LONG,
            Self::Load(LoadError::NoFrames) => Outcome::NO_MEMORY,
        }
    }
}

impl Programs {
    /// Takes all memory that boot has left. `None` if there is none.
    pub(super) fn new(info: &mut arch::BootInfo) -> Option<Self> {
        let mut spaces = Spaces::new(info)?;
        let before = cpu::now();
        let tsc_overhead = cpu::now().saturating_sub(before);
        let (wall_ns, wall_tsc) = time::wall_base().unwrap_or_default();
        let parts = user::extended_parts();
        let fs_gs = if user::has_fs_gs_base() { feature::FS_GS_BASE } else { 0 };
        spaces.set_global(&Global {
            tsc_hz: time::tsc_hz(),
            cores: arch::smp::count() as u32,
            tsc_overhead: u32::try_from(tsc_overhead).unwrap_or(u32::MAX),
            wall_ns,
            wall_tsc,
            xcr0: parts.xcr0().unwrap_or(0),
            extended_bytes: parts.bytes(),
            features: fs_gs,
        });
        let archive = Archive::parse(info.archive).unwrap_or(Archive::EMPTY);
        let chores = VecDeque::with_capacity(CHORES);
        Some(Self {
            spaces,
            archive,
            chores,
            failed: None,
            enqueued: VecDeque::with_capacity(CHORES),
            printed: Printed::default(),
            captured: None,
        })
    }

    /// The programs that can be run.
    pub(crate) const fn archive(&self) -> Archive<'static> {
        self.archive
    }

    /// Frames that are free, and all that there are.
    pub(crate) fn frames(&self) -> (u32, u32) {
        (self.spaces.free_frames(), self.spaces.total_frames())
    }

    /// Faults on pages that were there already.
    pub(crate) fn looks(&self) -> u64 {
        self.spaces.looks()
    }

    /// Blocks that are mapped by one entry: of all processes, and of the one with that root.
    pub(crate) fn huge_blocks(&self, root: u64) -> (u32, u32) {
        (self.spaces.huge_blocks(), self.spaces.huge_blocks_of(root))
    }

    /// Copies what is at an address of a space, as far as its process could read it; gives how many bytes.
    pub(crate) fn read(&self, root: u64, address: u64, to: &mut [u8]) -> usize {
        self.spaces.read(root, address, to)
    }

    /// What a call comes to instead of what the coordinator says, if it does.
    pub(super) fn failure(&self, call: u64) -> Option<Outcome> {
        self.failed.filter(|it| it.0 == call).map(|it| it.1)
    }

    /// An event that was put where a queue says.
    pub(super) fn next_enqueued(&mut self) -> Option<Input<'static>> {
        self.enqueued.pop_front()
    }

    /// Whether anything waits for a step to be over.
    pub(super) fn has_chores(&self) -> bool {
        !self.chores.is_empty()
    }

    /// Makes the space of a program that has never run.
    fn load(&mut self, name: &str, arguments: &[u8]) -> Result<Loaded, RunError> {
        let program = self.archive.find(name).ok_or(RunError::NotFound)?;
        let loaded = self.spaces.load(program.content, arguments).map_err(RunError::Load)?;
        vcore::prepare(loaded.root, loaded.entry, loaded.stack);
        Ok(loaded)
    }

    /// Applies an output that is about a process's memory. `copied` are the bytes that the step's input brought.
    pub(super) fn apply(&mut self, it: &Coordinator, output: &Output, copied: &[u8]) {
        match *output {
            Output::Born { process, parent, root } => {
                let (pid, generation) = (process.pid, process.generation);
                let max_vcores = it.max_vcores();
                self.spaces.set_identity(root, &Identity { pid, parent, generation, max_vcores });
            }
            Output::FreeSpace { root, .. } | Output::Discard { root } => self.spaces.destroy(root),
            Output::LoadProgram { call, program } => {
                self.chores.push_back(Chore::Load { call, program });
            }
            Output::CopyIn { process, ticket, address, length } => {
                self.chores.push_back(Chore::Copy { process, ticket, address, length });
            }
            Output::Print { error, length, .. } => {
                let bytes = copied.get(..length as usize).unwrap_or(copied);
                match &mut self.captured {
                    Some(captured) if !error => captured.extend_from_slice(bytes),
                    _ => self.printed.print(bytes),
                }
            }
            _ => self.apply_to(it, output),
        }
    }

    /// Those that write to the memory of a process.
    pub(super) fn apply_to(&mut self, it: &Coordinator, output: &Output) {
        match *output {
            Output::Post { process, vcore, event } => {
                if let Some(root) = it.root(process) {
                    self.spaces.post(root, vcore, event);
                }
            }
            Output::Enqueue { .. } | Output::SetLast { .. } => self.apply_to_queues(it, output),
            Output::SetPending { process, vcore } => {
                if let Some(root) = it.root(process) {
                    self.spaces.set_pending(root, vcore);
                }
            }
            Output::Warn { process, vcore, deadline } => {
                if let Some(root) = it.root(process) {
                    self.spaces.set_deadline(root, vcore, deadline);
                }
            }
            Output::Map { process, vcore, core } => {
                if let Some(root) = it.root(process) {
                    self.spaces.map_vcore(root, vcore, core, cpu::now());
                }
            }
            Output::Orphan { process } => {
                if let Some(root) = it.root(process) {
                    self.spaces.set_parent(root, Pid(0));
                }
            }
            Output::Populate { .. }
            | Output::Protect { .. }
            | Output::Unmap { .. }
            | Output::Release { .. }
            | Output::Share { .. }
            | Output::AddVcores { .. } => self.change(it, output),
            Output::CopyOut { process, call, address, bytes } => {
                self.copy_out(it, (process, call), address, it.bytes(bytes));
            }
            Output::List { process, call, address, first, count } => {
                self.list(it, (process, call), address, (first, count));
            }
            _ => {}
        }
    }

    /// Copies bytes to a process, or notes that its call has failed.
    fn copy_out(&mut self, it: &Coordinator, to: (ProcessId, u64), address: u64, bytes: &[u8]) {
        let (process, call) = to;
        let written = it.root(process).map(|root| self.spaces.write(root, address, bytes));
        if !matches!(written, Some(Ok(()))) {
            self.failed = Some((call, Outcome::FAULT));
        }
    }

    fn list(
        &mut self,
        it: &Coordinator,
        to: (ProcessId, u64),
        address: u64,
        (first, count): (Pid, u16),
    ) {
        let listed = it.processes_from(first).take(count.into());
        for (at, view) in (0..).step_by(PROCESS_BYTES).zip(listed) {
            self.copy_out(it, to, address.saturating_add(at), &row(&view));
        }
    }

    /// Where a caller's program is, and its arguments: the name, and bytes that each end with a zero.
    pub(super) fn load_for(
        &mut self,
        it: &Coordinator,
        caller: Pid,
        program: &Program,
    ) -> Result<(Loaded, Name), Outcome> {
        let caller = it.process(caller).ok_or(Outcome::NO_PROCESS)?;
        let root = it.root(caller.id).ok_or(Outcome::NO_PROCESS)?;
        let (mut name, mut arguments) = ([0; MAX_NAME], [0; MAX_ARGUMENT_BYTES]);
        let path = name.get_mut(..program.path_length.into()).ok_or(Outcome::NOT_FOUND)?;
        let length = program.arguments_length as usize;
        let rest = arguments.get_mut(..length).ok_or(Outcome::TOO_LONG)?;
        let read = self.spaces.read(root, program.path, path) == path.len()
            && self.spaces.read(root, program.arguments, rest) == length;
        if !read {
            return Err(Outcome::FAULT);
        }
        let name = core::str::from_utf8(path).map_err(|_| Outcome::NOT_FOUND)?;
        let loaded = self.load(name, rest).map_err(RunError::outcome)?;
        Ok((loaded, Name::new(name)))
    }
}

/// A process as `proto::program::number::PROCESSES` lays it out.
fn row(view: &monitor::ProcessView) -> [u8; PROCESS_BYTES] {
    let mut row = [0; PROCESS_BYTES];
    let parent = view.parent.map_or(0, |parent| parent.pid.0);
    let state = match view.state {
        State::Created => 1,
        State::RunnableS => 2,
        State::RunningS => 3,
        State::Waiting => 4,
        State::RunnableM => 5,
        State::RunningM => 6,
        State::Dying => 7,
        State::DyingAbort => 8,
    };
    row[process::PID..][..2].copy_from_slice(&view.id.pid.0.to_le_bytes());
    row[process::PARENT..][..2].copy_from_slice(&parent.to_le_bytes());
    row[process::STATE] = state;
    row[process::IS_MANY] = view.many.into();
    row[process::CORES..][..2].copy_from_slice(&view.granted.to_le_bytes());
    let name = view.name.as_str().as_bytes();
    row[process::NAME..][..name.len()].copy_from_slice(name);
    row
}

impl Hub {
    /// The memory of processes and the programs, if there is memory for any.
    pub(crate) const fn programs(&self) -> Option<&Programs> {
        self.programs.as_ref()
    }

    /// Keeps what programs print from now on, complaints excepted; gives what was kept so far, and prints again
    /// if not.
    pub(crate) fn capture_output(&mut self, capture: bool) -> Vec<u8> {
        let room = capture.then(|| Vec::with_capacity(CAPTURED_BYTES));
        let programs = self.programs.as_mut();
        programs.and_then(|it| core::mem::replace(&mut it.captured, room)).unwrap_or_default()
    }

    /// Makes a process of a program for the console; the coordinator's answer comes as an event.
    pub(crate) fn spawn(
        &mut self,
        name: &str,
        arguments: &[u8],
        node: &mut Node,
    ) -> Result<(), RunError> {
        let programs = self.programs.as_mut().ok_or(RunError::Load(LoadError::NoFrames))?;
        let loaded = arch::heap::with_coordinator_arena(|| programs.load(name, arguments))?;
        self.tell(spawned(None, Name::new(name), &loaded), node);
        Ok(())
    }
}

/// What the coordinator is told when a program has been loaded.
pub(super) fn spawned(caller: Option<Call>, name: Name, loaded: &Loaded) -> Input<'static> {
    let frames = loaded.frames + loaded.stack_frames;
    Input::Spawn { caller, name, root: loaded.root, frames }
}
