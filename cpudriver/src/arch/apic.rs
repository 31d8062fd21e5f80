//! The local APIC: interrupts from one core to another, and this core's timer.
//!
//! Two interfaces to the same registers: memory (xAPIC, ids of 8 bits) and model-specific registers
//! (x2APIC, 32 bits), the latter where CPUID has it. Intel SDM vol. 3, chapter 11.

use super::interrupts::{SPURIOUS, Source};
use super::once::BootOnce;
use super::{cpu, layout};
use proto::id::ApicId;
use x86_64::registers::model_specific::Msr;

const APIC_BASE: u32 = 0x1b;
const APIC_BASE_ENABLE: u64 = 1 << 11;
const APIC_BASE_X2APIC: u64 = 1 << 10;
const X2APIC_REGISTERS: u32 = 0x800;
/// Where the registers are, unless the firmware has moved them.
const APIC_BASE_ADDRESS: u64 = 0xf_ffff_f000;

/// Offsets of registers in memory; the model-specific register is 0x800 plus a sixteenth.
#[derive(Clone, Copy, Debug)]
enum Register {
    Id = 0x20,
    TaskPriority = 0x80,
    EndOfInterrupt = 0xb0,
    Spurious = 0xf0,
    ErrorStatus = 0x280,
    CommandLow = 0x300,
    CommandHigh = 0x310,
    TimerVector = 0x320,
    Lint0 = 0x350,
    Lint1 = 0x360,
    ErrorVector = 0x370,
    TimerInitial = 0x380,
    TimerCurrent = 0x390,
    TimerDivide = 0x3e0,
}

/// How this machine's local APICs are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interface {
    /// Registers in memory at this virtual address.
    Memory(u64),
    X2apic,
}

static INTERFACE: BootOnce<Interface> = BootOnce::new();

/// What the command register is told to send.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
enum Command {
    Fixed = 0,
    Nmi = 4 << 8,
    Init = 5 << 8,
    StartUp = 6 << 8,
}

const LEVEL_ASSERT: u32 = 1 << 14;
const DELIVERY_PENDING: u32 = 1 << 12;
const MASKED: u32 = 1 << 16;
const SOFTWARE_ENABLE: u32 = 1 << 8;
const LINT_NMI: u32 = 4 << 8;

/// Reads a register in memory, where [`INTERFACE`] says that they are.
fn read_memory(base: u64, register: Register) -> u32 {
    let place: *const u32 = layout::device(base + register as u64).cast_const();
    // SAFETY: the page of registers is mapped, and the offset is a register's.
    unsafe { place.read_volatile() }
}

/// Writes a register in memory, where [`INTERFACE`] says that they are.
fn write_memory(base: u64, register: Register, value: u32) {
    let place: *mut u32 = layout::device(base + register as u64);
    // SAFETY: as for reading; what is written concerns interrupts, not memory.
    unsafe { place.write_volatile(value) };
}

fn read(register: Register) -> u32 {
    match INTERFACE.get() {
        Some(&Interface::Memory(base)) => read_memory(base, register),
        Some(Interface::X2apic) => {
            // SAFETY: CPUID has x2APIC and it is turned on, so the register exists.
            unsafe { msr(register).read() as u32 }
        }
        None => 0,
    }
}

fn write(register: Register, value: u32) {
    match INTERFACE.get() {
        Some(&Interface::Memory(base)) => write_memory(base, register, value),
        Some(Interface::X2apic) => {
            // SAFETY: as for reading.
            unsafe { msr(register).write(u64::from(value)) };
        }
        None => {}
    }
}

fn msr(register: Register) -> Msr {
    Msr::new(X2APIC_REGISTERS + register as u32 / 16)
}

/// The physical address of the registers in memory, if x2APIC is not to be used.
pub(super) fn registers(features: &cpu::Features) -> Option<u64> {
    if features.x2apic {
        return None;
    }
    // SAFETY: every 64-bit processor has this register.
    Some(unsafe { Msr::new(APIC_BASE).read() } & APIC_BASE_ADDRESS)
}

/// Chooses the interface: the registers mapped at virtual address `memory`, else x2APIC.
///
/// # Safety
///
/// Only core 0 may call this, before it starts the others; `memory` must be the mapped registers, and without
/// it CPUID must have x2APIC.
pub(super) unsafe fn choose(memory: Option<u64>) {
    // SAFETY: the caller is alone.
    unsafe { INTERFACE.set(memory.map_or(Interface::X2apic, Interface::Memory)) };
}

/// Turns this core's local APIC on, its timer and local lines off. Done again after INIT.
pub(super) fn init() {
    let mut base = Msr::new(APIC_BASE);
    let x2apic = if INTERFACE.get() == Some(&Interface::X2apic) { APIC_BASE_X2APIC } else { 0 };
    // SAFETY: every 64-bit processor has this register.
    let enabled = unsafe { base.read() } | APIC_BASE_ENABLE | x2apic;
    // SAFETY: it turns on what CPUID has, and leaves the address alone.
    unsafe { base.write(enabled) };
    write(Register::TaskPriority, 0);
    write(Register::Lint0, MASKED);
    write(Register::Lint1, LINT_NMI);
    write(Register::ErrorVector, MASKED);
    write(Register::TimerVector, MASKED);
    write(Register::ErrorStatus, 0);
    write(Register::Spurious, SOFTWARE_ENABLE | u32::from(SPURIOUS));
}

/// The id of the core that this runs on.
#[must_use]
pub fn id() -> ApicId {
    match INTERFACE.get() {
        Some(Interface::X2apic) => ApicId(read(Register::Id)),
        _ => ApicId(read(Register::Id) >> 24),
    }
}

/// The greatest id that an interrupt can be sent to.
pub(super) fn greatest_id() -> ApicId {
    match INTERFACE.get() {
        // The greatest of all means "all cores".
        Some(Interface::X2apic) => ApicId(u32::MAX - 1),
        _ => ApicId(254),
    }
}

/// Tells the local APIC that an interrupt has been handled.
pub(super) fn acknowledge() {
    write(Register::EndOfInterrupt, 0);
}

/// Wakes another core: it gets a doorbell interrupt as soon as it waits for one.
pub fn ring_doorbell(to: ApicId) {
    send(to, Command::Fixed as u32 | LEVEL_ASSERT | u32::from(Source::Doorbell.vector()));
}

/// Sends another core an interrupt that nothing masks. It must have its interrupt table.
pub(super) fn nmi(to: ApicId) {
    send(to, Command::Nmi as u32 | LEVEL_ASSERT);
}

/// Resets another core, which then waits for [`start_up`].
pub(super) fn init_other(to: ApicId) {
    send(to, Command::Init as u32 | LEVEL_ASSERT);
}

/// Starts a core that waits after INIT, in real mode at the beginning of the page `page`.
pub(super) fn start_up(to: ApicId, page: u8) {
    send(to, Command::StartUp as u32 | LEVEL_ASSERT | u32::from(page));
}

fn send(to: ApicId, command: u32) {
    match INTERFACE.get() {
        Some(Interface::X2apic) => {
            let both = u64::from(to.0) << 32 | u64::from(command);
            // Writing the register does not wait for earlier stores (SDM vol. 3, 11.12.3).
            cpu::fence();
            // SAFETY: CPUID has x2APIC and it is turned on.
            unsafe { msr(Register::CommandLow).write(both) };
        }
        Some(&Interface::Memory(base)) => {
            while read_memory(base, Register::CommandLow) & DELIVERY_PENDING != 0 {
                cpu::pause();
            }
            write_memory(base, Register::CommandHigh, to.0 << 24);
            write_memory(base, Register::CommandLow, command);
        }
        None => {}
    }
}

/// The timer, one shot, in ticks of the APIC's own clock.
pub(super) mod timer {
    use super::{MASKED, Register, Source, read, write};

    /// Divides the clock by one.
    const BY_ONE: u32 = 0b1011;
    const PERIODIC: u32 = 1 << 17;
    const TSC_DEADLINE: u32 = 2 << 17;

    /// Starts counting down from `ticks`, with an interrupt at the end.
    pub(in super::super) fn start(ticks: u32) {
        write(Register::TimerDivide, BY_ONE);
        write(Register::TimerVector, u32::from(Source::Timer.vector()));
        write(Register::TimerInitial, ticks);
    }

    /// Counts down from `ticks` again and again, with an interrupt at each end.
    pub(in super::super) fn start_periodic(ticks: u32) {
        write(Register::TimerDivide, BY_ONE);
        write(Register::TimerVector, PERIODIC | u32::from(Source::Timer.vector()));
        write(Register::TimerInitial, ticks);
    }

    /// Starts counting down from the greatest count, without an interrupt.
    pub(in super::super) fn start_silently() {
        write(Register::TimerDivide, BY_ONE);
        write(Register::TimerVector, MASKED);
        write(Register::TimerInitial, u32::MAX);
    }

    /// Ticks left.
    pub(in super::super) fn left() -> u32 {
        read(Register::TimerCurrent)
    }

    /// Stops the count.
    pub(in super::super) fn stop() {
        write(Register::TimerInitial, 0);
    }

    /// Makes the timer compare the time stamp counter with its deadline register.
    pub(in super::super) fn use_tsc_deadline() {
        write(Register::TimerVector, TSC_DEADLINE | u32::from(Source::Timer.vector()));
    }
}
