//! Alarms: one that rings once, one that rings every so often, one that is taken back.
//!
//!     run alarms 5 10      (5 periods of 10 ms)
#![no_std]
#![no_main]

use core::time::Duration;
use programs::Words;
use user::event::{self, kind};
use user::time::{self, Moment};
use user::{Error, println};

user::main!(main);

const ONCE: u64 = 1;
const PERIODIC: u64 = 2;
const NEVER: u64 = 3;

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[PERIODS [MILLISECONDS]]");
    let (periods, period) = (words.number(3_u32), Duration::from_millis(words.number(10)));
    words.end();
    let start = Moment::now();
    let never = start + 20 * period;
    time::set_alarm(NEVER, never)?;
    time::cancel_alarm(NEVER)?;
    time::set_alarm(ONCE, start + period / 2)?;
    let first = wait_for_alarm();
    let late = start.elapsed();
    println!("alarms: alarm {first} after {} us", late.as_micros());
    let start = Moment::now();
    time::set_periodic_alarm(PERIODIC, period)?;
    let mut is_right = first == ONCE && late >= period / 2;
    for _ in 0..periods {
        is_right &= wait_for_alarm() == PERIODIC;
    }
    time::cancel_alarm(PERIODIC)?;
    let took = start.elapsed();
    is_right &= took >= period * periods;
    time::set_alarm(ONCE, never + period)?;
    is_right &= wait_for_alarm() == ONCE;
    println!(
        "alarms: {periods} periods of {period:?} took {} us, right: {is_right}",
        took.as_micros()
    );
    Ok(i32::from(!is_right))
}

fn wait_for_alarm() -> u64 {
    event::wait_for(|event| event.kind == kind::ALARM).value
}
