//! A call that sets an alarm, made again and again, from vcore context.

use super::call::Block;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};
use proto::program::{STARTED, number};

/// See the module. One at a time goes on.
#[derive(Debug)]
pub(crate) struct AlarmCall {
    block: UnsafeCell<Block>,
    goes_on: AtomicBool,
}

// SAFETY: the structure is written only by who has set `goes_on`, before the call is made.
unsafe impl Sync for AlarmCall {}

impl AlarmCall {
    /// One that has not been made.
    pub(crate) const fn new() -> Self {
        let block = UnsafeCell::new(Block::new(number::ALARM, [0; 5]));
        Self { block, goes_on: AtomicBool::new(false) }
    }

    /// Asks for an alarm; false if it cannot be done now.
    pub(crate) fn set(&'static self, alarm: u64, moment: u64) -> bool {
        if self.goes_on.swap(true, Ordering::Acquire) {
            return false;
        }
        // SAFETY: no call goes on, and nobody else begins one.
        unsafe { *self.block.get() = Block::new(number::ALARM, [alarm, moment, 0, 0, 0]) };
        // SAFETY: as above.
        let block = unsafe { &*self.block.get() };
        // SAFETY: it names no memory, and the structure is there for ever.
        let is_made = unsafe { block.enter() } == STARTED;
        if !is_made {
            self.goes_on.store(false, Ordering::Release);
        }
        is_made
    }

    /// Does a call go on, as far as has been looked?
    pub(crate) fn goes_on(&self) -> bool {
        self.goes_on.load(Ordering::Relaxed)
    }

    /// Is a call over that went on when this was last asked?
    pub(crate) fn take_done(&self) -> bool {
        // SAFETY: while a call goes on nobody writes but the kernel, what is atomic.
        let is_done = self.goes_on() && unsafe { (*self.block.get()).is_done() };
        if is_done {
            self.goes_on.store(false, Ordering::Release);
        }
        is_done
    }

    /// What the event of the call's end carries.
    pub(crate) fn address(&self) -> u64 {
        self.block.get().addr() as u64
    }
}
