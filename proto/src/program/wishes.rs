//! The page of what the process wants, at [`WISHES`](super::layout::WISHES): written by the program alone.

/// u16: cores that it wants; read once by each [`POKE`](super::number::POKE) and
/// [`YIELD`](super::number::YIELD). More than it may have counts as all that it may have.
pub const CORES: usize = 0;
