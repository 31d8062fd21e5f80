//! Threads whose faults the process handles itself: a pager that fills memory when it is first touched, and one that notes
//! which pages are written; a thread that cannot go on ends, and the process goes on.
//!
//!     run pager 4 3             (4 threads, on 3 cores)
//!     run pager in-scheduler    (faults in vcore context, which ends the process)
#![no_std]
#![no_main]

use core::ptr::{null_mut, with_exposed_provenance_mut};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use programs::{Random, Words, in_threads};
use user::memory::{self, Rights};
use user::threads::{self, faults};
use user::{Error, calls, println};

user::main!(main);

const PAGE: usize = 4096;
/// Pages that are filled when they are touched. Each may be a region of its own for a while.
const PAGES: usize = 24;

/// Where they begin, and which have been filled.
static START: AtomicU64 = AtomicU64::new(0);
static IS_FILLED: [AtomicBool; PAGES] = [const { AtomicBool::new(false) }; PAGES];
static FAULTS: AtomicU64 = AtomicU64::new(0);
static WRITTEN: AtomicU64 = AtomicU64::new(0);
static ENDED: AtomicU64 = AtomicU64::new(0);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[THREADS [CORES]] | in-scheduler");
    let first = words.next().unwrap_or("4");
    if first == "in-scheduler" {
        return in_scheduler().map(|()| 0);
    }
    let Ok(count) = first.parse() else { words.refuse() };
    let cores = threads::start(words.number(2))?;
    words.end();
    let memory = memory::map(PAGES * PAGE, Rights::NONE, 0)?;
    let start = memory.cast::<u8>().as_ptr().expose_provenance();
    START.store(start as u64, Ordering::Relaxed);
    faults::reflect();
    let _pager = threads::spawn(see_to_all);

    let wrong: u64 = in_threads(count, read_all).into_iter().sum();
    let pages = IS_FILLED.iter().filter(|it| it.load(Ordering::Relaxed)).count();
    let dirty = in_threads(count, write_some).into_iter().fold(0, |all, some| all | some);
    let (faults, written) = (FAULTS.load(Ordering::Relaxed), WRITTEN.load(Ordering::Relaxed));
    println!(
        "pager: {pages} pages filled on up to {cores} cores, {wrong} words wrong, faults: {}",
        faults > 0
    );
    println!("pager: {} pages written, all noted: {}", dirty.count_ones(), written == dirty);

    let lost = [threads::spawn(|| touch(8)), threads::spawn(divide)];
    let lost = lost.map(|thread| thread.outcome().is_err());
    let ended = ENDED.load(Ordering::Relaxed);
    let goes_on = in_threads(count, |number| number).into_iter().sum::<u64>();
    println!(
        "pager: {ended} threads ended, their joiners told: {lost:?}, and {count} others went on"
    );
    let right = wrong == 0 && pages == PAGES && written == dirty && lost == [true; 2] && ended == 2;
    Ok(i32::from(!right || goes_on != count * (count - 1) / 2))
}

/// What a word of the memory holds once it is filled.
const fn value(address: u64) -> u64 {
    address.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1
}

fn place(address: u64) -> *mut u64 {
    with_exposed_provenance_mut(address as usize)
}

fn touch(address: u64) -> u64 {
    // SAFETY: memory that the pager gives, or none: then the thread ends.
    unsafe { place(address).read_volatile() }
}

/// Sees to each thread that faults.
fn see_to_all() {
    loop {
        let faulted = faults::wait();
        FAULTS.fetch_add(1, Ordering::Relaxed);
        let fault = faulted.fault();
        let start = START.load(Ordering::Relaxed);
        let page = fault.address.wrapping_sub(start) as usize / PAGE;
        if !fault.is_page_fault() || page >= PAGES {
            ENDED.fetch_add(1, Ordering::Relaxed);
            faulted.end();
            continue;
        }
        let is_write = fault.code & 2 != 0;
        if !is_write {
            fill(page);
        } else if WRITTEN.fetch_or(1 << page, Ordering::Relaxed) & 1 << page == 0 {
            set_rights(page, Rights::READ_WRITE);
        }
        faulted.resume();
    }
}

/// Fills a page, if nobody has, after which it can be read alone.
fn fill(page: usize) {
    if IS_FILLED[page].load(Ordering::Relaxed) {
        return;
    }
    set_rights(page, Rights::READ_WRITE);
    let from = START.load(Ordering::Relaxed) + (page * PAGE) as u64;
    for address in (from..from + PAGE as u64).step_by(8) {
        // SAFETY: the page can be written, and others only look at it once it is filled.
        unsafe { place(address).write_volatile(value(address)) };
    }
    set_rights(page, Rights::READ);
    IS_FILLED[page].store(true, Ordering::Release);
}

fn set_rights(page: usize, rights: Rights) {
    let from = START.load(Ordering::Relaxed) as usize + page * PAGE;
    let start = core::ptr::NonNull::new(with_exposed_provenance_mut(from))
        .unwrap_or(core::ptr::NonNull::dangling());
    let memory = core::ptr::NonNull::slice_from_raw_parts(start, PAGE);
    // SAFETY: whoever uses it in another way faults, and waits for the pager.
    let _ = unsafe { memory::protect(memory, rights) };
}

/// Reads all pages in an order of one's own; gives how many words are wrong.
fn read_all(seed: u64) -> u64 {
    let mut random = Random(seed);
    let mut wrong = 0;
    let first = random.below(PAGES as u64);
    for nth in 0..PAGES as u64 {
        let page = (first + nth * 7) % PAGES as u64;
        let from = START.load(Ordering::Relaxed) + page * PAGE as u64;
        // What makes it come.
        touch(from + 8 * random.below(512));
        while !IS_FILLED[page as usize].load(Ordering::Acquire) {
            threads::yield_now();
            core::hint::spin_loop();
        }
        let words = (from..from + PAGE as u64).step_by(8);
        wrong += words.filter(|address| touch(*address) != value(*address)).count() as u64;
    }
    wrong
}

/// Writes to some pages; gives a bit for each.
fn write_some(seed: u64) -> u64 {
    let mut random = Random(seed + 100);
    (0..8).fold(0, |bits, _| {
        let page = random.below(PAGES as u64);
        let at = START.load(Ordering::Relaxed) + page * PAGE as u64 + 8 * random.below(512);
        // SAFETY: all have the same to write there.
        unsafe { place(at).write_volatile(value(at)) };
        bits | 1 << page
    })
}

fn divide() -> u64 {
    // SAFETY: none, on purpose: the thread ends.
    unsafe {
        core::arch::asm!("xor edx, edx", "xor ecx, ecx", "div ecx", out("eax") _, out("ecx") _, out("edx") _);
    };
    0
}

/// A fault where the scheduler runs cannot be handed to it.
fn in_scheduler() -> Result<(), Error> {
    threads::start(1)?;
    faults::reflect();
    // SAFETY: none, on purpose: the kernel ends this process.
    threads::on_event(|_| unsafe { null_mut::<u64>().write_volatile(1) });
    calls::notify_self(threads::vcore(), 80, 0).call()?;
    loop {
        threads::yield_now();
        core::hint::spin_loop();
    }
}
