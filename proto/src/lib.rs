//! What two parties of Atoll must agree on.
//!
//! Ids ([`id`]), sets of cores ([`core_set`]), rights to memory ([`memory`]), the messages between cores ([`message`]), their encoding in a slot of a ring
//! ([`slot`]), a sample of each ([`sample`]), the command line that the host tool hands to the kernel
//! ([`boot`]) with the programs ([`archive`]), what a program and the kernel agree on ([`program`]) and the
//! exit codes that come back ([`exit`]). Every other crate depends on this one and
//! it depends on none of them: no I/O, no allocation, no unsafe code.

#![no_std]
#![forbid(unsafe_code)]

pub mod archive;
pub mod boot;
pub mod call;
pub mod core_set;
pub mod event;
pub mod exit;
pub mod fixed;
pub mod id;
pub mod marker;
pub mod memory;
pub mod message;
pub mod program;
pub mod sample;
pub mod slot;
mod tag;
