//! What host cores that search together share: the states that were seen, and a pool of states to look at.

use super::fingerprint::Half;
use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 64;

type Shard = HashSet<u128, BuildHasherDefault<Half>>;

/// Fingerprints of the states that were seen.
pub(crate) struct Seen {
    shards: [Mutex<Shard>; SHARDS],
    count: AtomicUsize,
}

impl Default for Seen {
    fn default() -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        Self { shards, count: AtomicUsize::new(0) }
    }
}

impl Seen {
    /// Notes a state; says whether it is new.
    pub(crate) fn insert(&self, fingerprint: u128) -> bool {
        // The low half chooses the place in a shard, so the high one chooses the shard.
        let shard = &self.shards[(fingerprint >> 64) as usize % SHARDS];
        let new = locked(shard).insert(fingerprint);
        if new {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        new
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// A pool of things to do. It is empty for good when all workers ask for more and there is nothing.
pub(crate) struct Frontier<T> {
    pool: Mutex<Pool<T>>,
    changed: Condvar,
    workers: usize,
    /// Somebody waits; a hint, so that those who are busy need not take the lock to see.
    wanted: AtomicBool,
}

struct Pool<T> {
    ready: Vec<T>,
    waiting: usize,
    over: bool,
}

impl<T> Frontier<T> {
    pub(crate) fn new(workers: usize) -> Self {
        let pool = Pool { ready: Vec::new(), waiting: 0, over: false };
        let wanted = AtomicBool::new(false);
        Self { pool: Mutex::new(pool), changed: Condvar::new(), workers, wanted }
    }

    /// Is somebody idle who could do something?
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Puts something to do into the pool.
    pub(crate) fn give(&self, it: T) {
        let mut pool = locked(&self.pool);
        pool.ready.push(it);
        self.wanted.store(pool.waiting > pool.ready.len(), Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// Ends the search: nobody gets anything to do any more.
    pub(crate) fn stop(&self) {
        locked(&self.pool).over = true;
        self.changed.notify_all();
    }

    /// The next thing to do; `None` when all is done.
    pub(crate) fn take(&self) -> Option<T> {
        let mut pool = locked(&self.pool);
        pool.waiting += 1;
        loop {
            if let Some(it) = pool.ready.pop().filter(|_| !pool.over) {
                pool.waiting -= 1;
                self.wanted.store(pool.waiting > pool.ready.len(), Ordering::Relaxed);
                return Some(it);
            }
            if pool.waiting == self.workers {
                pool.over = true;
            }
            if pool.over {
                self.changed.notify_all();
                return None;
            }
            self.wanted.store(true, Ordering::Relaxed);
            pool = self.changed.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A worker that panicked has ended the whole search; what it left behind does not matter.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
