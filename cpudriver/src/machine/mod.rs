//! What the firmware says about the machine, read without hardware and so tested on the host.
//!
//! [`start_info`] is the boot protocol's description, [`memory`] the arithmetic of memory ranges,
//! [`madt`] the choice of cores from ACPI's table, [`identifiers`] how address spaces are told apart. `arch` maps the bytes and asks these modules what
//! they mean; none of them trusts a length or a count.

pub mod identifiers;
pub mod madt;
pub mod memory;
pub mod rtc;
pub mod start_info;

/// The most cores that the kernel uses; those beyond are reported and left out.
pub const MAX_CORES: usize = 256;
