//! The structure of a call, and the instruction that makes it.

use core::mem::offset_of;
use core::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use proto::program::block;

/// The structure of a call, as [`block`] describes it.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Block {
    number: u32,
    options: u8,
    done: AtomicU8,
    zero: [u8; 2],
    outcome: AtomicI64,
    value: AtomicU64,
    arguments: [u64; block::ARGUMENT_COUNT],
}

const _: () = {
    assert!(size_of::<Block>() == block::BYTES && align_of::<Block>() == block::ALIGN as usize);
    assert!(offset_of!(Block, number) == block::NUMBER);
    assert!(offset_of!(Block, options) == block::OPTIONS);
    assert!(offset_of!(Block, done) == block::DONE);
    assert!(offset_of!(Block, outcome) == block::OUTCOME);
    assert!(offset_of!(Block, value) == block::VALUE);
    assert!(offset_of!(Block, arguments) == block::ARGUMENTS);
};

/// In the options: post an event when the call is over.
const WANTS_EVENT: u8 = 1;

impl Block {
    /// A call that has not been made, and which posts an event if it is over later.
    #[must_use]
    #[inline]
    pub const fn new(number: u32, arguments: [u64; block::ARGUMENT_COUNT]) -> Self {
        Self {
            number,
            options: WANTS_EVENT,
            done: AtomicU8::new(0),
            zero: [0; 2],
            outcome: AtomicI64::new(0),
            value: AtomicU64::new(0),
            arguments,
        }
    }

    /// A call that has not been made, and which posts no event.
    #[must_use]
    #[inline]
    pub const fn quiet(number: u32, arguments: [u64; block::ARGUMENT_COUNT]) -> Self {
        let mut new = Self::new(number, arguments);
        new.options = 0;
        new
    }

    /// Makes the call. What is returned is its outcome, or [`STARTED`](proto::program::STARTED).
    ///
    /// # Safety
    ///
    /// 1. The arguments name memory that the kernel may read or write until the call is over, and nothing that
    ///    the call takes away is needed any more.
    /// 2. The structure stays where it is until the call is over.
    #[inline]
    pub unsafe fn enter(&self) -> i64 {
        #[cfg(atoll)]
        {
            let outcome;
            // SAFETY: the kernel keeps all registers but these, does not touch the stack, and of the memory
            // touches what the call is about, for which the caller vouches.
            unsafe {
                core::arch::asm!(
                    "syscall",
                    in("rdi") core::ptr::from_ref(self),
                    lateout("rax") outcome,
                    lateout("rcx") _,
                    lateout("r11") _,
                    options(nostack),
                );
            }
            outcome
        }
        // Without the kernel there are no calls.
        #[cfg(not(atoll))]
        i64::from(proto::call::Outcome::NO_CALL.0)
    }

    /// Is the call over, after it had been started?
    #[must_use]
    #[inline]
    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire) != 0
    }

    /// What it came to, once it is over: at least 0, or the negated number of an error.
    #[must_use]
    #[inline]
    pub fn outcome(&self) -> i64 {
        self.outcome.load(Ordering::Relaxed)
    }

    /// Its second result, once it is over.
    #[must_use]
    #[inline]
    pub fn value(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    /// Its address, which its event carries.
    #[must_use]
    #[inline]
    pub fn address(&self) -> u64 {
        core::ptr::from_ref(self).addr() as u64
    }
}
