//! The first program: says hello, from user mode.
//!
//!     run hello
#![no_std]
#![no_main]

use user::println;

user::main!(main);

fn main() {
    println!("Hello from user mode!");
}
