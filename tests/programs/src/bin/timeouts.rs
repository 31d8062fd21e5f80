//! Threads that wait for a while only: for a mutex, a condition, a channel, the end of a thread, and for nothing. Each must be
//! woken in time if what it waits for comes, and by the time alone if it does not.
//!
//!     run timeouts 12 20 3      (12 threads, 20 rounds each, on 3 cores)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;
use core::time::Duration;
use programs::{Random, Words, in_threads};
use user::threads::sync::{Condvar, Mutex, channel};
use user::threads::{self, sleep_until};
use user::time::Moment;
use user::{Error, println};

user::main!(main);

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(600);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[THREADS [ROUNDS [CORES]]]");
    let (count, rounds, cores) = (words.number(12_u64), words.number(20_u64), words.number(2));
    words.end();
    let cores = threads::start(cores)?;
    let wrong: u32 = in_threads(count, move |number| {
        let mut random = Random(number);
        (0..rounds).map(|_| round(Duration::from_micros(random.below(300)))).sum::<u32>()
    })
    .into_iter()
    .sum();
    println!("timeouts: {count} threads on up to {cores} cores, {wrong} wrong");
    Ok(i32::from(wrong != 0))
}

/// How much of it went wrong.
fn round(span: Duration) -> u32 {
    let checks = [
        sleeps(span),
        mutex_is_late(span) && mutex_is_in_time(span),
        condition_is_late(span) && condition_is_in_time(span),
        channel_is_late(span) && channel_is_in_time(span),
        join_is_late(span) && join_is_in_time(span),
    ];
    checks.into_iter().filter(|is_right| !is_right).count() as u32
}

/// Is something that takes too long given up after the span, and not before?
fn is_late(span: Duration, gives_up: impl FnOnce() -> bool) -> bool {
    let end = Moment::now() + span;
    gives_up() && Moment::now() >= end
}

fn sleeps(span: Duration) -> bool {
    is_late(span, || {
        sleep_until(Moment::now() + span);
        true
    })
}

fn mutex_is_late(span: Duration) -> bool {
    let mutex = Mutex::new(());
    let _held = mutex.lock();
    is_late(span, || mutex.lock_timeout(span).is_none())
}

fn mutex_is_in_time(span: Duration) -> bool {
    let mutex = Arc::new(Mutex::new(0));
    let theirs = Arc::clone(&mutex);
    let held = mutex.lock();
    let other = threads::spawn(move || theirs.lock_timeout(LONG).map(|mut value| *value += 1));
    sleep_until(Moment::now() + span);
    drop(held);
    other.join().is_some() && *mutex.lock() == 1
}

fn condition_is_late(span: Duration) -> bool {
    let (mutex, never) = (Mutex::new(()), Condvar::new());
    is_late(span, || !never.wait_timeout(mutex.lock(), span).1)
}

fn condition_is_in_time(span: Duration) -> bool {
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let theirs = Arc::clone(&pair);
    let other = threads::spawn(move || {
        sleep_until(Moment::now() + span);
        *theirs.0.lock() = true;
        theirs.1.notify_all();
    });
    let (mut said, mut in_time) = (pair.0.lock(), true);
    while !*said && in_time {
        (said, in_time) = pair.1.wait_timeout(said, LONG);
    }
    let is_right = *said && in_time;
    drop(said);
    other.join();
    is_right
}

fn channel_is_late(span: Duration) -> bool {
    let (sender, receiver) = channel::<u64>();
    let is_right = is_late(span, || receiver.receive_timeout(span).is_err());
    drop(sender);
    is_right && receiver.receive_timeout(LONG) == Ok(None)
}

fn channel_is_in_time(span: Duration) -> bool {
    let (sender, receiver) = channel();
    let other = threads::spawn(move || {
        sleep_until(Moment::now() + span);
        sender.send(7_u64);
    });
    let is_right = receiver.receive_timeout(LONG) == Ok(Some(7));
    other.join();
    is_right
}

fn join_is_late(span: Duration) -> bool {
    let (sender, receiver) = channel::<u64>();
    let other = threads::spawn(move || receiver.receive());
    let end = Moment::now() + span;
    let Err(other) = other.outcome_timeout(span) else { return false };
    let is_right = Moment::now() >= end;
    sender.send(3);
    is_right && other.join() == Some(3)
}

fn join_is_in_time(span: Duration) -> bool {
    let other = threads::spawn(move || {
        sleep_until(Moment::now() + span);
        5
    });
    other.outcome_timeout(LONG).is_ok_and(|outcome| outcome == Ok(5))
}
