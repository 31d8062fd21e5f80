//! Processes that want all cores at once: each counts in threads, and all must come to the end with exact sums.
//!
//!     run contend 2 4 5000      (2 processes of 4 threads, 5000 rounds each)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use programs::Words;
use user::process::{self, Command};
use user::{Error, info, println};

user::main!(main);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[PROCESSES [THREADS [ROUNDS]]]");
    let (count, threads, rounds) =
        (words.number(2_u32), words.number(4_u32), words.number(5_000_u64));
    words.end();
    let cores = info::max_vcores();
    let child = |_| Command::new("threads").arg(threads).arg(rounds).arg(cores).spawn();
    let children: Vec<_> = (0..count).map(child).collect::<Result<_, _>>()?;
    let codes: Vec<_> = children.into_iter().map(process::wait).collect::<Result<_, _>>()?;
    let right = codes.iter().filter(|code| **code == 0).count();
    println!("contend: {count} processes that want {cores} cores each, {right} right");
    Ok(i32::from(right != codes.len()))
}
