//! One core: the logic of a CPU driver that needs no hardware, and so runs in host tests.
//!
//! [`console`] is what the person at the serial line talks to, [`post`] the path that messages take from
//! core to core. [`trace`] and [`log`] keep what happened, [`stats`] sums up what was measured.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

pub mod console;
pub mod log;
pub mod post;
pub mod stats;
pub mod trace;
