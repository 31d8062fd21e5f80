//! Counts the ways to put queens on a board so that none attacks another: a search in a tree by threads that steal
//! work from each other.
//!
//! Each thread has boards that are still to be filled, takes the newest of them and puts its continuations there
//! instead. One that has none takes the oldest, which is the largest piece of the tree, from another.
//!
//!     run search 8 8 3          (8 threads, 8 queens, on 3 cores)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, Ordering};
use programs::{Seen, Words, in_threads};
use user::measure::begin;
use user::threads::{self, sync::Mutex};
use user::{Error, println};

user::main!(main);

/// The vcores that have worked.
static SEEN: Seen = Seen::new();

/// So many rows from the end on, a board is not worth sharing.
const ALONE: u32 = 4;

/// A board whose first rows have queens. Bits are columns.
#[derive(Clone, Copy, Default)]
struct Board {
    rows: u32,
    columns: u32,
    falling: u32,
    rising: u32,
}

impl Board {
    /// The boards with a queen more.
    fn next(self, size: u32) -> impl Iterator<Item = Self> {
        let free = !(self.columns | self.falling | self.rising) & ((1 << size) - 1);
        let places = (0..size).map(|column| 1 << column).filter(move |place| free & place != 0);
        places.map(move |place| Self {
            rows: self.rows + 1,
            columns: self.columns | place,
            falling: (self.falling | place) << 1,
            rising: (self.rising | place) >> 1,
        })
    }

    /// In how many ways it can be filled.
    fn count(self, size: u32) -> u64 {
        if self.rows == size {
            return 1;
        }
        self.next(size).map(|next| next.count(size)).sum()
    }
}

/// What the threads share.
struct Work {
    size: u32,
    /// What each has to do.
    boards: Vec<Mutex<VecDeque<Board>>>,
    /// Boards that are not done.
    open: AtomicU64,
    stolen: AtomicU64,
}

impl Work {
    /// Works until nobody has anything; gives how many ways were found here.
    fn help(&self, me: usize) -> u64 {
        let mut found = 0;
        while self.open.load(Ordering::Acquire) > 0 {
            match self.take(me) {
                Some(board) => found += self.expand(me, board),
                None => {
                    // As who spins: others have work, and are to go on.
                    spin_loop();
                    threads::yield_now();
                }
            }
        }
        found
    }

    fn take(&self, me: usize) -> Option<Board> {
        if let Some(mine) = self.boards[me].lock().pop_back() {
            return Some(mine);
        }
        let others = (1..self.boards.len()).map(|it| (me + it) % self.boards.len());
        let stolen = others.filter_map(|other| self.boards[other].lock().pop_front()).next()?;
        self.stolen.fetch_add(1, Ordering::Relaxed);
        Some(stolen)
    }

    fn expand(&self, me: usize, board: Board) -> u64 {
        let mut found = 0;
        if self.size - board.rows <= ALONE {
            SEEN.here();
            found = board.count(self.size);
        } else {
            let mut boards = self.boards[me].lock();
            let before = boards.len();
            boards.extend(board.next(self.size));
            self.open.fetch_add((boards.len() - before) as u64, Ordering::Relaxed);
        }
        // After those that come from it were counted, so that the number is 0 only in the end.
        self.open.fetch_sub(1, Ordering::AcqRel);
        found
    }
}

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[THREADS [QUEENS [CORES]]], 1 to 16 QUEENS");
    let (count, size, cores) = (words.number(8_u64), words.number(8), words.number(2));
    if count == 0 || !(1..=16).contains(&size) {
        words.refuse();
    }
    words.end();
    let expected = Board::default().count(size);
    let cores = threads::start(cores)?;
    let work = Arc::new(Work {
        size,
        boards: (0..count).map(|_| Mutex::new(VecDeque::new())).collect(),
        open: AtomicU64::new(1),
        stolen: AtomicU64::new(0),
    });
    work.boards[0].lock().push_back(Board::default());
    let theirs = Arc::clone(&work);
    let open = begin();
    let found: u64 = in_threads(count, move |me| theirs.help(me as usize)).into_iter().sum();
    let ticks = open.end();
    let stolen = work.stolen.load(Ordering::Relaxed);
    let is_right = found == expected;
    println!(
        "search: {found} ways for {size} queens, {count} threads on up to {cores} cores, {stolen} stolen, right: {is_right}"
    );
    println!("search: {ticks} ticks in parallel, on {} vcores", SEEN.vcores());
    Ok(i32::from(!is_right))
}
