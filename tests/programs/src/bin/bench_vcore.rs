//! What the experiment `vcore` runs: measures one operation of a many-core process as often as asked, and prints a line
//! with the clock's ticks for each time. A second process that an operation needs is this program as well.
//!
//!     run bench_vcore grant 8 2
#![no_std]
#![no_main]

use core::hint::spin_loop;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use programs::{MOST_ROUNDS, Words, in_threads, measured, need_cores, spin_until, start_on};
use sha2::{Digest, Sha256};
use user::handle::{Handle, pipe};
use user::measure::{self, begin};
use user::process::{self, Command, Pid};
use user::{Call, Error, calls, info, threads};

user::main!(main);

const USAGE: &str = "OPERATION ROUNDS VCORES";

/// The kind of the event that is sent.
const EVENT: u16 = 100;
/// This program's name, and the word by which it is the process that is killed.
const SELF: &str = "bench_vcore";
const RUNNER: &str = "as-runner";
/// Where that one says that it runs.
const READY: Handle = Handle(3);

/// Buffers that are hashed, and how long each is.
const BUFFERS: u64 = 32;
const BUFFER_BYTES: usize = 2048;

/// When the region ended that another vcore ends.
static ENDED: AtomicU64 = AtomicU64::new(0);

fn main() -> Result<(), Error> {
    let mut words = Words::new(USAGE);
    let operation = words.word();
    let rounds = words.number(8_usize).clamp(1, MOST_ROUNDS);
    let vcores = words.number(1);
    words.end();
    match operation {
        "thread-switch" => thread_switch(rounds),
        "thread-create-join" => create_and_join(rounds, vcores),
        "grant" => grant(rounds),
        "regrant" => regrant(rounds),
        "event" => event(rounds),
        "compute" => compute(rounds, vcores),
        "kill" => kill(rounds, vcores),
        RUNNER => run_all(vcores),
        _ => Words::new(USAGE).refuse(),
    }
}

/// Spins until another vcore has ended the region that began then; gives the clock's ticks.
fn ended(started: u32) -> u64 {
    spin_until(|| ENDED.load(Ordering::Relaxed) != 0);
    measure::since(started, ENDED.swap(0, Ordering::Relaxed))
}

/// To another thread of the same vcore and back.
fn thread_switch(rounds: usize) -> Result<(), Error> {
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    start_on(1)?;
    let other = threads::spawn(|| {
        while !IS_OVER.load(Ordering::Relaxed) {
            threads::yield_now();
        }
    });
    let outcome = measured(rounds, &mut || {
        let open = begin();
        threads::yield_now();
        Ok(open.end())
    });
    IS_OVER.store(true, Ordering::Relaxed);
    other.join();
    outcome
}

/// A thread that does nothing, from its making until it is joined: on the vcore of the thread that makes it, or, if there are
/// two, on the other one, which polls.
fn create_and_join(rounds: usize, vcores: u16) -> Result<(), Error> {
    static HAS_RUN: AtomicBool = AtomicBool::new(false);
    start_on(vcores)?;
    let alone = || {
        let open = begin();
        threads::spawn(|| ()).join();
        open.end()
    };
    let on_another = || {
        // Whoever has just run a thread polls for the next one.
        in_threads(1, |_| ());
        HAS_RUN.store(false, Ordering::Relaxed);
        let open = begin();
        let thread = threads::spawn(|| HAS_RUN.store(true, Ordering::Relaxed));
        spin_until(|| HAS_RUN.load(Ordering::Relaxed));
        thread.join();
        open.end()
    };
    measured(rounds, &mut || Ok(if vcores == 1 { alone() } else { on_another() }))
}

/// From the request for one more core to the first user instruction there.
fn grant(rounds: usize) -> Result<(), Error> {
    need_cores(2);
    start_on(1)?;
    measure::end_at_entry(1);
    measured(rounds, &mut one_more_core)
}

/// Asks for a second core, waits until a thread has run there, and gives it back; what it took until the core's vcore
/// was entered.
fn one_more_core() -> Result<u64, Error> {
    let thread = threads::spawn(|| ());
    let mut poke = pin!(Call::polled(calls::poke()));
    let _ = measure::entered();
    let open = begin();
    threads::wish(2);
    poke.as_mut().start();
    let mut entered = None;
    spin_until(|| {
        entered = measure::entered();
        entered.is_some()
    });
    let ticks = measure::since(open.low(), entered.unwrap_or_default());
    thread.join();
    spin_until(|| poke.is_done());
    threads::want(1)?;
    spin_until(|| info::vcores() == 1);
    Ok(ticks)
}

/// The same when all other cores run another process, which has them on loan: one is taken from it.
fn regrant(rounds: usize) -> Result<(), Error> {
    need_cores(2);
    start_on(1)?;
    measure::end_at_entry(1);
    let others = info::max_vcores() - 1;
    let borrower = runner(others)?;
    let cores_of_borrower =
        || process::list().find(|it| it.pid() == borrower).map_or(0, |it| it.cores());
    measured(rounds, &mut || {
        spin_until(|| cores_of_borrower() == others);
        one_more_core()
    })?;
    process::destroy(borrower, 0)?;
    process::wait(borrower).map(|_| ())
}

/// From the sending of an event until the handler of another vcore runs, which runs a thread.
fn event(rounds: usize) -> Result<(), Error> {
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    static RUNS_ON: AtomicU64 = AtomicU64::new(0);
    start_on(2)?;
    threads::on_event(|event| {
        if event.kind == EVENT {
            ENDED.store(measure::end(), Ordering::Relaxed);
        }
    });
    let other = threads::spawn(|| {
        RUNS_ON.store(u64::from(threads::vcore()) + 1, Ordering::Relaxed);
        spin_until(|| IS_OVER.load(Ordering::Relaxed));
    });
    spin_until(|| RUNS_ON.load(Ordering::Relaxed) != 0);
    let vcore = RUNS_ON.load(Ordering::Relaxed) as u16 - 1;
    let outcome = measured(rounds, &mut || {
        let mut notify = pin!(Call::polled(calls::notify_self(vcore, EVENT, 0)));
        let open = begin();
        notify.as_mut().start();
        let ticks = ended(open.low());
        spin_until(|| notify.is_done());
        Ok(ticks)
    });
    IS_OVER.store(true, Ordering::Relaxed);
    other.join();
    outcome
}

/// From the decision to end a process, all vcores of which run, until all its cores are free and its parent knows.
fn kill(rounds: usize, vcores: u16) -> Result<(), Error> {
    measured(rounds, &mut || {
        let child = runner(vcores)?;
        let open = begin();
        let code = process::destroy(child, 0).and_then(|()| process::wait(child));
        let ticks = open.end();
        code.map(|_| ticks)
    })
}

/// Another process, which keeps so many vcores busy, all of which run.
fn runner(vcores: u16) -> Result<Pid, Error> {
    let (is_ready, ready) = pipe()?;
    let child = Command::new(SELF).arg(RUNNER).arg(1).arg(vcores).create()?;
    process::give_handles(child, &[(ready, READY)])?;
    process::run(child)?;
    ready.close()?;
    let said = is_ready.read(&mut [0])?;
    is_ready.close()?;
    if said == 1 { Ok(child) } else { Err(Error::Invalid) }
}

/// Buffers are hashed in a thread per vcore, from the first thread's making until all are joined. Each takes the next buffer
/// that nobody has taken, once all run, and then gives its turn away, so that all do a share. Instructions of one
/// vcore over those of several are the efficiency.
fn compute(rounds: usize, vcores: u16) -> Result<(), Error> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static RUNNING: AtomicU64 = AtomicU64::new(0);
    let expected: u64 = (0..BUFFERS).map(hash).fold(0, u64::wrapping_add);
    start_on(vcores)?;
    measured(rounds, &mut || {
        NEXT.store(0, Ordering::Relaxed);
        RUNNING.store(0, Ordering::Relaxed);
        let open = begin();
        let parts = in_threads(vcores.into(), move |_| {
            RUNNING.fetch_add(1, Ordering::Relaxed);
            spin_until(|| RUNNING.load(Ordering::Relaxed) == u64::from(vcores));
            let take = || Some(NEXT.fetch_add(1, Ordering::Relaxed)).filter(|it| *it < BUFFERS);
            let hash = |number| {
                spin_loop();
                hash(number)
            };
            core::iter::from_fn(take).map(hash).fold(0, u64::wrapping_add)
        });
        let ticks = open.end();
        let sum = parts.into_iter().fold(0, u64::wrapping_add);
        if sum == expected { Ok(ticks) } else { Err(Error::Invalid) }
    })
}

/// The beginning of the hash of the buffer of that number.
fn hash(number: u64) -> u64 {
    let buffer = [number as u8; BUFFER_BYTES];
    let hash: [u8; 32] = Sha256::digest(buffer).into();
    hash.into_iter().take(8).fold(0, |word, byte| word << 8 | u64::from(byte))
}

/// Keeps so many vcores busy, for ever.
fn run_all(vcores: u16) -> Result<(), Error> {
    static RUNNING: AtomicU64 = AtomicU64::new(0);
    start_on(vcores)?;
    for _ in 1..vcores {
        let _ = threads::spawn(|| {
            RUNNING.fetch_add(1, Ordering::Relaxed);
            spin_until(|| false);
        });
    }
    spin_until(|| RUNNING.load(Ordering::Relaxed) + 1 == u64::from(vcores));
    // Whoever has no pipe to it sees by itself which cores it has.
    let _ = READY.write_all(b"r");
    spin_until(|| false);
    Ok(())
}
