//! What a program and the kernel agree on. A program in C or assembly can be written from this page alone.
//!
//! # Start
//!
//! A program is a static ELF64 executable for x86_64, linked at a fixed address in
//! [`layout::PROGRAM_START`]`..`[`layout::PROGRAM_END`] outside [`layout::RESERVED`] and [`MAP_AREA`]; no segment is
//! writable and executable. It starts in user mode at its entry, with RSP at a multiple of 16 and there, as in the
//! System V ABI: the number of arguments (the program's name is the first), a pointer to each, 0, 0 (no
//! environment), the auxiliary vector. All other registers are 0, x87, SSE and AVX are as after a reset, and
//! FS and GS begin at 0; a program may set their bases with `wrfsbase` and `wrgsbase` where the CPU has them (see
//! [`global::FEATURES`]). The stack has [`layout::STACK_BYTES`]; below it nothing is mapped.
//!
//! # Memory that the kernel provides
//!
//! All numbers are little-endian. Bytes that are not named are 0 and may be given a meaning later.
//!
//! | at | what | |
//! |---|---|---|
//! | [`layout::GLOBAL`] | one page, the same for all | read-only; see [`global`] |
//! | [`layout::INFO`] | about the process, and where its vcores are | read-only; see [`info`] |
//! | [`layout::WISHES`] | one page, what the process wants | shared with the kernel; see [`wishes`] |
//! | [`layout::DATA`] | one page per vcore | shared with the kernel; see [`data`] |
//!
//! These pages cannot be unmapped or protected. A single-core process has the first page of INFO, WISHES and
//! the page of vcore 0; the rest is there once it has become a many-core process.
//!
//! # Calls
//!
//! A call is a structure of [`block::BYTES`] bytes at a multiple of [`block::ALIGN`]; see [`block`] for its fields and
//! [`number`] for the calls. With its address in RDI, `syscall` makes the call; RCX and R11 are lost, all other
//! registers but RAX are kept. RAX then holds the outcome: at least 0, or the negated number of an error
//! (see [`Outcome`](crate::call::Outcome)), as a signed number of 64 bits; or [`STARTED`]: the call goes on
//! while the program does. When it is over the kernel writes outcome and value into the structure and then
//! 1 into its byte `done`; the structure must stay where it is until then. If bit 0 of `options` was
//! set, it also posts the event [`CALL_DONE`](crate::event::kind::CALL_DONE) with the structure's address.
//! A call that is answered at once leaves the structure alone, except where [`number`] says that it has a value.
//!
//! An address that is not a multiple of [`block::ALIGN`] is EINVAL; one where the program may not write ends
//! it, as any access there would. The structure is read once, when the call is made.
//!
//! # Waiting
//!
//! To wait for something that an event tells of: store 0 to [`data::PENDING`], execute `mfence`, look whether it is
//! there already, and if not call [`number::YIELD`]: it returns at once with EAGAIN when an event has come meanwhile, else
//! when one comes. Then look again.
//!
//! # Vcore context
//!
//! A program that wants to be told of events at once, and any that becomes a many-core process, has a scheduler
//! of its own. It fills in [`data::ENTRY`], [`data::STACK`] and [`data::TLS`] of each vcore that it will have, and sets
//! [`data::READY`]. The kernel enters it at ENTRY with RSP = STACK, the vcore's number in RDI, the base of FS = TLS,
//! all other registers 0 and [`data::IN_VCORE_CONTEXT`] set: when the vcore starts, when an event comes while the
//! byte is clear, and when the program faults (see [`data::REFLECT`]). What ran is then in [`data::THREAD`]. While
//! the byte is set the vcore is never entered again, only stopped and resumed where it was.
//! To run a thread, clear IN_VCORE_CONTEXT, `mfence`, look at PENDING, and load the thread's registers, or leave
//! all of that to [`number::RESUME`].
//!
//! # Event queues
//!
//! Events come to the mailboxes of vcores; a program that wants some of them elsewhere, or chosen vcores told of them, has
//! event queues: see [`queue`] for what one looks like, [`mailbox`] for where the events of one lie, and
//! [`flag`](crate::event::flag) for who is told.
//!
//! [`MAP_AREA`]: crate::memory::MAP_AREA

pub mod block;
pub mod context;
pub mod data;
pub mod global;
pub mod info;
pub mod layout;
pub mod mailbox;
pub mod names;
pub mod number;
pub mod queue;
pub mod wishes;

/// In RAX: the call goes on, its outcome will be in its structure.
pub const STARTED: i64 = i64::MAX;

/// Handle of the console: keys are read from it.
pub const INPUT: u64 = 0;
/// Handle of the console: what is written to it is printed.
pub const CONSOLE: u64 = 1;
/// Handle of the console for complaints.
pub const ERRORS: u64 = 2;
