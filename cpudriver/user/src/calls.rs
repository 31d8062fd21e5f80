//! The system calls, in the order of their [numbers](number), but for those that change which memory there
//! is: [`memory`](crate::memory) has these.
//!
//! Each function makes a [`Request`] that has its arguments; what it comes to is its type. Nothing happens before
//! [`Request::call`], or [`Call::start`](crate::Call::start). Times are ticks of the time stamp counter, see
//! [`time`](crate::time).

use crate::event::Event;
use crate::handle::Handle;
use crate::process::{Ended, Pid};
use crate::queue::Address;
use crate::raw::call::Block;
use crate::raw::request::Request;
use proto::call::{ALL_HANDLES, CLOSE_ON_CREATE, HandlePair, KEEP, NICE, NO_HANG};
use proto::program::number;

/// Nothing to tell.
fn nothing(_: u32, _: u64) {}

/// The outcome itself.
fn outcome(outcome: u32, _: u64) -> u32 {
    outcome
}

/// The outcome, as a number of bytes or things.
fn count(outcome: u32, _: u64) -> usize {
    outcome as usize
}

/// The outcome, as a pid; pids have 16 bits.
fn pid(outcome: u32, _: u64) -> Pid {
    Pid(outcome as u16)
}

/// The outcome, as a handle; handles have 8 bits.
fn handle(outcome: u32, _: u64) -> Handle {
    Handle(outcome as u8)
}

/// The second result.
fn value(_: u32, value: u64) -> u64 {
    value
}

/// Flags, of which some are set.
fn flags(flags: u8, are_set: bool) -> u64 {
    if are_set { u64::from(flags) } else { 0 }
}

/// Whether a call waits for what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It waits.
    Wait,
    /// It does what can be done at once.
    Now,
}

impl Patience {
    fn flags(self) -> u64 {
        flags(NO_HANG, self == Self::Now)
    }
}

/// Does nothing.
pub fn null() -> Request<'static, ()> {
    Request::new(number::NULL, nothing)
}

/// Ends the process. What it comes to never comes.
pub fn exit(code: i32) -> Request<'static, ()> {
    Request::new(number::EXIT, nothing).with(i64::from(code).cast_unsigned())
}

/// Gives the core to other processes, and goes on when it is this one's turn again; fails with
/// [`Error::Again`](crate::Error::Again) while [`PENDING`](proto::program::data::PENDING) is set.
pub fn yield_now() -> Request<'static, ()> {
    Request::new(number::YIELD, nothing).with(NICE.into())
}

/// Gives the core away until an event comes; fails with [`Error::Again`](crate::Error::Again) when one has come since
/// [`PENDING`](proto::program::data::PENDING) was cleared.
pub fn wait_for_event() -> Request<'static, ()> {
    Request::new(number::YIELD, nothing).with(0)
}

/// Writes; comes to how many bytes were taken.
pub fn write(to: Handle, bytes: &[u8], patience: Patience) -> Request<'_, usize> {
    let request = Request::new(number::WRITE, count).with(to.0.into());
    request.with_bytes(bytes).with(patience.flags())
}

/// Makes a child, which waits for [`run`]. `arguments` each end with a zero byte, and the first is by custom
/// the name; when there are none the child gets the caller's. Comes to its pid.
pub fn create<'a>(program: &'a str, arguments: &'a [u8], handles: Handles) -> Request<'a, Pid> {
    let request = Request::new(number::CREATE, pid).with_bytes(program.as_bytes());
    request.with_bytes(arguments).with(flags(ALL_HANDLES, handles == Handles::Copied))
}

/// Which handles a child gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handles {
    /// None: what [`dup_handles`] gives it is all that it has.
    None,
    /// Copies of all that are not closed on create, under the same numbers.
    Copied,
}

/// Lets a child run.
pub fn run(child: Pid) -> Request<'static, ()> {
    Request::new(number::RUN, nothing).with(child.0.into())
}

/// Ends a process, with this exit code.
pub fn destroy(process: Pid, code: i32) -> Request<'static, ()> {
    let request = Request::new(number::DESTROY, nothing).with(process.0.into());
    request.with(i64::from(code).cast_unsigned())
}

/// Waits for the end of a child, or of any. With [`Patience::Now`] it comes to `None` when none has ended.
pub fn wait(child: Option<Pid>, patience: Patience) -> Request<'static, Option<Ended>> {
    fn ended(outcome: u32, value: u64) -> Option<Ended> {
        // An exit code is an i32, which the kernel may have widened either way.
        (outcome != 0).then_some(Ended { pid: Pid(outcome as u16), code: value as i32 })
    }
    let request = Request::new(number::WAIT, ended);
    request.with(child.map_or(0, |pid| pid.0.into())).with(patience.flags())
}

/// Posts an event to a process.
pub fn notify(process: Pid, kind: u16, value: u64) -> Request<'static, ()> {
    let request = Request::new(number::NOTIFY, nothing).with(process.0.into());
    request.with(kind.into()).with(value)
}

/// Posts an event to a vcore of this process.
pub fn notify_self(vcore: u16, kind: u16, value: u64) -> Request<'static, ()> {
    let request = Request::new(number::NOTIFY_SELF, nothing).with(vcore.into());
    request.with(kind.into()).with(value)
}

/// Sends an event to an event queue of this process; `about` is the vcore that it is about, for queues that ask.
pub fn send(queue: Address, event: Event, about: u16) -> Request<'static, ()> {
    let request = Request::new(number::SEND, nothing).with(queue.0);
    request.with(event.kind.into()).with(event.value).with(about.into())
}

/// Has events of a kind that come to this process go to an event queue, or to vcores as at first.
pub fn set_queue(kind: u16, queue: Option<Address>) -> Request<'static, ()> {
    let queue = queue.map_or(0, |queue| queue.0);
    Request::new(number::SET_QUEUE, nothing).with(kind.into()).with(queue)
}

/// The core that this runs on.
pub fn core() -> Request<'static, u32> {
    Request::new(number::CORE, outcome)
}

/// The vcore that this runs on; 0 in a single-core process.
pub fn vcore() -> Request<'static, u32> {
    Request::new(number::VCORE, outcome)
}

/// The pid of this process.
pub fn own_pid() -> Request<'static, Pid> {
    Request::new(number::PID, pid)
}

/// Lets so many ticks pass.
pub fn sleep(ticks: u64) -> Request<'static, ()> {
    Request::new(number::SLEEP, nothing).with(ticks)
}

/// Reads; comes to how many bytes, 0 at the end.
pub fn read(from: Handle, room: &mut [u8], patience: Patience) -> Request<'_, usize> {
    let request = Request::new(number::READ, count).with(from.0.into());
    request.with_room(room).with(patience.flags())
}

/// Closes a handle.
pub fn close(closed: Handle) -> Request<'static, ()> {
    Request::new(number::CLOSE, nothing).with(closed.0.into())
}

/// Whether children get a copy of a handle, when they get [`Handles::Copied`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForChildren {
    /// They do.
    Copied,
    /// They do not.
    Closed,
}

impl ForChildren {
    fn flags(self) -> u64 {
        flags(CLOSE_ON_CREATE, self == Self::Closed)
    }
}

/// Makes a pipe; comes to the handle to read from and the one to write to.
pub fn pipe(children: ForChildren) -> Request<'static, (Handle, Handle)> {
    fn both(outcome: u32, value: u64) -> (Handle, Handle) {
        (handle(outcome, 0), Handle(value as u8))
    }
    Request::new(number::PIPE, both).with(children.flags())
}

/// Says whether children get a copy of a handle.
pub fn set_handle(changed: Handle, children: ForChildren) -> Request<'static, ()> {
    Request::new(number::SET_HANDLE, nothing).with(changed.0.into()).with(children.flags())
}

/// Copies handles to a child that has not run, each pair this process's and the child's; at most
/// [`HandlePair::MOST`], the rest is left out. Comes to how many.
pub fn dup_handles(child: Pid, pairs: &[(Handle, Handle)]) -> Request<'static, usize> {
    let mut all = [HandlePair::NONE; HandlePair::MOST];
    for (pair, (mine, theirs)) in all.iter_mut().zip(pairs) {
        *pair = HandlePair { mine: mine.0, theirs: theirs.0 };
    }
    let [first, second] = HandlePair::to_words(all);
    Request::new(number::DUP_HANDLES, count).with(child.0.into()).with(first).with(second)
}

/// Asks for the event [`ALARM`](proto::event::kind::ALARM) with this number at a moment (0: not any more), and again
/// after each period (0: once).
pub fn alarm(alarm: u64, moment: u64, period: u64) -> Request<'static, ()> {
    Request::new(number::ALARM, nothing).with(alarm).with(moment).with(period)
}

/// Waits until more events have come than `known`: what the last such call came to, 0 at first.
pub fn await_event(known: u64) -> Request<'static, u64> {
    Request::new(number::AWAIT_EVENT, value).with(known)
}

/// Cuts a call short; comes to how many there were, 0 or 1.
pub fn abort(call: &Block) -> Request<'static, usize> {
    Request::new(number::ABORT, count).with(call.address())
}

/// Cuts all calls short that wait on a handle; comes to how many.
pub fn abort_handle(waited_on: Handle) -> Request<'static, usize> {
    Request::new(number::ABORT_HANDLE, count).with(waited_on.0.into())
}

/// Sets the user of a process.
pub fn set_user(process: Pid, name: &str) -> Request<'_, ()> {
    Request::new(number::SET_USER, nothing).with(process.0.into()).with_bytes(name.as_bytes())
}

/// Lists processes, from a pid on, [`PROCESS_BYTES`](number::PROCESS_BYTES) each; comes to how many, and the pid to go
/// on from if there may be more.
pub fn processes(room: &mut [u8], from: Pid) -> Request<'_, (usize, Option<Pid>)> {
    fn some(count: u32, next: u64) -> (usize, Option<Pid>) {
        (count as usize, (next != 0).then_some(Pid(next as u16)))
    }
    Request::new(number::PROCESSES, some).with_room(room).with(from.0.into())
}

/// Gives a process, or nobody, the right to a core out of the own share.
pub fn provision(process: Option<Pid>, core: u32) -> Request<'static, ()> {
    let request = Request::new(number::PROVISION, nothing);
    request.with(process.map_or(0, |pid| pid.0.into())).with(core.into())
}

/// Becomes a many-core process; see [`number::CHANGE_TO_MANY`].
pub fn change_to_many() -> Request<'static, ()> {
    Request::new(number::CHANGE_TO_MANY, nothing)
}

/// Lets the kernel look at the [wishes](proto::program::wishes); comes to how many cores are accepted.
pub fn poke() -> Request<'static, u32> {
    Request::new(number::POKE, outcome)
}

/// What becomes of the context of a vcore that another takes the core of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// It starts anew when it is started next.
    Forget,
    /// It is kept as if it had been preempted.
    Keep,
}

/// Goes on as another vcore. Does not return if it succeeds.
pub fn change_vcore(to: u16, leaving: Leaving) -> Request<'static, ()> {
    let request = Request::new(number::CHANGE_VCORE, nothing).with(to.into());
    request.with(flags(KEEP, leaving == Leaving::Keep))
}

/// Halts the core until something comes for it.
pub fn halt() -> Request<'static, ()> {
    Request::new(number::HALT, nothing)
}

/// Enters vcore context now; returns when the thread is resumed.
pub fn enter() -> Request<'static, ()> {
    Request::new(number::ENTER, nothing)
}

/// Nanoseconds since 1970, or 0 where the machine has no clock.
pub fn time() -> Request<'static, u64> {
    Request::new(number::TIME, value)
}

/// Duplicates the process: always [`Error::NoCall`](crate::Error::NoCall), see [`number::FORK`].
pub fn fork() -> Request<'static, Pid> {
    Request::new(number::FORK, pid)
}

/// Becomes another program: always [`Error::NoCall`](crate::Error::NoCall), see [`number::EXEC`].
pub fn exec() -> Request<'static, ()> {
    Request::new(number::EXEC, nothing)
}
