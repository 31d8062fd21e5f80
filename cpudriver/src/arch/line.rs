//! One line that core 0 writes and all others may poll, and a line of each core for its answer: a broadcast over shared memory.
//!
//! The kernel tells cores by messages; an experiment compares them with this. Each word has one writer.

use super::percpu;
use crate::post::MAX_CORES;
use core::sync::atomic::{AtomicU64, Ordering};
use proto::id::CoreId;

#[repr(C, align(64))]
struct Line(AtomicU64);

static TOLD: Line = Line(AtomicU64::new(0));
static ANSWERS: [Line; MAX_CORES] = [const { Line(AtomicU64::new(0)) }; MAX_CORES];

/// The number that core 0 has written last; 0 at first.
#[inline(always)]
#[must_use]
pub fn told() -> u64 {
    TOLD.0.load(Ordering::Acquire)
}

/// Tells all cores a number.
///
/// # Panics
///
/// On any core but core 0.
pub fn tell(number: u64) {
    assert!(percpu::id() == CoreId::MANAGEMENT, "the line is core 0's to write");
    TOLD.0.store(number, Ordering::Release);
}

/// The number that a core has answered last; 0 at first, or if there is no such core.
#[inline(always)]
#[must_use]
pub fn answered(core: CoreId) -> u64 {
    ANSWERS.get(core.index()).map_or(0, |line| line.0.load(Ordering::Acquire))
}

/// Answers a number, for this core.
#[inline(always)]
pub fn answer(number: u64) {
    ANSWERS[percpu::id().index()].0.store(number, Ordering::Release);
}
