//! Wants more and fewer cores at random while its threads count, and sometimes none at all; the sum must be exact
//! whatever it gets.
//!
//!     run sway 20 1             (20 times, from a seed)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use programs::{Random, Words};
use user::threads::{self, JoinHandle, sync::Mutex};
use user::{Error, info, println, time};

user::main!(main);

/// Threads that count.
const COUNTERS: usize = 4;

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[TIMES [SEED]]");
    let (times, mut random) = (words.number(20_u32), Random(words.number(1)));
    words.end();
    let most = info::max_vcores();
    threads::start(1)?;
    let (sum, is_over) = (Arc::new(Mutex::new(0_u64)), Arc::new(AtomicBool::new(false)));
    let counters: Vec<_> = (0..COUNTERS)
        .map(|_| {
            let (sum, is_over) = (Arc::clone(&sum), Arc::clone(&is_over));
            threads::spawn(move || count(&sum, &is_over))
        })
        .collect();
    let mut wrong = 0_u32;
    for _ in 0..times {
        let wanted = random.below(u64::from(most) + 1) as u16;
        wrong += u32::from(threads::want(wanted)? != wanted);
        time::sleep(Duration::from_micros(random.below(1000)))?;
    }
    is_over.store(true, Ordering::Relaxed);
    let counted: u64 = counters.into_iter().map(JoinHandle::join).sum();
    let is_exact = *sum.lock() == counted;
    println!("sway: {times} times up to {most} cores, {wrong} wrong, exact: {is_exact}");
    Ok(i32::from(wrong != 0 || !is_exact))
}

/// Counts until it is over, now and then asleep, so that there are times at which no vcore has anything to do.
fn count(sum: &Mutex<u64>, is_over: &AtomicBool) -> u64 {
    let mut counted = 0;
    while !is_over.load(Ordering::Relaxed) {
        for _ in 0..64 {
            *sum.lock() += 1;
            counted += 1;
        }
        if time::sleep(Duration::from_micros(300)).is_err() {
            break;
        }
    }
    counted
}
