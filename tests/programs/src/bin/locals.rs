//! Threads that count in a place of their own: none may see another's, and each is dropped once.
//!
//!     run locals 8 1000 3       (8 threads, 1000 rounds each, on 3 cores)
#![no_std]
#![no_main]

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};
use programs::{Words, in_threads};
use user::threads::{self, ThreadLocal};
use user::{Error, println};

user::main!(main);

/// Places that were dropped.
static DROPPED: AtomicU64 = AtomicU64::new(0);

struct Place(Cell<u64>);

impl Drop for Place {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

static FIRST: ThreadLocal<Place> = ThreadLocal::new(|| Place(Cell::new(0)));
static SECOND: ThreadLocal<Cell<u64>> = ThreadLocal::new(|| Cell::new(7));

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[THREADS [ROUNDS [CORES]]]");
    let (count, rounds, cores) = (words.number(8_u64), words.number(1000_u64), words.number(2));
    words.end();
    let cores = threads::start(cores)?;
    let found = in_threads(count, move |number| {
        for round in 0..rounds {
            FIRST.with(|place| place.0.set(place.0.get() + number));
            SECOND.with(|place| place.set(place.get() + 1));
            if round % 8 == 0 {
                threads::yield_now();
            }
        }
        (FIRST.with(|place| place.0.get()), SECOND.with(Cell::get))
    });
    let expected = (0..count).map(|number| (number * rounds, 7 + rounds));
    let wrong = found.into_iter().zip(expected).filter(|(found, right)| found != right).count();
    // A thread's places are dropped after its result is known.
    while DROPPED.load(Ordering::Relaxed) < count {
        threads::yield_now();
    }
    println!("locals: {count} threads on up to {cores} cores, {wrong} wrong");
    Ok(i32::from(wrong != 0 || DROPPED.load(Ordering::Relaxed) != count))
}
