//! Checking of Atoll: what the tests of this crate share.
//!
//! `qemu/` boots the real image, through [`guest`]; `sim/` runs the protocol on the host. [`rings`] is
//! the benchmark of the message path between two threads.

#![forbid(unsafe_code)]

pub mod guest;
pub mod replay;
pub mod rings;
pub mod sim;
