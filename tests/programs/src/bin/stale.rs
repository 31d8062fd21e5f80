//! Shows whether a vcore uses a translation that is too old: writes to a page after its process has lost the right to, or
//! the page. Ends well if it could. If it could not, the process is ended for it.
//!
//!     run stale 3 1              (three vcores, of which vcore 1 writes)
//!     run stale 3 1 munmap
//!     run stale 3 1 mprotect part     (the page is one of 2 MiB that one entry maps; or block: all of them go)
//!     run stale 3 1 added             (all have read the page when the right to write is added; then vcore 1 writes)
//!     run stale 3 1 regained          (the same, all write, and then it is taken away)
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

/// Vcores whose threads have read the page before the right to write was added, a bit each; and that it was.
static HAVE_READ: AtomicU64 = AtomicU64::new(0);
static IS_ADDED: AtomicU64 = AtomicU64::new(0);

/// Exit codes: a vcore could write; what it wrote is gone; it has read what is not there any more.
const STALE: i32 = 0;
const LOST_WRITE: i32 = 4;
const OLD_VALUE: i32 = 5;

/// What is tried: with how many vcores, which of them writes, what becomes of the page, and what page it is.
#[derive(Clone, Copy)]
struct Trial {
    vcores: u16,
    victim: u16,
    change: Change,
    page: Page,
}

/// What becomes of the page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    /// The right to write is lost.
    Protect,
    Unmap,
    /// The right to write is added.
    Add,
    /// It is added and then lost.
    AddAndProtect,
}

/// What is mapped, and how much of it is taken away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Page {
    Alone,
    PartOfBlock,
    Block,
}

fn main() -> Result<i32, Error> {
    let mut words = Words::new("VCORES VICTIM [mprotect|munmap|added|regained [part|block]]");
    let (vcores, victim): (u16, u16) = (words.number(2), words.number(1));
    let change = match words.next() {
        None | Some("mprotect") => Change::Protect,
        Some("munmap") => Change::Unmap,
        Some("added") => Change::Add,
        Some("regained") => Change::AddAndProtect,
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
    let trial = Trial { vcores, victim, change, page };
    if trial.adds() {
        // SAFETY: nobody writes to it before the right is added.
        unsafe { protect(trial.changed()?, Rights::READ) }?;
    }
    for _ in 1..vcores {
        drop(threads::spawn(move || exit(take_part(trial).unwrap_or(1))));
    }
    take_part(trial)
}

/// A thread that keeps a vcore and has used the page there. On the victim's it writes once more when it is told; on the next
/// one it changes the page, and gives the exit code.
fn take_part(trial: Trial) -> Result<i32, Error> {
    let Trial { vcores, victim, .. } = trial;
    let vcore = threads::vcore();
    let (all, changes) = ((1 << vcores) - 1, vcore == (victim + 1) % vcores);
    if trial.adds() {
        read(vcore);
        HAVE_READ.fetch_or(1 << vcore, Ordering::Release);
        spin_until(|| HAVE_READ.load(Ordering::Acquire) == all);
        if changes {
            // SAFETY: it allows all that is done to it.
            unsafe { protect(trial.changed()?, Rights::READ_WRITE) }?;
            write(vcore);
            IS_ADDED.store(1, Ordering::Release);
        }
        spin_until(|| IS_ADDED.load(Ordering::Acquire) != 0);
        if read((victim + 1) % vcores) == 0 {
            return Ok(OLD_VALUE);
        }
    }
    if trial.change == Change::Add {
        return if changes { see_written(victim) } else { write_once(vcore == victim) };
    }
    write(vcore);
    spin_until(|| USED.load(Ordering::Acquire) == all);
    if changes {
        return take_away(trial);
    }
    spin_until(|| IS_LOST.load(Ordering::Acquire) != 0);
    write_once(vcore == victim)
}

/// The victim writes, and nobody does anything any more.
fn write_once(is_victim: bool) -> ! {
    if is_victim {
        HAS_WRITTEN.store(write(threads::vcore()), Ordering::Release);
    }
    loop {
        spin_until(|| false);
    }
}

/// Waits until the victim has written; the exit code, if it is there.
fn see_written(victim: u16) -> Result<i32, Error> {
    spin_until(|| HAS_WRITTEN.load(Ordering::Acquire) != 0);
    let is_there = read(victim) == HAS_WRITTEN.load(Ordering::Relaxed);
    Ok(if is_there { STALE } else { LOST_WRITE })
}

/// Takes the right away, and sees whether the victim could write all the same.
fn take_away(trial: Trial) -> Result<i32, Error> {
    let (Trial { victim, change, .. }, changed) = (trial, trial.changed()?);
    if change == Change::Unmap {
        // SAFETY: whoever writes to it from now on is ended, or shows what is to be shown.
        unsafe { unmap(changed) }?;
    } else {
        // SAFETY: as above.
        unsafe { protect(changed, Rights::READ) }?;
    }
    IS_LOST.store(1, Ordering::Release);
    spin_until(|| HAS_WRITTEN.load(Ordering::Acquire) != 0);
    if change != Change::Unmap && see_written(victim)? != STALE {
        return Ok(LOST_WRITE);
    }
    println!("stale: vcore {victim} could write to a page that it may not write to");
    Ok(STALE)
}

impl Trial {
    /// Is a right added?
    fn adds(self) -> bool {
        matches!(self.change, Change::Add | Change::AddAndProtect)
    }

    /// What is changed.
    fn changed(self) -> Result<NonNull<[u8]>, Error> {
        let used = SHARED.load(Ordering::Relaxed) as usize;
        let (start, pages) = match self.page {
            Page::Block => (used - INSIDE * PAGE, BLOCK as usize),
            Page::Alone | Page::PartOfBlock => (used, 1),
        };
        let start = NonNull::new(core::ptr::with_exposed_provenance_mut(start));
        Ok(NonNull::slice_from_raw_parts(start.ok_or(Error::Invalid)?, pages * PAGE))
    }
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
