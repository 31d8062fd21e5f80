//! All of this crate that the compiler cannot check: where a program meets the kernel.
//!
//! [`call`] has the structure of a call and the instruction that makes it, [`request`] what
//! makes it safe, [`page`] the pages that the kernel keeps in the
//! memory of a process, `start` the entry, `keyed` what each thread has, `bytes` what compilers expect to be there, `heap` the allocator,
//! [`measure`] the marks of what is measured.

#[cfg(atoll)]
mod bytes;
pub mod call;
pub(crate) mod guarded;
#[cfg(atoll)]
mod heap;
pub(crate) mod keyed;
pub mod lock;
pub mod measure;
pub mod memory;
pub(crate) mod notify;
pub mod page;
pub mod request;
pub mod start;
pub(crate) mod steal;
pub(crate) mod switch;
pub(crate) mod thread;
pub(crate) mod vcore;

/// The time stamp counter, read after all earlier instructions have been executed.
#[must_use]
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: it waits for earlier loads; it has no other effect.
    unsafe { core::arch::x86_64::_mm_lfence() };
    // SAFETY: every x86_64 has the counter, and the kernel lets programs read it.
    unsafe { core::arch::x86_64::_rdtsc() }
}
