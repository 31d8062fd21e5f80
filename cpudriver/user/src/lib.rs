//! What a program links: its start, system calls, events, memory, printing.
//!
//! A program is a crate without the standard library that names its main function:
//!
//! ```no_run
//! #![no_std]
//! #![no_main]
//!
//! use user::println;
//!
//! user::main!(main);
//!
//! fn main() {
//!     println!("Hello from {}!", user::args().next().unwrap_or("nobody"));
//! }
//! ```
//!
//! [`calls`] has the system calls on one page, each as a [`Request`]: [`Request::call`] makes it and waits for
//! what it comes to, [`Call`] lets it go on while the program does something else. On top of them stand [`process`],
//! [`handle`] with pipes and the console, [`event`] and [`queue`], [`time`] and [`memory`]. [`info`] is what the kernel tells in pages that can be
//! read. What program and kernel agree on below all that is described in [`proto::program`].
//!
//! A single-core process has one thread of control; all that waits here waits with the whole process.
//!
//! `program.toml` beside this crate says how a program is built. Built in any other way it has no kernel to
//! talk to, and only says so; that is for tools which build the whole workspace.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(not(atoll))]
extern crate std;

pub mod calls;
mod error;
pub mod event;
pub mod handle;
pub mod info;
pub mod memory;
#[cfg(atoll)]
mod panic;
mod print;
pub mod process;
pub mod queue;
#[expect(unsafe_code, reason = "the only module that meets the kernel")]
pub mod raw;
pub mod ring;
mod start;
pub mod threads;
pub mod time;
mod wait;

pub use error::Error;
pub use handle::Handle;
pub use print::print_to;
pub use process::{Pid, exit};
pub use proto;
pub use raw::measure;
pub use raw::request::{Call, Request};
pub use raw::start::args;
pub use start::{Exit, start};
