//! Reading and writing: calls that wait for bytes, or for room for them.
//!
//! What a process writes stays in its memory until there is room for it; then it is copied in, a part at a
//! time ([`Output::CopyIn`], [`crate::Input::Copied`]). Each pipe takes the bytes of one writer after the
//! other, so what one call writes is not mixed with what others do.

use crate::coordinator::Coordinator;
use crate::handles::{Handle, Object};
use crate::output::{Bytes, Outbox, Output};
use crate::pipes::{Deed, Direction, MAX_PIPES, PipeId};
use crate::process::ProcessId;
use crate::waits::{Wait, WaitRef, Waiting, wait_mut};
use proto::call::{CLOSE_ON_CREATE, Call, NO_HANG, Outcome};
use proto::id::Pid;
use proto::memory::Rights;

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
        let (at, pipe) = match self.begin(pid, call, order) {
            Ok(Some(begun)) => begun,
            Ok(None) => return self.complete(pid, call, Outcome::OK, 0, out),
            Err(outcome) => return self.complete(pid, call, outcome, 0, out),
        };
        match pipe {
            Some(pipe) => self.serve_pipe(pipe, out),
            None => self.fetch(at, MAX_COPY, out),
        }
        if order.flags & NO_HANG != 0 {
            self.leave_if_it_would_wait(at, call, out);
        }
    }

    /// Lets a call wait, and at which pipe if it is one, if there is something to be moved.
    fn begin(
        &mut self,
        pid: Pid,
        call: Call,
        order: Order,
    ) -> Result<Option<(WaitRef, Option<PipeId>)>, Outcome> {
        let Order { direction, handle, flags, at, length } = order;
        let it = self.table.at(pid).io.handles.get(handle).ok_or(Outcome::BAD_HANDLE)?;
        if it.object.direction() != direction {
            return Err(Outcome::BAD_HANDLE);
        }
        at.checked_add(u64::from(length)).ok_or(Outcome::FAULT)?;
        if length == 0 {
            return Ok(None);
        }
        let (object, no_hang) = (it.object, flags & NO_HANG != 0);
        let left = length.min(i32::MAX.cast_unsigned());
        let transfer = Transfer { object, handle, no_hang, at, left, done: 0 };
        let at = self.park(call, Waiting::Transfer(transfer))?;
        let Some((pipe, direction)) = transfer.pipe() else { return Ok(Some((at, None))) };
        self.pipes.enter(&mut self.table, pipe, direction, at);
        Ok(Some((at, Some(pipe))))
    }

    /// A call that does not want to wait ends here, unless its bytes are on their way.
    fn leave_if_it_would_wait(&mut self, at: WaitRef, call: Call, out: &mut Outbox) {
        let Some(wait) = self.wait(at).filter(|wait| wait.call == call) else { return };
        if wait.ticket.is_none() {
            self.cut_short(at, Outcome::AGAIN, out);
        }
    }

    /// The pipe at which a call waits.
    pub(crate) fn pipe_of(&self, at: WaitRef) -> Option<PipeId> {
        Some(self.wait(at)?.transfer()?.pipe()?.0)
    }

    pub(crate) fn serve_those(&mut self, pipe: Option<PipeId>, out: &mut Outbox) {
        if let Some(pipe) = pipe {
            self.serve_pipe(pipe, out);
        }
    }

    /// Does all that can be done about a pipe, as far as this step may; frees it if it is over.
    pub(crate) fn serve_pipe(&mut self, id: PipeId, out: &mut Outbox) {
        while let Some(deed) = self.pipes.get(id).and_then(|pipe| pipe.next_deed()) {
            if !self.spend() {
                return self.pipes.queue_work(id);
            }
            match deed {
                Deed::Give(reader) => self.give(id, reader, out),
                Deed::End(reader) => {
                    if let Some(pipe) = self.pipes.get_mut(id) {
                        pipe.ended = false;
                    }
                    self.finish(reader, Outcome::OK, 0, out);
                }
                Deed::Break(writer) => self.cut_short(writer, Outcome::BROKEN_PIPE, out),
                Deed::Fetch(writer, room) => {
                    let most = u32::try_from(room).unwrap_or(MAX_COPY).min(MAX_COPY);
                    // The pipe is empty or nobody reads it, and it takes the bytes of one writer at a time.
                    return self.fetch(writer, most, out);
                }
            }
        }
        if let Some(owner) = self.pipes.free_if_over(id)
            && self.table.get(owner).is_some()
        {
            self.table.at_mut(owner.pid).io.pipes -= 1;
        }
    }

    /// Hands bytes of a pipe to a reader.
    fn give(&mut self, id: PipeId, reader: WaitRef, out: &mut Outbox) {
        let Some(wait) = self.wait(reader) else { return };
        let Some(&Transfer { at, left, .. }) = wait.transfer() else { return };
        let (call, process) = (wait.call.at & !7, self.table.at(reader.pid).id);
        let Some(pipe) = self.pipes.get_mut(id) else { return };
        let mut done = 0;
        for (start, length) in pipe.ring.take(left as usize) {
            if length > 0 {
                let bytes = Bytes { pipe: id, start, length };
                let address = at.saturating_add(u64::from(done));
                let buffer = (address, u32::from(length));
                self.make_present(reader.pid, buffer, Rights::WRITE, out);
                out.push(Output::CopyOut { process, call, address, bytes });
                done += u32::from(length);
            }
        }
        self.finish(reader, Outcome(done.cast_signed()), 0, out);
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

    /// Bytes have been copied in, fewer than were asked for when memory is not there.
    pub(crate) fn on_copied(
        &mut self,
        process: ProcessId,
        ticket: u32,
        bytes: &[u8],
        out: &mut Outbox,
    ) {
        let wanted = |it: &crate::process::Process| {
            it.waits.find(process.pid, |wait| wait.ticket == Some(ticket))
        };
        let wait =
            self.table.get(process).and_then(wanted).and_then(|at| Some((at, self.wait(at)?)));
        let Some((at, &Wait { call, what, .. })) = wait else {
            self.counters.stale += 1;
            return;
        };
        if let Some(wait) = wait_mut(&mut self.table, at) {
            wait.ticket = None;
        }
        match what {
            Waiting::Transfer(transfer) => {
                self.on_bytes(process, at, transfer, bytes, out);
                if transfer.no_hang {
                    self.leave_if_it_would_wait(at, call, out);
                }
            }
            Waiting::User { target, length } => {
                self.on_user_copied(at, (target, length), bytes, out);
            }
            _ => {}
        }
    }

    fn on_bytes(
        &mut self,
        process: ProcessId,
        at: WaitRef,
        transfer: Transfer,
        bytes: &[u8],
        out: &mut Outbox,
    ) {
        let bytes = &bytes[..bytes.len().min(transfer.left as usize)];
        let pipe = transfer.pipe().map(|(pipe, _)| pipe);
        let moved = match pipe.and_then(|pipe| self.pipes.get_mut(pipe)) {
            Some(pipe) => {
                pipe.copying = false;
                pipe.ring.push(bytes)
            }
            None => bytes.len(),
        };
        let moved = u32::try_from(moved).expect("at most what was left");
        if moved == 0 {
            self.cut_short(at, Outcome::FAULT, out);
            return self.serve_those(pipe, out);
        }
        if pipe.is_none() {
            let error = transfer.object == Object::ConsoleError;
            out.push(Output::Print { process, error, length: moved });
        }
        let after = Transfer {
            at: transfer.at + u64::from(moved),
            left: transfer.left - moved,
            done: transfer.done + moved,
            ..transfer
        };
        if after.left == 0 {
            self.finish(at, after.outcome(), 0, out);
        } else if let Some(wait) = wait_mut(&mut self.table, at) {
            wait.what = Waiting::Transfer(after);
        }
        match pipe {
            Some(pipe) => self.serve_pipe(pipe, out),
            None => self.fetch(at, MAX_COPY, out),
        }
    }

    /// The console's keys; none at all means that the input ends here, for one reader.
    pub(crate) fn on_keys(&mut self, bytes: &[u8], out: &mut Outbox) {
        let Some(keyboard) = self.pipes.get_mut(PipeId::KEYBOARD) else { return };
        keyboard.ended |= bytes.is_empty();
        let taken = keyboard.ring.push(bytes);
        self.counters.keys_refused += (bytes.len() - taken) as u64;
        self.serve_pipe(PipeId::KEYBOARD, out);
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
