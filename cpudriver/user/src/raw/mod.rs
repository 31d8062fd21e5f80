//! All of this crate that the compiler cannot check: where a program meets the kernel.
//!
//! [`call`] has the structure of a call and the instruction that makes it, [`request`] what
//! makes it safe, [`page`] the pages that the kernel keeps in the
//! memory of a process, `start` the entry, `bytes` what compilers expect to be there, `heap` the allocator,
//! [`measure`] the marks of what is measured.
//!
//! What a scheduler stands on: [`vcore`] and [`thread`] are what it has to do with, [`here`] what it does on its own vcore, `switch` goes from one to the other and
//! `steal` takes a thread from a vcore that was stopped; [`lock`] is for vcores, [`list`] has threads that wait, `ring` those
//! that a vcore has to run; `packet` is how a thread ends, `keyed` what it has of its own, `stacks` where all of them run, [`lost`] what is left when a core
//! has stopped.

pub(crate) mod alarm;
#[cfg(atoll)]
mod bytes;
pub mod call;
pub mod fault;
pub(crate) mod guarded;
#[cfg(atoll)]
mod heap;
pub mod here;
pub(crate) mod keyed;
pub mod list;
pub mod lock;
pub mod lost;
pub mod measure;
pub mod memory;
pub(crate) mod notify;
pub(crate) mod packet;
pub mod page;
pub mod request;
mod ring;
pub mod shared;
mod stacks;
pub mod start;
mod steal;
mod switch;
pub mod thread;
pub mod vcore;

/// The time stamp counter, read after all earlier instructions have been executed.
#[must_use]
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: it waits for earlier loads; it has no other effect.
    unsafe { core::arch::x86_64::_mm_lfence() };
    // SAFETY: every x86_64 has the counter, and the kernel lets programs read it.
    unsafe { core::arch::x86_64::_rdtsc() }
}
