//! Memory that a program asks for, beside what it was loaded with.
//!
//! All of it lies in [`MAP_AREA`](proto::memory::MAP_AREA).

pub use crate::raw::memory::{
    Mapping, map, map_at, mapping, protect, protecting, share, unmap, unmapping,
};
pub use proto::memory::{BLOCK, FIXED, GUARD, POPULATE, Rights, SHARED, guard_every};
