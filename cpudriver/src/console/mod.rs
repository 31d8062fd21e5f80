//! The console, without the serial line: bytes in, text out.
//!
//! [`key`] makes keys of a terminal's bytes, [`mod@line`] edits a line with them and keeps the history,
//! [`script`] splits text into statements, and [`command`] makes a typed request of each. Results go
//! out through [`output`], as a table or as JSON.

pub mod command;
pub mod core_list;
pub mod key;
pub mod line;
pub mod output;
pub mod script;
