//! Deadlines: a heap of (time, timer) with the place of every timer known.
//!
//! Setting, moving and cancelling a timer cost the logarithm of how many are set, and nothing is
//! allocated after construction.

use alloc::vec;
use alloc::vec::Vec;

const UNSET: u32 = u32::MAX;

/// Names one of the timers that were asked for at construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TimerId(pub(crate) u32);

/// The timers that are set, soonest first; two of the same moment in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Timers {
    heap: Vec<(u64, TimerId)>,
    place: Vec<u32>,
}

impl Timers {
    /// Makes room for timers 0 to `count`, none of them set.
    pub(crate) fn new(count: usize) -> Self {
        Self { heap: Vec::with_capacity(count), place: vec![UNSET; count] }
    }

    /// The soonest deadline.
    pub(crate) fn soonest(&self) -> Option<u64> {
        self.heap.first().map(|&(deadline, _)| deadline)
    }

    /// When a timer comes, if it is set.
    pub(crate) fn deadline(&self, timer: TimerId) -> Option<u64> {
        self.heap.get(self.place[timer.0 as usize] as usize).map(|&(deadline, _)| deadline)
    }

    /// Sets a timer, or moves one that is set.
    pub(crate) fn set(&mut self, timer: TimerId, deadline: u64) {
        let at = match self.place[timer.0 as usize] {
            UNSET => {
                self.heap.push((deadline, timer));
                self.heap.len() - 1
            }
            at => {
                self.heap[at as usize].0 = deadline;
                at as usize
            }
        };
        self.settle(at);
    }

    /// Cancels a timer; says whether it was set.
    pub(crate) fn cancel(&mut self, timer: TimerId) -> bool {
        let at = self.place[timer.0 as usize];
        if at == UNSET {
            return false;
        }
        self.place[timer.0 as usize] = UNSET;
        self.heap.swap_remove(at as usize);
        if (at as usize) < self.heap.len() {
            self.settle(at as usize);
        }
        true
    }

    /// Takes a timer whose deadline has come.
    pub(crate) fn expired(&mut self, now: u64) -> Option<TimerId> {
        let &(deadline, timer) = self.heap.first()?;
        (deadline <= now && self.cancel(timer)).then_some(timer)
    }

    /// Moves the entry at `at` up or down to where it belongs.
    fn settle(&mut self, mut at: usize) {
        while at > 0 && self.heap[at] < self.heap[(at - 1) / 2] {
            at = self.swap(at, (at - 1) / 2);
        }
        while let Some(child) = self.smaller_child(at) {
            if self.heap[at] <= self.heap[child] {
                break;
            }
            at = self.swap(at, child);
        }
        self.note(at);
    }

    fn smaller_child(&self, at: usize) -> Option<usize> {
        let left = 2 * at + 1;
        let right = left + 1;
        let right_is_smaller = right < self.heap.len() && self.heap[right] < self.heap[left];
        (left < self.heap.len()).then_some(if right_is_smaller { right } else { left })
    }

    fn swap(&mut self, at: usize, to: usize) -> usize {
        self.heap.swap(at, to);
        self.note(at);
        to
    }

    fn note(&mut self, at: usize) {
        let (_, timer) = self.heap[at];
        self.place[timer.0 as usize] = u32::try_from(at).expect("fewer than 2^32 timers");
    }
}

#[cfg(test)]
mod tests {
    use super::{TimerId, Timers};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn a_timer_that_is_set_again_moves() {
        let mut timers = Timers::new(2);
        timers.set(TimerId(0), 10);
        timers.set(TimerId(1), 20);
        timers.set(TimerId(0), 30);
        assert_eq!(timers.soonest(), Some(20));
        assert_eq!(timers.expired(25), Some(TimerId(1)));
        assert_eq!(timers.expired(25), None);
        assert!(timers.cancel(TimerId(0)) && !timers.cancel(TimerId(0)));
    }

    proptest! {
        #[test]
        fn timers_expire_in_order_whatever_was_set_and_cancelled(
            operations in prop::collection::vec((0u32..16, 0u64..100, any::<bool>()), 0..60),
        ) {
            let mut timers = Timers::new(16);
            let mut model = [None; 16];
            for (timer, deadline, set) in operations {
                if set {
                    timers.set(TimerId(timer), deadline);
                } else {
                    timers.cancel(TimerId(timer));
                }
                model[timer as usize] = set.then_some(deadline);
            }
            let mut expected: Vec<(u64, u32)> =
                (0..16).filter_map(|i| model[i as usize].map(|at| (at, i))).collect();
            expected.sort_unstable();
            let expired = core::iter::from_fn(|| timers.expired(u64::MAX)).map(|timer| timer.0);
            prop_assert_eq!(
                expired.collect::<Vec<_>>(),
                expected.into_iter().map(|(_, i)| i).collect::<Vec<_>>()
            );
        }
    }
}
