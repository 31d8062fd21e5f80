//! What one would take otherwise: a lock-free queue for many threads, the standard library's channel, and
//! a queue behind a lock. None of them waits inside: a full or empty queue is polled as a ring is.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_queue::ArrayQueue;
use proto::message::Peer;

use super::layout::{Queue, Rx, Tx};
use super::slots::{message, number};

/// `crossbeam`'s bounded queue.
#[derive(Debug)]
pub struct Crossbeam;

impl Queue for Crossbeam {
    const NAME: &'static str = "crossbeam";
    type Tx = Arc<ArrayQueue<Peer>>;
    type Rx = Arc<ArrayQueue<Peer>>;

    fn channel(slots: usize) -> (Self::Tx, Self::Rx) {
        let queue = Arc::new(ArrayQueue::new(slots));
        (queue.clone(), queue)
    }
}

impl Tx for Arc<ArrayQueue<Peer>> {
    fn send(&mut self, number: u64) -> bool {
        self.push(message(number)).is_ok()
    }
}

impl Rx for Arc<ArrayQueue<Peer>> {
    fn take(&mut self) -> Option<u64> {
        self.pop().map(number)
    }
}

/// `std::sync::mpsc`, bounded.
#[derive(Debug)]
pub struct Mpsc;

impl Queue for Mpsc {
    const NAME: &'static str = "mpsc";
    type Tx = SyncSender<Peer>;
    type Rx = Receiver<Peer>;

    fn channel(slots: usize) -> (Self::Tx, Self::Rx) {
        sync_channel(slots)
    }
}

impl Tx for SyncSender<Peer> {
    fn send(&mut self, number: u64) -> bool {
        self.try_send(message(number)).is_ok()
    }
}

impl Rx for Receiver<Peer> {
    fn take(&mut self) -> Option<u64> {
        self.try_recv().ok().map(number)
    }
}

/// A `VecDeque` in a `Mutex`.
#[derive(Debug)]
pub struct Locked;

/// Either end of [`Locked`].
#[derive(Clone, Debug)]
pub struct LockedEnd {
    queue: Arc<Mutex<VecDeque<Peer>>>,
    slots: usize,
}

impl LockedEnd {
    /// Nobody panics with the lock in hand, and a queue would be whole even so.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Peer>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue for Locked {
    const NAME: &'static str = "mutex";
    type Tx = LockedEnd;
    type Rx = LockedEnd;

    fn channel(slots: usize) -> (LockedEnd, LockedEnd) {
        let queue = Arc::new(Mutex::new(VecDeque::with_capacity(slots)));
        let end = LockedEnd { queue, slots };
        (end.clone(), end)
    }
}

impl Tx for LockedEnd {
    fn send(&mut self, number: u64) -> bool {
        let mut queue = self.lock();
        let room = queue.len() < self.slots;
        if room {
            queue.push_back(message(number));
        }
        room
    }
}

impl Rx for LockedEnd {
    fn take(&mut self) -> Option<u64> {
        self.lock().pop_front().map(number)
    }
}
