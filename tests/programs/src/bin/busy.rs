//! Counts for a while, and prints how far it came: who has how much of a core.
//!
//!     run busy 500 &
#![no_std]
#![no_main]

use core::hint::black_box;
use core::time::Duration;
use programs::Words;
use user::time::Moment;
use user::{Error, println, process};

user::main!(main);

/// Rounds between two looks at the clock.
const ROUNDS: u64 = 1000;

fn main() -> Result<(), Error> {
    let mut words = Words::new("[MILLISECONDS]");
    let span = Duration::from_millis(words.number(100));
    words.end();
    let (start, mut count) = (Moment::now(), 0_u64);
    while start.elapsed() < span {
        for _ in 0..ROUNDS {
            count = black_box(count + 1);
        }
    }
    println!("busy {}: {count} in {} ms", process::id(), start.elapsed().as_millis());
    Ok(())
}
