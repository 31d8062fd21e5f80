//! Which thread a vcore runs.
//!
//! Each vcore has a ring of threads that it has to run, without a lock. A vcore with nothing in its own takes from the
//! others', and now and then it does so anyway, so that no thread waits for ever behind one that does not give way.

use super::{events, faults, timers};
use crate::info;
use crate::raw::here::Here;
use crate::raw::list::List;
use crate::raw::lock::Lock;
use crate::raw::notify;
use crate::raw::page::{self, WISHES};
use crate::raw::thread::Parked;
use crate::raw::vcore::{self, Vcore};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use proto::program::wishes;

/// Looks for work before a vcore halts.
const LOOKS: u32 = 512;
/// Looks between two at the other vcores, for one that was stopped in the middle.
const LOOKS_FOR_STOPPED: u32 = 64;
/// A vcore looks at the others' threads first once in so many choices: a power of two.
const TURNS: u32 = 32;

/// Threads for which there was no room in a ring, or whose vcore gave its core away.
static REST: Lock<List> = Lock::new(List::new());
/// There are such threads.
static HAS_REST: AtomicBool = AtomicBool::new(false);
/// Vcores that halt, a bit each.
static HALTED: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// A vcore has been entered: it looks at what has come, and goes on with the thread that was interrupted if it can.
pub(super) fn entered(here: &Here, interrupted: Option<Parked>) -> Parked {
    let interrupted = match interrupted {
        Some(thread) if here.has_faulted(&thread) => {
            faults::stand_still(here, thread);
            None
        }
        interrupted => interrupted,
    };
    events::look(here, interrupted).unwrap_or_else(|| find(here))
}

/// Puts the thread behind the others of this vcore, if there are any.
#[inline]
pub(super) fn give_way(here: &Here, thread: Parked) -> Parked {
    let turn = here.count_turn();
    if turn.is_multiple_of(TURNS) || here.vcore().owes_look() {
        return look_and_give_way(here, thread, turn);
    }
    here.exchange_ready(thread).unwrap_or_else(|thread| give_way_to_others(here, thread))
}

/// The same, but for the threads of another vcore if it has any: at each such turn of the next one.
#[cold]
#[inline(never)]
fn look_and_give_way(here: &Here, thread: Parked, turn: u32) -> Parked {
    if here.vcore().is_pending() {
        return give_way_to_others(here, thread);
    }
    let other = vcore::vcore((turn / TURNS % u32::from(vcore::used())) as u16);
    match no_vcores(here).or_else(|| other.take_ready()) {
        Some(next) => {
            put(here, thread);
            next
        }
        None => {
            here.exchange_ready(thread).unwrap_or_else(|thread| give_way_to_others(here, thread))
        }
    }
}

/// Puts the thread behind those of all vcores.
#[cold]
#[inline(never)]
fn give_way_to_others(here: &Here, thread: Parked) -> Parked {
    let is_pending = here.vcore().is_pending();
    let thread = if is_pending { events::look(here, Some(thread)) } else { Some(thread) };
    let Some(thread) = thread else { return find(here) };
    match elsewhere(here).or_else(|| here.vcore().take_ready()) {
        Some(next) => {
            put(here, thread);
            next
        }
        None => thread,
    }
}

/// Who goes on, when the thread that ran here does not.
#[inline]
pub(crate) fn next(here: &Here) -> Parked {
    if !here.count_turn().is_multiple_of(TURNS)
        && !here.vcore().owes_look()
        && let Some(thread) = here.vcore().take_ready()
    {
        return thread;
    }
    find(here)
}

/// Finds something for this vcore to do; halts while there is nothing.
#[cold]
#[inline(never)]
fn find(here: &Here) -> Parked {
    let me = here.vcore();
    let mut looks = 0_u32;
    here.is_occupied(false);
    let thread = loop {
        if me.is_pending()
            && let Some(thread) = events::look(here, None)
        {
            break thread;
        }
        if let Some(thread) = elsewhere(here).or_else(|| me.take_ready()) {
            break thread;
        }
        looks += 1;
        if looks.is_multiple_of(LOOKS_FOR_STOPPED) {
            events::recover(here, None);
        }
        if looks >= LOOKS {
            looks = 0;
            rest(here);
        }
        core::hint::spin_loop();
    };
    here.is_occupied(true);
    thread
}

/// A thread that is no vcore's, or another one's.
#[inline]
fn elsewhere(here: &Here) -> Option<Parked> {
    let (me, count) = (here.vcore().number(), vcore::used());
    let mut others = (me + 1..count).chain(0..me);
    no_vcores(here).or_else(|| others.find_map(|other| vcore::vcore(other).take_ready()))
}

/// A thread that is no vcore's.
#[inline]
fn no_vcores(here: &Here) -> Option<Parked> {
    if HAS_REST.load(Ordering::Relaxed) { take_rest(here) } else { None }
}

#[cold]
fn take_rest(here: &Here) -> Option<Parked> {
    REST.with_here(here, |rest| {
        let thread = rest.pop();
        HAS_REST.store(!rest.is_empty(), Ordering::Relaxed);
        thread
    })
}

fn put_rest(here: &Here, thread: Parked) {
    REST.with_here(here, |rest| {
        rest.push(thread);
        HAS_REST.store(true, Ordering::Relaxed);
    });
}

/// Puts a thread where a vcore finds it.
#[inline]
fn put(here: &Here, thread: Parked) {
    if let Err(thread) = here.push_ready(thread) {
        put_rest(here, thread);
    }
}

/// A thread can run: for this vcore, and for one that halts.
#[inline]
pub(crate) fn ready_here(here: &Here, thread: Parked) {
    put(here, thread);
    // Who halts says so before it looks for the last time.
    page::fence();
    wake_vcore();
}

/// A thread can run.
#[inline]
pub(crate) fn ready(thread: Parked) {
    notify::without(|here| ready_here(here, thread));
}

/// All of these can run.
pub(crate) fn ready_all(threads: List) {
    threads.for_each(ready);
}

/// This vcore gives its core away: others take what it has to run.
pub(super) fn leave_threads(here: &Here) {
    while let Some(thread) = here.vcore().take_ready() {
        put_rest(here, thread);
    }
    page::fence();
    wake_vcore();
}

/// Takes what a vcore that does not run has to run.
pub(super) fn take_over(here: &Here, other: &Vcore) {
    // Should it run meanwhile, it is not robbed of more than it had.
    for thread in core::iter::from_fn(|| other.take_ready()).take(vcore::RING) {
        put(here, thread);
    }
}

/// Wakes a vcore that halts, if there is one.
#[inline]
pub(super) fn wake_vcore() {
    let words = HALTED.iter().take(usize::from(vcore::used()).div_ceil(64));
    for (at, word) in words.enumerate() {
        if word.load(Ordering::Relaxed) != 0 {
            return wake_one_of(at);
        }
    }
}

#[cold]
fn wake_one_of(word: usize) {
    let halted = HALTED[word].load(Ordering::Relaxed);
    if halted == 0 {
        return;
    }
    let bit = halted.trailing_zeros();
    // Whoever clears the bit rings.
    if HALTED[word].fetch_and(!(1 << bit), Ordering::AcqRel) & 1 << bit != 0 {
        vcore::vcore((word * 64) as u16 + bit as u16).ring();
    }
}

/// Has all vcores look that halt, to give back what is not wanted.
pub(super) fn wake_all_vcores() {
    for vcore in vcore::all() {
        if clear_halted(vcore.number()) {
            vcore.ring();
        }
    }
}

fn clear_halted(vcore: u16) -> bool {
    let bit = 1 << (vcore % 64);
    HALTED[usize::from(vcore / 64)].fetch_and(!bit, Ordering::AcqRel) & bit != 0
}

/// Gives the core back if it is not wanted any more, else halts until something comes.
fn rest(here: &Here) {
    let me = here.vcore();
    let wanted = WISHES.u16(wishes::CORES).load(Ordering::Relaxed);
    if wanted < info::vcores() {
        // If it succeeds, the vcore begins anew when it is started.
        here.yield_core(0);
        return;
    }
    let number = me.number();
    HALTED[usize::from(number / 64)].fetch_or(1 << (number % 64), Ordering::SeqCst);
    page::fence();
    let is_idle = vcore::all().all(Vcore::is_without_ready) && !HAS_REST.load(Ordering::Relaxed);
    if is_idle && !me.is_pending() && timers::is_set(here) {
        here.halt();
    }
    clear_halted(number);
}
