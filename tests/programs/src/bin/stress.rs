//! Makes processes and reaps them, several at a time, for a time or a number of rounds.
//!
//!     run stress 60s
//!     run stress 10000 4
#![no_std]
#![no_main]

use core::time::Duration;
use programs::Words;
use user::process::{self, Command};
use user::time::Moment;
use user::{Error, println};

user::main!(main);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[ROUNDS | SECONDSs] [AT-ONCE]");
    let limit = Limit::of(words.next().unwrap_or("100")).unwrap_or_else(|| words.refuse());
    let at_once: u64 = words.number(1);
    words.end();
    let (start, mut made, mut reaped, mut wrong) = (Moment::now(), 0_u64, 0_u64, 0_u64);
    while limit.allows(made, start) || reaped < made {
        if made - reaped < at_once && limit.allows(made, start) {
            Command::new("true").spawn()?;
            made += 1;
        } else {
            wrong += u64::from(process::wait_any()?.code != 0);
            reaped += 1;
        }
    }
    let is_clean = process::wait_any() == Err(Error::NoChild);
    println!(
        "stress: {made} made, {reaped} reaped, {wrong} failed, none left: {is_clean}, {:?}",
        start.elapsed()
    );
    Ok(i32::from(wrong > 0 || !is_clean))
}

/// When it is enough.
enum Limit {
    Rounds(u64),
    Time(Duration),
}

impl Limit {
    fn of(text: &str) -> Option<Self> {
        match text.strip_suffix('s') {
            Some(seconds) => seconds.parse().ok().map(|it| Self::Time(Duration::from_secs(it))),
            None => text.parse().ok().map(Self::Rounds),
        }
    }

    fn allows(&self, made: u64, start: Moment) -> bool {
        match self {
            Self::Rounds(rounds) => made < *rounds,
            Self::Time(time) => start.elapsed() < *time,
        }
    }
}
