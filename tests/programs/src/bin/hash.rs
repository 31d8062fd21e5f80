//! Hashes many buffers with SHA-256 in threads, and compares each hash with that of one thread.
//!
//!     run hash 8 64 3           (8 threads, 64 buffers of up to 8 KiB, on 3 cores)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use programs::{Random, Seen, Words, in_threads};
use sha2::{Digest, Sha256};
use user::measure::begin;
use user::{Error, println, threads};

user::main!(main);

/// The vcores that have worked.
static SEEN: Seen = Seen::new();

/// Bytes of the longest buffer.
const LONGEST: u64 = 8192;
/// The hash of `abc` begins so (FIPS 180-2, B.1).
const ABC: [u8; 8] = [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea];

type Hash = [u8; 32];

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[THREADS [BUFFERS [CORES]]]");
    let (count, buffers, cores) = (words.number(8), words.number(64), words.number(2));
    words.end();
    let is_known: bool = hash_of(b"abc").starts_with(&ABC);
    let expected: Vec<_> = (0..buffers).map(hash).collect();
    let cores = threads::start(cores)?;
    let next = Arc::new(AtomicU64::new(0));
    let open = begin();
    let parts = in_threads(count, move |_| {
        let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|it| *it < buffers);
        core::iter::from_fn(take)
            .inspect(|_| SEEN.here())
            .map(|number| (number, hash(number)))
            .collect::<Vec<_>>()
    });
    let ticks = open.end();
    let mut found: Vec<_> = parts.into_iter().flatten().collect();
    found.sort_unstable();
    let is_right = is_known && found.into_iter().map(|(_, hash)| hash).eq(expected);
    println!(
        "hash: {buffers} buffers in {count} threads on up to {cores} cores, right: {is_right}"
    );
    println!("hash: {ticks} ticks in parallel, on {} vcores", SEEN.vcores());
    Ok(i32::from(!is_right))
}

fn hash_of(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// The hash of the buffer of that number.
fn hash(number: u64) -> Hash {
    let mut random = Random(number);
    let words = random.below(LONGEST / 8);
    let buffer: Vec<u8> = (0..words).flat_map(|_| random.number().to_le_bytes()).collect();
    hash_of(&buffer)
}
