//! Memory at places of one's own choice, and anywhere.

use super::{PAGE, Pages, RW, patiently};
use alloc::vec::Vec;
use programs::{Random, in_threads};
use user::memory::{FIXED, Rights, guard_every};
use user::proto::memory::MAP_AREA;
use user::{Error, println};

/// Where threads compete for places: around the end of what one page table reaches.
const BASE: usize = 0xb0_0000_0000 - 32 * PAGE;
const PLACES: u64 = 64;
/// Requests of each thread.
const ROUNDS: usize = 400;
/// Pieces that a thread has at a time.
const MOST: usize = 3;

/// Threads map at places that others may have, and anywhere; says whether all was right.
pub(crate) fn compete(count: u64) -> Result<bool, Error> {
    let refused = nowhere();
    let all = in_threads(count, compete_as);
    let sum = |of: fn(&Tally) -> usize| all.iter().map(of).sum::<usize>();
    let (mapped, taken, wrong) = (sum(|it| it.mapped), sum(|it| it.taken), sum(|it| it.wrong));
    let lowest = lowest_place()?;
    println!(
        "limits: {mapped} mapped, {taken} places were taken, {wrong} wrong; the lowest place: {lowest}; \
         refused as they must be: {refused}"
    );
    Ok(refused && lowest && wrong == 0 && mapped > 0 && (taken > 0 || count == 1))
}

/// Places where nothing can be put.
fn nowhere() -> bool {
    let area = MAP_AREA.first as usize * PAGE;
    let end = area + MAP_AREA.pages as usize * PAGE;
    let places = [0, 1, PAGE, area - PAGE, area + 1, end - PAGE, end, usize::MAX - PAGE + 1];
    let all = [(2, FIXED), (0, FIXED), (2, FIXED | guard_every(2) | 2)];
    let refused = |at: usize| {
        let is_refused = |&(count, flags): &(_, u8)| {
            Pages::map(at, count, RW, flags).err() == Some(Error::Invalid)
        };
        all.iter().all(is_refused)
    };
    places.into_iter().all(refused)
}

/// What has come of a thread's requests.
#[derive(Debug, Default)]
struct Tally {
    mapped: usize,
    taken: usize,
    wrong: usize,
}

fn compete_as(number: u64) -> Tally {
    let mut random = Random(number);
    let mut tally = Tally::default();
    let mut mine: Vec<(Pages, u64)> = Vec::new();
    for round in 0..ROUNDS as u64 {
        let count = random.below(6) as usize + 1;
        let anywhere = random.below(3) == 0;
        let at = BASE + random.below(PLACES) as usize * PAGE;
        let (at, flags) = if anywhere { (0, 0) } else { (at, FIXED) };
        match patiently(|| Pages::map(at, count, RW, flags)) {
            Ok(pages) => {
                tally.mapped += 1;
                // New memory is zero, whoever had it before.
                let first = |page: usize| pages.part(page, 1).unmarked(0);
                tally.wrong += (0..count).map(first).sum::<usize>();
                tally.wrong += usize::from(!anywhere && pages.start != at);
                let tag = (number + 1) << 40 | round << 8;
                pages.mark(tag);
                mine.push((pages, tag));
            }
            Err(Error::Busy) if !anywhere => tally.taken += 1,
            Err(_) => tally.wrong += 1,
        }
        if mine.len() > MOST || random.below(4) == 0 {
            let at = random.below(mine.len().max(1) as u64) as usize;
            if at < mine.len() {
                tally.wrong += give_back(mine.swap_remove(at));
            }
        }
    }
    tally.wrong += mine.into_iter().map(give_back).sum::<usize>();
    tally
}

/// Gives pages back; how many were not as they had been left, or all if they are refused.
fn give_back((pages, tag): (Pages, u64)) -> usize {
    let wrong = pages.unmarked(tag);
    match patiently(|| pages.unmap()) {
        Ok(()) => wrong,
        Err(_) => pages.count,
    }
}

/// Is memory without a place of its own put at the lowest where there is room?
fn lowest_place() -> Result<bool, Error> {
    let pieces = [3, 1, 2].map(|count| Pages::map(0, count, Rights::READ, 0));
    let [first, second, third] = pieces;
    let (first, second, third) = (first?, second?, third?);
    second.unmap()?;
    first.part(1, 2).unmap()?;
    // Three pages are free there now, and what is behind them is not.
    let found = Pages::map(0, 3, RW, 0)?;
    let is_lowest = found.start == first.start + PAGE || found.start < first.start;
    for piece in [found, first.part(0, 1), third] {
        piece.unmap()?;
    }
    Ok(is_lowest)
}
