//! Makes calls that do nothing, as fast as it can.
//!
//!     run nulls 100000
#![no_std]
#![no_main]

use programs::Words;
use user::{Error, calls, println};

user::main!(main);

fn main() -> Result<(), Error> {
    let mut words = Words::new("[CALLS]");
    let count = words.number(1000_u32);
    words.end();
    for _ in 0..count {
        calls::null().call()?;
    }
    println!("nulls: {count} calls");
    Ok(())
}
