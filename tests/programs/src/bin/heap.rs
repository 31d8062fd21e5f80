//! Uses the heap: grows, sorts and frees collections, and checks what they hold.
//!
//!     run heap 1000
#![no_std]
#![no_main]

extern crate alloc;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use programs::{Random, Words};
use user::println;

user::main!(main);

fn main() -> i32 {
    let mut words = Words::new("[COUNT]");
    let count: u64 = words.number(1000);
    words.end();
    let mut random = Random(count);
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
    println!("heap: {count} numbers and blocks, right: {is_right}");
    i32::from(!is_right)
}
