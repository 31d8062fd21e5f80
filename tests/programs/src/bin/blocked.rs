//! Hundreds of threads in calls that block: each waits for time to pass, then for a byte from a pipe, and no completion
//! may be lost.
//!
//!     run blocked 200 3         (200 threads that wait and as many that make them go on, on 3 cores)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::time::Duration;
use programs::{Random, Words, in_threads};
use user::handle::{Handle, pipe};
use user::{Error, println, threads, time};

user::main!(main);

/// Each pipe is read and written by several threads.
const PIPES: u64 = 8;
/// The longest span that a thread sleeps.
const LONGEST: u64 = 2_000;

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[THREADS [CORES]]");
    let (count, cores) = (words.number(200_u64), words.number(2));
    words.end();
    let cores = threads::start(cores)?;
    let pipes: Vec<_> = (0..PIPES).map(|_| pipe()).collect::<Result<_, _>>()?;
    let theirs = pipes.clone();
    let outcomes = in_threads(2 * count, move |number| {
        let mut random = Random(number);
        let pipe = theirs[(number / 2 % PIPES) as usize];
        nap(&mut random)?;
        let passed =
            if number % 2 == 0 { read_one(pipe.0) } else { pipe.1.write_all(&[1]).map(|()| 1) };
        nap(&mut random)?;
        passed
    });
    let bytes: usize = outcomes.into_iter().sum::<Result<_, Error>>()?;
    let is_right = bytes as u64 == 2 * count;
    println!(
        "blocked: {} threads on up to {cores} cores, {bytes} bytes, right: {is_right}",
        2 * count
    );
    for (from, to) in pipes {
        from.close()?;
        to.close()?;
    }
    Ok(i32::from(!is_right))
}

fn nap(random: &mut Random) -> Result<(), Error> {
    time::sleep(Duration::from_micros(random.below(LONGEST)))
}

fn read_one(from: Handle) -> Result<usize, Error> {
    from.read(&mut [0])
}
