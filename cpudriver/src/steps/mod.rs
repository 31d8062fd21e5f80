//! What one step of the coordinator costs: a stage with a coordinator of its own and cores that answer as
//! told, and scenes that bring every kind of step about.
//!
//! The coordinator is a function, so neither the cores nor the processes need exist: any number of either
//! can be tried on one core. A [`Meter`] is handed exactly the steps that are to be measured: the kernel's
//! counts instructions, that of the host's tests allocations.
//!
//! Every scene leaves the stage as it found it, so that steps are measured in a steady state.

mod cast;
mod memory;
mod operations;
mod requests;
mod scenes;
mod stage;

pub use cast::Size;
pub use operations::{Class, OPERATIONS, Operation};
pub use stage::{Meter, Stage};
