//! One core: the logic of a CPU driver that needs no hardware, and so runs in host tests.
//!
//! [`console`] is what the person at the serial line talks to, [`post`] the path that messages take from
//! core to core, [`driver`] what a core does about its leases. [`trace`] and [`log`] keep what happened, [`stats`] sums up what was
//! measured and [`results`] prints it; [`options`] are what the command line asks for.
//! [`node`] is what a core does about messages, [`program`] what is to be known of programs. [`machine`] reads what the firmware says about the machine.
//!
//! The kernel's own target has two modules more: `arch`, the hardware, and `image`, which joins it all.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

#[cfg(target_os = "none")]
#[expect(unsafe_code, reason = "the only module that touches the hardware")]
pub mod arch;
pub mod console;
pub mod driver;
#[cfg(target_os = "none")]
pub mod image;
pub mod log;
pub mod machine;
pub mod node;
pub mod options;
pub mod post;
#[cfg(any(test, feature = "probes"))]
pub mod probe;
pub mod program;
pub mod results;
pub mod stats;
pub mod steps;
pub mod trace;
