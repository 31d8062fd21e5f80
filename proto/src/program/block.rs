//! The structure of a call.

/// Bytes of the structure.
pub const BYTES: usize = 64;
/// It lies at a multiple of this, so that it never crosses a page.
pub const ALIGN: u64 = 64;
/// u32, program: which call; see [`number`](super::number).
pub const NUMBER: usize = 0;
/// u8, program: bit 0 wants an event on completion.
pub const OPTIONS: usize = 4;
/// u8, kernel: 1 when the call is over. The program stores 0 before the call.
pub const DONE: usize = 5;
/// i64, kernel: the outcome.
pub const OUTCOME: usize = 8;
/// u64, kernel: a second result.
pub const VALUE: usize = 16;
/// Five u64, program: the arguments.
pub const ARGUMENTS: usize = 24;
/// How many arguments there are.
pub const ARGUMENT_COUNT: usize = 5;

const _: () = assert!(ARGUMENTS + ARGUMENT_COUNT * 8 == BYTES);
