//! Shows whether a vcore uses a translation that is too old: writes to a page after its process has lost the right to, or
//! the page. Ends well if it could. If it could not, the process is ended for it.
//!
//!     run stale 3 1              (three vcores, of which vcore 1 writes)
//!     run stale 3 1 munmap
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};
use programs::{Words, spin_until, start_on};
use user::memory::{POPULATE, Rights, map, protect, unmap};
use user::{Error, println, threads};

user::main!(main);

const PAGE: usize = 4096;
const WORD: u64 = 8;

/// The page, its address.
static SHARED: AtomicU64 = AtomicU64::new(0);
/// Vcores whose threads have used it, a bit each; and that the right to write is gone.
static USED: AtomicU64 = AtomicU64::new(0);
static IS_LOST: AtomicU64 = AtomicU64::new(0);
/// The victim has written all the same.
static HAS_WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Exit codes: a vcore could write; the process did not get what it needs to find out.
const STALE: i32 = 0;
const NOT_TRIED: i32 = 3;
const LOST_WRITE: i32 = 4;

fn main() -> Result<i32, Error> {
    let mut words = Words::new("VCORES VICTIM [mprotect|munmap]");
    let (vcores, victim): (u16, u16) = (words.number(2), words.number(1));
    let unmaps = match words.next() {
        None | Some("mprotect") => false,
        Some("munmap") => true,
        Some(_) => words.refuse(),
    };
    words.end();
    start_on(vcores)?;
    let page = map(PAGE, Rights::READ_WRITE, POPULATE)?;
    SHARED.store(page.as_ptr().expose_provenance() as u64, Ordering::Relaxed);
    for _ in 1..vcores {
        drop(threads::spawn(move || write_when_told(victim)));
    }
    write(threads::vcore());
    let all = (1_u64 << vcores) - 1;
    spin_until(|| USED.load(Ordering::Acquire) == all);
    if threads::vcore() == victim {
        // It takes the right away, so it is not the one to be told.
        return Ok(NOT_TRIED);
    }
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

/// A thread that keeps a vcore, has used the page there, and writes once more if it is the victim's.
fn write_when_told(victim: u16) {
    write(threads::vcore());
    spin_until(|| IS_LOST.load(Ordering::Acquire) != 0);
    if threads::vcore() == victim {
        HAS_WRITTEN.store(write(victim), Ordering::Release);
    }
    spin_until(|| false);
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
