//! What many samples come to: a few numbers that can be published.
//!
//! Percentiles are nearest-rank: the smallest sample that at least that share of all samples does not
//! exceed, so every one of them is a sample that was really taken. Integers only.

/// What can be a sample: an unsigned integer.
pub trait Sample: Copy + Ord + Into<u64> {}
impl<T: Copy + Ord + Into<u64>> Sample for T {}

/// The summary of at least one sample, in the unit of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary<T> {
    /// How many samples.
    pub n: u32,
    /// The least.
    pub min: T,
    /// Half of the samples are at most this.
    pub p50: T,
    /// Nine in ten are at most this.
    pub p90: T,
    /// 99 in 100 are at most this.
    pub p99: T,
    /// The greatest.
    pub max: T,
    /// The mean in thousandths, rounded to the nearest; `u64::MAX` stands for all means that are
    /// greater, which 32-bit samples cannot have.
    pub mean_thousandths: u64,
}

impl<T: Sample> Summary<T> {
    /// Sorts the samples, and summarises them; `None` if there are none, or more than `u32::MAX`.
    #[must_use]
    pub fn of(samples: &mut [T]) -> Option<Self> {
        let n = u32::try_from(samples.len()).ok()?;
        samples.sort_unstable();
        Some(Self {
            n,
            min: *samples.first()?,
            p50: percentile(samples, 50)?,
            p90: percentile(samples, 90)?,
            p99: percentile(samples, 99)?,
            max: *samples.last()?,
            mean_thousandths: mean_thousandths(samples, n),
        })
    }
}

/// The samples that were taken after the first `warmup`, which are those of caches and branch
/// predictors that don't know the code yet; none if there are no more.
#[must_use]
pub fn after_warmup<T>(samples: &mut [T], warmup: usize) -> &mut [T] {
    samples.get_mut(warmup..).unwrap_or_default()
}

/// The nearest-rank percentile of sorted samples; `percent` is 1 to 100.
fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    // Divided before it is multiplied, so that no length overflows.
    let (hundreds, rest) = (sorted.len() / 100, sorted.len() % 100);
    let rank = hundreds * percent + (rest * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// `n` is the number of samples, more than 0.
fn mean_thousandths<T: Sample>(samples: &[T], n: u32) -> u64 {
    // 2^32 samples of 64 bits, times 1,000, stay far below 2^128.
    let sum: u128 = samples.iter().map(|&sample| u128::from(sample.into())).sum();
    let n = u128::from(n);
    u64::try_from((sum * 1_000 + n / 2) / n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Summary, after_warmup};
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn a_hundred_samples_are_their_own_percentiles() {
        let mut samples: Vec<u32> = (1..=100).rev().collect();
        let expected = Summary {
            n: 100,
            min: 1,
            p50: 50,
            p90: 90,
            p99: 99,
            max: 100,
            mean_thousandths: 50_500,
        };
        assert_eq!(Summary::of(&mut samples), Some(expected));
    }

    #[test]
    fn one_sample_is_all_of_them() {
        let summary = Summary::of(&mut [7_u64]).unwrap();
        assert_eq!((summary.min, summary.p50, summary.p99, summary.max), (7, 7, 7, 7));
        assert_eq!((summary.n, summary.mean_thousandths), (1, 7_000));
        assert_eq!(Summary::<u32>::of(&mut []), None);
    }

    #[test]
    fn great_samples_do_not_overflow() {
        let summary = Summary::of(&mut [u64::MAX; 3]).unwrap();
        assert_eq!((summary.max, summary.mean_thousandths), (u64::MAX, u64::MAX));
        let summary = Summary::of(&mut [u32::MAX; 3]).unwrap();
        assert_eq!(summary.mean_thousandths, u64::from(u32::MAX) * 1_000);
    }

    #[test]
    fn the_mean_is_rounded_to_the_nearest_thousandth() {
        let mean = |samples: &mut [u32]| Summary::of(samples).unwrap().mean_thousandths;
        assert_eq!(mean(&mut [0, 0, 1]), 333);
        assert_eq!(mean(&mut [0, 1, 1]), 667);
    }

    #[test]
    fn the_warm_up_is_left_out() {
        assert_eq!(after_warmup(&mut [9, 5, 6], 1), [5, 6]);
        assert_eq!(after_warmup(&mut [9], 2), [0; 0]);
    }

    /// By the definition: the first sample, in rising order, that enough samples do not exceed.
    fn naive_percentile(samples: &[u64], percent: usize) -> u64 {
        let enough = |limit: u64| {
            let below = samples.iter().filter(|&&sample| sample <= limit).count();
            below * 100 >= percent * samples.len()
        };
        samples.iter().copied().filter(|&sample| enough(sample)).min().unwrap()
    }

    proptest! {
        #[test]
        fn it_is_what_the_definitions_say(
            mut samples in prop::collection::vec(0_u64..1_000_000, 1..350)
        ) {
            let before = samples.clone();
            let summary = Summary::of(&mut samples).unwrap();
            prop_assert_eq!(summary.n as usize, before.len());
            prop_assert_eq!(Some(summary.min), before.iter().copied().min());
            prop_assert_eq!(Some(summary.max), before.iter().copied().max());
            prop_assert_eq!(summary.p50, naive_percentile(&before, 50));
            prop_assert_eq!(summary.p90, naive_percentile(&before, 90));
            prop_assert_eq!(summary.p99, naive_percentile(&before, 99));
            let (sum, n) = (before.iter().sum::<u64>(), before.len() as u64);
            prop_assert!((summary.mean_thousandths * n).abs_diff(sum * 1_000) * 2 <= n);
        }
    }
}
