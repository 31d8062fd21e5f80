//! A tree of processes: each makes WIDTH children until the tree is DEPTH deep, waits for them, and returns how
//! many processes there were below it and itself. Before that, what cannot work is tried: a program that isn't there, a
//! process that isn't there, and the calls by which Unix makes processes.
//!
//!     run spawn 2 3
#![no_std]
#![no_main]

use programs::Words;
use user::process::{self, Command, Pid};
use user::{Error, args, calls, println};

user::main!(main);

/// Deep or wide trees would only meet the limits on children.
const MOST: u32 = 6;

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[DEPTH [WIDTH [PLACE]]]");
    let (depth, width) = (words.number(2_u32), words.number(2_u32));
    let place = words.next().unwrap_or("0");
    if depth > MOST || width > MOST {
        words.refuse();
    }
    words.end();
    if place == "0" {
        try_what_cannot_work();
    }
    let parent = process::parent().map_or(0, |pid| pid.0);
    println!("spawn {place}: pid {} of {parent}, {} arguments", process::id(), args().len());
    let below = if depth == 0 { 0 } else { tree(depth - 1, width, place)? };
    if place == "0" {
        println!(
            "spawn: {} processes, none left: {}",
            below + 1,
            process::wait_any() == Err(Error::NoChild)
        );
        return Ok(0);
    }
    Ok(below + 1)
}

fn try_what_cannot_work() {
    let wrong = Command::new("no-such-program").spawn();
    println!("no such program: {}", wrong.expect_err("there is none").name());
    let nobody = Pid(u16::MAX);
    println!("no such process: {}", process::run(nobody).expect_err("there is none").name());
    println!("fork: {}", calls::fork().call().map_or_else(Error::name, |_| "?"));
    println!("exec: {}", calls::exec().call().map_or_else(Error::name, |()| "?"));
}

/// Makes the children, and waits for them, in the order in which they were made; adds up their exit codes.
fn tree(depth: u32, width: u32, place: &str) -> Result<i32, Error> {
    let mut children = [None; MOST as usize];
    for (child, number) in children.iter_mut().zip(1..=width) {
        let command = Command::new("spawn").arg(depth).arg(width);
        let command = command.arg(format_args!("{place}.{number}"));
        *child = Some(command.spawn()?);
    }
    children.into_iter().flatten().map(process::wait).sum()
}
