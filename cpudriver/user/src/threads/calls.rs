//! Threads that wait for system calls, and for room to make one.

use super::events;
use super::run::{next, ready_here};
use crate::raw::call::Block;
use crate::raw::here::Here;
use crate::raw::list::{List, Waiters};
use crate::raw::lock::Lock;
use crate::raw::notify;
use crate::raw::thread::leave;
use crate::raw::vcore;
use crate::time::Moment;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use proto::call::Outcome;

/// Lists of threads that wait, each for the calls whose structures lie at certain addresses.
const LISTS: usize = 64;

static WAITING: [Lock<List>; LISTS] = [const { Lock::new(List::new()) }; LISTS];
/// Threads whose calls were refused because the process waits for too much already.
static ROOM: Lock<Waiters> = Lock::new(Waiters::new());
/// There are such threads.
static IS_FULL: AtomicBool = AtomicBool::new(false);

fn list_of(address: u64) -> &'static Lock<List> {
    // Structures lie at multiples of 64; those of threads at the same place of stacks of 32 KiB.
    &WAITING[((address >> 6) ^ (address >> 15)) as usize % LISTS]
}

/// In a process with threads, waits until the call is over, and says so. Where the vcore must not run anything else
/// meanwhile, it only looks; so does a process whose scheduler is another one.
pub(crate) fn wait_for_call(block: &Block) -> bool {
    if vcore::count() == 0 {
        return false;
    }
    while !block.is_done() {
        if !super::are_on() || notify::are_off() {
            core::hint::spin_loop();
            continue;
        }
        leave(|here, thread| {
            thread.awaits(block);
            let thread = list_of(block.address()).with_here(here, |list| {
                if block.is_done() {
                    return Some(thread);
                }
                list.push(thread);
                None
            });
            thread.unwrap_or_else(|| next(here))
        });
    }
    true
}

/// The call whose structure lies at `address` is over.
pub(super) fn done(here: &Here, address: u64) {
    let is_it = |block: &Block| block.address() == address && block.is_done();
    let thread = list_of(address)
        .with_here(here, |list| list.take_first(|it| it.awaited().is_some_and(is_it)));
    match thread {
        Some(thread) => {
            // A refusal makes no room: it would only let the next one be refused.
            let refused = i64::from(Outcome::AGAIN.0);
            let is_refused = thread.awaited().is_some_and(|block| block.outcome() == refused);
            ready_here(here, thread);
            if !is_refused {
                there_is_room(here);
            }
        }
        // It may be the scheduler's own, or somebody has started it and gone on.
        None if super::timers::is_done(here, address) => {}
        None => {
            events::happened(here);
            there_is_room(here);
        }
    }
}

/// Some calls are over, and it is not known which.
#[cold]
pub(super) fn some_are_done(here: &Here) {
    for list in &WAITING {
        while let Some(thread) =
            list.with_here(here, |it| it.take_first(|it| it.awaited().is_some_and(Block::is_done)))
        {
            ready_here(here, thread);
        }
    }
    super::timers::look_at_call(here);
    there_is_room(here);
}

/// A call is over: one of those that were refused can be made.
fn there_is_room(here: &Here) {
    if !IS_FULL.load(Ordering::Relaxed) {
        return;
    }
    let thread = ROOM.with_here(here, |room| {
        let thread = room.wake_one();
        IS_FULL.store(thread.is_some(), Ordering::Relaxed);
        thread
    });
    if let Some(thread) = thread {
        ready_here(here, thread);
    }
}

/// This thread's call was refused: waits until one of the others is over, or for a while: what the call is about may be
/// there already, and what the others wait for come from this very thread.
pub(crate) fn wait_for_room(refusals: u32) {
    let patience = Duration::from_millis(1 << refusals.min(8));
    super::sync::wait(
        &ROOM,
        Some(Moment::now() + patience),
        |_| {
            IS_FULL.store(true, Ordering::Relaxed);
            true
        },
        |room| room,
    );
}

/// This thread's call was made after it had been refused: so may be that of the next one.
pub(crate) fn pass_room_on() {
    notify::without(there_is_room);
}
