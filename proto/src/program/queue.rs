//! An event queue: memory of the program that says what becomes of an event that is sent there.
//!
//! The program fills it in and may change it at any time: the kernel reads each field once for each event. It lies at a
//! multiple of [`ALIGN`] in memory that the program can write and has written to, as its mailbox does; else nothing can
//! be sent there. [`SEND`](super::number::SEND) sends an event to a queue, and with
//! [`SET_QUEUE`](super::number::SET_QUEUE) those of a kind that come to the process go there. The flags, of which each
//! goes together with any others, are those of [`flag`](crate::event::flag).
//!
//! To read a queue that is told of by [`QUEUE`](crate::event::kind::QUEUE): store 0 to [`ALERTED`], `mfence`, and then
//! take all that is in the mailbox. Whoever looks may find it empty.

/// Bytes of a queue.
pub const BYTES: usize = 64;
/// It lies at a multiple of this.
pub const ALIGN: u64 = 64;
/// u16, program: see [`flag`](crate::event::flag).
pub const FLAGS: usize = 0;
/// u16, program: the vcore that is told.
pub const VCORE: usize = 4;
/// u16, kernel: the vcore that was told last, of a queue whose vcores are told in turn.
pub const LAST: usize = 6;
/// u64, program: the address of its [`mailbox`](super::mailbox); 0 for that of the vcore that is told.
pub const MAILBOX: usize = 8;
/// u8: a vcore has been told of this queue: the kernel stores 1, the program 0.
pub const ALERTED: usize = 16;
/// From here on the kernel looks at nothing.
pub const OF_PROGRAM: usize = 24;
