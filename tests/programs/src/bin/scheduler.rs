//! A scheduler of one's own: threads that give way to each other, on all cores that the process gets, and go on when cores
//! are taken away. It stands on `user::raw` alone; `docs/scheduler.md` explains it step by step.
//!
//!     run scheduler 12 3000 3   (12 threads, 3000 rounds each, on 3 cores)
//!
//! It polls where `user::threads` halts, and a system call that waits keeps its vcore. What it shares with that one
//! is what cannot be left out: an entry for vcores, a queue, and the recovery of vcores that were preempted.
#![no_std]
#![no_main]

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, Ordering};
use programs::Words;
use user::proto::program::{global, wishes};
use user::raw::here::Here;
use user::raw::list::List;
use user::raw::lock::Lock;
use user::raw::page::WISHES;
use user::raw::thread::{Parked, leave};
use user::raw::vcore;
use user::{Error, calls, info, println};

user::main!(main);

/// Threads that can run, for all vcores. A `Parked` is a thread that does not run, and the right to let it run, once: it is
/// moved from here to the vcore, and back.
///
/// A vcore may lose its core while it holds the lock. Whoever waits for a `Lock` then gives that vcore its own core.
static READY: Lock<List> = Lock::new(List::new());

/// Threads that have ended, to be used again with their stacks.
static SPARE: Lock<List> = Lock::new(List::new());

/// Threads that have not ended.
static LIVING: AtomicU64 = AtomicU64::new(0);

/// What the threads count.
static COUNT: Lock<u64> = Lock::new(0);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[THREADS [ROUNDS [CORES]]]");
    let (threads, rounds, cores) = (words.number(8_u64), words.number(1000_u64), words.number(2));
    words.end();
    start(cores)?;
    for _ in 0..threads {
        spawn(move || count(rounds));
    }
    // This is a thread like the others, and waits like them.
    while LIVING.load(Ordering::Acquire) > 0 {
        give_way();
    }
    let counted = COUNT.with(|count| *count);
    println!("scheduler: {threads} threads counted {counted} on up to {} vcores", vcore::used());
    Ok(i32::from(counted != threads * rounds))
}

/// What each thread does.
fn count(rounds: u64) {
    for round in 0..rounds {
        COUNT.with(|count| *count += 1);
        if round % 16 == 0 {
            give_way();
        }
    }
}

/// Makes the process a many-core one, whose vcores begin at [`entered`], and asks for cores. What runs now goes on as the
/// first thread, of vcore 0.
fn start(cores: u16) -> Result<(), Error> {
    if info::max_vcores() == 0 || info::features() & global::feature::FS_GS_BASE == 0 {
        return Err(Error::NoDevice);
    }
    if vcore::start(vcore::make(), entered) < 0 {
        return Err(Error::Invalid);
    }
    WISHES.u16(wishes::CORES).store(cores, Ordering::Release);
    calls::poke().call()?;
    Ok(())
}

/// The kernel enters a vcore here, on the vcore's own stack: when it gets a core, and when something has happened. If a thread
/// was interrupted for that, here it is. Whoever is returned runs next.
///
/// This is vcore context: it can be stopped, and goes on later where it was, but it is not entered a second time.
fn entered(here: &Here, interrupted: Option<Parked>) -> Parked {
    if let Some(thread) = interrupted {
        ready(here, thread);
    }
    next(here)
}

/// Chooses who goes on here. No event is read: whatever has happened, what must be done about it can be seen.
fn next(here: &Here) -> Parked {
    loop {
        // Before looking, so that what happens from now on is not missed.
        here.begin_look();
        recover(here);
        if let Some(thread) = READY.with_here(here, List::pop) {
            return thread;
        }
        spin_loop();
    }
}

/// Sees to the vcores whose cores were taken away.
fn recover(here: &Here) {
    let me = here.vcore().number();
    for other in vcore::all().filter(|it| it.number() != me && it.is_preempted()) {
        if other.must_run() {
            // It was stopped in vcore context, with a thread in its hands perhaps, or the lock: it goes on, on this core.
            // This vcore has nothing in its own hands, and begins anew when it gets a core again.
            here.give_core_to(other);
        } else if let Some(thread) = here.steal_from(other) {
            // It was stopped while it ran a thread, which need not wait for it.
            ready(here, thread);
        }
    }
}

fn ready(here: &Here, thread: Parked) {
    READY.with_here(here, |ready| ready.push(thread));
}

/// Lets other threads run. The thread is saved before the closure begins, on the vcore's stack, in vcore context: only
/// then may it lie where another vcore can find it.
fn give_way() {
    leave(|here, thread| {
        ready(here, thread);
        next(here)
    });
}

/// Lets a thread do this.
fn spawn(work: impl FnOnce() + Send + 'static) {
    LIVING.fetch_add(1, Ordering::Relaxed);
    let mut thread = SPARE.with(List::pop).unwrap_or_default();
    thread.begin(move || {
        work();
        end();
    });
    READY.with(|ready| ready.push(thread));
}

/// A thread leaves for the last time. Its stack is in use until then, so it is told to be spare only afterwards.
fn end() {
    LIVING.fetch_sub(1, Ordering::Release);
    leave(|here, thread| {
        SPARE.with_here(here, |spare| spare.push(thread));
        next(here)
    });
}
