//! Programs, as far as no hardware is needed: their files, the stack that they start on, their registers.
//!
//! [`elf`] checks a file and plans how it is loaded, [`stack`] lays the arguments out, [`context`] keeps
//! registers that came from user mode, or go there, from meaning anything to the kernel, [`space`] is the
//! memory of processes, [`backtrace`] tells what a program is doing, [`seen`] and
//! [`tracer`] which calls it makes. All of it takes whatever bytes it is
//! given; what is wrong with them is a typed error.

#![forbid(unsafe_code)]

pub mod backtrace;
pub mod call;
pub mod context;
pub mod elf;
pub mod extended;
pub mod seen;
pub mod space;
pub mod stack;
pub mod tracer;
pub mod vcore;
