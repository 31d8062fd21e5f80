//! Threads that wait for events: alarms, and what the process tells itself. Each event must be taken exactly once.
//!
//!     run listen 4 40 2         (4 threads, 40 events of each sort, on 2 cores)
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use programs::{Words, in_threads};
use user::event::{self, kind};
use user::time::{self, Moment};
use user::{Error, calls, println, threads};

user::main!(main);

/// The kind of our own events.
const OURS: u16 = 100;

/// So many may be told and not heard: the library keeps 64 events, of which some are alarms, and loses those beyond. The
/// teller may be far ahead of threads that have lost their cores, or have not begun.
const AHEAD: u64 = 32;

static HEARD: AtomicU64 = AtomicU64::new(0);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[THREADS [EVENTS [CORES]]], THREADS divides EVENTS");
    let (count, events, cores) = (words.number(4_u64), words.number(40_u64), words.number(2));
    if count == 0 || events % count != 0 {
        words.refuse();
    }
    words.end();
    let cores = threads::start(cores)?;
    let alarms = threads::spawn(move || alarms(events));
    let teller = threads::spawn(move || tell(events));
    let each = events / count;
    let sums = in_threads(count, move |_| (0..each).map(|_| hear()).sum::<u64>());
    let (told, heard): (u64, u64) = (teller.join()?, sums.iter().sum());
    let rang = alarms.join()?;
    println!(
        "listen: {events} events on up to {cores} cores, told {told}, heard {heard}, {rang} alarms"
    );
    Ok(i32::from(told != heard || rang != events))
}

/// Waits for one of our events; gives its value.
fn hear() -> u64 {
    let heard = event::wait_for(|it| it.kind == OURS).value;
    HEARD.fetch_add(1, Ordering::Relaxed);
    heard
}

/// Tells the vcore that it runs on; gives the sum of what it has told.
fn tell(events: u64) -> Result<u64, Error> {
    for value in 1..=events {
        while HEARD.load(Ordering::Relaxed) + AHEAD < value {
            threads::yield_now();
        }
        while calls::notify_self(threads::vcore(), OURS, value).call() == Err(Error::Again) {
            // There is no room until the vcore has looked.
            threads::yield_now();
        }
        threads::yield_now();
    }
    Ok((1..=events).sum())
}

/// Sets alarms one after the other, and waits for each.
fn alarms(events: u64) -> Result<u64, Error> {
    // A process may have few at once.
    for number in (0..events).map(|number| number % 4) {
        time::set_alarm(number, Moment::now() + Duration::from_micros(200))?;
        let _rang = event::wait_for(|it| it.kind == kind::ALARM && it.value == number);
    }
    Ok(events)
}
