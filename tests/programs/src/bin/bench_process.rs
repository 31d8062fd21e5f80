//! What the experiment `process` runs: measures one operation as often as asked, and prints a line with the clock's
//! ticks for each time. A second process that an operation needs is this program as well.
//!
//!     run bench_process null-syscall 8
#![no_std]
#![no_main]

use programs::{MOST_ROUNDS, Words, measured};
use user::handle::{self, Handle, pipe};
use user::measure::{self, begin};
use user::memory::{Mapping, Rights};
use user::process::{self, Command, Pid};
use user::{Error, calls, event, exit};

user::main!(main);

const USAGE: &str = "OPERATION ROUNDS";

/// The kind of the event that wakes the other process.
const WAKE: u16 = 100;
/// Where the other process finds its ends of the pipes.
const IN: Handle = Handle(3);
const OUT: Handle = Handle(4);

/// The smallest program, as a child.
const SMALL: &str = "true";
/// This program's name, and the words by which it is the other process.
const SELF: &str = "bench_process";
const YIELDER: &str = "as-yielder";
const SLEEPER: &str = "as-sleeper";
const ECHO: &str = "as-echo";
const EXITING: &str = "as-exiting";

fn main() -> Result<(), Error> {
    let mut words = Words::new(USAGE);
    let operation = words.word();
    let rounds = words.number(8_usize).clamp(1, MOST_ROUNDS);
    words.end();
    match operation {
        "null-syscall" => measured(rounds, &mut || Ok(measure::null_call())),
        "switch" => switch(rounds),
        "event-wake" => event_wake(rounds),
        "pipe-round-trip" => pipe_round_trip(rounds),
        "sleep-0" => measured(rounds, &mut || timed(|| calls::sleep(0).call())),
        "console-write" => measured(rounds, &mut || timed(|| handle::ERRORS.write_all(b"\n"))),
        "page-fault" => page_fault(rounds),
        "create" => create(rounds),
        "exit-wait" => exit_wait(rounds),
        "spawn-exit-wait" => measured(rounds, &mut || timed(spawn_and_wait)),
        YIELDER => loop {
            process::yield_now();
        },
        SLEEPER => loop {
            let _ = event::wait_for(|event| event.kind == WAKE);
        },
        ECHO => echo(),
        EXITING => exit(begin().low().cast_signed()),
        _ => Words::new(USAGE).refuse(),
    }
}

#[inline(always)]
fn timed<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<u64, Error> {
    let open = begin();
    let outcome = work();
    let ticks = open.end();
    outcome.map(|_| ticks)
}

fn end(child: Pid) -> Result<(), Error> {
    process::destroy(child, 0)?;
    process::wait(child).map(|_| ())
}

/// To the other process and back.
fn switch(rounds: usize) -> Result<(), Error> {
    let other = Command::new(SELF).arg(YIELDER).spawn()?;
    let away_and_back = || {
        process::yield_now();
        Ok(())
    };
    measured(rounds, &mut || timed(away_and_back))?;
    end(other)
}

/// Wakes the other process, which blocks until there is an event, and lets it run until it blocks again.
fn event_wake(rounds: usize) -> Result<(), Error> {
    let other = Command::new(SELF).arg(SLEEPER).spawn()?;
    let wake = || process::notify(other, WAKE, 0).map(|()| process::yield_now());
    process::yield_now();
    measured(rounds, &mut || timed(wake))?;
    end(other)
}

/// A byte to the other process and back.
fn pipe_round_trip(rounds: usize) -> Result<(), Error> {
    let ((their_in, my_out), (my_in, their_out)) = (pipe()?, pipe()?);
    let other = Command::new(SELF).arg(ECHO).create()?;
    process::give_handles(other, &[(their_in, IN), (their_out, OUT)])?;
    process::run(other)?;
    let mut byte = [0];
    let mut there_and_back = || {
        my_out.write_all(b"a")?;
        my_in.read(&mut byte)
    };
    measured(rounds, &mut || timed(&mut there_and_back))?;
    end(other)
}

fn echo() -> Result<(), Error> {
    let mut byte = [0];
    while IN.read(&mut byte)? == 1 {
        OUT.write_all(&byte)?;
    }
    Ok(())
}

/// The first touch of a page whose memory comes when it is used, as the stack's does.
fn page_fault(rounds: usize) -> Result<(), Error> {
    const PAGE: usize = 4096;
    let mut mapping = Mapping::new(rounds * PAGE, Rights::READ_WRITE, 0)?;
    let mut bytes = mapping.bytes_mut().iter_mut().step_by(PAGE);
    measured(rounds, &mut || {
        bytes.next().map_or(Err(Error::NoMemory), |byte| {
            timed(|| {
                *core::hint::black_box(byte) = 1;
                Ok(())
            })
        })
    })
}

/// Makes a child, which never runs.
fn create(rounds: usize) -> Result<(), Error> {
    measured(rounds, &mut || {
        let open = begin();
        let child = Command::new(SMALL).create();
        let ticks = open.end();
        end(child?)?;
        Ok(ticks)
    })
}

/// From a child's decision to end until its parent, which waits for it, knows.
fn exit_wait(rounds: usize) -> Result<(), Error> {
    measured(rounds, &mut || {
        let child = Command::new(SELF).arg(EXITING).spawn()?;
        let code = process::wait(child);
        let ended = measure::end();
        Ok(measure::since(code?.cast_unsigned(), ended))
    })
}

/// A child that does nothing, from its making until it is reaped.
fn spawn_and_wait() -> Result<i32, Error> {
    process::wait(Command::new(SMALL).spawn()?)
}
