//! Calls that wait. Each has a place in its process, whose number bounds how many there are; those that
//! wait for a pipe also stand in one of its queues, which runs through these places.

use crate::coordinator::Coordinator;
use crate::output::{Outbox, Output};
use crate::pipes::Direction;
use crate::process::ProcessId;
use crate::table::Table;
use crate::transfer::Transfer;
use proto::call::{Call, Outcome};
use proto::id::Pid;

/// Calls of a process that wait, at most.
pub const MAX_WAITS: usize = 16;

const _: () = assert!(MAX_WAITS == u16::BITS as usize, "a bit for each");

/// The first places are not for calls that write, the last not for those that read: each may wait for the other, which
/// must not be kept out by too many of its own kind.
const OF_ONE_KIND: u32 = 4;

/// Names a call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WaitRef {
    pub(crate) pid: Pid,
    slot: u8,
}

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Waiting {
    /// The end of a child; 0 for any.
    Child(Pid),
    /// A moment, in clock ticks.
    Sleep { until: u64 },
    /// An event to the process.
    Event,
    /// Bytes, or room for them.
    Transfer(Transfer),
    /// The name of a user, to be copied in.
    User { target: ProcessId, length: u16 },
    /// A program, to be loaded; and what the child shall get.
    Create { flags: u8 },
}

/// A place in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Link {
    prev: Option<WaitRef>,
    next: Option<WaitRef>,
}

/// A call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wait {
    pub(crate) call: Call,
    pub(crate) what: Waiting,
    /// The bytes that are being copied in for it.
    pub(crate) ticket: Option<u32>,
    link: Option<Link>,
}

impl Wait {
    /// The bytes that it moves, if that is what it does.
    pub(crate) fn transfer(&self) -> Option<&Transfer> {
        match &self.what {
            Waiting::Transfer(transfer) => Some(transfer),
            _ => None,
        }
    }

    pub(crate) fn is_queued(&self) -> bool {
        self.link.is_some()
    }

    /// The places that it may take, a bit each.
    fn places(&self) -> u16 {
        match self.transfer().map(|transfer| transfer.object.direction()) {
            Some(Direction::Read) => u16::MAX >> OF_ONE_KIND,
            Some(Direction::Write) => u16::MAX << OF_ONE_KIND,
            None => u16::MAX,
        }
    }

    /// Does it wait on that handle?
    fn is_on(&self, handle: u8) -> bool {
        self.transfer().is_some_and(|transfer| transfer.handle == handle)
    }
}

/// The calls of one process that wait.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Waits {
    slots: [Option<Wait>; MAX_WAITS],
    /// The places that are taken, a bit each: most processes have none.
    taken: u16,
}

impl Waits {
    pub(crate) const NONE: Self = Self { slots: [None; MAX_WAITS], taken: 0 };

    pub(crate) fn count(&self) -> usize {
        self.taken.count_ones() as usize
    }

    pub(crate) fn get(&self, at: WaitRef) -> Option<&Wait> {
        self.slots.get(usize::from(at.slot))?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, at: WaitRef) -> Option<&mut Wait> {
        self.slots.get_mut(usize::from(at.slot))?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Wait> {
        places(self.taken).filter_map(|slot| self.slots[usize::from(slot)].as_ref())
    }

    /// All, with their names.
    pub(crate) fn all(&self, pid: Pid) -> impl Iterator<Item = (WaitRef, &Wait)> {
        places(self.taken).filter_map(move |slot| {
            let wait = self.slots[usize::from(slot)].as_ref()?;
            Some((WaitRef { pid, slot }, wait))
        })
    }

    /// The first for which `is` holds.
    pub(crate) fn find(&self, pid: Pid, is: impl Fn(&Wait) -> bool) -> Option<WaitRef> {
        let holds = |slot: &u8| self.slots[usize::from(*slot)].as_ref().is_some_and(&is);
        places(self.taken).find(holds).map(|slot| WaitRef { pid, slot })
    }

    fn add(&mut self, pid: Pid, wait: Wait) -> Option<WaitRef> {
        let slot = places(!self.taken & wait.places()).next()?;
        self.slots[usize::from(slot)] = Some(wait);
        self.taken |= 1 << slot;
        Some(WaitRef { pid, slot })
    }

    /// The calls that wait for children, and for which.
    pub(crate) fn for_children(&self, pid: Pid) -> impl Iterator<Item = WaitRef> + use<> {
        let is = |slot: &u8| {
            let wait = self.slots[usize::from(*slot)].as_ref();
            wait.is_some_and(|wait| matches!(wait.what, Waiting::Child(_)))
        };
        let those = places(self.taken).filter(is).fold(0, |those, slot| those | 1 << slot);
        places(those).map(move |slot| WaitRef { pid, slot })
    }

    /// Frees the place of a call.
    fn forget(&mut self, at: WaitRef) {
        if let Some(slot) = self.slots.get_mut(usize::from(at.slot)) {
            *slot = None;
            self.taken &= !(1 << at.slot);
        }
    }

    pub(crate) fn take(&mut self, at: WaitRef) -> Option<Wait> {
        let wait = self.slots.get_mut(usize::from(at.slot))?.take()?;
        self.taken &= !(1 << at.slot);
        Some(wait)
    }
}

/// The numbers of the bits that are set, lowest first.
#[inline]
pub(crate) fn places(mut bits: u16) -> impl Iterator<Item = u8> {
    core::iter::from_fn(move || {
        let lowest = u8::try_from(bits.trailing_zeros()).expect("at most 16");
        (bits != 0).then(|| {
            bits &= bits - 1;
            lowest
        })
    })
}

/// Calls that wait for the same, first come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Queue {
    head: Option<WaitRef>,
    tail: Option<WaitRef>,
}

impl Queue {
    pub(crate) fn first(&self) -> Option<WaitRef> {
        self.head
    }

    pub(crate) fn push(&mut self, table: &mut Table, at: WaitRef) {
        let Some(wait) = wait_mut(table, at) else { return };
        wait.link = Some(Link { prev: self.tail, next: None });
        let tail = self.tail.replace(at);
        *self.next_of(table, tail) = Some(at);
    }

    /// Takes one out; says whether it was in a queue.
    pub(crate) fn remove(&mut self, table: &mut Table, at: WaitRef) -> bool {
        let link = wait_mut(table, at).and_then(|wait| wait.link.take());
        let Some(Link { prev, next }) = link else { return false };
        *self.next_of(table, prev) = next;
        match next.and_then(|next| wait_mut(table, next)?.link.as_mut()) {
            Some(link) => link.prev = prev,
            None => self.tail = prev,
        }
        true
    }

    /// Where the queue goes on behind `at`, or begins.
    fn next_of<'a>(
        &'a mut self,
        table: &'a mut Table,
        at: Option<WaitRef>,
    ) -> &'a mut Option<WaitRef> {
        match at.and_then(|at| wait_mut(table, at)?.link.as_mut()) {
            Some(link) => &mut link.next,
            None => &mut self.head,
        }
    }

    /// All in their order.
    pub(crate) fn iter<'a>(&self, table: &'a Table) -> impl Iterator<Item = WaitRef> + 'a {
        core::iter::successors(self.head, |&at| {
            table.by_pid(at.pid)?.waits.get(at)?.link.as_ref()?.next
        })
    }
}

pub(crate) fn wait_mut(table: &mut Table, at: WaitRef) -> Option<&mut Wait> {
    table.by_pid_mut(at.pid)?.waits.get_mut(at)
}

impl Coordinator {
    /// Lets a call of a living process wait, if not too many of its calls do already.
    pub(crate) fn park(&mut self, call: Call, what: Waiting) -> Result<WaitRef, Outcome> {
        let pid = call.lease.pid;
        let wait = Wait { call, what, ticket: None, link: None };
        self.table.at_mut(pid).waits.add(pid, wait).ok_or(Outcome::AGAIN)
    }

    pub(crate) fn wait(&self, at: WaitRef) -> Option<&Wait> {
        self.table.by_pid(at.pid)?.waits.get(at)
    }

    /// A call has what it waited for.
    pub(crate) fn finish(&mut self, at: WaitRef, outcome: Outcome, value: u64, out: &mut Outbox) {
        let Some(wait) = wait_mut(&mut self.table, at) else { return };
        let (call, is_busy) = (wait.call, wait.is_queued() || wait.ticket.is_some());
        if is_busy {
            self.detach(at);
        }
        self.table.at_mut(at.pid).waits.forget(at);
        self.complete(at.pid, call, outcome, value, out);
    }

    /// Takes a call out of the queue that it stands in; what is being copied in for it comes too late.
    pub(crate) fn detach(&mut self, at: WaitRef) {
        let Some(wait) = wait_mut(&mut self.table, at) else { return };
        let copying = wait.ticket.take().is_some();
        let Some(transfer) = wait.transfer().copied() else { return };
        if let Some((pipe, direction)) = transfer.pipe() {
            self.pipes.leave(&mut self.table, pipe, direction, at, copying);
        }
    }

    /// A call does not get (all of) what it waited for: what it has got, or else `why`.
    pub(crate) fn cut_short(&mut self, at: WaitRef, why: Outcome, out: &mut Outbox) {
        if let Some(wait) = self.wait(at) {
            let (outcome, value) = self.so_far(wait, why);
            self.finish(at, outcome, value, out);
        }
    }

    fn so_far(&self, wait: &Wait, why: Outcome) -> (Outcome, u64) {
        match wait.what {
            Waiting::Sleep { until } => (why, until.saturating_sub(self.now)),
            Waiting::Transfer(transfer) if transfer.done > 0 => (transfer.outcome(), 0),
            _ => (why, 0),
        }
    }

    /// Cuts a waiting call of the caller short. One that loads a program ends by itself.
    pub(crate) fn on_abort_call(&mut self, pid: Pid, target: u64, out: &mut Outbox) -> Outcome {
        let named = |wait: &Wait| {
            wait.call.at & !7 == target & !7 && !matches!(wait.what, Waiting::Create { .. })
        };
        let Some(at) = self.table.at(pid).waits.find(pid, named) else { return Outcome::OK };
        let pipe = self.pipe_of(at);
        self.cut_short(at, Outcome::INTERRUPTED, out);
        self.set_clock(pid);
        self.serve_those(pipe, out);
        Outcome(1)
    }

    /// Cuts all calls of the caller short that wait on a handle; says how many.
    pub(crate) fn on_abort_handle(&mut self, pid: Pid, handle: u8, out: &mut Outbox) -> Outcome {
        if self.table.at(pid).io.handles.get(handle).is_none() {
            return Outcome::BAD_HANDLE;
        }
        let mut count = 0;
        while let Some(at) = self.table.at(pid).waits.find(pid, |wait| wait.is_on(handle)) {
            let pipe = self.pipe_of(at);
            self.cut_short(at, Outcome::INTERRUPTED, out);
            self.serve_those(pipe, out);
            count += 1;
        }
        Outcome(count)
    }

    /// A dying process's calls on a handle leave their queues; they are aborted with all others later.
    pub(crate) fn detach_from(&mut self, pid: Pid, handle: u8) {
        let on_it = |wait: &Wait| wait.is_on(handle) && (wait.is_queued() || wait.ticket.is_some());
        while let Some(at) = self.table.at(pid).waits.find(pid, on_it) {
            self.detach(at);
        }
    }

    /// Aborts all calls of a dying process that wait.
    pub(crate) fn abort_all(&mut self, pid: Pid, out: &mut Outbox) {
        while let Some(at) = self.table.at(pid).waits.find(pid, |_| true) {
            self.detach(at);
            let process = self.table.at_mut(pid);
            let Some(wait) = process.waits.take(at) else { return };
            let process = process.id;
            let (outcome, value) = self.so_far(&wait, Outcome::INTERRUPTED);
            let call = wait.call.at & !7;
            out.push(Output::Complete { process, call, outcome, value });
        }
    }
}
