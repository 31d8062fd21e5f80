//! Children that give way to each other, round robin; each goes on where it left off. They begin together: when the
//! pipe that they read from comes to its end.
//!
//!     run yielders 3 4      (3 of them, 4 times each)
#![no_std]
#![no_main]

use programs::Words;
use user::handle::{CONSOLE, INPUT, pipe};
use user::process::{self, Command};
use user::{Error, println};

user::main!(main);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[COUNT [TIMES]]");
    let first = words.next().unwrap_or("3");
    let times: u32 = words.number(3);
    match (first, first.parse::<u32>()) {
        ("child", _) => {
            let name = words.next().unwrap_or("?");
            words.end();
            child(name, times)
        }
        (_, Ok(count)) => {
            words.end();
            parent(count, times)
        }
        _ => words.refuse(),
    }
}

fn child(name: &str, times: u32) -> Result<i32, Error> {
    INPUT.read(&mut [0])?;
    for time in 1..=times {
        process::yield_now();
        println!("yielder {name}: resumed {time} of {times}");
    }
    Ok(0)
}

fn parent(count: u32, times: u32) -> Result<i32, Error> {
    let (start, starter) = pipe()?;
    for name in 1..=count {
        let command = Command::new("yielders").arg("child").arg(times).arg(name);
        let child = command.without_handles().create()?;
        process::give_handles(child, &[(start, INPUT), (CONSOLE, CONSOLE)])?;
        process::run(child)?;
    }
    starter.close()?;
    let mut failed = 0;
    for _ in 0..count {
        failed += i32::from(process::wait_any()?.code != 0);
    }
    println!("yielders: {count} ended, {failed} failed");
    Ok(failed)
}
