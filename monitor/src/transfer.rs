//! Reading and writing: calls that wait for bytes, or for room for them.
//!
//! What a process writes stays in its memory until there is room for it; then it is copied in, a part at a
//! time ([`Output::CopyIn`], [`crate::Input::Copied`]). Each pipe takes the bytes of one writer after the
//! other, so what one call writes is not mixed with what others do.

use crate::chores::Chore;
use crate::coordinator::Coordinator;
use crate::copies::{ask_for, hand};
use crate::events::end;
use crate::handles::{Handle, Object};
use crate::output::{Bytes, Outbox, Output};
use crate::pipes::{Deed, Direction, MAX_PIPES, PipeId};
use crate::process::{Process, ProcessId};
use crate::waits::{Ticket, Wait, WaitRef, Waiting, wait_mut};
use proto::call::{CLOSE_ON_CREATE, Call, NO_HANG, Outcome};
use proto::id::Pid;

/// Bytes that are copied in at a time, at most.
pub const MAX_COPY: u32 = 1_024;

/// What a call that reads or writes asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) direction: Direction,
    pub(crate) handle: u8,
    pub(crate) flags: u8,
    pub(crate) at: u64,
    pub(crate) length: u32,
}

/// A call that reads or writes, and how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Transfer {
    pub(crate) object: Object,
    pub(crate) handle: u8,
    /// It does what can be done at once.
    no_hang: bool,
    /// Address of the next byte.
    at: u64,
    left: u32,
    pub(crate) done: u32,
}

impl Transfer {
    pub(crate) const fn pipe(&self) -> Option<(PipeId, Direction)> {
        self.object.pipe()
    }

    /// What it comes to if it ends here.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome(i32::try_from(self.done).expect("an order has at most i32::MAX bytes"))
    }
}

impl Process {
    /// What an order asks for, if the process may; it comes to nothing else than an error if there is nothing to be moved.
    #[inline(always)]
    fn transfer(&self, order: Order) -> Result<Transfer, Outcome> {
        let Order { direction, handle, flags, at, length } = order;
        let it = self.io.handles.get(handle).ok_or(Outcome::BAD_HANDLE)?;
        if it.object.direction() != direction {
            return Err(Outcome::BAD_HANDLE);
        }
        at.checked_add(u64::from(length)).ok_or(Outcome::FAULT)?;
        if length == 0 {
            return Err(Outcome::OK);
        }
        let (object, no_hang) = (it.object, flags & NO_HANG != 0);
        let left = length.min(i32::MAX.cast_unsigned());
        Ok(Transfer { object, handle, no_hang, at, left, done: 0 })
    }
}

impl Coordinator {
    pub(crate) fn on_open_pipe(&mut self, call: Call, flags: u8, out: &mut Outbox) {
        let Some(pid) = self.caller(&call) else { return };
        let (outcome, value) = match self.open_pipe(pid, flags) {
            Ok((reader, writer)) => (Outcome(i32::from(reader)), u64::from(writer)),
            Err(outcome) => (outcome, 0),
        };
        self.complete(pid, call, outcome, value, out);
    }

    fn open_pipe(&mut self, pid: Pid, flags: u8) -> Result<(u8, u8), Outcome> {
        let process = self.table.at(pid);
        let reader = process.io.handles.free(0).ok_or(Outcome::NO_HANDLE)?;
        let writer = process.io.handles.free(reader + 1).ok_or(Outcome::NO_HANDLE)?;
        if process.io.pipes >= MAX_PIPES || !self.pipes.has_free() {
            return Err(Outcome::AGAIN);
        }
        let pipe = self.pipes.make(process.id).ok_or(Outcome::NO_MEMORY)?;
        self.table.at_mut(pid).io.pipes += 1;
        let close_on_create = flags & CLOSE_ON_CREATE != 0;
        for (handle, object) in [(reader, Object::Reader(pipe)), (writer, Object::Writer(pipe))] {
            self.give_handle(pid, handle, Handle { object, close_on_create });
        }
        Ok((reader, writer))
    }

    pub(crate) fn on_order(&mut self, call: Call, order: Order, out: &mut Outbox) {
        let Some(pid) = self.caller(&call) else { return };
        let begun = match self.table.at(pid).transfer(order) {
            Ok(transfer) => match transfer.object {
                Object::Reader(pipe) => self.read(call, transfer, pipe, out),
                Object::Writer(pipe) => self.write(call, transfer, Some(pipe), out),
                Object::ConsoleOut | Object::ConsoleError => self.write(call, transfer, None, out),
            },
            Err(outcome) => Err(outcome),
        };
        if let Err(outcome) = begun {
            self.complete(pid, call, outcome, 0, out);
        }
    }

    /// Reads what there is, or waits for it.
    #[inline(always)]
    fn read(
        &mut self,
        call: Call,
        transfer: Transfer,
        id: PipeId,
        out: &mut Outbox,
    ) -> Result<(), Outcome> {
        let pid = call.lease.pid;
        let Self { table, pipes, cores, .. } = self;
        let process = table.at_mut(pid);
        let Some(pipe) = pipes.get_mut(id) else { return Err(Outcome::BAD_HANDLE) };
        if pipe.has_for_next_reader(transfer.no_hang) {
            let buffer = (call.at & !7, transfer.at, transfer.left);
            let done = hand(process, id, &mut pipe.ring, buffer, out);
            let is_awaited = !pipe.writing.is_empty();
            let call = (call.at, call.lease.vcore);
            let done = end(process, cores, call, (Outcome(done.cast_signed()), 0), out);
            self.after_end(pid, call, done, out);
            if is_awaited {
                self.serve_later(Some(id));
            }
            return Ok(());
        }
        if transfer.no_hang && pipe.is_over_for_readers() {
            return Err(Outcome::OK);
        }
        let at = process.waits.room(pid, Direction::Read.places()).ok_or(Outcome::AGAIN)?;
        process.waits.put(at, Wait::moving(call, transfer, Some(pipe.reading.last_place()), None));
        pipe.reading.join(table, at);
        self.serve_pipe(id, out);
        self.leave_if_it_would_wait(at, call, transfer, out);
        Ok(())
    }

    /// Has what is written copied in, or waits until there is room for it.
    #[inline(always)]
    fn write(
        &mut self,
        call: Call,
        transfer: Transfer,
        id: Option<PipeId>,
        out: &mut Outbox,
    ) -> Result<(), Outcome> {
        let pid = call.lease.pid;
        let Self { table, pipes, last_ticket, .. } = self;
        let process = table.at_mut(pid);
        let at = process.waits.room(pid, Direction::Write.places()).ok_or(Outcome::AGAIN)?;
        let mut pipe = id.and_then(|id| pipes.get_mut(id));
        let room = pipe.as_ref().map_or(MAX_COPY, |pipe| pipe.room_for_next_writer());
        if room == 0 && transfer.no_hang && pipe.as_ref().is_some_and(|pipe| pipe.readers == 0) {
            return Err(Outcome::BROKEN_PIPE);
        }
        let ticket = (room > 0).then(|| Ticket::next(last_ticket, at));
        if let Some(ticket) = ticket {
            ask_for(process, ticket, (transfer.at, transfer.left.min(room)), out);
        }
        let place = pipe.as_ref().map(|pipe| pipe.writing.last_place());
        process.waits.put(at, Wait::moving(call, transfer, place, ticket));
        if let Some(pipe) = &mut pipe {
            pipe.copying |= ticket.is_some();
            pipe.writing.join(table, at);
        }
        if ticket.is_none() {
            if let Some(id) = id {
                self.serve_pipe(id, out);
            }
            self.leave_if_it_would_wait(at, call, transfer, out);
        }
        Ok(())
    }

    /// A call that does not want to wait ends here, unless its bytes are on their way.
    fn leave_if_it_would_wait(
        &mut self,
        at: WaitRef,
        call: Call,
        transfer: Transfer,
        out: &mut Outbox,
    ) {
        if !transfer.no_hang {
            return;
        }
        let Some(wait) = self.wait(at).filter(|wait| wait.call == call) else { return };
        if wait.ticket.is_none() {
            self.cut_short(at, Outcome::AGAIN, out);
        }
    }

    /// The pipe at which a call waits.
    pub(crate) fn pipe_of(&self, at: WaitRef) -> Option<PipeId> {
        Some(self.wait(at)?.transfer()?.pipe()?.0)
    }

    /// What can be done about a pipe is done in a step of its own: this one has ended a call.
    #[inline(always)]
    pub(crate) fn serve_later(&mut self, pipe: Option<PipeId>) {
        if let Some(id) = pipe
            && self.pipes.get(id).is_some_and(|pipe| pipe.next_deed().is_some())
        {
            self.queue_chore(Chore::Pipe(id));
        }
    }

    /// Does the next thing that can be done about a pipe, and leaves the others to later steps, because each may end a
    /// call; frees it if it is over.
    pub(crate) fn serve_pipe(&mut self, id: PipeId, out: &mut Outbox) {
        match self.pipes.get(id).and_then(|pipe| pipe.next_deed()) {
            Some(Deed::Give(reader)) => self.give(id, reader, out),
            Some(Deed::End(reader)) => {
                if let Some(pipe) = self.pipes.get_mut(id) {
                    pipe.ended = false;
                }
                self.finish(reader, Outcome::OK, 0, out);
            }
            Some(Deed::Break(writer)) => self.cut_short(writer, Outcome::BROKEN_PIPE, out),
            Some(Deed::Fetch(writer, most)) => self.fetch(writer, most, out),
            None => {
                if let Some(owner) = self.pipes.free_if_over(id)
                    && self.table.get(owner).is_some()
                {
                    self.table.at_mut(owner.pid).io.pipes -= 1;
                }
                return;
            }
        }
        self.serve_later(Some(id));
    }

    /// Hands bytes of a pipe to the reader that waits for them. One that dies leaves them to others: it may close the pipe
    /// in the same step, and then they would be gone before they are copied.
    #[inline(always)]
    fn give(&mut self, id: PipeId, reader: WaitRef, out: &mut Outbox) {
        let Self { table, pipes, cores, .. } = self;
        let Some(process) = table.by_pid_mut(reader.pid()) else { return };
        if process.is_dying() {
            return self.detach(reader);
        }
        let Some(wait) = process.waits.get(reader) else { return };
        let Some(&Transfer { at, left, .. }) = wait.transfer() else { return };
        let (call, link) = ((wait.call.at, wait.call.lease.vcore), wait.link());
        let Some(pipe) = pipes.get_mut(id) else { return };
        let done = hand(process, id, &mut pipe.ring, (call.0 & !7, at, left), out);
        process.waits.forget(reader);
        let done = end(process, cores, call, (Outcome(done.cast_signed()), 0), out);
        if let Some(link) = link {
            pipe.reading.close_up(table, link);
        }
        self.after_end(reader.pid(), call, done, out);
    }

    /// Has bytes of a writer copied in.
    fn fetch(&mut self, writer: WaitRef, most: u32, out: &mut Outbox) {
        let Some(transfer) = self.wait(writer).and_then(|wait| wait.transfer()) else { return };
        let (at, length) = (transfer.at, transfer.left.min(most));
        if let Some(pipe) = transfer.pipe().and_then(|(pipe, _)| self.pipes.get_mut(pipe)) {
            pipe.copying = true;
        }
        self.copy_in(writer, at, length, out);
    }

    /// Has bytes copied in for a call that waits for them.
    pub(crate) fn copy_in(&mut self, at: WaitRef, address: u64, length: u32, out: &mut Outbox) {
        let ticket = Ticket::next(&mut self.last_ticket, at);
        let process = self.table.at_mut(at.pid());
        if let Some(wait) = process.waits.get_mut(at) {
            wait.ticket = Some(ticket);
            ask_for(process, ticket, (address, length), out);
        }
    }

    /// Bytes have been copied in, fewer than were asked for when memory is not there.
    pub(crate) fn on_copied(
        &mut self,
        process: ProcessId,
        ticket: u32,
        bytes: &[u8],
        out: &mut Outbox,
    ) {
        let waits = self.table.get(process).map(|it| &it.waits);
        let at = waits.and_then(|waits| waits.copied(process.pid, ticket));
        let Some((at, wait)) = at.and_then(|at| Some((at, self.wait(at)?))) else {
            self.counters.stale += 1;
            return;
        };
        match wait.what {
            Waiting::Transfer(transfer) => {
                let call = wait.call;
                self.on_bytes(process, at, transfer, bytes, out);
                self.leave_if_it_would_wait(at, call, transfer, out);
            }
            Waiting::User { target, length } => {
                self.on_user_copied(at, (target, length), bytes, out);
            }
            _ => {}
        }
    }

    #[inline(always)]
    fn on_bytes(
        &mut self,
        process: ProcessId,
        at: WaitRef,
        transfer: Transfer,
        bytes: &[u8],
        out: &mut Outbox,
    ) {
        let bytes = bytes.get(..transfer.left as usize).unwrap_or(bytes);
        let id = transfer.pipe().map(|(pipe, _)| pipe);
        let moved = match id.and_then(|id| self.pipes.get_mut(id)) {
            Some(pipe) => pipe.ring.push(bytes),
            None => bytes.len(),
        };
        let moved = u32::try_from(moved).expect("at most what was left");
        if moved == 0 {
            self.cut_short(at, Outcome::FAULT, out);
            return self.serve_later(id);
        }
        if id.is_none() {
            let error = transfer.object == Object::ConsoleError;
            out.push(Output::Print { process, error, length: moved });
        }
        if moved == transfer.left {
            let done = transfer.done + moved;
            self.finish_here(at, (Transfer { done, ..transfer }.outcome(), 0), out);
            return self.serve_later(id);
        }
        self.go_on(at, transfer, moved, out);
    }

    /// Some of a call's bytes have been copied in, but not all.
    fn go_on(&mut self, at: WaitRef, transfer: Transfer, moved: u32, out: &mut Outbox) {
        let after = Transfer {
            at: transfer.at + u64::from(moved),
            left: transfer.left - moved,
            done: transfer.done + moved,
            ..transfer
        };
        let Some(wait) = wait_mut(&mut self.table, at) else { return };
        (wait.what, wait.ticket) = (Waiting::Transfer(after), None);
        let pipe = transfer.pipe().map(|(pipe, _)| pipe);
        let most = match pipe.and_then(|pipe| self.pipes.get_mut(pipe)) {
            Some(it) => {
                it.copying = false;
                it.room_for_first_writer()
            }
            None => MAX_COPY,
        };
        // Who reads is served behind that: there is room for these bytes whether or not it takes some.
        if most > 0 {
            self.fetch(at, most, out);
        }
        self.serve_later(pipe);
    }

    /// The console's keys; none at all means that the input ends here, for one reader.
    pub(crate) fn on_keys(&mut self, bytes: &[u8]) {
        let Some(keyboard) = self.pipes.get_mut(PipeId::KEYBOARD) else { return };
        keyboard.ended |= bytes.is_empty();
        let taken = keyboard.ring.push(bytes);
        self.counters.keys_refused += (bytes.len() - taken) as u64;
        self.serve_later(Some(PipeId::KEYBOARD));
    }

    /// How many keys the next [`crate::Input::Keys`] may bring; more would be lost.
    #[must_use]
    pub fn room_for_keys(&self) -> usize {
        self.pipes.get(PipeId::KEYBOARD).map_or(0, |keyboard| keyboard.ring.room())
    }

    /// The bytes that an output of the last step names.
    #[must_use]
    pub fn bytes(&self, bytes: Bytes) -> &[u8] {
        self.pipes.bytes(bytes.pipe, bytes.start, bytes.length).unwrap_or(&[])
    }
}
