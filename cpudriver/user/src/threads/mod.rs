//! Threads on vcores: the scheduler of a many-core process, in the process.
//!
//! [`start`] makes the process a many-core one. Its threads ([`spawn`]) then run on as many vcores as have a core, each
//! until it gives way; a thread that waits for a system call costs no vcore. When the kernel takes a core away, the thread that
//! ran there goes on elsewhere; a vcore that was stopped inside the scheduler is run first by whoever needs what it
//! holds. [`sync`] has what threads wait for each other with.
//!
//! Below it all lie `raw::vcore`, `raw::thread` and `raw::switch`; a scheduler of one's own can be built on the same ground.

mod events;
mod join;
mod queue;
pub mod sync;

use crate::event::Event;
use crate::raw::call::Block;
pub use crate::raw::keyed::ThreadLocal;
use crate::raw::notify;
use crate::raw::page::{self, WISHES};
use crate::raw::thread::{self, Awaited, Thread};
use crate::raw::vcore::{self, Vcore};
use crate::{Error, info};
use core::sync::atomic::Ordering;
pub use join::{JoinHandle, spawn};
use proto::program::global::feature;
use proto::program::{data, number, wishes};
pub(crate) use queue::ready;
use queue::{STATE, State};

/// The kind of the event that only makes a vcore look.
pub(crate) const LOOK: u16 = 5;

/// Looks for work before a vcore halts.
const LOOKS: u32 = 512;

/// Makes this process a many-core one that wants so many cores; what runs now is its first thread. There is no way
/// back.
///
/// # Errors
///
/// [`Error::NoDevice`] when the machine has no core to lease, or lacks what threads need; [`Error::Invalid`] when
/// the process is a many-core one already.
pub fn start(cores: u16) -> Result<u16, Error> {
    if vcore::count() != 0 {
        return Err(Error::Invalid);
    }
    let vcores = info::max_vcores();
    if vcores == 0 || info::features() & feature::FS_GS_BASE == 0 {
        return Err(Error::NoDevice);
    }
    let first = Thread::new();
    STATE.with(|state| state.reserve(1));
    vcore::set_up(first, vcores);
    let outcome = vcore::at_once(number::CHANGE_TO_MANY, [0, 0]);
    if outcome < 0 {
        vcore::take_down();
        return Err(error_of(outcome));
    }
    want(cores)
}

fn error_of(outcome: i64) -> Error {
    let outcome = i32::try_from(outcome).unwrap_or(proto::call::Outcome::INVALID.0);
    Error::of(proto::call::Outcome(outcome)).unwrap_or(Error::Invalid)
}

/// Wants so many cores from now on; gives how many the kernel accepts. Vcores that are too many are given back when
/// they have nothing to do.
///
/// # Errors
///
/// What the kernel says.
pub fn want(cores: u16) -> Result<u16, Error> {
    wish(cores);
    let accepted = crate::calls::poke().call()?;
    if cores < info::vcores() {
        // Those that rest must look, to give their cores back.
        while let Some(sleeper) = STATE.with(State::sleeper) {
            vcore::ring(vcore::vcore(sleeper));
        }
    }
    Ok(u16::try_from(accepted).unwrap_or(u16::MAX))
}

/// Writes down how many cores this process wants. The kernel looks when it is [poked](crate::calls::poke), for which
/// this does not wait, as [`want`] does.
pub fn wish(cores: u16) {
    WISHES.u16(wishes::CORES).store(cores, Ordering::Release);
}

/// Has `handler` told of each event that is none of the scheduler's own, instead of threads that wait for events: on
/// the vcore that it came to, in vcore context and with the scheduler's lock held, so it must be short, and neither wait
/// nor use anything of this module.
pub fn on_event(handler: fn(Event)) {
    STATE.with(|state| state.handler = Some(handler));
}

/// Lets other threads run.
pub fn yield_now() {
    thread::leave(|thread| go_on_with(STATE.with(|state| state.exchange(thread))));
}

/// The vcore that this thread runs on; it may be another one by the time that it is looked at.
#[must_use]
pub fn vcore() -> u16 {
    vcore::current_vcore()
}

/// Ends the thread that runs.
pub(crate) fn end() -> ! {
    thread::leave(join::recycle);
    unreachable!("a thread that has ended is not resumed")
}

/// In a process with threads, waits until the call is over, and says so. Where the vcore must not run anything else
/// meanwhile, it only looks.
pub(crate) fn wait_for_call(block: &Block) -> bool {
    if vcore::count() == 0 {
        return false;
    }
    while !block.is_done() {
        if notify::is_critical() {
            core::hint::spin_loop();
            continue;
        }
        let awaited = Awaited::new(block);
        thread::leave(|thread| STATE.with(|state| state.wait_for_call(awaited, thread)));
    }
    true
}

/// Has this process threads?
pub(crate) fn are_on() -> bool {
    vcore::count() != 0
}

/// Lets other threads run until something is there that an event tells of. Not in critical sections.
pub(crate) fn until(mut is_there: impl FnMut() -> bool) {
    loop {
        let known = STATE.with(|state| state.events);
        if is_there() {
            return;
        }
        thread::leave(|thread| STATE.with(|state| state.listen(known, thread)));
    }
}

/// A vcore has been entered, with the thread that was interrupted if there is one.
pub(crate) fn entered(me: &'static Vcore, interrupted: Option<&'static Thread>) -> ! {
    if me.number() == 0 {
        vcore::fill_pages();
    }
    match events::handle(me, interrupted) {
        Some(thread) => me.run(thread),
        None => schedule(me),
    }
}

/// A vcore has been entered with a thread that must go on there at once: only takes in what has come, or it would be
/// entered again for that.
pub(crate) fn look(me: &'static Vcore) {
    events::take_in(me);
}

/// Runs a thread that was taken out of the queue. What has come meanwhile is seen when it leaves vcore context.
fn go_on_with(thread: &'static Thread) {
    let me = vcore::vcore(vcore::current_vcore());
    let owes = me.owes_recovery.load(Ordering::Relaxed);
    if let Some(thread) = if owes { events::handle(me, Some(thread)) } else { Some(thread) } {
        me.run(thread);
    }
}

/// Finds something for this vcore to do.
pub(crate) fn schedule(me: &'static Vcore) -> ! {
    let mut looks = 0_u32;
    loop {
        if is_pending(me) || me.owes_recovery.load(Ordering::Relaxed) {
            events::handle(me, None);
        }
        if let Some(thread) = STATE.with(State::pop) {
            me.run(thread);
        }
        looks += 1;
        if looks.is_multiple_of(64) {
            events::recover_all(me);
        }
        if looks >= LOOKS {
            looks = 0;
            rest(me);
        }
        core::hint::spin_loop();
    }
}

fn is_pending(vcore: &Vcore) -> bool {
    vcore.page().u8(data::PENDING).load(Ordering::Relaxed) != 0
}

/// Gives the core back if it is not wanted any more, else halts until something comes.
fn rest(me: &'static Vcore) {
    let wanted = WISHES.u16(wishes::CORES).load(Ordering::Relaxed);
    if wanted < info::vcores() {
        // If it succeeds, the vcore begins anew when it is started.
        vcore::at_once(number::YIELD, [0, 0]);
        return;
    }
    let is_idle = STATE.with(|state| state.rest(me.number()));
    page::fence();
    if is_idle && !is_pending(me) {
        vcore::at_once(number::HALT, [0, 0]);
    }
    STATE.with(|state| state.wake(me.number()));
}

/// In vcore context, while it waits for another vcore: sees to it that those run which were stopped in vcore
/// context.
pub(crate) fn relax(me: &Vcore) {
    let others = (0..vcore::count()).map(vcore::vcore);
    for other in others.filter(|it| it.number() != me.number()) {
        if other.is_preempted() && other.must_run() {
            vcore::change_vcore(other, true);
        }
    }
    core::hint::spin_loop();
}

/// The same for this vcore, if there are any.
pub(crate) fn relax_here() {
    if vcore::count() > 0 {
        relax(vcore::vcore(vcore::current_vcore()));
    }
}
