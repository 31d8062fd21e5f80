//! The kernel image: what the cores do.

use crate::arch::{self, uart};
use core::fmt::Write as _;

/// What a core owns.
#[derive(Debug)]
pub struct Cpu;

/// The life of core 0.
pub fn main(boot: arch::BootInfo) -> ! {
    let megabytes = boot.memory_bytes >> 20;
    let _ = writeln!(uart::Writer, "Atoll {}: {megabytes} MiB", env!("CARGO_PKG_VERSION"));
    arch::machine::exit(0)
}

/// Called on a core that has panicked and written its report of `bytes` bytes.
pub fn last_words(_cpu: &mut Cpu, _bytes: u32) {}
