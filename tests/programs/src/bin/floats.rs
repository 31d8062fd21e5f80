//! Floating point in threads that are preempted and moved: every bit must come out as without threads.
//!
//! Each thread iterates chaotic maps, so that a bit that is lost anywhere changes all that come after it. Their values
//! stay in registers all the time.
//!
//!     run floats 8 20000 3      (8 threads, 20000 rounds each, on 3 cores)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use programs::{Words, in_threads};
use user::{Error, println, threads};

user::main!(main);

/// Values that each thread has under way.
const LANES: usize = 8;

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[THREADS [ROUNDS [CORES]]]");
    let (count, rounds, cores) = (words.number(8), words.number(20_000), words.number(2));
    words.end();
    let expected: Vec<_> = (0..count).map(|number| iterate(number, rounds)).collect();
    let cores = threads::start(cores)?;
    let found = in_threads(count, move |number| iterate(number, rounds));
    let wrong = found.iter().zip(&expected).filter(|(found, expected)| found != expected).count();
    println!("floats: {count} threads of {rounds} rounds on up to {cores} cores, {wrong} wrong");
    Ok(i32::from(wrong != 0))
}

/// The bits of the logistic map's values after so many rounds, from beginnings that depend on the number.
fn iterate(number: u64, rounds: u64) -> [u64; LANES] {
    let mut lanes: [f64; LANES] =
        core::array::from_fn(|lane| 1.0 / (number as f64 + 2.5 + lane as f64));
    for _ in 0..rounds {
        for value in &mut lanes {
            *value = 3.999 * *value * (1.0 - *value);
        }
    }
    lanes.map(f64::to_bits)
}
