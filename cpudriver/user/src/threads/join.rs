//! Making threads, and waiting for their end.

use super::queue::STATE;
use super::sync::Waiters;
use crate::raw::lock::Lock;
use crate::raw::thread::Thread;
use alloc::boxed::Box;
use alloc::sync::Arc;

/// Bytes of a thread's stack.
const STACK_BYTES: usize = 32 << 10;

/// What a thread comes to, and who waits for it.
#[derive(Debug)]
struct Result<T> {
    value: Option<T>,
    waiters: Waiters,
}

/// A thread whose end can be waited for.
#[derive(Debug)]
#[must_use = "a thread that nobody joins goes on by itself"]
pub struct JoinHandle<T> {
    result: Arc<Lock<Result<T>>>,
}

/// Runs `work` in a thread of its own. The process must have [started](super::start) threads.
pub fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let result = Arc::new(Lock::new(Result { value: None, waiters: Waiters::new() }));
    let theirs = Arc::clone(&result);
    let whole = Box::new(move || {
        let value = work();
        let waiters = theirs.with(|result| {
            result.value = Some(value);
            core::mem::take(&mut result.waiters)
        });
        // Before the waiters run, so that the last owner is not this thread in its last moments.
        drop(theirs);
        waiters.wake_all();
    });
    let (thread, is_new) = match STATE.with(|state| state.spare.pop()) {
        Some(spare) => (spare, false),
        None => (Thread::new(), true),
    };
    if is_new {
        thread.give_stack(alloc::vec![0_u128; STACK_BYTES / 16].leak());
        STATE.with(|state| state.reserve(1));
    }
    thread.prepare(whole);
    super::ready(thread);
    JoinHandle { result }
}

/// A thread has ended: it is used again.
pub(super) fn recycle(thread: &'static Thread) {
    STATE.with(|state| state.spare.push(thread));
}

impl<T: Send + 'static> JoinHandle<T> {
    /// Waits until the thread has ended; gives what it came to.
    ///
    /// # Panics
    ///
    /// When the thread ended without a value, which cannot be: a panic ends the process.
    pub fn join(self) -> T {
        loop {
            if let Some(value) = self.result.with(|result| result.value.take()) {
                return value;
            }
            Waiters::wait(&self.result, |result| {
                result.value.is_none().then_some(&mut result.waiters)
            });
        }
    }
}
