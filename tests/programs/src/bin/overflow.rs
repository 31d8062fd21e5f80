//! A stack that overflows, beside those of others: the fault is in the guard below it, and nobody else's stack is written.
//!
//!     run overflow 6 3          (6 threads on 3 cores; the third recurses without end, and the process ends)
//!     run overflow 6 3 handled  (the process ends that thread alone, and goes on)
//!     run overflow 6 3 vcore    (in vcore context, whose stacks are guarded too)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};
use programs::Words;
use user::threads::{self, faults, sync::Barrier, yield_now};
use user::{Error, calls, println};

user::main!(main);

/// The thread that recurses.
const VICTIM: u64 = 2;
/// Rounds of those that don't, after it has begun.
const ROUNDS: u64 = 300;
const OWN_EVENT: u16 = 40;

static HANDLED: AtomicU32 = AtomicU32::new(0);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[THREADS [CORES [handled | vcore]]]");
    let (count, cores) = (words.number(6_u64).max(VICTIM + 1), words.number(2));
    let how = words.next();
    words.end();
    threads::start(cores)?;
    match how {
        None => {}
        Some("handled") => {
            faults::reflect();
            drop(threads::spawn(end_who_faults));
        }
        Some("vcore") => {
            threads::on_event(|_| {
                endless(1);
            });
            println!("overflow: in vcore context");
            calls::notify_self(threads::vcore(), OWN_EVENT, 0).call()?;
            loop {
                yield_now();
            }
        }
        Some(_) => Words::new("[THREADS [CORES [handled | vcore]]]").refuse(),
    }
    let all_have_begun = alloc::sync::Arc::new(Barrier::new(count as usize));
    let spawn = |number| {
        let barrier = all_have_begun.clone();
        threads::spawn(move || work(number, &barrier))
    };
    let all: Vec<_> = (0..count).map(spawn).collect();
    let outcomes: Vec<_> = all.into_iter().map(threads::JoinHandle::outcome).collect();
    let right =
        (0..).zip(&outcomes).filter(|(number, it)| **it == Ok(number * ROUNDS)).count() as u64;
    let handled = HANDLED.load(Ordering::Relaxed);
    println!("overflow: {right} of {count} threads right, {handled} overflowed and was ended");
    Ok(i32::from(right != count - 1 || handled != 1))
}

/// Fills its own stack and checks that it stays so; the victim overflows.
fn work(number: u64, all_have_begun: &Barrier) -> u64 {
    let stack = threads::stack().unwrap_or_default();
    println!("overflow: thread {number} has the stack {:#x} to {:#x}", stack.start, stack.end);
    // Each knows its own by now: the stack next to it is full when one overflows.
    all_have_begun.wait();
    let mut mine = [number; 2500];
    let mut sum = 0;
    for _ in 0..ROUNDS {
        if number == VICTIM {
            sum += endless(1);
        }
        yield_now();
        let is_kept = black_box(&mut mine).iter().all(|it| *it == number);
        sum += if is_kept { number } else { 1 << 40 };
    }
    sum
}

/// Recurses until the stack is full.
#[expect(unconditional_recursion, reason = "it is what this is for")]
fn endless(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    endless(depth + 1) + frame[black_box(7)]
}

/// Ends the threads that fault, and counts those whose stack was full.
fn end_who_faults() {
    loop {
        let faulted = faults::wait();
        let stack = faulted.stack().unwrap_or_default();
        if faulted.has_overflowed() {
            HANDLED.fetch_add(1, Ordering::Relaxed);
            println!("overflow: the stack {:#x} to {:#x} is full", stack.start, stack.end);
        }
        faulted.end();
    }
}
