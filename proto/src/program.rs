//! What a program and the kernel agree on. A program in C or assembly can be written from this page alone.
//!
//! # Start
//!
//! A program is a static ELF64 executable for x86_64, linked at a fixed address in
//! [`layout::PROGRAM_START`]`..`[`layout::PROGRAM_END`] outside [`layout::RESERVED`]; no segment is writable
//! and executable. It starts in user mode at its entry, with RSP at a multiple of 16 and there, as in the
//! System V ABI: the number of arguments (the program's name is the first), a pointer to each, 0, 0 (no
//! environment), the auxiliary vector. All other registers are 0; there is no floating point: x87, SSE and
//! AVX instructions end the program. The stack has [`layout::STACK_BYTES`]; below it nothing is mapped.
//!
//! # Memory that the kernel provides
//!
//! All numbers are little-endian. Bytes that are not named are 0 and may be given a meaning later.
//!
//! | at | what | |
//! |---|---|---|
//! | [`layout::GLOBAL`] | one page, the same for all | read-only; see [`global`] |
//! | [`layout::INFO`] | one page, about the process | read-only; see [`info`] |
//! | [`layout::DATA`] | one page per vcore, shared with the kernel | see [`data`] |
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
//!
//! An address that is not a multiple of [`block::ALIGN`] is EINVAL; one where the program may not write ends
//! it, as any access there would.
//!
//! # Waiting
//!
//! To wait for something that an event tells of: store 0 to [`data::PENDING`], execute `mfence`, look whether it is
//! there already, and if not call [`number::YIELD`]: it returns at once with EAGAIN when an event has come meanwhile, else
//! when one comes. Then look again.

/// In RAX: the call goes on, its outcome will be in its structure.
pub const STARTED: i64 = i64::MAX;

/// Handle of the console: what is written to it is printed.
pub const CONSOLE: u64 = 1;

/// Where things are in the memory of a process.
pub mod layout {
    use core::ops::Range;

    const PAGE: u64 = 4096;

    /// Where user memory ends: one page below the half of the address space that user mode can reach.
    pub const USER_END: u64 = 0x7fff_ffff_f000;
    /// The first address that a program can be linked at.
    pub const PROGRAM_START: u64 = 0x1_0000;
    /// The address after the last.
    pub const PROGRAM_END: u64 = USER_END;
    /// What the kernel keeps for itself in between: the last 2 MiB of the first GiB, so that one page table
    /// holds it all.
    pub const RESERVED: Range<u64> = 0x3fe0_0000..0x4000_0000;
    /// The page about the machine.
    pub const GLOBAL: u64 = RESERVED.start;
    /// The page about the process.
    pub const INFO: u64 = RESERVED.start + PAGE;
    /// The page of vcore 0; that of vcore `n` lies `n` pages behind it.
    pub const DATA: u64 = RESERVED.start + 0x8_0000;
    /// The address after the stack.
    pub const STACK_END: u64 = RESERVED.end;
    /// Bytes of the stack.
    pub const STACK_BYTES: u64 = 64 << 10;

    const _: () = assert!(DATA + 255 * PAGE < STACK_END - STACK_BYTES);

    /// Can `start..end` be a part of a program, with all the pages that it touches?
    #[must_use]
    pub const fn is_for_programs(start: u64, end: u64) -> bool {
        let inside = PROGRAM_START <= start && start < end && end <= PROGRAM_END;
        inside && (end <= RESERVED.start || RESERVED.end <= start)
    }
}

/// The page about the machine.
pub mod global {
    /// u64: ticks of the time stamp counter (`rdtsc`) in a second.
    pub const TSC_HZ: usize = 0;
    /// u32: cores of the machine.
    pub const CORES: usize = 8;
}

/// The page about the process.
pub mod info {
    /// u16: its pid.
    pub const PID: usize = 0;
    /// u16: its parent's pid when it was made; 0 if it had none.
    pub const PARENT: usize = 2;
    /// u64: the address after its last segment.
    pub const PROGRAM_END: usize = 8;
}

/// The page of a vcore. Each field has one side that writes it, but for `PENDING`.
pub mod data {
    /// u8: there is something to look for: the kernel stores 1, the program 0.
    pub const PENDING: usize = 0;
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

    const _: () = assert!(OVERFLOW + OVERFLOW_KINDS <= MAILBOX);
    const _: () = assert!(EVENTS.is_power_of_two());
}

/// The structure of a call.
pub mod block {
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
    /// Four u64, program: the arguments.
    pub const ARGUMENTS: usize = 24;
    /// How many arguments there are.
    pub const ARGUMENT_COUNT: usize = 4;

    const _: () = assert!(ARGUMENTS + ARGUMENT_COUNT * 8 < BYTES);
}

/// The calls. "At once" means that RAX is never [`STARTED`].
pub mod number {
    /// Nothing; at once.
    pub const NULL: u32 = 0;
    /// End the process with this code (i32); at once, and it does not return.
    pub const EXIT: u32 = 1;
    /// Give the core away: with flags [`NICE`](crate::call::NICE) until it is this process's turn again, with 0
    /// until an event comes; at once. EAGAIN when one has come.
    pub const YIELD: u32 = 2;
    /// Write to a handle: handle, address, bytes; at once. The outcome is how many bytes were taken, or
    /// EAGAIN when there is no room at the moment.
    pub const WRITE: u32 = 3;
    /// Make a child: address and bytes of the program's name, address and bytes of its arguments, each of
    /// which ends with a zero byte (the first is by custom the name). The outcome is its pid; it waits for
    /// [`RUN`].
    pub const CREATE: u32 = 4;
    /// Let a child run: pid.
    pub const RUN: u32 = 5;
    /// End a process: pid, exit code.
    pub const DESTROY: u32 = 6;
    /// Wait for the end of a child: pid (0: any), flags ([`NO_HANG`](crate::call::NO_HANG)). The outcome is its
    /// pid, the value its exit code.
    pub const WAIT: u32 = 7;
    /// Post an event to a process: pid, kind, value.
    pub const NOTIFY: u32 = 8;
    /// Post an event to a vcore of the own process: vcore, kind, value.
    pub const NOTIFY_SELF: u32 = 9;
    /// The number of the core that this runs on; at once.
    pub const CORE: u32 = 10;
}

#[cfg(test)]
mod tests {
    use super::layout::{PROGRAM_END, PROGRAM_START, RESERVED, is_for_programs};

    #[test]
    fn programs_lie_in_user_memory_and_not_where_the_kernel_puts_things() {
        assert!(is_for_programs(PROGRAM_START, RESERVED.start));
        assert!(is_for_programs(RESERVED.end, PROGRAM_END));
        let (low, high) = (PROGRAM_START, PROGRAM_END);
        for (start, end) in [(low - 1, low + 1), (high - 1, high + 1), (low, low), (high, low)] {
            assert!(!is_for_programs(start, end), "{start:#x}..{end:#x}");
        }
        for at in [RESERVED.start, RESERVED.end - 1] {
            assert!(!is_for_programs(at, at + 1) && !is_for_programs(low, at + 1));
        }
    }
}
