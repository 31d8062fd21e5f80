//! Multiplies matrices of floating-point numbers block by block, in threads, and checks every bit of the product.
//!
//! Each thread takes the next rows of blocks that nobody has taken. The order in which a sum is made is the same as in one
//! thread, and so is the sum.
//!
//!     run matmul 8 128 3        (8 threads, matrices of 128 by 128, on 3 cores)
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use programs::{Random, Seen, Words, in_threads};
use user::measure::begin;
use user::{Error, println, threads};

user::main!(main);

/// The vcores that have worked.
static SEEN: Seen = Seen::new();

/// Rows and columns of a block.
const BLOCK: usize = 16;

fn main() -> Result<i32, Error> {
    let mut words = Words::new("[THREADS [SIZE [CORES]]], SIZE a multiple of 16");
    let (count, size, cores) = (words.number(8), words.number(64), words.number(2));
    if size % BLOCK != 0 || size == 0 {
        words.refuse();
    }
    words.end();
    let factors = Arc::new([Matrix::random(size, 1), Matrix::random(size, 2)]);
    let bands = size / BLOCK;
    let expected: Vec<_> = (0..bands).flat_map(|band| multiply(&factors, band)).collect();
    let cores = threads::start(cores)?;
    let next = Arc::new(AtomicUsize::new(0));
    let open = begin();
    let parts = in_threads(count, move |_| {
        let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|band| *band < bands);
        let mine = core::iter::from_fn(take)
            .inspect(|_| SEEN.here())
            .map(|band| (band, multiply(&factors, band)));
        mine.collect::<Vec<_>>()
    });
    let ticks = open.end();
    let mut parts: Vec<_> = parts.into_iter().flatten().collect();
    parts.sort_unstable_by_key(|(band, _)| *band);
    let product = parts.iter().flat_map(|(_, rows)| rows);
    let is_right = product.map(|it| it.to_bits()).eq(expected.iter().map(|it| it.to_bits()));
    println!(
        "matmul: {size} by {size} in {count} threads on up to {cores} cores, right: {is_right}"
    );
    println!("matmul: {ticks} ticks in parallel, on {} vcores", SEEN.vcores());
    Ok(i32::from(!is_right))
}

/// A square matrix, row after row.
struct Matrix {
    size: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// With numbers between -1 and 1.
    fn random(size: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let number = |_| f64::from(random.number() as i32) / f64::from(i32::MAX);
        Self { size, values: (0..size * size).map(number).collect() }
    }

    /// The part of a row that a block covers.
    fn part(&self, row: usize, column: usize) -> &[f64] {
        &self.values[row * self.size + column..][..BLOCK]
    }
}

/// A band of the product, as high as a block.
fn multiply([left, right]: &[Matrix; 2], band: usize) -> Vec<f64> {
    let size = left.size;
    let mut band_of_product = alloc::vec![0.0; size * BLOCK];
    for inner in (0..size).step_by(BLOCK) {
        for column in (0..size).step_by(BLOCK) {
            for row in 0..BLOCK {
                let sums = &mut band_of_product[row * size + column..][..BLOCK];
                let factors = left.part(band * BLOCK + row, inner);
                for (at, factor) in factors.iter().enumerate() {
                    for (sum, value) in sums.iter_mut().zip(right.part(inner + at, column)) {
                        *sum += factor * value;
                    }
                }
            }
        }
    }
    band_of_product
}
