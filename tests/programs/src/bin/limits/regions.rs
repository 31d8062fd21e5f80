//! As many regions as a process may have.

use super::{PAGE, Pages, RW};
use core::sync::atomic::{AtomicBool, Ordering};
use programs::in_threads;
use user::memory::{FIXED, GUARD, Rights};
use user::{Error, println, threads};

/// Where they lie: far from what is mapped anywhere.
const BASE: usize = 0xb0_0000_0000;
/// More than there may be.
const MANY: usize = 100;
/// Pages of the memory that other threads use meanwhile.
const USED: usize = 8;

static IS_OVER: AtomicBool = AtomicBool::new(false);

/// Makes regions until there can be no more, and sees what is refused then and what is not.
pub(crate) fn exhaust(count: u64) -> Result<bool, Error> {
    let used = Pages::map(0, USED * count as usize, RW, 0)?;
    let work = move |number: u64| use_own(number, used.part(number as usize * USED, USED));
    let others = threads::spawn(move || in_threads(count, work));
    let large = Pages::map(BASE - 100 * PAGE, 12, RW, FIXED)?;
    let mut times = [0; 3];
    let mut is_right = true;
    for time in &mut times {
        let some = fill();
        *time = some;
        is_right &= at_the_limit(large, some);
        // All of it at once, holes or none.
        Pages { start: BASE, count: 2 * MANY }.unmap()?;
    }
    IS_OVER.store(true, Ordering::Relaxed);
    let wrong: usize = others.join().into_iter().sum();
    println!("limits: {times:?} regions of {MANY} could be made, {wrong} words wrong");
    let are_alike = times[0] == times[1] && times[1] == times[2];
    Ok(is_right && wrong == 0 && are_alike && (20..64).contains(&times[0]))
}

/// Pages that are not alike side by side, until one is refused; gives how many there are.
fn fill() -> usize {
    let make = |number: &usize| {
        let rights = if number.is_multiple_of(2) { Rights::READ } else { RW };
        Pages::map(BASE + number * PAGE, 1, rights, FIXED).is_ok()
    };
    (0..MANY).take_while(make).count()
}

/// With as many regions as there may be.
fn at_the_limit(large: Pages, some: usize) -> bool {
    let next = BASE + some * PAGE;
    let last = if some.is_multiple_of(2) { RW } else { Rights::READ };
    let no_memory = Err(Error::NoMemory);
    let checks = [
        ("a guard", Pages::map(next + PAGE, 1, Rights::NONE, FIXED | GUARD).map(drop), no_memory),
        ("memory", Pages::map(0, 1, Rights::READ, 0).map(drop), no_memory),
        ("other rights within", large.part(3, 2).protect(Rights::READ), no_memory),
        ("other rights for all", large.protect(Rights::READ), Ok(())),
        ("the old rights", large.protect(RW), Ok(())),
        ("a hole", large.part(5, 1).unmap(), no_memory),
        ("more of the last one", Pages::map(next, 1, last, FIXED).map(drop), Ok(())),
        // It is one region more for a while.
        ("less of it", Pages { start: next, count: 1 }.unmap(), Ok(())),
        ("less of the large one", large.part(11, 1).unmap(), Ok(())),
        ("as much of it again", large.part(11, 1).map_again(), Ok(())),
        ("a hole after that", large.part(5, 1).unmap(), no_memory),
        ("a whole one", Pages { start: BASE, count: 1 }.unmap(), Ok(())),
    ];
    let mut is_right = true;
    for (what, found, expected) in checks {
        if found != expected {
            println!("limits: {what}: {found:?}, not {expected:?}");
            is_right = false;
        }
    }
    is_right
}

/// Uses memory until all is over; gives how many words were wrong.
fn use_own(number: u64, own: Pages) -> usize {
    let mut wrong = 0;
    let mut round = 0;
    while !IS_OVER.load(Ordering::Relaxed) {
        round += 1;
        let tag = number << 32 | round << 8;
        own.mark(tag);
        threads::yield_now();
        wrong += own.unmarked(tag);
    }
    wrong
}
