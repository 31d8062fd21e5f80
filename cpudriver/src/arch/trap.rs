//! Exceptions and interrupts.
//!
//! `trap.s` saves the registers as a [`Frame`] and calls [`atoll_trap`]. An exception is a panic of this core.
//! An NMI asks for a report of what the core is doing. An interrupt is acknowledged and noted; it
//! only ever arrives at the `hlt` of [`super::cpu::wait_for_interrupt`], so [`atoll_interrupt`] is called without a frame.

use super::{interrupts, report, user};
use core::fmt;

core::arch::global_asm!(include_str!("trap.s"), options(att_syntax));

/// How many gates the interrupt table has.
pub(super) const VECTORS: usize = 80;
/// The first vector of interrupts; there are 16.
pub(super) const FIRST_INTERRUPT: usize = 64;

pub(super) const NMI: usize = 2;
pub(super) const BREAKPOINT: usize = 3;
pub(super) const DOUBLE_FAULT: usize = 8;
pub(super) const PAGE_FAULT: usize = 14;
pub(super) const MACHINE_CHECK: usize = 18;

const EXCEPTIONS: usize = 32;

/// What the CPU and `trap.s` push, lowest address first.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frame {
    r15: u64,
    r14: u64,
    r13: u64,
    r12: u64,
    r11: u64,
    r10: u64,
    r9: u64,
    r8: u64,
    pub(super) rbp: u64,
    rdi: u64,
    rsi: u64,
    rdx: u64,
    rcx: u64,
    rbx: u64,
    rax: u64,
    vector: u64,
    error: u64,
    pub(super) rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

const _: () = assert!(size_of::<Frame>() == 22 * 8);

unsafe extern "C" {
    safe static atoll_trap_stubs: [u64; EXCEPTIONS + 16];
    safe static atoll_halt_hlt: u8;
    safe fn atoll_registers(frame: &mut Frame);
}

/// The vectors that have a stub, with its address.
pub(super) fn stubs() -> impl Iterator<Item = (usize, u64)> {
    let vectors = (0..EXCEPTIONS).chain(FIRST_INTERRUPT..VECTORS);
    vectors.zip(atoll_trap_stubs)
}

#[unsafe(no_mangle)]
extern "C" fn atoll_trap(frame: &mut Frame) {
    match frame.vector as usize {
        NMI => report::on_nmi(frame),
        PAGE_FAULT if let Some(after) = user::after_failed_copy(frame.rip) => {
            frame.rip = after;
            return;
        }
        _ => report::exception(frame),
    }
    step_over_halt(frame);
}

/// An interrupt that has ended a halt.
#[unsafe(no_mangle)]
extern "C" fn atoll_interrupt(vector: usize) {
    interrupts::on_interrupt(vector);
}

/// Whoever is interrupted between `sti` and `hlt` must not halt: the interrupt that it would wait for may be
/// the one that was just handled, because an NMI in between ends the grace of `sti`.
fn step_over_halt(frame: &mut Frame) {
    let hlt = (&raw const atoll_halt_hlt).addr() as u64;
    if frame.rip == hlt {
        frame.rip += 1;
    }
}

impl Frame {
    /// The registers where this is called.
    #[inline(always)]
    pub(super) fn here() -> Self {
        let mut frame = Self::default();
        atoll_registers(&mut frame);
        frame
    }

    /// What happened, in words.
    pub(super) fn name(&self) -> &'static str {
        u8::try_from(self.vector).map_or("interrupt", name)
    }

    /// The vector.
    pub(super) fn vector(&self) -> usize {
        self.vector as usize
    }

    /// The error code; 0 for vectors without one.
    pub(super) fn error(&self) -> u64 {
        self.error
    }
}

impl fmt::Display for Frame {
    /// The registers, four a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registers = [
            ("rip", self.rip),
            ("rsp", self.rsp),
            ("rbp", self.rbp),
            ("rflags", self.rflags),
            ("rax", self.rax),
            ("rbx", self.rbx),
            ("rcx", self.rcx),
            ("rdx", self.rdx),
            ("rsi", self.rsi),
            ("rdi", self.rdi),
            ("r8", self.r8),
            ("r9", self.r9),
            ("r10", self.r10),
            ("r11", self.r11),
            ("r12", self.r12),
            ("r13", self.r13),
            ("r14", self.r14),
            ("r15", self.r15),
            ("cs", self.cs),
            ("ss", self.ss),
        ];
        for line in registers.chunks(4) {
            for (name, value) in line {
                write!(f, "  {name:>6} {value:#018x}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// What a vector stands for, in words.
#[must_use]
pub fn name(vector: u8) -> &'static str {
    NAMES.get(usize::from(vector)).copied().unwrap_or("interrupt")
}

/// What the error code of a page fault says, in words: what was tried, and why it failed (Intel SDM vol. 3, 4.7).
#[must_use]
pub fn page_fault(code: u64) -> (&'static str, &'static str) {
    let how = match code & 0x12 {
        0 => "reading",
        2 => "writing",
        _ => "executing",
    };
    (how, if code & 1 == 0 { "nothing is mapped" } else { "access is denied" })
}

const NAMES: [&str; EXCEPTIONS] = [
    "divide error",
    "debug exception",
    "non-maskable interrupt",
    "breakpoint",
    "overflow",
    "bound range exceeded",
    "invalid opcode",
    "device not available",
    "double fault",
    "coprocessor segment overrun",
    "invalid task state",
    "segment not present",
    "stack-segment fault",
    "general protection fault",
    "page fault",
    "reserved exception 15",
    "x87 error",
    "alignment check",
    "machine check",
    "SIMD error",
    "virtualization exception",
    "control protection exception",
    "reserved exception 22",
    "reserved exception 23",
    "reserved exception 24",
    "reserved exception 25",
    "reserved exception 26",
    "reserved exception 27",
    "hypervisor injection",
    "VMM communication exception",
    "security exception",
    "reserved exception 31",
];
