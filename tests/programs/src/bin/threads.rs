//! Threads on vcores: each counts, and the sum must be exact.
//!
//!     run threads 8 1000 3      (8 threads, 1000 rounds each, on 3 cores)
//!     run threads 8 until 3     (until an event comes, as by notify PID 100)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use programs::Words;
use user::threads::{self, sync::Mutex};
use user::{Error, println};

user::main!(main);

/// An event has come.
static IS_OVER: AtomicBool = AtomicBool::new(false);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[THREADS [ROUNDS|until [CORES]]]");
    let (count, rounds) = (words.number(8), words.next().unwrap_or("1000"));
    let rounds = (rounds != "until").then(|| rounds.parse().unwrap_or_else(|_| words.refuse()));
    let cores = words.number(2);
    words.end();
    if rounds.is_none() {
        threads::on_event(|_| IS_OVER.store(true, Ordering::Relaxed));
    }
    let cores = threads::start(cores)?;
    println!("threads: {count} threads on up to {cores} cores");
    let sum = Arc::new(Mutex::new(0_u64));
    let all: Vec<_> = (0..count)
        .map(|_: u32| {
            let sum = Arc::clone(&sum);
            threads::spawn(move || {
                let rounds = run_for(rounds, &sum);
                (rounds, threads::vcore())
            })
        })
        .collect();
    let (mut made, mut seen) = (0, [0_u32; 256]);
    for thread in all {
        let (rounds, vcore) = thread.join();
        made += rounds;
        seen[usize::from(vcore)] += 1;
    }
    let sum = *sum.lock();
    let used = seen.iter().filter(|ended| **ended > 0).count();
    println!("threads: counted {sum}, ended on {used} vcores");
    let asked = rounds.map_or(made, |rounds| u64::from(count) * rounds);
    Ok(i32::from(sum != made || made != asked || made == 0))
}

/// Counts so many rounds, or until an event has come; gives how many were made.
fn run_for(rounds: Option<u64>, sum: &Mutex<u64>) -> u64 {
    let mut round = 0;
    while rounds.map_or_else(|| !IS_OVER.load(Ordering::Relaxed), |all| round < all) {
        *sum.lock() += 1;
        if round % 16 == 0 {
            threads::yield_now();
        }
        round += 1;
    }
    round
}
