//! Threads that go on when a core stops for good: those that ran there in that moment are lost, and known to be; all others
//! come to what they should.
//!
//!     run lost 12 3             (12 threads on 3 cores, until a core is lost; "panic 2" takes one)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use programs::Words;
use user::threads::{self, yield_now};
use user::{Error, println};

user::main!(main);

/// Rounds after the loss, and between two times of giving way.
const ROUNDS: u64 = 200;

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[THREADS [CORES]]");
    let (count, cores) = (words.number(12_u64), words.number(2));
    words.end();
    threads::start(cores)?;
    let all: Vec<_> = (0..count).map(|number| threads::spawn(move || work(number))).collect();
    println!("lost: {count} threads run");
    let outcomes: Vec<_> = all.into_iter().map(threads::JoinHandle::outcome).collect();
    let lost = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    let wrong =
        (0..).zip(&outcomes).filter(|(number, it)| it.is_ok_and(|it| it != *number)).count();
    let counted = threads::lost();
    println!("lost: {lost} of {count} threads, {wrong} wrong, {counted} counted");
    Ok(i32::from(wrong != 0 || lost > 1 || lost != counted as usize))
}

/// Works until a thread was lost, and a while longer; comes to its number.
fn work(number: u64) -> u64 {
    let mut sum = number;
    while threads::lost() == 0 {
        sum = spend(sum);
    }
    for _ in 0..ROUNDS {
        sum = spend(sum);
    }
    sum
}

/// Takes some time, most of it outside of the scheduler, and changes nothing.
fn spend(sum: u64) -> u64 {
    let sum = (0..20_000).fold(sum, |sum, it| core::hint::black_box(sum ^ it));
    yield_now();
    (0..20_000).fold(sum, |sum, it| core::hint::black_box(sum ^ it))
}
