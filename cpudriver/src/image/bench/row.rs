//! Prints rows of results on the serial line.

use super::Plan;
use crate::arch::{time, uart};
use crate::console::output::Format;
use crate::results::{self, Measured, Sampled, Ticks};
use core::fmt::Display;

impl Measured<'_> {
    /// Prints the row.
    pub(super) fn print(&self, plan: Plan<'_>) {
        let ticks = Ticks { clock: plan.clock, hz: time::tsc_hz() };
        let _ = self.write(&mut uart::Writer, plan.format, ticks);
    }
}

impl Sampled<'_> {
    /// Prints the row.
    pub(super) fn print(&self, plan: Plan<'_>) {
        let _ = self.write(&mut uart::Writer, plan.format);
    }
}

/// Tells how far an experiment is.
pub(super) fn progress(done: usize, of: usize, format: Format) {
    if format == Format::Json {
        let _ = results::progress(&mut uart::Writer, format, done as u64, of as u64);
    }
}

/// Tells that the machine is too small for an experiment.
pub(super) fn skipped(experiment: &str, why: &str, format: Format) {
    let _ = results::skipped(&mut uart::Writer, format, experiment, why);
}

/// Tells that an experiment went wrong.
pub(super) fn failed(experiment: &str, why: &dyn Display, format: Format) {
    let _ = results::failed(&mut uart::Writer, format, experiment, why);
}
