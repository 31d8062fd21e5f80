//! Gives a child pipes for its input and output between its making and its running, and talks to it.
//!
//!     run childfdmap
#![no_std]
#![no_main]

use programs::Words;
use user::handle::{CONSOLE, ERRORS, INPUT, pipe};
use user::process::{self, Command};
use user::{Error, eprintln, println};

user::main!(main);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("");
    match words.next() {
        None => parent(),
        Some("child") => child(),
        Some(_) => words.refuse(),
    }
}

/// Its input and output are what the parent made them; it can still complain to the console.
fn child() -> Result<i32, Error> {
    let mut said = [0; 2];
    INPUT.read_all(&mut said)?;
    eprintln!("childfdmap: the child reads {:?}", core::str::from_utf8(&said).unwrap_or("?"));
    CONSOLE.write_all(b"YO")?;
    Ok(if said == *b"HI" { 3 } else { 1 })
}

fn parent() -> Result<i32, Error> {
    let (childs_input, to_child) = pipe()?;
    let (from_child, childs_output) = pipe()?;
    let child = Command::new("childfdmap").arg("child").without_handles().create()?;
    let state = process::list().find(|it| it.pid() == child).map_or("gone", |it| it.state());
    println!("childfdmap: the child is {state}");
    let pairs = [(childs_input, INPUT), (childs_output, CONSOLE), (ERRORS, ERRORS)];
    process::give_handles(child, &pairs)?;
    childs_input.close()?;
    childs_output.close()?;
    to_child.write_all(b"HI")?;
    process::run(child)?;
    let late =
        process::give_handles(child, &[(ERRORS, ERRORS)]).map_or_else(Error::name, |()| "ok");
    println!("childfdmap: handles for a child that runs: {late}");
    let mut said = [0; 3];
    let bytes = from_child.read_all(&mut said)?;
    let said = core::str::from_utf8(&said[..bytes]).unwrap_or("?");
    println!("childfdmap: the parent reads {said:?}, the child returns {}", process::wait(child)?);
    Ok(i32::from(said != "YO"))
}
