//! The hardware: everything that needs unsafe code, behind an interface that does not.
//!
//! `boot` goes from the PVH entry to `image::main` on core 0, and from a start-up interrupt to
//! `image::core_main` on the others. After that a core meets this module as follows:
//!
//! - its state through [`percpu`], its memory through [`heap`];
//! - the others through [`shared`] (doorsteps, doorbells), [`handoff`] and, on core 0, [`smp`];
//! - time and sleep through [`time`], [`cpu`] and [`interrupts`];
//! - processes through [`space`];
//! - whoever records through [`record`] (core 0);
//! - people through [`uart`] (core 0) and [`report`]; the end of it all through [`machine`].
//!
//! Interrupts are off in the kernel, except at the halt of [`cpu::wait_for_interrupt`]. Boot aside, no
//! two cores write the same memory but what ARCHITECTURE.md lists, and there is no locked instruction.

mod acpi;
pub mod apic;
mod backtrace;
mod boot;
pub mod cpu;
mod descriptors;
mod extended;
pub mod handoff;
pub mod heap;
mod homes;
pub mod interrupts;
mod io_apic;
mod layout;
pub mod line;
pub mod machine;
pub mod marker;
mod once;
mod paging;
pub mod percpu;
pub mod record;
pub mod report;
pub mod shared;
pub mod smp;
pub mod space;
pub mod time;
mod trampoline;
mod trap;
pub mod uart;
pub mod user;

pub use boot::{Acpi, AcpiError, BootInfo};
pub use trap::{name as trap_name, page_fault};
