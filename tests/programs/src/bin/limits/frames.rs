//! As much memory as a process may have.

use super::{Pages, RW, patiently};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use programs::{Random, in_threads};
use user::memory::POPULATE;
use user::threads::sync::Barrier;
use user::{Error, println, threads, time};

/// Pages of a piece, at most.
const MOST: u64 = 64;
/// Pieces of a thread, at most: memory for the list is taken before all of it is gone.
const PIECES: usize = 2000;
/// Threads take all that there is, use it, and give it back, unless they are to keep it; says whether all was right.
pub(crate) fn exhaust(count: u64, keep: bool) -> Result<bool, Error> {
    // Two waits of each thread, and of this one.
    let step = Arc::new(Barrier::new(count as usize + 1));
    let other = step.clone();
    let spawn = move |number| take_all(number, &other);
    // Stacks are memory too: they are there when it is measured how much is left.
    let all = threads::spawn(move || in_threads(count, spawn));
    step.wait();
    let before = most_at_once()?;
    step.wait();
    step.wait();
    let refused = Pages::map(0, 1, RW, 0).err() == Some(Error::NoMemory);
    println!("limits: all is taken: one page more is refused: {refused}");
    step.wait();
    let held = all.join();
    let (pages, wrong) = held.iter().fold((0, 0), |sum, it| (sum.0 + it.pages, sum.1 + it.wrong));
    println!("limits: {count} threads had {pages} pages, {wrong} wrong");
    let is_right = refused && wrong == 0 && pages > 0;
    if keep {
        loop {
            time::sleep(Duration::from_secs(1))?;
        }
    }
    let all = held.into_iter().map(|it| threads::spawn(move || it.give_back()));
    all.collect::<Vec<_>>().into_iter().for_each(threads::JoinHandle::join);
    let after = most_at_once()?;
    println!("limits: {before} pages at once before, {after} after");
    // Beside them lie page tables, more or fewer.
    Ok(is_right && before == after && pages.abs_diff(before) <= 64)
}

/// How many pages can be mapped at once.
fn most_at_once() -> Result<usize, Error> {
    let (mut fits, mut too_many) = (0_usize, 1 << 26);
    while too_many - fits > 1 {
        let pages = fits.midpoint(too_many);
        match patiently(|| Pages::map(0, pages, RW, 0)) {
            Ok(all) => {
                patiently(|| all.unmap())?;
                fits = pages;
            }
            Err(Error::NoMemory) => too_many = pages,
            Err(why) => return Err(why),
        }
    }
    Ok(fits)
}

/// What a thread has got.
struct Held {
    pieces: Vec<Pages>,
    pages: usize,
    wrong: usize,
}

fn take_all(number: u64, step: &Barrier) -> Held {
    let mut random = Random(number);
    let mut pieces = Vec::with_capacity(PIECES);
    step.wait();
    step.wait();
    let mut wrong = 0;
    // In smaller pieces in the end, so that nothing is left.
    let mut most = MOST;
    while most > 0 && pieces.len() < PIECES {
        let count = random.below(most) as usize + 1;
        let flags = if random.below(2) == 0 { POPULATE } else { 0 };
        match patiently(|| Pages::map(0, count, RW, flags)) {
            Ok(piece) => {
                piece.mark(tag(number, pieces.len()));
                pieces.push(piece);
            }
            Err(Error::NoMemory) => most = count as u64 - 1,
            Err(_) => wrong += 1,
        }
    }
    step.wait();
    step.wait();
    let marked = pieces.iter().enumerate().map(|(at, piece)| piece.unmarked(tag(number, at)));
    wrong += marked.sum::<usize>();
    let pages = pieces.iter().map(|piece| piece.count).sum();
    Held { pieces, pages, wrong }
}

const fn tag(number: u64, at: usize) -> u64 {
    (number + 1) << 40 | (at as u64) << 16
}

impl Held {
    /// Gives all back. A piece is a region for itself until it has gone, so while others are on their way some must wait.
    fn give_back(mut self) {
        while !self.pieces.is_empty() {
            self.pieces.retain(|piece| piece.unmap().is_err());
            threads::yield_now();
        }
    }
}
