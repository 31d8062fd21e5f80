//! Vcores that give their cores back in every order, vcore 0 among them, down to any one that is left; which asks for all cores
//! again, and each of the others begins anew, once.
//!
//!     run yields 3 30           (up to three vcores, 30 times where the orders are too many)
//!
//! `user::threads` gives cores back as it sees fit; so this stands on `user::raw`. The only thread lies aside meanwhile,
//! because every vcore has its turn to be the one that is left.
#![no_std]
#![no_main]

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};
use programs::{Random, Words};
use user::proto::program::wishes;
use user::raw::here::Here;
use user::raw::list::List;
use user::raw::lock::Lock;
use user::raw::page::WISHES;
use user::raw::thread::{Parked, leave};
use user::raw::vcore;
use user::{Error, calls, info, println};

user::main!(main);

/// Vcores of which all orders are tried.
const FEW: u16 = 4;
const MOST: usize = 256;

/// The thread, while it lies aside.
static ASIDE: Lock<List> = Lock::new(List::new());
/// Vcores, and how often an order is tried; which one it is, counted from 1.
static VCORES: AtomicU32 = AtomicU32::new(0);
static TIMES: AtomicU32 = AtomicU32::new(0);
static TIME: AtomicU32 = AtomicU32::new(0);
static WRONG: AtomicU32 = AtomicU32::new(0);
/// Of each vcore: the last time that it is to give its core back; that it has set out to; and how often it was entered.
static ASKED: [AtomicU32; MOST] = [const { AtomicU32::new(0) }; MOST];
static LEFT: [AtomicU32; MOST] = [const { AtomicU32::new(0) }; MOST];
static ENTERED: [AtomicU32; MOST] = [const { AtomicU32::new(0) }; MOST];

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[VCORES [TIMES]]");
    let (wanted, times) = (words.number(info::max_vcores()), words.number(20_u32));
    words.end();
    let wanted = wanted.clamp(1, info::max_vcores().max(1));
    if info::max_vcores() == 0 || vcore::start(vcore::make(), entered) < 0 {
        return Err(Error::NoDevice);
    }
    VCORES.store(wanted.into(), Ordering::Relaxed);
    let orders = (1..=u32::from(wanted)).product();
    TIMES.store(if wanted <= FEW { orders } else { times }, Ordering::Relaxed);
    WISHES.u16(wishes::CORES).store(wanted, Ordering::Release);
    calls::poke().spin()?;
    until(|| info::vcores() == wanted);
    until(|| (1..usize::from(wanted)).all(|it| ENTERED[it].load(Ordering::Acquire) > 0));
    leave(|here, thread| {
        ASIDE.with_here(here, |aside| aside.push(thread));
        TIME.store(1, Ordering::Release);
        take_part(here)
    });
    let (times, wrong) = (TIMES.load(Ordering::Relaxed), WRONG.load(Ordering::Acquire));
    println!("yields: {wanted} vcores, {times} orders, {wrong} wrong");
    Ok(i32::from(wrong != 0))
}

/// Spins until something is so.
fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        spin_loop();
    }
}

/// The vcores in the order of that time: all but the last give their cores back, one after the other.
fn order(time: u32) -> ([u16; MOST], usize) {
    let count = VCORES.load(Ordering::Relaxed) as usize;
    let mut order: [u16; MOST] = core::array::from_fn(|at| at as u16);
    let (mut rest, mut random) = (u64::from(time - 1), Random(time.into()));
    for at in (1..count).rev() {
        let size = at as u64 + 1;
        // All orders have a number each, if there are few.
        let chosen = if count <= FEW.into() { rest % size } else { random.below(size) };
        rest /= size;
        order.swap(at, chosen as usize);
    }
    (order, count)
}

fn entered(here: &Here, interrupted: Option<Parked>) -> Parked {
    look(here);
    if let Some(thread) = interrupted {
        return thread;
    }
    ENTERED[usize::from(here.vcore().number())].fetch_add(1, Ordering::AcqRel);
    take_part(here)
}

fn look(here: &Here) {
    here.begin_look();
    while here.take_event().is_some() {}
}

/// Gives the core back whenever it is this vcore's turn, and sees to the others whenever it is to be the one that is left.
fn take_part(here: &Here) -> Parked {
    let number = usize::from(here.vcore().number());
    loop {
        let time = TIME.load(Ordering::Acquire);
        let is_over = time > TIMES.load(Ordering::Relaxed);
        if is_over && let Some(thread) = ASIDE.with_here(here, List::pop) {
            return thread;
        }
        if !is_over && time > 0 {
            let (order, count) = order(time);
            if usize::from(order[count - 1]) == number {
                let wrong = see_to(time, &order[..count]);
                WRONG.fetch_add(wrong, Ordering::AcqRel);
                TIME.store(time + 1, Ordering::Release);
            } else if ASKED[number].load(Ordering::Acquire) == time
                && LEFT[number].swap(time, Ordering::AcqRel) != time
            {
                // Refused as long as there is something to look at.
                loop {
                    look(here);
                    here.yield_core(0);
                }
            }
        }
        spin_loop();
    }
}

/// Has all others give their cores back, and come again; how much was not as it should have been.
fn see_to(time: u32, order: &[u16]) -> u32 {
    let entries = |vcore: u16| ENTERED[usize::from(vcore)].load(Ordering::Acquire);
    let before: [u32; MOST] = core::array::from_fn(|it| ENTERED[it].load(Ordering::Acquire));
    let Some((me, others)) = order.split_last() else { return 1 };
    let mut wrong = u32::from(usize::from(info::vcores()) != order.len());
    WISHES.u16(wishes::CORES).store(1, Ordering::Release);
    for (left, vcore) in (1..order.len()).rev().zip(others) {
        ASKED[usize::from(*vcore)].store(time, Ordering::Release);
        until(|| usize::from(info::vcores()) == left);
        wrong += u32::from(info::place(*vcore).is_there) + u32::from(!info::place(*me).is_there);
    }
    WISHES.u16(wishes::CORES).store(order.len() as u16, Ordering::Release);
    // Nothing is asked of the kernel that could fail: fewer cores than that would never be enough.
    wrong += u32::from(calls::poke().spin() != Ok(order.len() as u32));
    until(|| usize::from(info::vcores()) == order.len());
    until(|| others.iter().all(|it| entries(*it) > before[usize::from(*it)]));
    let anew = others.iter().filter(|it| entries(**it) != before[usize::from(**it)] + 1).count();
    wrong + anew as u32 + u32::from(entries(*me) != before[usize::from(*me)])
}
