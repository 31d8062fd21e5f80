//! What the experiment `shootdown` runs: changes a page that all vcores have used as often as asked, and prints a line with the
//! clock's ticks for each time, and at last one with the number of the core that it ran on.
//!
//!     run bench_shootdown munmap 8 2
#![no_std]
#![no_main]

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};
use programs::{Words, spin_until, start_on};
use user::measure::begin;
use user::memory::{BLOCK, FIXED, POPULATE, Rights, map, mapping, protecting, unmapping};
use user::{Error, calls, println, threads};

user::main!(main);

const USAGE: &str = "OPERATION ROUNDS VCORES [PAGES]";
/// The most rounds: there is room for as many samples.
const MOST: usize = 256;
const PAGE: usize = 4096;

/// Pages that are in use beside those that are protected, and the most of the latter.
const OTHERS: usize = 64;
const MOST_PAGES: usize = 64;

/// Where 2 MiB are mapped, far from all else.
const BLOCKS: u64 = 0xb0_0000_0000;

/// How many pages are protected at a time, where that is measured.
static PAGES: AtomicU64 = AtomicU64::new(1);

/// The page that all vcores use, its address; 0 when there is nothing more to do.
static SHARED: AtomicU64 = AtomicU64::new(u64::MAX);
/// A number for each time that they are to use it, and how many have.
static TURN: AtomicU64 = AtomicU64::new(0);
static USED: AtomicU64 = AtomicU64::new(0);

fn main() -> Result<(), Error> {
    let mut words = Words::new(USAGE);
    let operation = words.word();
    let rounds = words.number(8_usize).clamp(1, MOST);
    let vcores: u16 = words.number(1);
    let pages = words.number(1_usize).clamp(1, MOST_PAGES);
    PAGES.store(pages as u64, Ordering::Relaxed);
    words.end();
    let round = match operation {
        "munmap" => unmap_page,
        "mprotect" => take_rights,
        "mprotect-add" => add_rights,
        "page-fault" => first_use,
        "flush" => flush,
        "block-huge" => |_| take_block(Block::Huge),
        "block-small" => |_| take_block(Block::Small),
        "block-faults" => |_| take_block(Block::Faults),
        "unblock-huge" => |_| give_block(Block::Huge),
        "unblock-small" => |_| give_block(Block::Small),
        _ => Words::new(USAGE).refuse(),
    };
    start_on(vcores)?;
    for number in 1..vcores {
        drop(threads::spawn(move || use_when_told(number)));
    }
    share_table()?;
    let mut samples = [0; MOST];
    for sample in &mut samples[..rounds] {
        *sample = round(u64::from(vcores) - 1)?;
    }
    SHARED.store(0, Ordering::Relaxed);
    TURN.fetch_add(1, Ordering::Release);
    for sample in &samples[..rounds] {
        println!("{sample}");
    }
    println!("{}", calls::core().call()?);
    Ok(())
}

/// Sees that the page that is changed is not the only one of its page table, which would come and go with it: whether it is depends
/// on how many stacks there are for vcores.
fn share_table() -> Result<(), Error> {
    let page = map(PAGE, Rights::READ_WRITE, POPULATE)?;
    let is_first = (page.as_ptr().addr() / PAGE).is_multiple_of(BLOCK as usize);
    if !is_first {
        // SAFETY: nobody has used it.
        unsafe { unmapping(page) }.call()?;
    }
    Ok(())
}

/// Writes to the page whenever it is told to.
fn use_when_told(number: u16) {
    let mut seen = 0;
    loop {
        spin_until(|| TURN.load(Ordering::Acquire) != seen);
        seen = TURN.load(Ordering::Acquire);
        let page = SHARED.load(Ordering::Relaxed);
        if page == 0 {
            return;
        }
        touch(page + u64::from(number) * 8);
        USED.fetch_add(1, Ordering::Release);
    }
}

fn touch(address: u64) {
    let word = core::ptr::with_exposed_provenance_mut::<u64>(address as usize);
    // SAFETY: it lies in memory that is mapped and can be written while vcores are told to use it.
    unsafe { word.write_volatile(address) };
}

/// A new page that all vcores, so many others than this one, have used.
fn new_page(others: u64) -> Result<NonNull<[u8]>, Error> {
    let page = map(PAGE, Rights::READ_WRITE, POPULATE)?;
    have_used(page, others);
    Ok(page)
}

fn have_used(page: NonNull<[u8]>, others: u64) {
    let address = page.as_ptr().expose_provenance() as u64;
    touch(address);
    USED.store(0, Ordering::Relaxed);
    SHARED.store(address, Ordering::Relaxed);
    TURN.fetch_add(1, Ordering::Release);
    spin_until(|| USED.load(Ordering::Acquire) == others);
}

/// From the call until its answer is there.
fn measured(request: user::Request<'static, ()>) -> Result<u64, Error> {
    let open = begin();
    let outcome = request.spin();
    let ticks = open.end();
    outcome.map(|()| ticks)
}

fn unmap_page(others: u64) -> Result<u64, Error> {
    let page = new_page(others)?;
    // SAFETY: nobody uses it before it is mapped anew.
    measured(unsafe { unmapping(page) })
}

fn take_rights(others: u64) -> Result<u64, Error> {
    let page = new_page(others)?;
    // SAFETY: nobody uses it before it is mapped anew.
    let ticks = measured(unsafe { protecting(page, Rights::READ) })?;
    // SAFETY: as above.
    unsafe { unmapping(page) }.call()?;
    Ok(ticks)
}

/// Gives back what was taken away, when no vcore has used it since.
fn add_rights(others: u64) -> Result<u64, Error> {
    let page = new_page(others)?;
    // SAFETY: nobody uses it in between.
    unsafe { protecting(page, Rights::READ) }.call()?;
    // SAFETY: it allows all that is done to it.
    let ticks = measured(unsafe { protecting(page, Rights::READ_WRITE) })?;
    have_used(page, others);
    // SAFETY: nobody uses it before it is mapped anew.
    unsafe { unmapping(page) }.call()?;
    Ok(ticks)
}

/// The first use of a page that has no memory yet.
fn first_use(_: u64) -> Result<u64, Error> {
    let page = map(PAGE, Rights::READ_WRITE, 0)?;
    let address = page.as_ptr().expose_provenance() as u64;
    // The event of that call has a message of its own, which the coordinator has handled when it answers one behind it.
    // SAFETY: the rights stay as they are.
    unsafe { protecting(page, Rights::READ_WRITE) }.spin()?;
    let open = begin();
    touch(address);
    let ticks = open.end();
    // SAFETY: nobody uses it any more.
    unsafe { unmapping(page) }.call()?;
    Ok(ticks)
}

/// Takes rights from pages that are in use, and uses the others again: if their translations were forgotten too, they must
/// be looked up anew.
fn flush(_: u64) -> Result<u64, Error> {
    let pages = PAGES.load(Ordering::Relaxed) as usize;
    let changed = map(pages * PAGE, Rights::READ_WRITE, POPULATE)?;
    let others = map(OTHERS * PAGE, Rights::READ_WRITE, POPULATE)?;
    touch_all(changed);
    touch_all(others);
    let open = begin();
    // SAFETY: nobody uses them before they are mapped anew.
    let outcome = unsafe { protecting(changed, Rights::READ) }.spin();
    touch_all(others);
    let ticks = open.end();
    outcome?;
    for memory in [changed, others] {
        // SAFETY: nobody uses it any more.
        unsafe { unmapping(memory) }.call()?;
    }
    Ok(ticks)
}

/// How 2 MiB are mapped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// By one entry, populated.
    Huge,
    /// Page by page, populated: they do not begin where one entry could map them.
    Small,
    /// Each page when it is used.
    Faults,
}

/// Maps 2 MiB and writes to each page.
fn take_block(how: Block) -> Result<u64, Error> {
    let open = begin();
    let memory = map_block(how)?;
    let ticks = open.end();
    // SAFETY: nobody uses it any more.
    unsafe { unmapping(memory) }.call()?;
    Ok(ticks)
}

/// Gives them back.
fn give_block(how: Block) -> Result<u64, Error> {
    let memory = map_block(how)?;
    // SAFETY: nobody uses it any more.
    measured(unsafe { unmapping(memory) })
}

fn map_block(how: Block) -> Result<NonNull<[u8]>, Error> {
    let bytes = BLOCK as usize * PAGE;
    let (at, flags) = match how {
        Block::Huge => (BLOCKS, FIXED | POPULATE),
        Block::Small => (BLOCKS + PAGE as u64, FIXED | POPULATE),
        Block::Faults => (BLOCKS, FIXED),
    };
    // SAFETY: nothing else is put there.
    let start = unsafe { mapping(at, bytes, Rights::READ_WRITE, flags) }.spin()?;
    let start = NonNull::new(core::ptr::with_exposed_provenance_mut(start as usize));
    let memory = NonNull::slice_from_raw_parts(start.ok_or(Error::Invalid)?, bytes);
    touch_all(memory);
    Ok(memory)
}

/// Writes to each page.
fn touch_all(memory: NonNull<[u8]>) {
    let start = memory.as_ptr().expose_provenance() as u64;
    (start..start + memory.len() as u64).step_by(PAGE).for_each(touch);
}
