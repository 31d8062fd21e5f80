//! Handles: what a process may read from and write to, by small numbers.

use crate::coordinator::Coordinator;
use crate::lifecycle::State;
use crate::output::{Event as Told, Outbox};
use crate::pipes::{Direction, PipeId};
use crate::process::ProcessId;
use crate::user::User;
use proto::call::{ALL_HANDLES, CLOSE_ON_CREATE, HandlePair, Outcome};
use proto::id::Pid;

/// Handles of a process, at most.
pub const MAX_HANDLES: usize = 32;

/// What a handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    /// The end of a pipe to read from; the console's keys are pipe 0.
    Reader(PipeId),
    /// The end of a pipe to write to.
    Writer(PipeId),
    /// What is written is printed.
    ConsoleOut,
    /// What is written is printed too.
    ConsoleError,
}

impl Object {
    /// What a process without a parent begins with, as handles 0, 1 and 2.
    const CONSOLE: [Self; 3] =
        [Self::Reader(PipeId::KEYBOARD), Self::ConsoleOut, Self::ConsoleError];

    /// The pipe, and which end of it.
    pub(crate) const fn pipe(self) -> Option<(PipeId, Direction)> {
        match self {
            Self::Reader(pipe) => Some((pipe, Direction::Read)),
            Self::Writer(pipe) => Some((pipe, Direction::Write)),
            Self::ConsoleOut | Self::ConsoleError => None,
        }
    }

    /// What can be done with it.
    pub(crate) const fn direction(self) -> Direction {
        match self {
            Self::Reader(_) => Direction::Read,
            Self::Writer(_) | Self::ConsoleOut | Self::ConsoleError => Direction::Write,
        }
    }
}

/// A handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    /// What it stands for.
    pub object: Object,
    /// Children get no copy.
    pub close_on_create: bool,
}

/// The handles of a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handles {
    slots: [Option<Handle>; MAX_HANDLES],
    /// Those that are open, a bit each.
    open: u32,
}

const _: () = assert!(MAX_HANDLES <= u32::BITS as usize);

impl Handles {
    pub(crate) const NONE: Self = Self { slots: [None; MAX_HANDLES], open: 0 };

    pub(crate) fn get(&self, handle: u8) -> Option<Handle> {
        *self.slots.get(usize::from(handle))?
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Handle> {
        self.slots.iter().copied().flatten()
    }

    /// The lowest that is open.
    fn first(&self) -> Option<u8> {
        (self.open != 0).then(|| self.open.trailing_zeros() as u8)
    }

    /// The lowest free handle that is at least `from`.
    pub(crate) fn free(&self, from: u8) -> Option<u8> {
        let mut all = (0..).zip(&self.slots).skip(usize::from(from));
        all.find(|(_, slot)| slot.is_none()).map(|(handle, _)| handle)
    }

    pub(crate) fn set(&mut self, handle: u8, to: Option<Handle>) {
        if let Some(slot) = self.slots.get_mut(usize::from(handle)) {
            *slot = to;
            let bit = 1 << handle;
            self.open = if to.is_some() { self.open | bit } else { self.open & !bit };
        }
    }
}

impl Coordinator {
    /// Gives a new process its user and its handles. Without a parent it gets `eve` and the console.
    pub(crate) fn equip(
        &mut self,
        made: ProcessId,
        parent: Option<Pid>,
        flags: u8,
        out: &mut Outbox,
    ) {
        let Some(parent) = parent else {
            for (handle, object) in (0..).zip(Object::CONSOLE) {
                self.give_handle(made.pid, handle, Handle { object, close_on_create: false });
            }
            self.table.at_mut(made.pid).io.user = User::EVE;
            return out.tell(Told::GivenToEve { process: made });
        };
        self.table.at_mut(made.pid).io.user = self.table.at(parent).io.user;
        if flags & ALL_HANDLES == 0 {
            return;
        }
        for handle in 0..MAX_HANDLES as u8 {
            let it = self.table.at(parent).io.handles.get(handle);
            if let Some(it) = it.filter(|it| !it.close_on_create) {
                self.give_handle(made.pid, handle, it);
            }
        }
    }

    /// Puts a new handle into a free place.
    pub(crate) fn give_handle(&mut self, pid: Pid, handle: u8, it: Handle) {
        if let Some((pipe, direction)) = it.object.pipe() {
            self.pipes.open_end(pipe, direction);
        }
        self.table.at_mut(pid).io.handles.set(handle, Some(it));
    }

    /// Closes a handle; the calls that wait on it are interrupted, or (of a dying process) leave their
    /// queues to be aborted later.
    pub(crate) fn close_handle(&mut self, pid: Pid, handle: u8, out: &mut Outbox) -> Outcome {
        let process = self.table.at_mut(pid);
        let Some(it) = process.io.handles.get(handle) else { return Outcome::BAD_HANDLE };
        if process.is_dying() {
            self.detach_from(pid, handle);
        } else {
            self.on_abort_handle(pid, handle, out);
        }
        self.table.at_mut(pid).io.handles.set(handle, None);
        if let Some((pipe, direction)) = it.object.pipe() {
            self.pipes.close_end(pipe, direction);
            self.serve_pipe(pipe, out);
        }
        Outcome::OK
    }

    /// Closes all handles of a dying process, as far as this step may; says whether none is left.
    pub(crate) fn close_all(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        while let Some(handle) = self.table.at(pid).io.handles.first() {
            if !self.spend() {
                return false;
            }
            let process = self.table.at_mut(pid);
            let to_console =
                process.io.handles.get(handle).is_some_and(|it| it.object.pipe().is_none());
            if to_console && process.waits.count() == 0 {
                // Nobody and nothing else knows of it.
                process.io.handles.set(handle, None);
            } else {
                self.close_handle(pid, handle, out);
            }
        }
        true
    }

    pub(crate) fn set_handle(&mut self, pid: Pid, handle: u8, flags: u8) -> Outcome {
        let slot = self.table.at_mut(pid).io.handles.slots.get_mut(usize::from(handle));
        let Some(Some(it)) = slot else { return Outcome::BAD_HANDLE };
        it.close_on_create = flags & CLOSE_ON_CREATE != 0;
        Outcome::OK
    }

    /// Copies handles of the actor to a process that has not run yet: all of them, or none.
    pub(crate) fn dup_handles(
        &mut self,
        actor: Pid,
        to: Pid,
        pairs: &[HandlePair],
        out: &mut Outbox,
    ) -> Outcome {
        let pairs = pairs.split(|pair| *pair == HandlePair::NONE).next().unwrap_or(&[]);
        if let Err(outcome) = self.check_dup(actor, to, pairs) {
            return outcome;
        }
        for &HandlePair { mine, theirs } in pairs {
            let Some(it) = self.table.at(actor).io.handles.get(mine) else { continue };
            // The copy is made first: it may be of the only end that is left of the pipe.
            if let Some((pipe, direction)) = it.object.pipe() {
                self.pipes.open_end(pipe, direction);
            }
            self.close_handle(to, theirs, out);
            let copy = Handle { close_on_create: false, ..it };
            self.table.at_mut(to).io.handles.set(theirs, Some(copy));
        }
        Outcome(i32::try_from(pairs.len()).expect("few pairs"))
    }

    fn check_dup(&self, actor: Pid, to: Pid, pairs: &[HandlePair]) -> Result<(), Outcome> {
        if self.target(Some(actor), to)? != State::Created {
            return Err(Outcome::INVALID);
        }
        for pair in pairs {
            if self.table.at(actor).io.handles.get(pair.mine).is_none() {
                return Err(Outcome::BAD_HANDLE);
            }
            if usize::from(pair.theirs) >= MAX_HANDLES {
                return Err(Outcome::INVALID);
            }
        }
        Ok(())
    }

    /// A handle of a process.
    #[must_use]
    pub fn handle(&self, pid: Pid, handle: u8) -> Option<Handle> {
        self.table.by_pid(pid)?.io.handles.get(handle)
    }
}
