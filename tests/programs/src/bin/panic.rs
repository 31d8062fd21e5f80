//! Panics, with the text that it is given: the exit code is 101.
//!
//!     run panic out of ideas
#![no_std]
#![no_main]

use programs::Words;

user::main!(main);

fn main() {
    let mut words = Words::new("TEXT…");
    let first = words.next().unwrap_or("on request");
    panic!("{first}{}", if words.next().is_some() { " …" } else { "" });
}
