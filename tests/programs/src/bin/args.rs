//! Prints its arguments and who it is.
//!
//!     run args one "two words"
#![no_std]
#![no_main]

use user::{args, println, process};

user::main!(main);

fn main() {
    for (number, argument) in args().enumerate() {
        println!("argv[{number}]={argument}");
    }
    let parent = process::parent().map_or(0, |pid| pid.0);
    println!("pid={} parent={parent} arguments={}", process::id(), args().len());
}
