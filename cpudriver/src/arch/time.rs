//! Time: the rate of the time stamp counter, and the one-shot timer.
//!
//! Time is the time stamp counter, the same on all cores. Its rate is measured once, on core 0, against the
//! local APIC's timer where that is known to run at 1 GHz (QEMU, KVM), else both are measured against the
//! PC's interval timer, else CPUID is believed.

use super::apic::timer;
use super::cpu::{self, Features};
use super::once::BootOnce;
use crate::machine::rtc;
use raw_cpuid::CpuId;
use x86_64::instructions::port::Port;
use x86_64::registers::model_specific::Msr;

const MICROSECONDS: u64 = 1_000_000;
const GIGAHERTZ: u64 = 1_000_000_000;
/// How long a measurement against the local APIC's timer lasts, in its ticks: half a millisecond.
const MEASURE_TICKS: u64 = 500_000;
/// How long a measurement against the interval timer lasts.
const MEASURE_PIT_US: u64 = 10_000;
const TSC_DEADLINE: u32 = 0x6e0;

/// Rates of the clocks.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    tsc_hz: u64,
    /// Ticks of the local APIC's timer in 2^32 of the time stamp counter.
    apic_rate: u64,
    has_tsc_deadline: bool,
}

impl Clocks {
    /// So many ticks of the time stamp counter in those of the local APIC's timer, as far as that can count, and never none.
    fn in_apic_ticks(&self, ticks: u64) -> u32 {
        let ticks = (u128::from(ticks) * u128::from(self.apic_rate)) >> 32;
        u32::try_from(ticks).unwrap_or(u32::MAX).max(1)
    }
}

static CLOCKS: BootOnce<Clocks> = BootOnce::new();

fn clocks() -> &'static Clocks {
    CLOCKS.get().expect("boot measures the clocks before it starts anything")
}

/// Ticks of the time stamp counter ([`cpu::now`]) per second.
#[must_use]
pub fn tsc_hz() -> u64 {
    clocks().tsc_hz
}

/// Interrupts this core when the time stamp counter reaches `deadline`, once; replaces an earlier call's
/// deadline. A deadline that has passed interrupts at once, one that is more than some seconds away
/// may do so too early: look at the time, and arm again.
pub fn arm(deadline: u64) {
    let clocks = clocks();
    if clocks.has_tsc_deadline {
        timer::use_tsc_deadline();
        // The vector is written to memory, the deadline is not: order them (SDM vol. 3, 11.5.4.1).
        cpu::fence();
        // SAFETY: CPUID has the register; 0 would disarm, and a passed deadline fires at once.
        unsafe { Msr::new(TSC_DEADLINE).write(deadline.max(1)) };
        return;
    }
    timer::start(clocks.in_apic_ticks(deadline.saturating_sub(cpu::now())));
}

/// Interrupts this core every so many ticks of the time stamp counter, until [`arm`] or [`disarm`] is called.
pub fn beat(ticks: u64) {
    let clocks = clocks();
    timer::start_periodic(clocks.in_apic_ticks(ticks));
}

/// Takes back what [`arm`] asked for. An interrupt that is on its way still arrives.
pub fn disarm() {
    if clocks().has_tsc_deadline {
        // SAFETY: CPUID has the register; 0 disarms.
        unsafe { Msr::new(TSC_DEADLINE).write(0) };
    } else {
        timer::stop();
    }
}

/// When the PC's clock was read.
#[derive(Clone, Copy, Debug)]
struct Wall {
    ns: u64,
    tsc: u64,
}

static WALL: BootOnce<Wall> = BootOnce::new();

/// Nanoseconds since 1970-01-01 00:00 UTC and the time stamp counter at the moment when the machine's clock was read;
/// `None` if it has none.
#[must_use]
pub fn wall_base() -> Option<(u64, u64)> {
    WALL.get().map(|wall| (wall.ns, wall.tsc))
}

/// Nanoseconds since 1970-01-01 00:00 UTC; `None` on a machine without a clock.
#[must_use]
pub fn wall_ns() -> Option<u64> {
    let (ns, tsc) = wall_base()?;
    let ticks = u128::from(cpu::now().saturating_sub(tsc));
    let since = ticks * u128::from(GIGAHERTZ) / u128::from(tsc_hz());
    Some(ns.saturating_add(u64::try_from(since).unwrap_or(u64::MAX)))
}

/// Reads the PC's clock, which is to go by UTC.
///
/// # Safety
///
/// Only core 0 may call this, once, before it starts the others.
pub(super) unsafe fn read_wall_clock() {
    /// Looks at a clock that is being set forward, at most; it takes 2 ms.
    const LOOKS: u32 = 20_000;
    const IS_CHANGING: u8 = 1 << 7;
    let is_still = (0..LOOKS).any(|_| read_cmos(10) & IS_CHANGING == 0);
    let [second, minute, hour, day, month, year, status] = [0, 2, 4, 7, 8, 9, 11].map(read_cmos);
    let registers = rtc::Registers { second, minute, hour, day, month, year, status };
    if let Some(seconds) = registers.seconds().filter(|_| is_still) {
        // SAFETY: the caller is alone.
        unsafe { WALL.set(Wall { ns: seconds * GIGAHERTZ, tsc: cpu::now() }) };
    }
}

/// Reads a register of the PC's clock; all ones where there is none.
fn read_cmos(register: u8) -> u8 {
    // SAFETY: the port selects a register of the clock, or nothing.
    unsafe { Port::<u8>::new(0x70).write(register) };
    // SAFETY: reading these registers has no effect.
    unsafe { Port::<u8>::new(0x71).read() }
}

/// Waits until `is_done`, for so many microseconds at most, without halting. For the short waits that
/// hardware asks for.
pub(super) fn wait_us(microseconds: u64, is_done: impl Fn() -> bool) {
    let begin = cpu::now();
    let ticks = tsc_hz() * microseconds / MICROSECONDS;
    while !is_done() && cpu::now().wrapping_sub(begin) < ticks {
        cpu::pause();
    }
}

/// Waits so many microseconds without halting.
pub(super) fn delay_us(microseconds: u64) {
    wait_us(microseconds, || false);
}

/// Measures the clocks. The local APIC must be on.
///
/// # Safety
///
/// Only core 0 may call this, once, before it starts the others.
pub(super) unsafe fn calibrate(features: &Features) {
    let (tsc_hz, apic_hz) = if features.apic_timer_gigahertz {
        (measure_by_apic(), GIGAHERTZ)
    } else {
        measure_by_pit().unwrap_or_else(believe_cpuid)
    };
    timer::stop();
    let apic_rate = (u128::from(apic_hz) << 32) / u128::from(tsc_hz);
    let apic_rate = u64::try_from(apic_rate).unwrap_or(u64::MAX);
    let clocks = Clocks { tsc_hz, apic_rate, has_tsc_deadline: features.tsc_deadline };
    // SAFETY: the caller is alone.
    unsafe { CLOCKS.set(clocks) };
}

/// Both clocks at about the same moment: the pair, of several, whose reading took the shortest.
fn read_both() -> (u64, u64) {
    let shortest = (0..5).map(|_| read_pair()).min_by_key(|(took, ..)| *took);
    let (_, tsc, apic) = shortest.expect("the range is not empty");
    (tsc, apic)
}

/// How long the reading took, and both clocks. Never inlined: an emulator takes longer over code that it has
/// not seen, so the readings must be made by the same code.
#[inline(never)]
fn read_pair() -> (u64, u64, u64) {
    let before = cpu::now();
    let left = timer::left();
    let after = cpu::now();
    (after - before, before + (after - before) / 2, u64::from(u32::MAX - left))
}

fn measure_by_apic() -> u64 {
    timer::start_silently();
    let (tsc_before, apic_before) = read_both();
    while u64::from(u32::MAX - timer::left()) < apic_before + MEASURE_TICKS {
        cpu::pause();
    }
    let (tsc_after, apic_after) = read_both();
    (tsc_after - tsc_before) * GIGAHERTZ / (apic_after - apic_before)
}

/// The rates of both clocks by the interval timer's channel 2, or `None` when there is no such timer: its
/// output is up before the time can be over, or does not come up in time.
fn measure_by_pit() -> Option<(u64, u64)> {
    const PIT_HZ: u64 = 1_193_182;
    const OUTPUT: u8 = 1 << 5;
    let (mut gate, mut command, mut count) =
        (Port::<u8>::new(0x61), Port::<u8>::new(0x43), Port::<u8>::new(0x42));
    let ticks = PIT_HZ * MEASURE_PIT_US / MICROSECONDS;
    // SAFETY: port 0x61 is the timer's gate on a PC, or nothing.
    let others = unsafe { gate.read() } & 0b1100;
    // SAFETY: gate on, speaker off.
    unsafe { gate.write(others | 1) };
    timer::start_silently();
    // SAFETY: channel 2, both bytes, one shot; nothing else uses that channel.
    unsafe { command.write(0b1011_0000) };
    // SAFETY: the count's low byte.
    unsafe { count.write(ticks as u8) };
    // SAFETY: the count's high byte.
    unsafe { count.write((ticks >> 8) as u8) };
    let (tsc_before, apic_before) = read_both();
    // No processor's counter runs faster than 16 GHz.
    let give_up = tsc_before + 16 * GIGAHERTZ * MEASURE_PIT_US / MICROSECONDS;
    let mut polls = 0;
    loop {
        // SAFETY: as above.
        if unsafe { gate.read() } & OUTPUT != 0 {
            break;
        }
        if cpu::now() > give_up {
            return None;
        }
        polls += 1;
        cpu::pause();
    }
    let (tsc_after, apic_after) = read_both();
    let rate = |ticks: u64| ticks * MICROSECONDS / MEASURE_PIT_US;
    (polls > 2).then(|| (rate(tsc_after - tsc_before), rate(apic_after - apic_before)))
}

/// What CPUID says; 1 GHz for both where it says nothing, which keeps the kernel running at wrong times.
fn believe_cpuid() -> (u64, u64) {
    let cpuid = CpuId::new();
    let crystal = cpuid.get_tsc_info();
    let tsc = crystal.as_ref().and_then(raw_cpuid::TscInfo::tsc_frequency);
    let base = cpuid.get_processor_frequency_info();
    let base = base.map(|info| u64::from(info.processor_base_frequency()) * 1_000_000);
    let apic = crystal.map(|info| u64::from(info.nominal_frequency()));
    (tsc.or(base).unwrap_or(GIGAHERTZ), apic.filter(|hz| *hz > 0).unwrap_or(GIGAHERTZ))
}
