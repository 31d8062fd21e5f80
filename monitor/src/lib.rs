//! The coordinator: owns the machine's cores and everything that runs on them.
//!
//! [`Coordinator::step`] is a function: a moment, an [`Input`] and the state before give the state
//! after and a list of [`Output`]s. It reads no clock, touches no ring and no hardware, and its state
//! is plain data. So the same code runs on core 0 of the kernel, under a virtual clock on the host and
//! under an explorer that tries every order of delivery, and what a running kernel was told can be
//! told again on the host to the same effect.
//!
//! Key types: [`Coordinator`], [`Config`], [`Input`], [`Output`], [`Event`], [`Outbox`]. The messages
//! to and from the CPU drivers are those of the crate `proto`.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod config;
mod coordinator;
mod core_set;
mod cores;
mod input;
mod membership;
mod output;
mod timers;

pub use config::Config;
pub use coordinator::{Coordinator, Counters};
pub use core_set::{CoreSet, MAX_CORES};
pub use cores::{CoreState, CoreView};
pub use input::{Command, Input};
pub use output::{Event, LossCause, Outbox, Output, Refusal};
