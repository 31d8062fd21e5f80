//! Does nothing, successfully: the smallest process that there is.
#![no_std]
#![no_main]

user::main!(main);

fn main() {}
