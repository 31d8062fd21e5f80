//! From the entry to the program's main function, and back.

use crate::{Error, eprintln};
use core::fmt;

/// What a main function may return: nothing, an exit code, or a [`Result`], whose error is printed and makes the exit
/// code 1.
pub trait Exit {
    /// The exit code.
    fn code(self) -> i32;
}

impl Exit for () {
    fn code(self) -> i32 {
        0
    }
}

impl Exit for i32 {
    fn code(self) -> i32 {
        self
    }
}

impl<T: Exit, E: fmt::Display> Exit for Result<T, E> {
    fn code(self) -> i32 {
        match self {
            Ok(value) => value.code(),
            Err(error) => {
                eprintln!("{}: {error}", crate::args().next().unwrap_or("?"));
                1
            }
        }
    }
}

/// Runs a main function; what [`main!`](crate::main) calls.
pub fn start<T: Exit>(main: fn() -> T) -> i32 {
    if cfg!(atoll) { main().code() } else { refuse() }
}

/// Elsewhere there is no kernel to talk to.
fn refuse() -> i32 {
    #[cfg(not(atoll))]
    std::eprintln!("this program is for Atoll: type `cargo run` and `run` it there");
    -Error::NoCall.outcome().0
}
