//! Threads on vcores: the scheduler of a many-core process, in the process.
//!
//! [`start`] makes the process a many-core one. Its threads ([`spawn`]) then run on as many vcores as have a core, each
//! until it gives way; a thread that waits costs no vcore, whatever it waits for: time, other threads ([`sync`] has what
//! they wait for each other with), a system call. When the kernel takes a core away, the thread that
//! ran there goes on elsewhere; a vcore that was stopped inside the scheduler is run first by whoever needs what it
//! holds. When the kernel says beforehand that it will, the vcore leaves by itself.
//!
//! When a core stops for good, the threads that were to run there go on elsewhere. One that was in the middle of running is
//! lost, with whatever it held: whoever joins it is told ([`JoinHandle::outcome`]), a mutex that it held stays held, and
//! [`lost`] counts it. If the scheduler itself was in the middle of something, the process cannot go on, and ends with a
//! message.
//!
//! `run` says which thread a vcore runs, `events` what the kernel tells it, `calls` and `timers` what threads wait for beside
//! each other. Below it all lie [`raw::vcore`](crate::raw::vcore), [`raw::thread`](crate::raw::thread) and
//! `raw::switch`; a scheduler of one's own can be built on the same ground.

mod calls;
mod events;
pub mod faults;
mod join;
mod run;
pub mod sync;
mod timers;

use crate::event::Event;
pub use crate::raw::keyed::ThreadLocal;
pub use crate::raw::lost::{EXIT_CODE, threads as lost};
use crate::raw::page::WISHES;
use crate::raw::thread::{current, leave};
use crate::raw::vcore;
use crate::{Error, info};
pub(crate) use calls::{pass_room_on, wait_for_call, wait_for_room};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
pub use join::{JoinHandle, Lost, spawn};
use proto::program::global::feature;
use proto::program::wishes;
use run::next;
pub use timers::{ALARM, sleep_until};

/// This scheduler runs, rather than another one or none.
static IS_ON: AtomicBool = AtomicBool::new(false);

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
    if info::max_vcores() == 0 || info::features() & feature::FS_GS_BASE == 0 {
        return Err(Error::NoDevice);
    }
    timers::reserve();
    // Whoever waits while it is on needs vcores: nothing may be waited for from here on, memory neither.
    let made = vcore::make();
    IS_ON.store(true, Ordering::Relaxed);
    let outcome = vcore::start(made, run::entered);
    if outcome < 0 {
        IS_ON.store(false, Ordering::Relaxed);
        return Err(error_of(outcome));
    }
    want(cores)
}

/// Asks for the stacks of all vcores, as [`start`] does otherwise: it then asks the kernel for nothing that takes time but
/// to become a many-core process.
pub fn prepare() {
    vcore::reserve();
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
        run::wake_all_vcores();
    }
    Ok(u16::try_from(accepted).unwrap_or(u16::MAX))
}

/// Writes down how many cores this process wants. The kernel looks when it is [poked](crate::calls::poke), for which
/// this does not wait, as [`want`] does.
pub fn wish(cores: u16) {
    WISHES.u16(wishes::CORES).store(cores, Ordering::Release);
}

/// Has `handler` told of each event that is none of the scheduler's own, instead of threads that wait for events: on
/// the vcore that it came to, in vcore context, so it must be short, and neither wait nor use anything of this module.
/// Those that came before [`start`] has made this a many-core process lie where [`take`](crate::event::take) looks.
pub fn on_event(handler: fn(Event)) {
    events::HANDLER.with(|it| *it = Some(handler));
}

/// Lets other threads run.
#[inline]
pub fn yield_now() {
    leave(run::give_way);
}

/// The vcore that this thread runs on; it may be another one by the time that it is looked at.
#[must_use]
pub fn vcore() -> u16 {
    vcore::current_vcore()
}

/// Where the stack of this thread lies; below it there is a guard, so that a thread whose stack is full faults. `None` for
/// the thread that the program began with, whose stack has the kernel's guard.
#[must_use]
pub fn stack() -> Option<Range<u64>> {
    current()?.stack()
}

/// Has this process threads?
pub(crate) fn are_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// Lets other threads run until something is there that an event tells of. Not in critical sections.
pub(crate) fn until(mut is_there: impl FnMut() -> bool) {
    loop {
        let known = events::count();
        if is_there() {
            return;
        }
        leave(|here, thread| events::listen(here, known, thread).unwrap_or_else(|| next(here)));
    }
}
