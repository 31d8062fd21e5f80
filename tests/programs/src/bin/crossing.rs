//! Requests that meet what was decided against them: what a vcore asks for, one sort after the other, for a test that
//! holds cores up at the right moments.
//!
//!     run crossing yield 3 200  (sleeps 3 times 200 µs, and wants no core meanwhile)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;
use core::hint::{black_box, spin_loop};
use core::pin::pin;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use programs::{Words, in_threads};
use user::calls::Leaving;
use user::event::{self, Event};
use user::time::Moment;
use user::{Call, Error, calls, info, println, threads, time};

user::main!(main);

const USAGE: &str =
    "yield|await|change|complete|unsaved|offline|unborn|late|exit [TIMES [MICROSECONDS]]";
/// The least kind of events that are counted.
const OURS: u16 = 100;
/// The kind of the event that tells it to go on.
const GO: u16 = 99;
/// Ours that have come.
static HEARD: AtomicU32 = AtomicU32::new(0);

fn main() -> Result<i32, Error> {
    let mut words = Words::new(USAGE);
    let (what, times, micros) = (words.word(), words.number(1), words.number(200));
    words.end();
    if what != "await" {
        threads::on_event(count);
    }
    match what {
        "await" => awaits(times, Duration::from_micros(micros))?,
        "yield" => yields(times, Duration::from_micros(micros))?,
        "change" => changes(times)?,
        "complete" => completes(Duration::from_micros(micros))?,
        "unsaved" => unsaved()?,
        "offline" => offline()?,
        "unborn" => unborn()?,
        "late" => late()?,
        "exit" => drop(threads::start(1)?),
        _ => Words::new(USAGE).refuse(),
    }
    Ok(0)
}

fn count(event: Event) {
    if event.kind >= OURS {
        HEARD.fetch_add(1, Ordering::Relaxed);
    }
}

/// The last vcore yields each time, and the end of the sleep brings it back.
fn yields(times: u32, each: Duration) -> Result<(), Error> {
    threads::start(1)?;
    threads::want(0)?;
    for _ in 0..times {
        // The kernel's sleep: a call that waits there.
        calls::sleep(time::ticks(each)).call()?;
    }
    println!("crossing: {times} sleeps, {} events", HEARD.load(Ordering::Relaxed));
    Ok(())
}

/// The last vcore yields, and only an event brings it back. It has time to see others first.
fn awaits(times: u32, before: Duration) -> Result<(), Error> {
    threads::start(1)?;
    threads::want(0)?;
    let start = Moment::now();
    while start.elapsed() < before {
        spin_loop();
    }
    for _ in 0..times {
        let _ours = event::wait_for(|it| it.kind == OURS);
    }
    println!("crossing: {times} events came");
    Ok(())
}

/// Goes on as vcore 1, as vcore 0, and so on; the vcore that is entered takes the thread from the one that was left.
fn change() -> Result<(), Error> {
    calls::change_vcore(1 - threads::vcore(), Leaving::Keep).call()
}

fn changes(times: u32) -> Result<(), Error> {
    threads::start(1)?;
    let mut refused = 0_u32;
    for _ in 0..times {
        // Others of this process can be on the way in or out.
        while let Err(Error::Again | Error::Busy) = change() {
            refused += 1;
        }
    }
    let heard = HEARD.load(Ordering::Relaxed);
    println!("crossing: {times} changes, {heard} events, some refused: {}", refused > 0);
    Ok(())
}

/// A call is over while the vcore that made it gives its core to another one.
fn completes(after: Duration) -> Result<(), Error> {
    threads::start(1)?;
    let mut sleep = pin!(Call::new(calls::sleep(time::ticks(after))));
    sleep.as_mut().start();
    while let Err(Error::Again | Error::Busy) = change() {}
    sleep.wait()?;
    println!("crossing: the call is over");
    Ok(())
}

/// Two vcores want each other's core until one is told that the other has not been saved.
fn unsaved() -> Result<(), Error> {
    threads::start(2)?;
    let (here, refused) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let both_said = Arc::clone(&refused);
    in_threads(2, move |_| {
        here.fetch_add(1, Ordering::Relaxed);
        while here.load(Ordering::Relaxed) < 2 || info::vcores() < 2 {
            threads::yield_now();
        }
        while refused.load(Ordering::Relaxed) == 0 {
            if change() == Err(Error::Again) {
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    println!("crossing: refused while unsaved: {}", both_said.load(Ordering::Relaxed) > 0);
    Ok(())
}

/// Becomes a many-core process when it is told to, and tells what came to it by then.
fn late() -> Result<(), Error> {
    // Memory that is there already: no fault of its own is to come in between.
    drop(black_box(alloc::vec![1_u8; 1 << 19]));
    threads::prepare();
    while event::take().is_none_or(|event| event.kind != GO) {
        spin_loop();
    }
    let cores = threads::start(1)?;
    time::sleep(Duration::from_millis(1))?;
    println!("crossing: {cores} cores at last, {} events", HEARD.load(Ordering::Relaxed));
    Ok(())
}

/// A vcore that has no core is told of something, and sees it when it is started.
fn offline() -> Result<(), Error> {
    threads::start(2)?;
    wait_for(|| info::vcores() == 2)?;
    threads::want(1)?;
    wait_for(|| info::vcores() == 1)?;
    let off = (0..2).find(|vcore| !info::place(*vcore).is_there).unwrap_or(1);
    calls::notify_self(off, OURS, 0).call()?;
    time::sleep(Duration::from_millis(1))?;
    let before = HEARD.load(Ordering::Relaxed);
    threads::want(2)?;
    while HEARD.load(Ordering::Relaxed) == 0 {
        spin_loop();
    }
    println!("crossing: vcore {off} had heard {before} events without a core, and then one");
    Ok(())
}

/// A vcore that has never run is told of something and stopped before its first instruction; it wants its core no more.
fn unborn() -> Result<(), Error> {
    threads::start(1)?;
    threads::want(2)?;
    while info::vcores() < 2 {
        spin_loop();
    }
    calls::notify_self(1, OURS, 0).call()?;
    threads::want(1)?;
    let began = Moment::now();
    while HEARD.load(Ordering::Relaxed) == 0 && began.elapsed() < Duration::from_secs(1) {
        spin_loop();
    }
    println!("crossing: heard {} of 1 of a vcore unborn", HEARD.load(Ordering::Relaxed));
    Ok(())
}

/// Sleeps until something is so, for vcores give a core back when they have nothing to do.
fn wait_for(is_so: impl Fn() -> bool) -> Result<(), Error> {
    while !is_so() {
        time::sleep(Duration::from_micros(200))?;
    }
    Ok(())
}
