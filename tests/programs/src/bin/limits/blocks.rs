//! Memory that is mapped 2 MiB at a time where it can be: what changes for a part of that changes for that part alone.

use super::{PAGE, Pages, RW, patiently};
use core::time::Duration;
use programs::{Random, in_threads};
use user::memory::{BLOCK, FIXED, POPULATE, Rights};
use user::{Error, println, threads, time};

/// Pages of a block.
const WHOLE: usize = BLOCK as usize;
/// How often each thread does it all.
const ROUNDS: u64 = 4;
/// Where a block is put that does not begin where one entry could map it: each thread far from the others.
const BASE: usize = 0xb0_0000_0000;

/// Threads have blocks, change parts of them, and give them back; says whether all was right.
pub(crate) fn change(count: u64) -> Result<bool, Error> {
    let all = threads::spawn(move || in_threads(count, |number| rounds(number).unwrap_or(1)));
    let wrong: usize = all.join().into_iter().sum();
    println!("limits: {count} threads changed blocks {ROUNDS} times, {wrong} wrong");
    Ok(wrong == 0)
}

/// Each thread has two blocks, of which one is cut, and they stay.
pub(crate) fn keep(count: u64) -> Result<bool, Error> {
    for number in 0..count {
        let both = patiently(|| Pages::map(0, 2 * WHOLE, RW, POPULATE))?;
        both.mark(number);
        patiently(|| both.part(WHOLE + 7, 1).unmap())?;
    }
    println!("limits: {count} blocks are whole");
    loop {
        time::sleep(Duration::from_secs(1))?;
    }
}

fn rounds(number: u64) -> Result<usize, Error> {
    let mut random = Random(number + 1);
    let mut wrong = 0;
    for round in 0..ROUNDS {
        // Two blocks and a part of a third, from where one begins on; or from some page on.
        let pages = 2 * WHOLE + random.below(100) as usize;
        let all = if round % 2 == 0 {
            let all = patiently(|| Pages::map(0, pages, RW, POPULATE))?;
            wrong += usize::from(!all.start.is_multiple_of(WHOLE * PAGE));
            all
        } else {
            let place = BASE + (number as usize * 8 * WHOLE + random.below(500) as usize) * PAGE;
            patiently(|| Pages::map(place, pages, RW, POPULATE | FIXED))?
        };
        wrong += all.unlike(|_| 0);
        wrong += cut(all, &mut random)?;
    }
    Ok(wrong)
}

/// Changes parts of such memory, and gives it back; gives how many pages were not as they should be.
fn cut(all: Pages, random: &mut Random) -> Result<usize, Error> {
    all.mark(0);
    let mut wrong = all.unmarked(0);
    patiently(|| all.protect(Rights::READ))?;
    wrong += all.unmarked(0);
    patiently(|| all.protect(RW))?;
    // The first part can only be read from here on, the second is gone, the rest can be written.
    let read = random.below(WHOLE as u64) as usize;
    let gone = read + 1 + random.below(WHOLE as u64 / 2) as usize;
    let rest = gone + 1 + random.below(WHOLE as u64 / 2) as usize;
    patiently(|| all.part(0, read + 1).protect(Rights::READ))?;
    patiently(|| all.part(gone, rest - gone).unmap())?;
    let rest = all.part(rest, all.count - rest);
    rest.mark(1);
    wrong += rest.unmarked(1);
    wrong += all.part(0, gone).unmarked(0);
    patiently(|| all.part(0, read + 1).protect(RW))?;
    all.part(0, gone).mark(2);
    wrong += rest.unmarked(1);
    wrong += all.part(0, gone).unmarked(2);
    patiently(|| all.unmap())?;
    Ok(wrong)
}
