//! Vcores that halt, in every order, and go on when they are told to, in every order; those that are not told stay asleep. Then
//! all of them halt, and an alarm wakes the process.
//!
//!     run halts 3 30            (up to three vcores, 30 times where the orders are too many)
//!
//! Each vcore is told by an event of its own: before it halts, as it does, or while it sleeps. One that missed it would
//! sleep for ever. `user::threads` halts vcores as it sees fit; so this stands on `user::raw`.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;
use programs::{Random, Words};
use user::proto::program::wishes;
use user::raw::here::Here;
use user::raw::page::WISHES;
use user::raw::thread::{Parked, leave};
use user::raw::vcore;
use user::time::{Moment, ticks};
use user::{Error, calls, info, println};

user::main!(main);

/// Vcores beside vcore 0 of which all orders are tried.
const FEW: usize = 3;
const MOST: usize = 256;
const ALARM: u64 = 7;

/// Of each vcore: the time for which it is to halt, counted from 1; the last that it has set out to; the last from which it is
/// to go on; the last from which it has.
static ASKED: [AtomicU32; MOST] = [const { AtomicU32::new(0) }; MOST];
static HALTED: [AtomicU32; MOST] = [const { AtomicU32::new(0) }; MOST];
static TOLD: [AtomicU32; MOST] = [const { AtomicU32::new(0) }; MOST];
static WOKEN: [AtomicU32; MOST] = [const { AtomicU32::new(0) }; MOST];
/// How often a halt of it was over.
static RETURNS: [AtomicU32; MOST] = [const { AtomicU32::new(0) }; MOST];
/// The moment for which all wait.
static MOMENT: AtomicU64 = AtomicU64::new(0);

/// When a vcore is told.
#[derive(Clone, Copy, Debug)]
enum Told {
    Before,
    Meanwhile,
    Asleep,
}

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[VCORES [TIMES]]");
    let (wanted, times) = (words.number(info::max_vcores()), words.number(20_usize));
    words.end();
    let wanted = wanted.clamp(1, info::max_vcores().max(1));
    if info::max_vcores() == 0 || vcore::start(vcore::make(), entered) < 0 {
        return Err(Error::NoDevice);
    }
    WISHES.u16(wishes::CORES).store(wanted, Ordering::Release);
    calls::poke().spin()?;
    while info::vcores() < wanted {
        spin_loop();
    }
    let others = usize::from(wanted) - 1;
    let (mut tried, mut wrong) = (0, 0);
    for (halting, waking) in orders(others, times) {
        for when in [Told::Asleep, Told::Meanwhile, Told::Before] {
            tried += 1;
            wrong += halt_and_wake(&halting, &waking, when);
        }
    }
    let told: u32 = TOLD.iter().map(|it| it.load(Ordering::Relaxed)).sum();
    let returns: u32 = RETURNS.iter().map(|it| it.load(Ordering::Relaxed)).sum();
    let late = (0..times).filter(|_| !all_halt()).count();
    println!("halts: {wanted} vcores, {tried} times in every order, {wrong} wrong");
    println!(
        "halts: told {told} times, woken {returns} times; all asleep {times} times, {late} late"
    );
    // Who is told before it halts does not. A core also wakes for messages, and when it is taken away; one that does not
    // sleep at all would be back far more often.
    let slept = others == 0 || (returns > 0 && returns <= 10 * told + 1000);
    Ok(i32::from(wrong != 0 || late != 0 || !slept))
}

/// The orders in which to halt and to be told.
fn orders(others: usize, times: usize) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut random = Random(others as u64);
    if others <= FEW {
        let all = permutations(others);
        let pairs = all.iter().flat_map(|one| all.iter().map(|other| (one.clone(), other.clone())));
        return pairs.collect();
    }
    let mut shuffled = || {
        let mut order: Vec<usize> = (1..=others).collect();
        for at in (1..others).rev() {
            order.swap(at, random.below(at as u64 + 1) as usize);
        }
        order
    };
    (0..times).map(|_| (shuffled(), shuffled())).collect()
}

/// All orders of the numbers from 1 on.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all = alloc::vec![Vec::new()];
    for number in 1..=count {
        let with = |order: Vec<usize>| {
            (0..=order.len()).map(move |at| {
                let mut longer = order.clone();
                longer.insert(at, number);
                longer
            })
        };
        all = all.into_iter().flat_map(with).collect();
    }
    all
}

/// Has all halt and go on, each in its turn; how many were not as they should have been.
fn halt_and_wake(halting: &[usize], waking: &[usize], when: Told) -> usize {
    let time = WOKEN[halting.first().copied().unwrap_or(0)].load(Ordering::Relaxed) + 1;
    let mut wrong = 0;
    for &number in halting {
        if matches!(when, Told::Before) {
            tell(number, time);
        }
        ASKED[number].store(time, Ordering::Release);
        if matches!(when, Told::Meanwhile) {
            tell(number, time);
        } else {
            until(&HALTED[number], time);
        }
    }
    if matches!(when, Told::Asleep) {
        for (at, &number) in waking.iter().enumerate() {
            let asleep = &waking[at + 1..];
            let woken = || asleep.iter().filter(|it| WOKEN[**it].load(Ordering::Relaxed) >= time);
            wrong += woken().count();
            tell(number, time);
            until(&WOKEN[number], time);
            wrong += woken().count();
        }
    }
    halting.iter().for_each(|number| until(&WOKEN[*number], time));
    wrong
}

fn tell(number: usize, time: u32) {
    TOLD[number].store(time, Ordering::Release);
    vcore::vcore(number as u16).ring();
}

fn until(count: &AtomicU32, time: u32) {
    while count.load(Ordering::Acquire) < time {
        spin_loop();
    }
}

/// All vcores halt until an alarm rings; says whether this one goes on when it has and not before.
fn all_halt() -> bool {
    let moment = Moment::now().0 + ticks(Duration::from_millis(2));
    MOMENT.store(moment, Ordering::Release);
    let time = HALTED[1].load(Ordering::Relaxed) + 1;
    ASKED.iter().for_each(|it| it.store(time, Ordering::Release));
    if calls::alarm(ALARM, moment, 0).spin().is_err() {
        return false;
    }
    // In vcore context, as the others.
    leave(|here, thread| {
        while Moment::now().0 < moment {
            here.begin_look();
            while here.take_event().is_some() {}
            if Moment::now().0 < moment {
                here.halt();
            }
        }
        thread
    });
    (1..usize::from(info::vcores())).for_each(|number| tell(number, time));
    (1..usize::from(info::vcores())).for_each(|number| until(&WOKEN[number], time));
    Moment::now().0 >= moment
}

/// Vcore 0 goes on with the only thread; all others halt when they are asked to.
fn entered(here: &Here, interrupted: Option<Parked>) -> Parked {
    here.begin_look();
    while here.take_event().is_some() {}
    if let Some(thread) = interrupted {
        return thread;
    }
    let number = usize::from(here.vcore().number());
    for time in 1.. {
        until(&ASKED[number], time);
        HALTED[number].store(time, Ordering::Release);
        loop {
            // Before looking whether it is told, so that what comes from now on ends the halt.
            here.begin_look();
            while here.take_event().is_some() {}
            if TOLD[number].load(Ordering::Acquire) >= time {
                break;
            }
            here.halt();
            RETURNS[number].fetch_add(1, Ordering::Relaxed);
            let moment = MOMENT.load(Ordering::Acquire);
            if moment != 0 && Moment::now().0 >= moment {
                // The alarm may have come to any of them.
                vcore::vcore(0).ring();
            }
        }
        WOKEN[number].store(time, Ordering::Release);
    }
    unreachable!("there is always another time")
}
