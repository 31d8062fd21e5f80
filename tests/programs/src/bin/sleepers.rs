//! Children that sleep for different times, started with the longest first: they end in order of their times.
//!
//!     run sleepers 5 20      (5 of them, 20 ms apart)
#![no_std]
#![no_main]

use core::time::Duration;
use programs::Words;
use user::process::{self, Command};
use user::time::{self, Moment};
use user::{Error, println};

user::main!(main);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[COUNT [MILLISECONDS]]");
    let first = words.next().unwrap_or("4");
    let step: u64 = words.number(20);
    words.end();
    match (first, first.parse::<u64>()) {
        ("child", _) => child(step),
        (_, Ok(count)) => parent(count, step),
        _ => Words::new("[COUNT [MILLISECONDS]]").refuse(),
    }
}

fn child(milliseconds: u64) -> Result<i32, Error> {
    let (span, start) = (Duration::from_millis(milliseconds), Moment::now());
    time::sleep(span)?;
    let slept = start.elapsed();
    println!("sleeper: wanted {milliseconds} ms, slept {} us", slept.as_micros());
    Ok(i32::from(slept < span))
}

fn parent(count: u64, step: u64) -> Result<i32, Error> {
    for nth in (1..=count).rev() {
        Command::new("sleepers").arg("child").arg(nth * step).spawn()?;
    }
    let mut too_short = 0;
    for _ in 0..count {
        too_short += process::wait_any()?.code;
    }
    println!("sleepers: {count} slept, {too_short} too short");
    Ok(too_short)
}
