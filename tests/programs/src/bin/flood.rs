//! Asks for as much of something as the kernel gives, and tells how much that was and how more was refused.
//!
//!     run flood calls
#![no_std]
#![no_main]

use core::pin::Pin;
use core::time::Duration;
use programs::Words;
use user::calls::{self, Patience};
use user::event::{self, kind};
use user::handle::{self, CONSOLE};
use user::memory::{self, Rights};
use user::process::{self, Command, Pid};
use user::time::{self, Moment};
use user::{Call, Error, println};

extern crate alloc;
use alloc::boxed::Box;
use alloc::vec::Vec;

user::main!(main);

/// More than any limit.
const MANY: u64 = 10_000;
const SECOND: Duration = Duration::from_secs(1);

fn main() -> Result<i32, Error> {
    let mut words = Words::new(
        "calls | alarms | children | pipes | handles | memory | events | output [COUNT], or forever",
    );
    let what = words.word();
    let count = words.number(MANY);
    match what {
        "calls" => calls(count),
        "alarms" => {
            told(what, until_refused(count, |it| time::set_alarm(it, Moment::now() + SECOND)));
        }
        "children" => children(count)?,
        "pipes" => told(what, until_refused(count, |_| handle::pipe().map(|_| ()))),
        "handles" => handles(count)?,
        "memory" => told(
            what,
            until_refused(count, |_| memory::map(1 << 20, Rights::READ_WRITE, 0).map(|_| ())),
        ),
        "events" => events(count)?,
        "output" => output(count)?,
        "forever" => forever(),
        _ => words.refuse(),
    }
    Ok(0)
}

/// How often it was granted, and why not more often.
fn until_refused(most: u64, mut ask: impl FnMut(u64) -> Result<(), Error>) -> (u64, Option<Error>) {
    for nth in 0..most {
        if let Err(error) = ask(nth) {
            return (nth, Some(error));
        }
    }
    (most, None)
}

fn told(what: &str, (granted, refusal): (u64, Option<Error>)) {
    println!(
        "flood {what}: {granted} granted, then {}",
        refusal.map_or("nothing refused", Error::name)
    );
}

/// Sleeps, all at the same time. Dropping them cuts them short.
fn calls(count: u64) {
    let mut sleeps: Vec<Pin<Box<Call<()>>>> = Vec::new();
    let outcome = until_refused(count, |_| {
        let mut call = Box::pin(Call::new(calls::sleep(time::ticks(10 * SECOND))));
        call.as_mut().start();
        // A refusal may come at once or a little later.
        let soon = Moment::now() + SECOND / 1000;
        while !call.is_done() && Moment::now() < soon {
            process::yield_now();
        }
        if let Some(result) = call.result() {
            return result;
        }
        sleeps.push(call);
        Ok(())
    });
    let answers = calls::null().call().is_ok();
    // As long as they go on, not even printing is among the calls that are granted.
    drop(sleeps);
    told("calls", outcome);
    println!("flood calls: the kernel still answers: {answers}");
}

/// Children that never run. All are ended and reaped.
fn children(count: u64) -> Result<(), Error> {
    let mut made: Vec<Pid> = Vec::new();
    told(
        "children",
        until_refused(count, |_| Command::new("true").create().map(|pid| made.push(pid))),
    );
    for child in &made {
        process::destroy(*child, 1)?;
    }
    let reaped = made.iter().filter(|_| process::wait_any().is_ok()).count();
    println!("flood children: {reaped} of {} reaped", made.len());
    Ok(())
}

/// A pipe filled to the brim, and another handle for each of its ends, as far as a child can have them.
fn handles(count: u64) -> Result<(), Error> {
    let (reader, writer) = handle::pipe()?;
    let child = Command::new("true").without_handles().create()?;
    let give = |nth: u64| {
        let theirs = handle::Handle(u8::try_from(nth).unwrap_or(u8::MAX));
        process::give_handles(child, &[(reader, theirs)])
    };
    told("handles", until_refused(count, give));
    process::destroy(child, 1)?;
    process::wait(child)?;
    let fill = |_| match calls::write(writer, &[7; 64], Patience::Now).call() {
        Ok(64) => Ok(()),
        Ok(_) => Err(Error::Again),
        Err(error) => Err(error),
    };
    told("handles: pieces of 64 bytes", until_refused(count, fill));
    Ok(())
}

/// Events to itself, which it doesn't read meanwhile.
fn events(count: u64) -> Result<(), Error> {
    const KIND: u16 = 40;
    let vcore = 0;
    for nth in 0..count.min(1000) {
        calls::notify_self(vcore, KIND, nth).call()?;
    }
    let (mut read, mut other) = (0_u64, 0_u64);
    while let Some(event) = event::take() {
        if event.kind == KIND {
            read += 1;
        } else {
            other += u64::from(event.kind != kind::CALL_DONE);
        }
    }
    let lost = event::take_overflow(KIND);
    println!(
        "flood events: {} sent, {read} read, others: {other}, lost some: {lost}",
        count.min(1000)
    );
    Ok(())
}

/// Calls without end, of which each makes work for the kernel; what is refused is asked for again.
fn forever() -> ! {
    loop {
        let _ = Command::new("true").spawn();
        let _ = handle::pipe().map(|(reader, writer)| (reader.close(), writer.close()));
        let _ = time::set_alarm(1, Moment::now());
        let _ = calls::notify_self(0, 41, 0).call();
        let _ = process::ended();
    }
}

fn output(count: u64) -> Result<(), Error> {
    for line in 0..count.min(1000) {
        println!("flood output {line}: as many lines as the console takes, and then some more");
    }
    CONSOLE.write_all(b"flood output: done\n")
}
