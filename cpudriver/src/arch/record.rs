//! The device that takes a recording: core 0's alone.
//!
//! QEMU's `isa-debugcon` takes a byte at a time and hands it on at once. Nothing is kept here, so a recording
//! may be as long as it likes, and what was written is there whatever becomes of the machine.

use core::arch::asm;
use proto::boot::{RECORD_DEVICE, RECORD_PORT};
use x86_64::instructions::port::PortReadOnly;

/// Looks whether the machine has the device.
#[must_use]
pub fn is_there() -> bool {
    let mut port = PortReadOnly::<u8>::new(RECORD_PORT);
    // SAFETY: the device, or nothing, answers at this port, and to read from it changes nothing.
    unsafe { port.read() == RECORD_DEVICE }
}

/// Hands bytes to the device.
pub fn write(bytes: &[u8]) {
    // SAFETY: it reads just these bytes; the device, or nothing, answers at this port. The direction flag is
    // clear, as everywhere in compiled code.
    unsafe {
        asm!("rep outsb", in("dx") RECORD_PORT, inout("rsi") bytes.as_ptr() => _,
            inout("rcx") bytes.len() => _, options(nostack, preserves_flags, readonly));
    }
}
