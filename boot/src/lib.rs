//! Host tool.

pub mod bench;
