//! Threads that do with memory what may not be done, on whichever vcore they run: each faults with what it did, is ended for
//! it, and the others come out right.
//!
//!     run forbidden 7 3         (each thing by 7 threads, on 3 cores)
#![no_std]
#![no_main]

extern crate alloc;

use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
use core::sync::atomic::{AtomicU64, Ordering};
use programs::{Words, in_threads};
use user::memory::{GUARD, POPULATE, Rights, map, protect, unmap};
use user::threads::{self, faults};
use user::{Error, println};

user::main!(main);

const PAGE: usize = 4096;
const WRITE: u32 = 1 << 1;
const EXECUTE: u32 = 1 << 4;
/// Additions of a thread that does nothing wrong.
const ROUNDS: u64 = 300;

/// What may not be done, and the bits of the fault's error code that say what it was.
type Kind = (&'static str, fn(usize), u32);

const KINDS: [Kind; 7] = [
    ("reading what may not be read", read, 0),
    ("writing what may be read", write, WRITE),
    ("executing what may be written", execute, EXECUTE),
    ("reading a guard", read, 0),
    ("writing what was unmapped", write, WRITE),
    ("writing what lost the right", write, WRITE),
    ("writing constants", write, WRITE),
];

static TEXT: [u8; 64] = [b'.'; 64];

/// How often each was ended for what it did, how often for something else, and on which vcores.
static ENDED: [AtomicU64; KINDS.len()] = [const { AtomicU64::new(0) }; KINDS.len()];
static WRONG: AtomicU64 = AtomicU64::new(0);
static VCORES: AtomicU64 = AtomicU64::new(0);
/// Where each is done.
static PLACES: [AtomicU64; KINDS.len()] = [const { AtomicU64::new(0) }; KINDS.len()];

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[TIMES [CORES]]");
    let (times, cores) = (words.number(4_u64), words.number(2));
    words.end();
    threads::start(cores)?;
    faults::reflect();
    drop(threads::spawn(see_to_all));
    for (place, at) in PLACES.iter().zip(places()?) {
        place.store(at as u64, Ordering::Relaxed);
    }
    let others = threads::spawn(move || in_threads(times, add));
    let kinds = KINDS.len() as u64;
    let culprits =
        (0..times * kinds).map(|number| threads::spawn(move || misbehave(number % kinds)));
    let culprits: alloc::vec::Vec<_> = culprits.collect();
    let survived = culprits.into_iter().filter_map(|it| it.outcome().ok()).count();
    let right = others.join().into_iter().filter(|sum| *sum == ROUNDS).count() as u64;
    for ((what, ..), ended) in KINDS.iter().zip(&ENDED) {
        println!("forbidden: {what}: {} times", ended.load(Ordering::Relaxed));
    }
    let (wrong, vcores) =
        (WRONG.load(Ordering::Relaxed), VCORES.load(Ordering::Relaxed).count_ones());
    println!(
        "forbidden: {survived} went unpunished, {wrong} wrongly, on {vcores} vcores; {right} others right"
    );
    let all = ENDED.iter().all(|it| it.load(Ordering::Relaxed) == times);
    Ok(i32::from(!all || survived != 0 || wrong != 0 || right != times))
}

/// Where each kind is tried.
fn places() -> Result<[usize; KINDS.len()], Error> {
    let place = |memory: core::ptr::NonNull<[u8]>| memory.cast::<u8>().as_ptr().expose_provenance();
    let none = place(map(PAGE, Rights::NONE, POPULATE)?);
    let read = place(map(PAGE, Rights::READ, 0)?);
    let written = map(PAGE, Rights::READ_WRITE, POPULATE)?;
    let guard = place(map(PAGE, Rights::NONE, GUARD)?);
    let gone = map(PAGE, Rights::READ_WRITE, POPULATE)?;
    let lost = map(PAGE, Rights::READ_WRITE, POPULATE)?;
    write(place(gone));
    write(place(lost));
    // SAFETY: it is used in ways that are not allowed, which is what this is about: nothing comes of it.
    unsafe { unmap(gone) }?;
    // SAFETY: as above.
    unsafe { protect(lost, Rights::READ) }?;
    Ok([
        none,
        read,
        place(written),
        guard,
        place(gone),
        place(lost),
        TEXT.as_ptr().expose_provenance(),
    ])
}

fn read(at: usize) {
    // SAFETY: none, on purpose: the thread faults.
    unsafe { with_exposed_provenance::<u8>(at).read_volatile() };
}

fn write(at: usize) {
    // SAFETY: memory that nothing else is kept in, or none, on purpose.
    unsafe { with_exposed_provenance_mut::<u8>(at).write_volatile(0xc3) };
}

fn execute(at: usize) {
    // SAFETY: none, on purpose: the thread faults; where an instruction would be is one that returns.
    let there: extern "C" fn() = unsafe { core::mem::transmute(with_exposed_provenance::<()>(at)) };
    there();
}

fn misbehave(kind: u64) {
    for _ in 0..kind {
        threads::yield_now();
    }
    VCORES.fetch_or(1 << threads::vcore(), Ordering::Relaxed);
    let kind = kind as usize;
    KINDS[kind].1(PLACES[kind].load(Ordering::Relaxed) as usize);
}

fn add(_number: u64) -> u64 {
    (0..ROUNDS).fold(0, |sum, _| {
        threads::yield_now();
        sum + 1
    })
}

/// Ends each thread that faults, and counts whether it was for what it did.
fn see_to_all() {
    loop {
        let faulted = faults::wait();
        let fault = faulted.fault();
        let is_of = |kind: &usize| {
            fault.address == PLACES[*kind].load(Ordering::Relaxed)
                && fault.code & (WRITE | EXECUTE) == KINDS[*kind].2
        };
        match (0..KINDS.len()).find(is_of).filter(|_| fault.is_page_fault()) {
            Some(kind) => ENDED[kind].fetch_add(1, Ordering::Relaxed),
            None => WRONG.fetch_add(1, Ordering::Relaxed),
        };
        faulted.end();
    }
}
