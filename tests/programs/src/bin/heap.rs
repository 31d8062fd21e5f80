//! Uses the heap: grows, sorts and frees collections, and checks what they hold.
//!
//!     run heap 1000
//!     run heap 1000 8 3         (in 8 threads on 3 cores, which need more memory at the same time)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use programs::{Random, Words, in_threads};
use user::{Error, println, threads};

user::main!(main);

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[COUNT [THREADS [CORES]]]");
    let (count, threads, cores) = (words.number(1000_u64), words.number(0), words.number(2));
    words.end();
    let is_right = if threads == 0 {
        use_heap(count, count)
    } else {
        threads::start(cores)?;
        in_threads(threads, move |number| use_heap(count, number)).into_iter().all(|it| it)
    };
    println!("heap: {count} numbers and blocks, right: {is_right}");
    Ok(i32::from(!is_right))
}

/// Did everything come out of the heap as it was put there?
fn use_heap(count: u64, seed: u64) -> bool {
    let mut random = Random(seed);
    let mut numbers: Vec<u64> = (0..count).collect();
    for at in (1..numbers.len()).rev() {
        numbers.swap(at, random.below(at as u64 + 1) as usize);
    }
    let names: BTreeMap<_, _> =
        numbers.iter().map(|number| (format!("{number:08}"), *number)).collect();
    numbers.sort_unstable();
    let is_right = names.values().eq(numbers.iter());
    // Many different sizes, freed in another order than they were allocated in.
    let mut blocks: Vec<Vec<u8>> =
        (0..count).map(|it| alloc::vec![it as u8; random.below(3000) as usize]).collect();
    while !blocks.is_empty() {
        let block = blocks.swap_remove(random.below(blocks.len() as u64) as usize);
        assert!(block.iter().all(|byte| Some(byte) == block.first()), "a block was overwritten");
    }
    is_right
}
