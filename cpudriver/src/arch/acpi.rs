//! ACPI's list of cores and interrupt controllers, by the `acpi` crate.

use super::apic;
use super::layout;
use super::paging::Space;
use crate::machine::madt::{self, CoreList};
use acpi::madt::{InterruptSourceOverrideEntry, Madt, MadtEntry};
use acpi::{AcpiError, AcpiHandler, AcpiTables, PhysicalMapping};
use core::cell::RefCell;
use core::ptr::NonNull;
use proto::id::ApicId;

/// What is known of the machine's cores and of the way of the serial line's interrupt.
#[derive(Debug)]
pub(super) struct Topology {
    pub(super) cores: CoreList,
    /// Physical address of the interrupt controller that the serial line is wired to.
    pub(super) io_apic: u64,
    /// The controller's input.
    pub(super) input: u32,
    pub(super) is_level: bool,
    pub(super) is_active_low: bool,
}

/// Where the controller is on every PC that does not say otherwise.
const DEFAULT_IO_APIC: u64 = 0xfec0_0000;

impl Topology {
    /// A machine of which nothing is known: one core, and the wiring of a PC.
    pub(super) fn unknown(boot: ApicId, isa_line: u8) -> Self {
        Self {
            cores: CoreList::new(boot),
            io_apic: DEFAULT_IO_APIC,
            input: u32::from(isa_line),
            is_level: false,
            is_active_low: false,
        }
    }

    /// Follows an override of the wire's usual way (ACPI 6.5, 5.2.12.5).
    fn rewire(&mut self, wire: &InterruptSourceOverrideEntry) {
        const ACTIVE_LOW: u16 = 0b11;
        const LEVEL: u16 = 0b1100;
        self.input = wire.global_system_interrupt;
        self.is_active_low = wire.flags & 0b11 == ACTIVE_LOW;
        self.is_level = wire.flags & 0b1100 == LEVEL;
    }
}

/// Maps tables while they are read. What it maps stays mapped, read-only.
#[derive(Clone)]
struct Mapper<'a>(&'a RefCell<&'a mut Space>);

impl AcpiHandler for Mapper<'_> {
    unsafe fn map_physical_region<T>(
        &self,
        physical: usize,
        bytes: usize,
    ) -> PhysicalMapping<Self, T> {
        self.0.borrow_mut().map_firmware(physical as u64, bytes as u64);
        let place = NonNull::new(layout::direct(physical as u64).cast());
        let place = place.expect("the direct map does not begin at 0");
        // SAFETY: the region is mapped for good.
        unsafe { PhysicalMapping::new(physical, place, bytes, bytes, self.clone()) }
    }

    fn unmap_physical_region<T>(_: &PhysicalMapping<Self, T>) {}
}

/// Reads the tables behind the root pointer at `root`: the cores, `boot` first and the others as their ids are, and how ISA line
/// `isa_line` is wired.
pub(super) fn read(
    root: u64,
    space: &mut Space,
    boot: ApicId,
    isa_line: u8,
) -> Result<Topology, AcpiError> {
    let space = RefCell::new(space);
    // SAFETY: the boot protocol says that the root pointer is there.
    let tables = unsafe { AcpiTables::from_rsdp(Mapper(&space), root as usize) }?;
    let table = tables.find_table::<Madt>()?;
    let start = table.virtual_start().cast::<u8>().as_ptr().cast_const();
    // SAFETY: the crate has mapped the whole table.
    let bytes = unsafe { core::slice::from_raw_parts(start, table.region_length()) };
    let believable = madt::well_formed_entries(bytes);
    let entries = || table.get().entries().take(believable);
    let mut topology = Topology::unknown(boot, isa_line);
    for entry in entries() {
        match entry {
            MadtEntry::LocalApic(core) => {
                let (id, flags) = (ApicId(u32::from(core.apic_id)), core.flags);
                topology.cores.add(id, flags, apic::greatest_id());
            }
            MadtEntry::LocalX2Apic(core) => {
                let (id, flags) = (ApicId(core.x2apic_id), core.flags);
                topology.cores.add(id, flags, apic::greatest_id());
            }
            MadtEntry::InterruptSourceOverride(wire) if wire.irq == isa_line => {
                topology.rewire(wire);
            }
            _ => {}
        }
    }
    topology.cores.sort();
    let mut first_input = 0;
    for entry in entries() {
        if let MadtEntry::IoApic(chip) = entry {
            let first = chip.global_system_interrupt_base;
            if (first_input..=topology.input).contains(&first) {
                first_input = first;
                topology.io_apic = u64::from(chip.io_apic_address);
            }
        }
    }
    topology.input -= first_input;
    Ok(topology)
}
