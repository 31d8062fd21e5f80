//! Time as people read it.

use crate::arch::time;
use core::fmt;

/// Clock ticks in microseconds.
#[must_use]
pub(crate) fn micros(ticks: u64) -> u64 {
    let micros = u128::from(ticks) * 1_000_000 / u128::from(time::tsc_hz().max(1));
    u64::try_from(micros).unwrap_or(u64::MAX)
}

/// Microseconds in clock ticks.
#[must_use]
pub(crate) fn ticks(micros: u128) -> u64 {
    let ticks = micros.saturating_mul(time::tsc_hz().into()) / 1_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// The moment in so many seconds.
#[must_use]
pub(crate) fn in_seconds(seconds: u64) -> u64 {
    crate::arch::cpu::now().saturating_add(seconds * time::tsc_hz())
}

/// A span of clock ticks, shown in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = micros(self.0);
        write!(f, "{}.{:03} ms", micros / 1000, micros % 1000)
    }
}
