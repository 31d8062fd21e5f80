//! Calls that wait. Each has a place in its process, whose number bounds how many there are; those that
//! wait for a pipe also stand in one of its queues, which runs through these places.

mod queue;

pub(crate) use queue::{Link, Queue};

use crate::coordinator::Coordinator;
use crate::events::end;
use crate::output::{Outbox, Output};
use crate::pipes::{Direction, PipeId};
use crate::process::ProcessId;
use crate::table::Table;
use crate::transfer::Transfer;
use core::num::{NonZeroU16, NonZeroU32};
use proto::call::{Call, Outcome};
use proto::id::Pid;

/// Calls of a process that wait, at most.
pub const MAX_WAITS: usize = 16;

const _: () = assert!(MAX_WAITS == u16::BITS as usize, "a bit for each");

/// The first places are not for calls that write, the last not for those that read: each may wait for the other, which
/// must not be kept out by too many of its own kind.
const OF_ONE_KIND: u32 = 4;

/// Names a call that waits: by its process and its place there, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct WaitRef(NonZeroU32);

impl WaitRef {
    fn new(pid: Pid, place: u8) -> Self {
        Self(NonZeroU32::MIN | u32::from(pid.0) << 16 | u32::from(place) << 1)
    }

    pub(crate) const fn pid(self) -> Pid {
        Pid((self.0.get() >> 16) as u16)
    }

    const fn place(self) -> usize {
        (self.0.get() >> 1) as usize % MAX_WAITS
    }
}

/// Names bytes that are being copied in for a call that waits: a number, and the place of the call in its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ticket(NonZeroU32);

impl Ticket {
    const PLACE: u32 = 2 * MAX_WAITS as u32 - 1;

    /// One for a call, with the number behind the last.
    #[inline(always)]
    pub(crate) fn next(last: &mut u32, at: WaitRef) -> Self {
        *last = last.wrapping_add(1);
        Self(NonZeroU32::MIN | at.0.get() & Self::PLACE | *last << Self::PLACE.count_ones())
    }

    pub(crate) const fn get(self) -> u32 {
        self.0.get()
    }
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

impl Direction {
    /// The places that a call may take, a bit each.
    pub(crate) const fn places(self) -> u16 {
        match self {
            Self::Read => u16::MAX >> OF_ONE_KIND,
            Self::Write => u16::MAX << OF_ONE_KIND,
        }
    }
}

/// A call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wait {
    pub(crate) call: Call,
    pub(crate) what: Waiting,
    /// The bytes that are being copied in for it.
    pub(crate) ticket: Option<Ticket>,
    link: Option<Link>,
}

impl Wait {
    /// A call that waits for that, in no queue.
    pub(crate) const fn new(call: Call, what: Waiting) -> Self {
        Self { call, what, ticket: None, link: None }
    }

    /// A call in a queue, maybe one for which bytes are being copied in.
    #[inline(always)]
    pub(crate) const fn moving(
        call: Call,
        transfer: Transfer,
        link: Option<Link>,
        ticket: Option<Ticket>,
    ) -> Self {
        Self { call, what: Waiting::Transfer(transfer), ticket, link }
    }

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

    /// Its place in the queue that it stands in.
    pub(crate) const fn link(&self) -> Option<Link> {
        self.link
    }

    /// How it stands at a pipe, if it does.
    #[inline(always)]
    fn stands(&self) -> Option<Stands> {
        let transfer = self.transfer().filter(|_| self.is_moving())?;
        let (pipe, direction) = transfer.pipe()?;
        Some(Stands { pipe, direction, copying: self.ticket.is_some(), link: self.link })
    }

    /// Does it stand in a queue, or are bytes being copied in for it?
    pub(crate) fn is_moving(&self) -> bool {
        self.link.is_some() || self.ticket.is_some()
    }

    /// Does it wait on that handle?
    fn is_on(&self, handle: u8) -> bool {
        self.transfer().is_some_and(|transfer| transfer.handle == handle)
    }
}

/// How a call stands at a pipe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stands {
    pub(crate) pipe: PipeId,
    pub(crate) direction: Direction,
    /// Bytes are being copied in for it.
    pub(crate) copying: bool,
    pub(crate) link: Option<Link>,
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
        self.slots[at.place()].as_ref()
    }

    pub(crate) fn get_mut(&mut self, at: WaitRef) -> Option<&mut Wait> {
        self.slots[at.place()].as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Wait> {
        places(self.taken).filter_map(|slot| self.slots[usize::from(slot)].as_ref())
    }

    /// All, with their names.
    pub(crate) fn all(&self, pid: Pid) -> impl Iterator<Item = (WaitRef, &Wait)> {
        places(self.taken).filter_map(move |slot| {
            let wait = self.slots[usize::from(slot)].as_ref()?;
            Some((WaitRef::new(pid, slot), wait))
        })
    }

    /// The call for which bytes are being copied in under that number.
    pub(crate) fn copied(&self, pid: Pid, ticket: u32) -> Option<WaitRef> {
        let at = WaitRef(NonZeroU32::MIN | u32::from(pid.0) << 16 | ticket & Ticket::PLACE);
        let waits =
            self.get(at).is_some_and(|wait| wait.ticket.is_some_and(|it| it.get() == ticket));
        waits.then_some(at)
    }

    /// The first for which `is` holds.
    pub(crate) fn find(&self, pid: Pid, is: impl Fn(&Wait) -> bool) -> Option<WaitRef> {
        let holds = |slot: &u8| self.slots[usize::from(*slot)].as_ref().is_some_and(&is);
        places(self.taken).find(holds).map(|slot| WaitRef::new(pid, slot))
    }

    /// The name of the next call that waits, if one of these places is free.
    #[inline(always)]
    pub(crate) fn room(&self, pid: Pid, places: u16) -> Option<WaitRef> {
        let free = !self.taken & places;
        (free != 0).then(|| WaitRef::new(pid, free.trailing_zeros() as u8))
    }

    /// Lets a call wait under a name for which there was room.
    #[inline(always)]
    pub(crate) fn put(&mut self, at: WaitRef, wait: Wait) {
        self.slots[at.place()] = Some(wait);
        self.taken |= 1 << at.place();
    }

    /// The calls that wait for children, and for which.
    pub(crate) fn for_children(&self, pid: Pid) -> impl Iterator<Item = WaitRef> + use<> {
        let those = self.those(|wait| matches!(wait.what, Waiting::Child(_)));
        places(those).map(move |slot| WaitRef::new(pid, slot))
    }

    /// The calls for which `is` holds, a bit for the place of each.
    #[inline(always)]
    fn those(&self, is: impl Fn(&Wait) -> bool) -> u16 {
        let holds = |slot: &u8| self.slots[usize::from(*slot)].as_ref().is_some_and(&is);
        places(self.taken).filter(holds).fold(0, |those, slot| those | 1 << slot)
    }

    #[inline(always)]
    pub(crate) fn take(&mut self, at: WaitRef) -> Option<Wait> {
        let wait = self.slots[at.place()].take()?;
        self.taken &= !(1 << at.place());
        Some(wait)
    }

    /// Frees the place of a call.
    #[inline(always)]
    pub(crate) fn forget(&mut self, at: WaitRef) {
        self.slots[at.place()] = None;
        self.taken &= !(1 << at.place());
    }
}

/// The numbers of the bits that are set, lowest first.
#[inline]
pub(crate) fn places(mut bits: u16) -> impl Iterator<Item = u8> {
    core::iter::from_fn(move || {
        let lowest = NonZeroU16::new(bits)?.trailing_zeros();
        bits &= bits - 1;
        Some(lowest as u8)
    })
}

pub(crate) fn wait_mut(table: &mut Table, at: WaitRef) -> Option<&mut Wait> {
    table.by_pid_mut(at.pid())?.waits.get_mut(at)
}

impl Coordinator {
    /// Lets a call of a living process wait that moves no bytes, if not too many of its calls do already.
    pub(crate) fn park(&mut self, call: Call, what: Waiting) -> Result<WaitRef, Outcome> {
        let pid = call.lease.pid;
        let waits = &mut self.table.at_mut(pid).waits;
        let at = waits.room(pid, u16::MAX).ok_or(Outcome::AGAIN)?;
        waits.put(at, Wait::new(call, what));
        Ok(at)
    }

    pub(crate) fn wait(&self, at: WaitRef) -> Option<&Wait> {
        self.table.by_pid(at.pid())?.waits.get(at)
    }

    /// A call has what it waited for.
    pub(crate) fn finish(&mut self, at: WaitRef, outcome: Outcome, value: u64, out: &mut Outbox) {
        self.finish_here(at, (outcome, value), out);
    }

    /// The same, where it comes often.
    #[inline(always)]
    pub(crate) fn finish_here(&mut self, at: WaitRef, result: (Outcome, u64), out: &mut Outbox) {
        let Self { table, pipes, cores, .. } = self;
        let Some(process) = table.by_pid_mut(at.pid()) else { return };
        let Some(wait) = process.waits.get(at) else { return };
        let (call, stands) = ((wait.call.at, wait.call.lease.vcore), wait.stands());
        process.waits.forget(at);
        let Some(stands) = stands else {
            let done = end(process, cores, call, result, out);
            return self.after_end(at.pid(), call, done, out);
        };
        pipes.leave(table, stands);
        self.complete_after_wait(at.pid(), call, result, out);
    }

    /// Takes a call out of the queue that it stands in; what is being copied in for it comes too late.
    pub(crate) fn detach(&mut self, at: WaitRef) {
        let Some(wait) = wait_mut(&mut self.table, at) else { return };
        let stands = wait.stands();
        (wait.ticket, wait.link) = (None, None);
        if let Some(stands) = stands {
            self.pipes.leave(&mut self.table, stands);
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
        if let Some(wait) = self.wait(at) {
            self.finish_here(at, self.so_far(wait, Outcome::INTERRUPTED), out);
        }
        self.set_clock(pid);
        self.serve_later(pipe);
        Outcome(1)
    }

    /// Cuts all calls of the caller short that wait on a handle; says how many.
    pub(crate) fn on_abort_handle(&mut self, pid: Pid, handle: u8, out: &mut Outbox) -> Outcome {
        let process = self.table.at(pid);
        let Some(it) = process.io.handles.get(handle) else { return Outcome::BAD_HANDLE };
        let those = process.waits.those(|wait| wait.is_on(handle));
        if those == 0 {
            return Outcome(0);
        }
        let mut count = 0;
        for slot in places(those) {
            count += 1;
            let at = WaitRef::new(pid, slot);
            if let Some(wait) = self.wait(at) {
                self.finish_here(at, self.so_far(wait, Outcome::INTERRUPTED), out);
            }
        }
        self.serve_later(it.object.pipe().map(|(pipe, _)| pipe));
        Outcome(count)
    }

    /// A dying process's calls on a handle leave their queues; they are aborted with all others later.
    pub(crate) fn detach_from(&mut self, pid: Pid, handle: u8) {
        let on_it = |wait: &Wait| wait.is_on(handle) && wait.is_moving();
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
