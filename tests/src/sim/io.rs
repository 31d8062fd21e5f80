//! What programs do with handles, time and users, and what the image does for them on core 0.

use super::Health;
use super::action::Op;
use super::memory::FRAMES;
use super::seed::Seed;
use super::world::{Happened, World, violation};
use monitor::{Input, Name, Output, PipeId, ProcessId};
use proto::call::{ALL_HANDLES, CLOSE_ON_CREATE, Call, HandlePair, NO_HANG, Outcome};
use proto::id::{CoreId, Pid};
use proto::message::ToMonitor;

/// A request about handles, time or users. Addresses whose low bits are zero are not mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IoOp {
    /// Makes a child of a program, with all handles or none.
    Create(bool),
    /// Makes a pipe.
    OpenPipe(bool),
    /// Reads so many bytes from a handle; does it wait?
    Read(u8, u32, bool),
    /// Writes so many bytes to a handle; does it wait?
    Write(u8, u32, bool),
    /// Closes a handle.
    Close(u8),
    /// Says whether children get a handle.
    SetHandle(u8, bool),
    /// Copies two handles to a process.
    DupHandles(Pid, [HandlePair; 2]),
    /// Names a user by so many letters.
    SetUser(Pid, u16),
    /// Sleeps.
    Sleep(u64),
    /// Waits for another event than so many.
    AwaitEvent(u32),
    /// Aborts a call.
    AbortCall(u64),
    /// Aborts the calls on a handle.
    AbortHandle(u8),
    /// Sets an alarm: its number, deadline and period.
    SetAlarm(u16, u64, u64),
}

/// What the image has to do before it tells the coordinator more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chore {
    /// Load a program.
    Load(Call),
    /// Copy bytes in: whose, the ticket, from where and how many.
    Copy(ProcessId, u32, u64, u32),
    /// Look for the report that an NMI has brought.
    Report(CoreId),
}

fn flag(set: bool, flag: u8) -> u8 {
    if set { flag } else { 0 }
}

impl IoOp {
    /// The message that carries the request.
    #[must_use]
    pub fn message(self, call: Call) -> ToMonitor {
        let at = call.at;
        match self {
            Self::Create(all) => ToMonitor::Create {
                call,
                path: at,
                path_length: 5,
                arguments: at,
                arguments_length: 100,
                flags: flag(all, ALL_HANDLES),
            },
            Self::OpenPipe(private) => {
                ToMonitor::OpenPipe { call, flags: flag(private, CLOSE_ON_CREATE) }
            }
            Self::Read(handle, length, hang) => {
                ToMonitor::Read { call, handle, flags: flag(!hang, NO_HANG), at, length }
            }
            Self::Write(handle, length, hang) => {
                ToMonitor::Write { call, handle, flags: flag(!hang, NO_HANG), at, length }
            }
            Self::Close(handle) => ToMonitor::Close { call, handle },
            Self::SetHandle(handle, private) => {
                ToMonitor::SetHandle { call, handle, flags: flag(private, CLOSE_ON_CREATE) }
            }
            Self::DupHandles(pid, [first, second]) => {
                let mut pairs = [HandlePair::NONE; HandlePair::MOST];
                (pairs[0], pairs[1]) = (first, second);
                ToMonitor::DupHandles { call, pid, pairs }
            }
            Self::SetUser(pid, length) => ToMonitor::SetUser { call, pid, name: at, length },
            Self::Sleep(ticks) => ToMonitor::Sleep { call, ticks },
            Self::AwaitEvent(seen) => ToMonitor::AwaitEvent { call, seen },
            Self::AbortCall(target) => ToMonitor::AbortCall { call, target },
            Self::AbortHandle(handle) => ToMonitor::AbortHandle { call, handle },
            Self::SetAlarm(alarm, deadline, period) => {
                ToMonitor::SetAlarm { call, alarm, deadline, period }
            }
        }
    }

    /// Any of them, by a seed.
    pub(crate) fn any(world: &World, pid: Pid, seed: &mut Seed) -> Self {
        let handle = seed.below(8) as u8;
        let length = seed.below(40) as u32;
        match seed.below(20) {
            0 | 1 => Self::Create(!seed.once_in(3)),
            2 | 3 => Self::OpenPipe(seed.once_in(4)),
            4..7 => Self::Read(handle, length, !seed.once_in(3)),
            7..10 => Self::Write(handle, length, !seed.once_in(3)),
            10 => Self::Close(handle),
            11 => Self::SetHandle(handle, seed.once_in(2)),
            12 | 13 => {
                let mut pair =
                    || HandlePair { mine: seed.below(6) as u8, theirs: seed.below(9) as u8 };
                Self::DupHandles(pid, [pair(), pair()])
            }
            14 => Self::SetUser(pid, seed.below(130) as u16),
            15 => Self::Sleep(seed.below(300) as u64),
            16 => Self::AwaitEvent(seed.below(9) as u32),
            17 => Self::AbortCall(world.next_call.saturating_sub(8 * seed.below(9) as u64)),
            18 => Self::AbortHandle(handle),
            _ => {
                let deadline = world.now + seed.below(400) as u64;
                Self::SetAlarm(seed.below(9) as u16, deadline, seed.below(90) as u64)
            }
        }
    }
}

impl From<IoOp> for Op {
    fn from(op: IoOp) -> Self {
        Self::Io(op)
    }
}

impl World {
    /// Applies an output that is about handles.
    pub(crate) fn apply_io(&mut self, output: Output) -> Happened {
        match output {
            Output::LoadProgram { call, .. } => self.chores.push_back(Chore::Load(call)),
            Output::CopyIn { process, ticket, address, length } => {
                self.chores.push_back(Chore::Copy(process, ticket, address, length));
            }
            Output::CopyOut { process, bytes, .. } => {
                self.written(process, "bytes")?;
                if self.coordinator.bytes(bytes).len() != usize::from(bytes.length) {
                    return violation(format!("{bytes:?} are not where they should be"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The image does the first of its chores.
    pub(crate) fn do_chore(&mut self) -> Happened {
        match self.chores.pop_front() {
            None => Ok(()),
            Some(Chore::Report(core)) if self.cores[core.index()].health == Health::Stopped => {
                Ok(())
            }
            Some(Chore::Report(core)) => self.step(Input::NmiAnswered { core, report: 0 }),
            Some(Chore::Load(call)) if call.at % 5 == 0 => {
                self.step(Input::LoadFailed { caller: call, why: Outcome::NOT_FOUND })
            }
            Some(Chore::Load(call)) => {
                let (name, root) = (Name::new("child"), call.at & !7);
                self.step(Input::Spawn { caller: Some(call), name, root, frames: FRAMES })
            }
            Some(Chore::Copy(process, ticket, address, length)) => {
                let there = if address % 11 == 0 { length / 2 } else { length };
                let bytes = vec![b'u'; there as usize];
                self.step(Input::Copied { process, ticket, bytes: &bytes })
            }
        }
    }

    /// Only the keyboard is left of all pipes when all processes are gone.
    pub(crate) fn check_pipes_left(&self) -> Happened {
        let open: Vec<PipeId> = self.coordinator.pipes().map(|pipe| pipe.id).collect();
        if open == [PipeId::KEYBOARD] {
            Ok(())
        } else {
            violation(format!("pipes are left although all processes are gone: {open:?}"))
        }
    }
}
