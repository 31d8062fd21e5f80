//! One core: the logic of a CPU driver that needs no hardware, and so runs in host tests.
//!
//! [`console`] is what the person at the serial line talks to, [`post`] the path that messages take from
//! core to core.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

pub mod console;
pub mod post;
