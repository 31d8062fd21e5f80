//! Where threads wait for each other.

use super::wait;
use crate::raw::list::{List, Waiters};
use crate::raw::lock::Lock;
use crate::threads::run::ready_all;

#[derive(Debug)]
struct Gathering {
    missing: usize,
    round: u64,
    waiters: Waiters,
}

/// Where threads wait for each other.
#[derive(Debug)]
pub struct Barrier {
    threads: usize,
    gathering: Lock<Gathering>,
}

impl Barrier {
    /// For so many threads, at least 1.
    #[must_use]
    pub const fn new(threads: usize) -> Self {
        let gathering = Gathering { missing: threads, round: 0, waiters: Waiters::new() };
        Self { threads, gathering: Lock::new(gathering) }
    }

    /// Waits until all threads are here; true for the last one that came.
    pub fn wait(&self) -> bool {
        let (round, others) = self.gathering.with(|it| self.arrive(it));
        if let Some(others) = others {
            ready_all(others);
            return true;
        }
        while self.gathering.with(|it| it.round == round) {
            wait(&self.gathering, None, |it| it.round == round, |it| &mut it.waiters);
        }
        false
    }

    /// The round, and those that have waited for this thread if it is the last.
    fn arrive(&self, it: &mut Gathering) -> (u64, Option<List>) {
        it.missing -= 1;
        let round = it.round;
        if it.missing > 0 {
            return (round, None);
        }
        (it.missing, it.round) = (self.threads, round + 1);
        (round, Some(it.waiters.wake_all()))
    }
}
