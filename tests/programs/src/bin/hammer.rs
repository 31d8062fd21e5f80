//! Vcores hammer pages that another thread unmaps, maps anew and protects. Each time that a page is mapped it is filled with a
//! tag of its own, and the frame that it had before is given to a decoy: who has an old translation sees, or writes, what
//! belongs to another mapping.
//!
//!     run hammer 4 200 3      (four workers, 200 changes, up to three vcores)
//!     run hammer kill 20 3    (such processes, each ended at some moment)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::hint::black_box;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering, fence};
use core::time::Duration;
use programs::{Random, Words};
use user::memory::{FIXED, Mapping, POPULATE, Rights, map_at, protect, unmap};
use user::process::{self, Command};
use user::{Error, println, threads, time};

user::main!(main);

const USAGE: &str = "WORKERS CHANGES VCORES | kill TIMES VCORES";
const SELF: &str = "hammer";
const KILL: &str = "kill";
const PAGE: usize = 4096;
const WORDS: u64 = PAGE as u64 / 8;
/// Where the pages lie: far from what is mapped anywhere.
const BASE: u64 = 0xa0_0000_0000;
const SLOTS: usize = 6;
/// What decoys are filled with.
const DECOY: u8 = 0xdc;
const MOST_WORKERS: usize = 16;
/// The flag in a state that the page can be written.
const WRITABLE: u64 = 1 << 32;

/// Of each page: how often it was changed, odd while it must not be used, and [`WRITABLE`].
static STATES: [AtomicU64; SLOTS] = [const { AtomicU64::new(1) }; SLOTS];
/// The page that each worker uses, from 1; 0 for none.
static USES: [AtomicU64; MOST_WORKERS] = [const { AtomicU64::new(0) }; MOST_WORKERS];
static IS_OVER: AtomicU64 = AtomicU64::new(0);

fn main() -> Result<i32, Error> {
    let mut words = Words::new(USAGE);
    let first = words.word();
    let (second, vcores) = (words.number(100_u32), words.number(2_u16));
    words.end();
    if first == KILL {
        return kill_some(second, vcores);
    }
    let workers: usize = first.parse().unwrap_or_else(|_| Words::new(USAGE).refuse());
    hammer(workers.clamp(1, MOST_WORKERS), second, vcores)
}

fn hammer(workers: usize, changes: u32, vcores: u16) -> Result<i32, Error> {
    threads::start(vcores)?;
    let mut pages: [Slot; SLOTS] = core::array::from_fn(|_| Slot::default());
    for (slot, page) in pages.iter_mut().enumerate() {
        page.renew(slot)?;
        let state = STATES[slot].load(Ordering::Relaxed);
        STATES[slot].store((state + 1) | WRITABLE, Ordering::Release);
    }
    let all: Vec<_> =
        (0..workers).map(|worker| threads::spawn(move || use_pages(worker))).collect();
    let mut random = Random(u64::from(changes));
    for _ in 0..changes {
        let slot = random.below(SLOTS as u64) as usize;
        let state = (STATES[slot].load(Ordering::Relaxed) & !WRITABLE) + 1;
        STATES[slot].store(state, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        while USES[..workers].iter().any(|it| it.load(Ordering::Acquire) == slot as u64 + 1) {
            threads::yield_now();
        }
        let is_writable = pages[slot].change(slot, random.below(3))?;
        let flag = if is_writable { WRITABLE } else { 0 };
        STATES[slot].store((state + 1) | flag, Ordering::Release);
    }
    IS_OVER.store(1, Ordering::Release);
    let outcomes = all.into_iter().map(threads::JoinHandle::join);
    let spoiled: u64 = pages.iter().map(|page| page.spoiled + page.spoiled_bytes()).sum();
    let (uses, wrong) =
        outcomes.fold((0, spoiled), |sum: (u64, u64), it| (sum.0 + it.0, sum.1 + it.1));
    println!("hammer: {changes} changes, {uses} uses, {wrong} wrong");
    Ok(i32::from(wrong > 0 || uses == 0))
}

/// What is known of a page.
#[derive(Debug, Default)]
struct Slot {
    generation: u64,
    /// Memory that has the frame which the page had last.
    decoy: Option<Mapping>,
    /// Bytes of decoys that were not what they had to be.
    spoiled: u64,
}

impl Slot {
    /// Changes the page, which nobody uses; says whether it can be written then.
    fn change(&mut self, slot: usize, how: u64) -> Result<bool, Error> {
        let page = page(slot);
        match how {
            0 => {
                // SAFETY: no worker uses it now, and those to come only read.
                unsafe { protect(page, Rights::READ) }?;
                return Ok(false);
            }
            1 => {
                // SAFETY: it allows all that is done to it.
                unsafe { protect(page, Rights::READ_WRITE) }?;
            }
            _ => {
                // SAFETY: no worker uses it, and it is there again before one does.
                unsafe { unmap(page) }?;
                // What was freed last is given first, so this takes the frame.
                let mut decoy = Mapping::new(PAGE, Rights::READ_WRITE, POPULATE)?;
                decoy.bytes_mut().fill(DECOY);
                self.spoiled += self.spoiled_bytes();
                self.decoy = Some(decoy);
                self.renew(slot)?;
            }
        }
        Ok(true)
    }

    /// Maps the page where none is, and fills it with its tag.
    fn renew(&mut self, slot: usize) -> Result<(), Error> {
        self.generation += 1;
        // SAFETY: nothing lies there.
        unsafe { map_at(address(slot), PAGE, Rights::READ_WRITE, FIXED | POPULATE) }?;
        GENERATIONS[slot].store(self.generation, Ordering::Relaxed);
        for number in 0..WORDS {
            word(slot, number).store(tag(slot, self.generation), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Bytes of the decoy that somebody else has written to.
    fn spoiled_bytes(&self) -> u64 {
        let bytes = self.decoy.iter().flat_map(|decoy| black_box(decoy.bytes()));
        bytes.filter(|byte| **byte != DECOY).count() as u64
    }
}

/// What the words of each page are, without the number of the page.
static GENERATIONS: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

const fn tag(slot: usize, generation: u64) -> u64 {
    (slot as u64 + 1) << 48 | generation
}

const fn address(slot: usize) -> u64 {
    // Not side by side, so that some share a page table and some do not.
    BASE + slot as u64 * (PAGE as u64) * 341
}

fn page(slot: usize) -> NonNull<[u8]> {
    let start = core::ptr::with_exposed_provenance_mut(address(slot) as usize);
    let start = NonNull::new(start).expect("it does not lie at 0");
    NonNull::slice_from_raw_parts(start, PAGE)
}

fn word(slot: usize, number: u64) -> &'static AtomicU64 {
    let address = address(slot) + number * 8;
    // SAFETY: the page is mapped while its state is even, or by who has made it odd; all accesses are atomic.
    unsafe { AtomicU64::from_ptr(core::ptr::with_exposed_provenance_mut(address as usize)) }
}

/// Uses pages at random until all is over; gives how often, and how often a word was not what it had to be.
fn use_pages(worker: usize) -> (u64, u64) {
    let mut random = Random(worker as u64);
    let (mut uses, mut wrong) = (0, 0);
    while IS_OVER.load(Ordering::Acquire) == 0 {
        let slot = random.below(SLOTS as u64) as usize;
        let state = STATES[slot].load(Ordering::Acquire);
        USES[worker].store(slot as u64 + 1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if state & 1 == 0 && STATES[slot].load(Ordering::Acquire) == state {
            let expected = tag(slot, GENERATIONS[slot].load(Ordering::Relaxed));
            let word = word(slot, random.below(WORDS));
            wrong += u64::from(word.load(Ordering::Relaxed) != expected);
            if state & WRITABLE != 0 {
                // Through an old translation this would be seen in another page.
                word.store(expected, Ordering::Relaxed);
            }
            uses += 1;
        }
        USES[worker].store(0, Ordering::Release);
        if uses % 64 == 0 {
            threads::yield_now();
        }
    }
    (uses, wrong)
}

/// Starts such processes and ends each at some moment.
fn kill_some(times: u32, vcores: u16) -> Result<i32, Error> {
    let mut random = Random(7);
    for _ in 0..times {
        let child = Command::new(SELF).arg(vcores).arg(1_000_000).arg(vcores).spawn()?;
        time::sleep(Duration::from_micros(random.below(20_000)))?;
        // One that has found something wrong has ended by itself.
        process::destroy(child, 9)?;
        let code = process::wait(child)?;
        if code != 9 {
            println!("hammer: a child ended with {code}");
            return Ok(1);
        }
    }
    println!("hammer: {times} ended while they ran");
    Ok(0)
}
