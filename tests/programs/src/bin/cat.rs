//! Copies what it reads to what it writes, until the end.
//!
//!     run cat        (Ctrl-D ends it)
#![no_std]
#![no_main]

use user::Error;
use user::handle::{CONSOLE, INPUT};

user::main!(main);

fn main() -> Result<(), Error> {
    let mut room = [0; 256];
    loop {
        let bytes = INPUT.read(&mut room)?;
        if bytes == 0 {
            return Ok(());
        }
        CONSOLE.write_all(&room[..bytes])?;
    }
}
