//! Tells which events come, until so many have come.
//!
//!     run events 2 &
//!     notify 1 100 7
//!     kill -15 1
#![no_std]
#![no_main]

use programs::Words;
use user::event::{self, kind};
use user::{Error, println};

user::main!(main);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[EVENTS]");
    let count = words.number(1_u64);
    words.end();
    for _ in 0..count {
        let event = event::wait();
        match event.kind {
            kind::SIGNAL => println!("signal {}", event.value),
            kind => println!("event {kind} with {}", event.value),
        }
    }
    Ok(0)
}
