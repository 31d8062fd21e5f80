//! Ping-pong between a parent and its child: the parent sends an event, the child answers through a pipe.
//!
//! A process may send events to its descendants only, hence the pipe back. In the end the parent ends the child, and
//! comes to the end of the pipe, whose last writer is gone.
//!
//!     run pingpong 100
#![no_std]
#![no_main]

use programs::Words;
use user::event::{self, Event};
use user::handle::{Handle, pipe};
use user::process::{self, Command, Pid};
use user::time::Moment;
use user::{Error, println};

user::main!(main);

/// The kind of our events, and of the one by which the child says that it listens.
const PING: u16 = 100;
/// Where the child finds the pipe's end to write to.
const BACK: Handle = Handle(3);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[ROUNDS]");
    let first = words.next().unwrap_or("10");
    words.end();
    match (first, first.parse()) {
        ("child", _) => child(),
        (_, Ok(rounds)) => parent(rounds),
        _ => Words::new("[ROUNDS]").refuse(),
    }
}

/// Answers each event by its value plus one.
fn child() -> Result<i32, Error> {
    // The parent may not send before this is here to look.
    BACK.write_all(&0_u64.to_le_bytes())?;
    loop {
        let Event { value, .. } = event::wait_for(|event| event.kind == PING);
        BACK.write_all(&(value + 1).to_le_bytes())?;
    }
}

fn parent(rounds: u64) -> Result<i32, Error> {
    let (from_child, to_parent) = pipe()?;
    let child = Command::new("pingpong").arg("child").without_handles().create()?;
    process::give_handles(child, &[(to_parent, BACK)])?;
    process::run(child)?;
    // Now the child is the only one who writes, so its death is the end of the pipe.
    to_parent.close()?;
    let answer = |expected: u64| -> Result<bool, Error> {
        let mut bytes = [0; 8];
        Ok(from_child.read_all(&mut bytes)? == 8 && u64::from_le_bytes(bytes) == expected)
    };
    let mut is_right = answer(0)?;
    let start = Moment::now();
    for round in 0..rounds {
        process::notify(child, PING, round)?;
        is_right &= answer(round + 1)?;
    }
    let took = start.elapsed();
    finish(child, from_child)?;
    println!("pingpong: {rounds} rounds, answers right: {is_right}, {took:?}");
    Ok(i32::from(!is_right))
}

/// Ends the child, and sees the pipe's end and the exit code.
fn finish(child: Pid, from_child: Handle) -> Result<(), Error> {
    process::destroy(child, 7)?;
    let at_end = from_child.read(&mut [0; 8])?;
    println!(
        "pingpong: the child is gone, {at_end} bytes left, exit code {}",
        process::wait(child)?
    );
    Ok(())
}
