//! Asks from many vcores for more memory than there is, for more regions than there may be, and for places that are taken:
//! each refusal is an error that says so, what was granted can be used, and what is given back is there again.
//!
//!     run limits frames 6 3     (6 threads on 3 cores take all that the process may have, and give it back)
//!     run limits hold 6 3       (the same, and keep it)
//!     run limits regions 6 3    (regions, until there are as many as there may be, while 6 threads use others)
//!     run limits places 6 3     (6 threads put memory where it must be, or anywhere)
//!     run limits blocks 6 3     (6 threads have memory that is mapped 2 MiB at a time, and change parts of it)
//!     run limits kept 6 1       (twice 6 blocks of 2 MiB, half of which are cut, stay)
#![no_std]
#![no_main]

extern crate alloc;

mod blocks;
mod frames;
mod places;
mod regions;

use core::num::NonZeroUsize;
use core::ptr::{NonNull, with_exposed_provenance, with_exposed_provenance_mut};
use programs::Words;
use user::memory::{Rights, map_at, unmap};
use user::{Error, threads};

user::main!(main);

const USAGE: &str = "frames | hold | regions | places | blocks | kept [THREADS [CORES]]";
const PAGE: usize = 4096;
const RW: Rights = Rights::READ_WRITE;

fn main() -> Result<i32, Error> {
    let mut words = Words::new(USAGE);
    let what = words.word();
    let (count, cores) = (words.number(4_u64), words.number(2));
    words.end();
    threads::start(cores)?;
    let is_right = match what {
        "frames" => frames::exhaust(count, false)?,
        "hold" => frames::exhaust(count, true)?,
        "regions" => regions::exhaust(count)?,
        "places" => places::compete(count)?,
        "blocks" => blocks::change(count)?,
        "kept" => blocks::keep(count)?,
        _ => Words::new(USAGE).refuse(),
    };
    Ok(i32::from(!is_right))
}

/// Pages that this program has mapped and uses through their addresses alone.
#[derive(Clone, Copy, Debug)]
struct Pages {
    start: usize,
    count: usize,
}

impl Pages {
    /// Maps so many, with [`FIXED`](user::memory::FIXED) at an address that nothing else of this program uses.
    fn map(at: usize, count: usize, rights: Rights, flags: u8) -> Result<Self, Error> {
        // SAFETY: the kernel puts nothing where something is.
        let memory = unsafe { map_at(at as u64, count * PAGE, rights, flags) }?;
        Ok(Self { start: memory.cast::<u8>().as_ptr().expose_provenance(), count })
    }

    /// Some of them.
    const fn part(self, first: usize, count: usize) -> Self {
        Self { start: self.start + first * PAGE, count }
    }

    fn memory(self) -> NonNull<[u8]> {
        let start = NonZeroUsize::new(self.start).map(NonNull::with_exposed_provenance);
        NonNull::slice_from_raw_parts(start.expect("nothing is at 0"), self.count * PAGE)
    }

    /// Maps them, who were given back.
    fn map_again(self) -> Result<(), Error> {
        Self::map(self.start, self.count, RW, user::memory::FIXED).map(drop)
    }

    /// Gives them back.
    fn unmap(self) -> Result<(), Error> {
        // SAFETY: this program uses them through their addresses, and not after this.
        unsafe { unmap(self.memory()) }
    }

    fn protect(self, rights: Rights) -> Result<(), Error> {
        // SAFETY: who uses them looks at what the rights are now.
        unsafe { user::memory::protect(self.memory(), rights) }
    }

    /// Writes to each page something that no other has.
    fn mark(self, tag: u64) {
        for page in 0..self.count {
            let place =
                with_exposed_provenance_mut::<u64>(self.start + page * PAGE + 8 * page % PAGE);
            // SAFETY: it is mapped to be written, and nobody else's.
            unsafe { place.write_volatile(tag ^ page as u64) };
        }
    }

    /// How many pages do not hold what they were marked with.
    fn unmarked(self, tag: u64) -> usize {
        self.unlike(|page| tag ^ page as u64)
    }

    /// How many pages do not hold such words where they are marked.
    fn unlike(self, expected: impl Fn(usize) -> u64) -> usize {
        let is_wrong = |page: &usize| {
            let place = with_exposed_provenance::<u64>(self.start + page * PAGE + 8 * page % PAGE);
            // SAFETY: it is mapped to be read.
            (unsafe { place.read_volatile() }) != expected(*page)
        };
        (0..self.count).filter(is_wrong).count()
    }
}

/// Asks until the answer is not that it cannot be now.
fn patiently<T>(mut ask: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    loop {
        match ask() {
            Err(Error::Again) => threads::yield_now(),
            outcome => return outcome,
        }
    }
}
