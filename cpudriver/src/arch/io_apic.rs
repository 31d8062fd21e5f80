//! The interrupt controller of devices: brings the serial line's interrupt to core 0.

use super::acpi::Topology;
use super::interrupts::Source;
use super::layout;
use super::paging::Space;
use proto::id::ApicId;
use x86_64::instructions::port::Port;

/// Offset of the register that data goes through; the register before it selects.
const DATA: u64 = 0x10;
const FIRST_INPUT: u32 = 0x10;
const ACTIVE_LOW: u32 = 1 << 13;
const LEVEL: u32 = 1 << 15;

/// Lets the serial line interrupt the core `to`.
pub(super) fn route_serial(topology: &Topology, to: ApicId, space: &mut Space) {
    mask_legacy();
    let base = space.map_device(topology.io_apic);
    let polarity = if topology.is_active_low { ACTIVE_LOW } else { 0 };
    let trigger = if topology.is_level { LEVEL } else { 0 };
    let input = FIRST_INPUT + 2 * topology.input;
    write(base, input + 1, to.0 << 24);
    write(base, input, u32::from(Source::Serial.vector()) | polarity | trigger);
}

fn write(base: u64, register: u32, value: u32) {
    // SAFETY: the controller's page is mapped, and this is its selector.
    unsafe { layout::device(base).write_volatile(register) };
    // SAFETY: as above; the register concerns one input's interrupt.
    unsafe { layout::device(base + DATA).write_volatile(value) };
}

/// Masks all lines of the old interrupt controllers, which a PC starts with.
fn mask_legacy() {
    for port in [0x21, 0xa1] {
        // SAFETY: these are the masks of the old controllers, or nothing.
        unsafe { Port::<u8>::new(port).write(0xff) };
    }
}
