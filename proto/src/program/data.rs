//! The page of a vcore, at [`DATA`](super::layout::DATA): shared with the kernel. Each field has one side that
//! writes it, but for [`PENDING`] and [`IN_VCORE_CONTEXT`]. The kernel writes the save areas and IN_VCORE_CONTEXT only while the
//! vcore does not run.

use super::context;

/// u8: there is something to look for: the kernel stores 1, the program 0.
pub const PENDING: usize = 0;
/// u8: the vcore is in vcore context and must not be entered anew: the program stores 1 or 0, the kernel 1 when it
/// enters.
pub const IN_VCORE_CONTEXT: usize = 1;
/// u8, program: the vcore can be entered. While it is 0, events only end a wait, and every fault ends the
/// process.
pub const READY: usize = 2;
/// u8, program: faults of a thread are handed to the scheduler instead of ending the process. Page faults only in
/// a many-core process, and only those where the process has no memory, or not the right to do what it tried: what was
/// mapped and not used before comes by itself. Resumed, the thread executes the same instruction again.
pub const REFLECT: usize = 3;
/// u8, kernel: the vcore was stopped with its registers saved here, and does not run.
pub const PREEMPTED: usize = 4;
/// u8, program: another vcore takes the thread of this one. Between [`PREEMPTED`] and this byte stands a fence on
/// both sides.
pub const STEALING: usize = 5;
/// u8, program: somebody will look at this mailbox although the vcore does not run. Who ceases to stores 0,
/// `mfence`, and looks once more.
pub const LOOKED_AT: usize = 6;
/// u8, program: the vcore is in a critical section of the scheduler. Nobody but tools reads it.
pub const CRITICAL: usize = 8;
/// u8, program: there is something on the vcore that goes on: a thread. Nobody but tools reads it.
pub const OCCUPIED: usize = 9;
/// u8: the vcore was entered because what is in [`THREAD`] faulted, at [`FAULT_ADDRESS`]: the kernel stores 1, the
/// program 0.
pub const FAULTED: usize = 10;
/// u8, kernel: [`EXTENDED`] holds the state of x87, SSE and AVX.
pub const EXTENDED_SAVED: usize = 7;
/// u64, program: where the vcore is entered.
pub const ENTRY: usize = 0x10;
/// u64, program: the end of the stack that it is entered on, a multiple of 16.
pub const STACK: usize = 0x18;
/// u64, program: the base of FS that it is entered with.
pub const TLS: usize = 0x20;
/// u64, kernel: the address that the reflected fault was about; the vector and error code are in [`THREAD`].
pub const FAULT_ADDRESS: usize = 0x28;

/// u32, kernel: events posted so far, wrapping.
pub const POSTED: usize = 0x40;
/// u32, program: events read so far, wrapping. The kernel posts no more while `POSTED` is [`EVENTS`] ahead.
pub const TAKEN: usize = 0x80;
/// A u8 for each kind of event, the last for all kinds from there on: an event of that kind found no
/// room. The kernel stores 1, the program 0.
pub const OVERFLOW: usize = 0xc0;
/// Kinds of events that have an overflow byte of their own, and one.
pub const OVERFLOW_KINDS: usize = 64;
/// The events, [`EVENT_BYTES`] each, kernel: number `n` is at position `n` modulo [`EVENTS`]. The kind as u16,
/// and at 8 what goes with it as u64.
pub const MAILBOX: usize = 0x100;
/// Events that have room.
pub const EVENTS: u32 = 32;
/// Bytes of an event.
pub const EVENT_BYTES: usize = 16;

/// The private mailbox, which nobody but the vcore itself reads: as the other, [`PRIVATE_EVENTS`] long.
pub const PRIVATE_POSTED: usize = 0x48;
/// As [`TAKEN`].
pub const PRIVATE_TAKEN: usize = 0x88;
/// As [`OVERFLOW`].
pub const PRIVATE_OVERFLOW: usize = 0x3c0;
/// As [`MAILBOX`].
pub const PRIVATE_MAILBOX: usize = 0xf80;
/// As [`EVENTS`].
pub const PRIVATE_EVENTS: u32 = 8;

/// The registers of the vcore itself when it was stopped in vcore context: a [`context`]. Kernel.
pub const VCORE: usize = 0x300;
/// The registers of the thread that ran: a [`context`]. Kernel.
pub const THREAD: usize = 0x400;
/// The extended state of what was stopped last, as XSAVE lays it out. Kernel.
pub const EXTENDED: usize = 0x500;
/// Bytes of room for it.
pub const EXTENDED_BYTES: usize = 2688;

const _: () = assert!(OVERFLOW + OVERFLOW_KINDS <= MAILBOX);
const _: () = assert!(MAILBOX + EVENTS as usize * EVENT_BYTES <= VCORE);
const _: () = assert!(VCORE + context::BYTES <= THREAD && THREAD + context::BYTES <= EXTENDED);
const _: () = assert!(EXTENDED.is_multiple_of(64) && EXTENDED + EXTENDED_BYTES <= 4096);
const _: () = assert!(EVENTS.is_power_of_two() && PRIVATE_EVENTS.is_power_of_two());
const _: () = assert!(VCORE + context::BYTES <= PRIVATE_OVERFLOW);
const _: () = assert!(PRIVATE_OVERFLOW + OVERFLOW_KINDS <= THREAD);
const _: () = assert!(EXTENDED + EXTENDED_BYTES <= PRIVATE_MAILBOX);
const _: () = assert!(PRIVATE_MAILBOX + PRIVATE_EVENTS as usize * EVENT_BYTES <= 4096);
