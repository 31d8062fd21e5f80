//! Grows and shrinks: wants more and fewer cores in every order, and waits each time until it has as many.
//!
//!     run grow 20 1             (20 times, from a seed)
#![no_std]
#![no_main]

use core::time::Duration;
use programs::{Random, Words};
use user::{Error, info, println, threads, time};

user::main!(main);

/// So often is looked whether the cores are there.
const LOOKS: u32 = 10_000;

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[TIMES [SEED]]");
    let (times, mut random) = (words.number(20_u32), Random(words.number(1)));
    words.end();
    let most = info::max_vcores();
    let mut wrong = u32::from(threads::start(1)? != 1) + u32::from(!reaches(1)?);
    wrong += u32::from(threads::want(u16::MAX)? != most) + u32::from(!reaches(most)?);
    for wanted in (1..=most).chain((1..most).rev()) {
        wrong += u32::from(threads::want(wanted)? != wanted) + u32::from(!reaches(wanted)?);
    }
    for _ in 0..times {
        let wanted = 1 + random.below(most.into()) as u16;
        wrong += u32::from(threads::want(wanted)? != wanted) + u32::from(!reaches(wanted)?);
    }
    // Without any the process waits; the end of the sleep brings one back.
    threads::want(0)?;
    wrong += u32::from(!reaches(1)?);
    for _ in 0..times {
        time::sleep(Duration::from_micros(500))?;
        wrong += u32::from(info::vcores() != 1);
    }
    println!("grow: up to {most} cores, {times} times at random, {wrong} wrong");
    Ok(i32::from(wrong != 0))
}

/// Waits until the process has so many cores. What is too much is given back by vcores that have nothing to do, hence
/// the sleep.
fn reaches(wanted: u16) -> Result<bool, Error> {
    for _ in 0..LOOKS {
        if info::vcores() == wanted {
            return Ok(true);
        }
        time::sleep(Duration::from_micros(100))?;
    }
    println!("grow: {} cores instead of {wanted}", info::vcores());
    Ok(false)
}
