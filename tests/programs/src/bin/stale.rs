//! Shows whether a vcore uses a translation that is too old: writes to a page after its process has lost the right to, or
//! the page. Ends well if it could. If it could not, the process is ended for it.
//!
//!     run stale 3 1              (three vcores, of which vcore 1 writes)
//!     run stale 3 1 munmap
//!     run stale 3 1 mprotect part     (the page is one of 2 MiB that one entry maps; or block: all of them go)
#![no_std]
#![no_main]

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};
use programs::{Words, spin_until, start_on};
use user::memory::{BLOCK, POPULATE, Rights, map, protect, unmap};
use user::{Error, exit, println, threads};

user::main!(main);

const PAGE: usize = 4096;
const WORD: u64 = 8;

/// The number of the page, where it is one of many.
const INSIDE: usize = 300;

/// The page, its address.
static SHARED: AtomicU64 = AtomicU64::new(0);
/// Vcores whose threads have used it, a bit each; and that the right to write is gone.
static USED: AtomicU64 = AtomicU64::new(0);
static IS_LOST: AtomicU64 = AtomicU64::new(0);
/// The victim has written all the same.
static HAS_WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Exit codes: a vcore could write; what it wrote is gone.
const STALE: i32 = 0;
const LOST_WRITE: i32 = 4;

/// What is tried: with how many vcores, which of them writes, whether the page goes or the right to write to it, and what
/// page it is.
#[derive(Clone, Copy)]
struct Trial {
    vcores: u16,
    victim: u16,
    unmaps: bool,
    page: Page,
}

/// What is mapped, and how much of it is taken away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Page {
    Alone,
    PartOfBlock,
    Block,
}

fn main() -> Result<i32, Error> {
    let mut words = Words::new("VCORES VICTIM [mprotect|munmap [part|block]]");
    let (vcores, victim): (u16, u16) = (words.number(2), words.number(1));
    let unmaps = match words.next() {
        None | Some("mprotect") => false,
        Some("munmap") => true,
        Some(_) => words.refuse(),
    };
    let page = match words.next() {
        None => Page::Alone,
        Some("part") => Page::PartOfBlock,
        Some("block") => Page::Block,
        Some(_) => words.refuse(),
    };
    if vcores < 2 || victim >= vcores {
        words.refuse();
    }
    words.end();
    start_on(vcores)?;
    let (pages, inside) = if page == Page::Alone { (1, 0) } else { (BLOCK as usize, INSIDE) };
    let memory = map(pages * PAGE, Rights::READ_WRITE, POPULATE)?;
    let used = memory.as_ptr().expose_provenance() + inside * PAGE;
    SHARED.store(used as u64, Ordering::Relaxed);
    let trial = Trial { vcores, victim, unmaps, page };
    for _ in 1..vcores {
        drop(threads::spawn(move || exit(take_part(trial).unwrap_or(1))));
    }
    take_part(trial)
}

/// A thread that keeps a vcore and has used the page there. On the victim's it writes once more when it is told; on the next
/// one it takes the right away, and gives the exit code.
fn take_part(trial: Trial) -> Result<i32, Error> {
    let Trial { vcores, victim, .. } = trial;
    let vcore = threads::vcore();
    write(vcore);
    spin_until(|| USED.load(Ordering::Acquire) == (1 << vcores) - 1);
    if vcore == (victim + 1) % vcores {
        return take_away(trial);
    }
    spin_until(|| IS_LOST.load(Ordering::Acquire) != 0);
    if vcore == victim {
        HAS_WRITTEN.store(write(victim), Ordering::Release);
    }
    loop {
        spin_until(|| false);
    }
}

/// Takes the right away, and sees whether the victim could write all the same.
fn take_away(Trial { victim, unmaps, page, .. }: Trial) -> Result<i32, Error> {
    let used = SHARED.load(Ordering::Relaxed) as usize;
    let (start, pages) = match page {
        Page::Block => (used - INSIDE * PAGE, BLOCK as usize),
        Page::Alone | Page::PartOfBlock => (used, 1),
    };
    let start = NonNull::new(core::ptr::with_exposed_provenance_mut(start));
    let page = NonNull::slice_from_raw_parts(start.ok_or(Error::Invalid)?, pages * PAGE);
    if unmaps {
        // SAFETY: whoever writes to it from now on is ended, or shows what is to be shown.
        unsafe { unmap(page) }?;
    } else {
        // SAFETY: as above.
        unsafe { protect(page, Rights::READ) }?;
    }
    IS_LOST.store(1, Ordering::Release);
    spin_until(|| HAS_WRITTEN.load(Ordering::Acquire) != 0);
    if !unmaps && read(victim) != HAS_WRITTEN.load(Ordering::Relaxed) {
        return Ok(LOST_WRITE);
    }
    println!("stale: vcore {victim} could write to a page that it may not write to");
    Ok(STALE)
}

fn word(vcore: u16) -> *mut u64 {
    let address = SHARED.load(Ordering::Relaxed) + u64::from(vcore) * WORD;
    core::ptr::with_exposed_provenance_mut(address as usize)
}

/// Counts a vcore's word up; gives what it is then.
fn write(vcore: u16) -> u64 {
    let word = word(vcore);
    // SAFETY: each vcore has its word; that the page is there but cannot be written is what is to be found out.
    let count = unsafe { word.read_volatile() } + 1;
    // SAFETY: as above.
    unsafe { word.write_volatile(count) };
    USED.fetch_or(1 << vcore, Ordering::Release);
    count
}

fn read(vcore: u16) -> u64 {
    // SAFETY: the page can be read.
    unsafe { word(vcore).read_volatile() }
}
