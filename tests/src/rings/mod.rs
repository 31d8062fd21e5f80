//! The ring benchmark: the kernel's message path between two pinned threads of the host, beside the raw
//! bounce of cache lines and the queues that one would take otherwise.
//!
//! - [`layout`]: what a layout must offer; [`raw`], [`slots`] and [`queues`] are the layouts.
//! - [`pair`]: the two threads. [`measure`]: one measurement.
//! - [`cases`]: what is measured. [`rounds`]: in which order, and what counts. [`report`]: the rows.

pub mod cases;
pub mod layout;
pub mod measure;
pub mod pair;
pub mod queues;
pub mod raw;
pub mod report;
pub mod rounds;
pub mod slots;
