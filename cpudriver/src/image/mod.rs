//! The kernel image: what the cores do.

use crate::arch::{self, uart};
use core::fmt::Write as _;
use proto::id::CoreId;

/// What a core owns.
#[derive(Debug)]
pub struct Cpu;

/// What a core keeps over restarts.
#[derive(Debug)]
pub struct Estate;

/// What core 0 and another core hand to each other.
#[derive(Debug)]
pub struct Parcel;

/// The life of core 0.
pub fn main(boot: arch::BootInfo) -> ! {
    let megabytes = boot.memory_bytes >> 20;
    let _ = writeln!(uart::Writer, "Atoll {}: {megabytes} MiB", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(uart::Writer, "{} cores, ACPI: {:?}", boot.cores.len(), boot.acpi);
    arch::machine::exit(0)
}

/// The life of any other core.
pub fn core_main(_core: CoreId) -> ! {
    arch::cpu::park()
}

/// Called on a core that has panicked and written its report of `bytes` bytes.
pub fn last_words(_cpu: &mut Cpu, _bytes: u32) {}
