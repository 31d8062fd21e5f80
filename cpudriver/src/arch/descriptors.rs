//! A core's descriptor tables: segments, task state with the interrupt stacks, interrupt gates.

use super::layout::Stack;
use super::trap;
use crate::program::context;
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::instructions::tables;
use x86_64::registers::segmentation::SegmentSelector;
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::gdt::Descriptor;
use x86_64::structures::tss::TaskStateSegment;

const CODE: SegmentSelector = SegmentSelector(8);
const DATA: SegmentSelector = SegmentSelector(16);
const TASK: SegmentSelector = SegmentSelector(40);

/// Present, interrupt gate (interrupts off on entry), ring 0 (Intel SDM vol. 3, 6.14.1).
const GATE: u64 = 0x8e00;
/// Programs may go through the gate by an instruction.
const GATE_OF_PROGRAMS: u64 = 0x6000;

// SYSRET finds the two segments of programs behind each other, and behind the kernel's (`user.rs`).
const _: () =
    assert!(context::USER_DATA == (DATA.0 + 8) | 3 && context::USER_CODE == (DATA.0 + 16) | 3);

/// One core's tables. All zero bytes are a valid value; [`Self::load`] fills them.
#[repr(C, align(16))]
pub(super) struct Descriptors {
    gates: [[u64; 2]; trap::VECTORS],
    segments: [u64; 7],
    task: TaskStateSegment,
}

impl Descriptors {
    /// Empty tables.
    pub(super) const fn new() -> Self {
        Self { gates: [[0; 2]; trap::VECTORS], segments: [0; 7], task: TaskStateSegment::new() }
    }

    /// Fills the tables for core `index` and makes the CPU use them. What is trapped in user mode is pushed
    /// below `user_end`. May be done again.
    ///
    /// # Safety
    ///
    /// The tables must stay where they are, untouched, as long as the core runs; the stacks of core
    /// `index` must be mapped, and `me` written to their tops ([`super::homes::mark_stacks`]), by the time an exception is taken on them.
    pub(super) unsafe fn load(&mut self, index: usize, user_end: VirtAddr) {
        self.task = TaskStateSegment::new();
        self.task.privilege_stack_table[0] = user_end;
        for (stack, ist) in [(Stack::DoubleFault, 0), (Stack::Nmi, 1), (Stack::MachineCheck, 2)] {
            self.task.interrupt_stack_table[ist] = VirtAddr::new(stack.mark(index));
        }
        self.fill_segments();
        self.fill_gates();
        // SAFETY: the tables are complete, and the caller keeps them.
        unsafe { self.activate() };
    }

    fn fill_segments(&mut self) {
        let value = |descriptor| match descriptor {
            Descriptor::UserSegment(value) | Descriptor::SystemSegment(value, _) => value,
        };
        // SAFETY: the task state lies beside the segments and lives as long as they.
        let task = unsafe { Descriptor::tss_segment_unchecked(&raw const self.task) };
        let Descriptor::SystemSegment(low, high) = task else {
            unreachable!("a task state segment is a system segment")
        };
        let code = value(Descriptor::kernel_code_segment());
        let data = value(Descriptor::kernel_data_segment());
        let user_data = value(Descriptor::user_data_segment());
        let user_code = value(Descriptor::user_code_segment());
        self.segments = [0, code, data, user_data, user_code, low, high];
    }

    fn fill_gates(&mut self) {
        for (vector, stub) in trap::stubs() {
            let stack_index = match vector {
                trap::DOUBLE_FAULT => 1,
                trap::NMI => 2,
                trap::MACHINE_CHECK => 3,
                _ => 0,
            };
            let low = (stub & 0xffff) | u64::from(CODE.0) << 16 | (stub >> 16 & 0xffff) << 48;
            let gate = if vector == trap::BREAKPOINT { GATE | GATE_OF_PROGRAMS } else { GATE };
            self.gates[vector] = [low | (gate | stack_index) << 32, stub >> 32];
        }
    }

    /// # Safety
    ///
    /// As for [`Self::load`], and the tables must be filled.
    unsafe fn activate(&self) {
        let pointer = |base: *const u8, bytes: usize| DescriptorTablePointer {
            limit: u16::try_from(bytes - 1).expect("a descriptor table has at most 64 KiB"),
            base: VirtAddr::from_ptr(base),
        };
        let segments = pointer((&raw const self.segments).cast(), size_of_val(&self.segments));
        let gates = pointer((&raw const self.gates).cast(), size_of_val(&self.gates));
        // SAFETY: the table holds the segments that are loaded next.
        unsafe { tables::lgdt(&segments) };
        // SAFETY: CODE is a 64-bit code segment.
        unsafe { CS::set_reg(CODE) };
        // SAFETY: DATA is a writable data segment.
        unsafe { SS::set_reg(DATA) };
        // SAFETY: long mode ignores DS.
        unsafe { DS::set_reg(SegmentSelector::NULL) };
        // SAFETY: long mode ignores ES.
        unsafe { ES::set_reg(SegmentSelector::NULL) };
        // SAFETY: TASK is an available task state segment.
        unsafe { tables::load_tss(TASK) };
        // SAFETY: every gate leads to a stub that saves all registers.
        unsafe { tables::lidt(&gates) };
    }
}
