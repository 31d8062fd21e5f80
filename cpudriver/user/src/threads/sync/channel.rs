//! Channels without bounds: what is sent comes out in the same order.

use super::{TimedOut, wait};
use crate::raw::list::Waiters;
use crate::raw::lock::Lock;
use crate::threads::run::{ready, ready_all};
use crate::time::Moment;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;

#[derive(Debug)]
struct Queue<T> {
    items: VecDeque<T>,
    senders: usize,
    waiters: Waiters,
}

/// The end of a channel that takes; see [`channel`].
#[derive(Debug)]
pub struct Receiver<T>(Arc<Lock<Queue<T>>>);

/// An end of a channel that gives; see [`channel`].
#[derive(Debug)]
pub struct Sender<T>(Arc<Lock<Queue<T>>>);

/// A channel without bounds: what is sent comes out in the same order.
#[must_use]
pub fn channel<T: Send>() -> (Sender<T>, Receiver<T>) {
    let queue = Queue { items: VecDeque::new(), senders: 1, waiters: Waiters::new() };
    let queue = Arc::new(Lock::new(queue));
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

impl<T: Send> Sender<T> {
    /// Sends something.
    pub fn send(&self, item: T) {
        let mut item = Some(item);
        let mut room = VecDeque::new();
        let waiter = loop {
            let tried = self.0.with(|queue| put(queue, &mut item, &mut room));
            match tried {
                Ok(waiter) => break waiter,
                // Not with the lock held: the heap may have to wait for memory.
                Err(needed) => room = VecDeque::with_capacity(needed),
            }
        };
        if let Some(waiter) = waiter {
            ready(waiter);
        }
    }
}

/// Puts an item in, and takes somebody who waits for it. If there is no room, uses `room`; if that does not do, says how
/// much would.
fn put<T>(
    queue: &mut Queue<T>,
    item: &mut Option<T>,
    room: &mut VecDeque<T>,
) -> Result<Option<crate::raw::thread::Parked>, usize> {
    let length = queue.items.len();
    if length == queue.items.capacity() {
        if room.capacity() <= length {
            return Err((2 * length).max(8));
        }
        room.extend(queue.items.drain(..));
        core::mem::swap(room, &mut queue.items);
    }
    queue.items.extend(item.take());
    Ok(queue.waiters.wake_one())
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.with(|queue| queue.senders += 1);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let waiters = self.0.with(|queue| {
            queue.senders -= 1;
            (queue.senders == 0).then(|| queue.waiters.wake_all())
        });
        waiters.into_iter().for_each(ready_all);
    }
}

impl<T: Send> Receiver<T> {
    /// The oldest thing that was sent; waits for it. `None` when all senders are gone and nothing is left.
    pub fn receive(&self) -> Option<T> {
        self.receive_until(None).unwrap_or(None)
    }

    /// Waits so long at most.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if nothing has come.
    pub fn receive_timeout(&self, span: Duration) -> Result<Option<T>, TimedOut> {
        self.receive_until(Some(Moment::now() + span))
    }

    fn receive_until(&self, deadline: Option<Moment>) -> Result<Option<T>, TimedOut> {
        let is_idle = |queue: &mut Queue<T>| queue.items.is_empty() && queue.senders > 0;
        let mut in_time = true;
        loop {
            let (item, is_over) =
                self.0.with(|queue| (queue.items.pop_front(), queue.senders == 0));
            if item.is_some() || is_over {
                return Ok(item);
            }
            if !in_time {
                return Err(TimedOut);
            }
            in_time = wait(&self.0, deadline, is_idle, |queue| &mut queue.waiters);
        }
    }
}
