//! What several of the programs need.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;
use core::str::FromStr;
use core::sync::atomic::{AtomicU64, Ordering};
use user::threads::{self, JoinHandle};
use user::{Error, args, eprintln, exit, info, println};

/// Exit code of a program that was called wrongly.
pub const WRONG_USE: i32 = 2;

/// The words after a program's name.
#[derive(Debug)]
pub struct Words {
    at: usize,
    usage: &'static str,
}

impl Words {
    /// The program's words. If the first asks for help, prints it and ends the process; `usage` is what
    /// can stand behind the program's name.
    #[must_use]
    pub fn new(usage: &'static str) -> Self {
        let words = Self { at: 1, usage };
        if args().nth(1) == Some("--help") {
            words.explain();
            exit(0);
        }
        words
    }

    /// The next word; ends the process with a hint if there is none.
    pub fn word(&mut self) -> &'static str {
        self.next().unwrap_or_else(|| self.refuse())
    }

    /// The next word as a number; ends the process with a hint if it is none.
    pub fn number<T: FromStr>(&mut self, default: T) -> T {
        let Some(word) = self.next() else { return default };
        word.parse().unwrap_or_else(|_| self.refuse())
    }

    /// Ends the process with a hint if words are left.
    pub fn end(mut self) {
        if self.next().is_some() {
            self.refuse();
        }
    }

    /// Says how the program is used, and ends the process.
    pub fn refuse(&self) -> ! {
        self.explain();
        exit(WRONG_USE)
    }

    fn explain(&self) {
        eprintln!("usage: {} {}", args().next().unwrap_or("?"), self.usage);
    }
}

impl Iterator for Words {
    type Item = &'static str;

    fn next(&mut self) -> Option<&'static str> {
        let word = args().nth(self.at);
        self.at += usize::from(word.is_some());
        word
    }
}

/// Spins until something is so. In count mode all cores take turns, and one that pauses gives its turn away.
#[inline(always)]
pub fn spin_until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        core::hint::spin_loop();
    }
}

/// Ends the process with a hint if there are not so many cores that can be leased.
pub fn need_cores(cores: u16) {
    let most = info::max_vcores();
    if most < cores {
        let name = args().next().unwrap_or("?");
        eprintln!(
            "{name}: needs {cores} cores beside core 0, and there are {most}: boot with more (`--cores`)"
        );
        exit(WRONG_USE)
    }
}

/// Begins threads on so many vcores, and waits until each has a core. Ends the process with a hint if there are not so many.
///
/// # Errors
/// Those of [`threads::start`].
pub fn start_on(vcores: u16) -> Result<(), Error> {
    need_cores(vcores);
    threads::start(vcores)?;
    spin_until(|| info::vcores() == vcores);
    Ok(())
}

/// Which vcores have done something, of the first 64.
#[derive(Debug)]
pub struct Seen(AtomicU64);

impl Seen {
    /// None yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is for statics")]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The vcore that this runs on has. It pauses: in count mode all cores take turns, and who pauses gives its turn away, so
    /// that all have a share of what is done piece by piece.
    pub fn here(&self) {
        core::hint::spin_loop();
        self.0.fetch_or(1 << (threads::vcore() % 64), Ordering::Relaxed);
    }

    /// How many have.
    #[must_use]
    pub fn vcores(&self) -> u32 {
        self.0.load(Ordering::Relaxed).count_ones()
    }
}

/// Numbers that look random and are the same for the same seed: SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// The next number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }
}

/// The most rounds that an experiment [measures](measured) at a time: there is room for as many samples.
pub const MOST_ROUNDS: usize = 256;

/// Measures `round` so often, at most [`MOST_ROUNDS`] times; it gives the clock's ticks. Then prints what the clock says of
/// each, for printing must not fall between two of them.
///
/// # Errors
/// Those of `round`, after which none follows and nothing is printed.
pub fn measured(rounds: usize, round: &mut dyn FnMut() -> Result<u64, Error>) -> Result<(), Error> {
    let mut samples = [0; MOST_ROUNDS];
    let samples = &mut samples[..rounds.min(MOST_ROUNDS)];
    for sample in samples.iter_mut() {
        *sample = round()?;
    }
    for sample in samples {
        println!("{sample}");
    }
    Ok(())
}

/// Runs `work` in so many threads, which know their numbers from 0 on; gives what each came to, in this order. The
/// process has started threads.
pub fn in_threads<T: Send + 'static>(
    count: u64,
    work: impl Fn(u64) -> T + Clone + Send + 'static,
) -> Vec<T> {
    let spawn = |number| {
        let work = work.clone();
        threads::spawn(move || work(number))
    };
    let all: Vec<_> = (0..count).map(spawn).collect();
    all.into_iter().map(JoinHandle::join).collect()
}
