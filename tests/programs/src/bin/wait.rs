//! Waits for children in every way: for one, for any, without waiting, for none; for one that was ended before it ran; and
//! is told of each by an event.
//!
//!     run wait
#![no_std]
#![no_main]

use core::pin::pin;
use core::time::Duration;
use programs::Words;
use user::calls::{self, Patience};
use user::event::{self, kind};
use user::process::{self, Command, Pid};
use user::time::{self, Moment};
use user::{Call, Error, println};

user::main!(main);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("");
    if words.next() == Some("child") {
        return Ok(words.number(0));
    }
    println!("wait: without a child: {}", process::wait_any().map_or_else(Error::name, |_| "?"));
    let [first, second] = [spawn(11)?, spawn(12)?];
    println!("wait: the second returns {}", process::wait(second)?);
    println!("wait: the second again: {}", process::wait(second).map_or_else(Error::name, |_| "?"));
    println!("wait: any is the first: {}", process::wait_any()?.pid == first);
    told_by_event(first, second);
    without_waiting()?;
    never_run()?;
    while_something_else()?;
    without_taking_events()?;
    println!("wait: none left: {}", process::wait_any() == Err(Error::NoChild));
    Ok(0)
}

fn spawn(code: i32) -> Result<Pid, Error> {
    Command::new("wait").arg("child").arg(code).spawn()
}

fn told_by_event(first: Pid, second: Pid) {
    let mut sum = 0;
    for _ in 0..2 {
        sum += event::wait_for(|event| event.kind == kind::CHILD_ENDED).value;
    }
    println!("wait: told of both by events: {}", sum == u64::from(first.0) + u64::from(second.0));
}

fn without_waiting() -> Result<(), Error> {
    // It cannot have ended, for it has not begun.
    let child = Command::new("wait").arg("child").arg(13).create()?;
    println!("wait: nobody has ended yet: {}", process::ended()?.is_none());
    process::run(child)?;
    let _ = event::wait_for(|event| event.kind == kind::CHILD_ENDED);
    let ended = process::ended()?;
    println!("wait: then one has, with {:?}", ended.map(|ended| ended.code));
    Ok(())
}

fn never_run() -> Result<(), Error> {
    let child = Command::new("wait").arg("child").arg(14).create()?;
    process::destroy(child, 99)?;
    println!("wait: ended before it ran: {}", process::wait(child)?);
    Ok(())
}

/// More children end than events are kept, and none of those is ever taken: an alarm is heard all the same.
fn without_taking_events() -> Result<(), Error> {
    for _ in 0..80 {
        let _code = process::wait(spawn(0)?)?;
    }
    time::set_alarm(1, Moment::now() + Duration::from_micros(10))?;
    let rang = event::wait_for(|it| it.kind == kind::ALARM).value;
    println!("wait: events that nobody takes hold up no other: {}", rang == 1);
    println!("wait: but are lost: {}", event::take_overflow(kind::CHILD_ENDED));
    Ok(())
}

/// The call goes on while the program does something else.
fn while_something_else() -> Result<(), Error> {
    let child = Command::new("wait").arg("child").arg(15).create()?;
    let mut call = pin!(Call::new(calls::wait(Some(child), Patience::Wait)));
    call.as_mut().start();
    let before = call.is_done();
    process::run(child)?;
    let ended = call.as_mut().wait()?;
    println!("wait: while something else was done: {before}, {:?}", ended.map(|ended| ended.code));
    let mut call = pin!(Call::new(calls::sleep(u64::MAX / 2)));
    call.as_mut().start();
    call.abort();
    println!("wait: a call that was cut short: {}", call.wait().map_or_else(Error::name, |()| "?"));
    Ok(())
}
