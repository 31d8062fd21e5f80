//! The protocol on the host: the real coordinator and the real CPU drivers, joined by model rings, with
//! model memory and model programs, under a virtual clock.
//!
//! A [`World`] is a value; an [`Action`] is one thing that happens in it: a message is taken from a ring,
//! a program does something, the clock moves on, a core fails. After each one all rules are checked, and
//! a rule that does not hold is a [`Violation`]. [`random`] picks actions by a seed, [`explore`]
//! tries them all, and tests write them down by hand.

mod action;
mod cached;
pub mod cases;
mod checks;
mod core;
mod effects;
pub mod explore;
mod faults;
mod fingerprint;
mod frontier;
mod huge;
mod io;
mod leaving;
mod mapping;
mod memory;
mod mended;
pub mod mutants;
mod open_calls;
mod outputs;
mod paging;
mod panics;
mod queues;
pub mod random;
mod rest;
mod seed;
mod stays;
pub mod storm;
mod world;

pub use self::action::{Action, Mishap, Op};
pub use self::cached::Cached;
pub use self::core::{Health, SimCore};
pub use self::faults::History;
pub use self::io::{Chore, IoOp};
pub use self::memory::{Context, Frame, Memory, PAGE, Page, VcoreMemory};
pub use self::open_calls::OpenCalls;
pub use self::queues::ModelQueue;
pub use self::seed::Seed;
pub use self::stays::Stays;
pub use self::world::{Violation, World};
