//! The host tool of Atoll, as a library: everything between a shell and a running guest.
//!
//! - [`machine`]: what to start ([`machine::Machine`]), and the command line of QEMU that does it;
//! - [`session`]: one run of it ([`session::Session`]), from start to an [`session::Outcome`];
//! - [`verdict`]: how a run can end, in words and as an exit status;
//! - [`image`]: builds the kernel image and the programs by a child `cargo build`;
//! - [`programs`]: the archive of programs that the kernel boots with;
//! - [`symbols`]: function names and lines for the addresses of a backtrace;
//! - [`tools`]: finds or installs what a fresh machine lacks;
//! - [`options`]: the options that all commands which start machines share;
//! - [`nolock`]: looks for locks in the linked image;
//! - [`mod@bench`]: runs the experiments, writes and checks their results;
//! - [`cli`], [`run`]: the command line of the binary `atoll`, which `cargo run` starts.
//!
//! The crates `tests` and the bench runner use the same [`session::Session`] as the command line.

#![forbid(unsafe_code)]

pub mod accel;
pub mod bench;
pub mod cli;
pub mod image;
pub mod machine;
pub mod nolock;
pub mod options;
pub mod programs;
pub mod run;
pub mod session;
pub mod sim;
pub mod symbols;
mod terminal;
pub mod tools;
pub mod trace;
pub mod verdict;

/// Prints a line of the tool itself, marked as such, on standard error.
///
/// Carriage returns are added when the terminal is in raw mode.
pub fn say(text: &str) {
    let end = terminal::line_end();
    eprint!("[atoll] {}{end}", text.replace('\n', end));
}
