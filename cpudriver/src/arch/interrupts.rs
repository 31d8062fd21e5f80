//! Interrupts: who sent them.
//!
//! Interrupts are off in the kernel, except while a core waits for one ([`super::cpu::wait_for_interrupt`]). A handler acknowledges it, notes
//! its source and returns, so nothing is ever nested and no data is shared with handlers but a byte
//! for each source.

use super::{apic, percpu, trap};
use core::sync::atomic::Ordering;

/// Who interrupts a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Another core, which has put something into a ring.
    Doorbell,
    /// This core's timer.
    Timer,
    /// The serial line has received something (core 0 only).
    Serial,
}

impl Source {
    /// The interrupt's vector.
    pub(super) const fn vector(self) -> u8 {
        trap::FIRST_INTERRUPT as u8 + self as u8
    }
}

/// The vector that the local APIC gives when an interrupt has vanished meanwhile. Its low four bits are
/// set, because some processors force them to be.
pub(super) const SPURIOUS: u8 = 0x4f;

/// Whether an interrupt of this source has arrived on this core and was not taken.
pub fn has_come(source: Source) -> bool {
    percpu::this().pending[source as usize].load(Ordering::Relaxed)
}

/// Whether an interrupt of this source has arrived on this core since the last look.
pub fn take(source: Source) -> bool {
    // Load and store may be apart: handlers run at that wait alone.
    let pending = &percpu::this().pending[source as usize];
    let was_pending = pending.load(Ordering::Relaxed);
    if was_pending {
        pending.store(false, Ordering::Relaxed);
    }
    was_pending
}

/// Notes an interrupt and acknowledges it; a spurious one must not be acknowledged.
pub(super) fn on_interrupt(vector: usize) {
    if vector == usize::from(SPURIOUS) {
        return;
    }
    if let Some(pending) = percpu::this().pending.get(vector - trap::FIRST_INTERRUPT) {
        pending.store(true, Ordering::Relaxed);
    }
    apic::acknowledge();
}
