//! The console, without the serial line: bytes in, text out.
//!
//! [`key`] makes keys of a terminal's bytes, [`line`] edits a line with them and keeps the history.

pub mod key;
pub mod line;
