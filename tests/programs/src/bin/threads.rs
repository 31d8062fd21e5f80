//! Threads on vcores: each counts, and the sum must be exact.
//!
//!     run threads 8 1000 3      (8 threads, 1000 rounds each, on 3 cores)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;
use alloc::vec::Vec;
use programs::Words;
use user::threads::{self, sync::Mutex};
use user::{Error, println};

user::main!(main);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[THREADS [ROUNDS [CORES]]]");
    let (count, rounds, cores) = (words.number(8), words.number(1000_u64), words.number(2));
    words.end();
    let cores = threads::start(cores)?;
    println!("threads: {count} threads on up to {cores} cores");
    let sum = Arc::new(Mutex::new(0_u64));
    let all: Vec<_> = (0..count)
        .map(|_: u32| {
            let sum = Arc::clone(&sum);
            threads::spawn(move || {
                for round in 0..rounds {
                    *sum.lock() += 1;
                    if round % 16 == 0 {
                        threads::yield_now();
                    }
                }
                threads::vcore()
            })
        })
        .collect();
    let mut seen = [0_u32; 256];
    for thread in all {
        seen[usize::from(thread.join())] += 1;
    }
    let sum = *sum.lock();
    let used = seen.iter().filter(|ended| **ended > 0).count();
    println!("threads: counted {sum}, ended on {used} vcores");
    Ok(i32::from(sum != u64::from(count) * rounds))
}
