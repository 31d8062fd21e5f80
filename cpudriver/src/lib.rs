//! One core: the logic of a CPU driver that needs no hardware, and so runs in host tests.
//!
//! [`console`] is what the person at the serial line talks to.
#![no_std]
#![deny(unsafe_code)]

pub mod console;
