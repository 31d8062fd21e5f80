//! The instructions and features of a core.

use crate::machine::identifiers::Identifiers;
use raw_cpuid::CpuId;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr2, Cr4, Cr4Flags, Efer, EferFlags};

/// Orders this core's earlier stores before its later loads, in the eyes of the others (`mfence`; Rust's
/// sequentially consistent fence is a locked instruction on this target).
pub fn fence() {
    // SAFETY: it has no other effect. It may touch memory in the compiler's eyes, so that accesses stay on
    // their side of it.
    unsafe { core::arch::asm!("mfence", options(nostack, preserves_flags)) };
}

/// The time stamp counter. See [`super::time::tsc_hz`].
#[must_use]
pub fn now() -> u64 {
    // SAFETY: every 64-bit processor has the counter, and nothing turns it off.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Tells the processor that this is a loop that waits; under emulation it gives way to other cores.
pub fn pause() {
    core::hint::spin_loop();
}

unsafe extern "C" {
    safe fn atoll_halt();
}

/// Halts until an interrupt or NMI arrives; one that is pending already ends the halt. May return without
/// one: callers look at what they wait for in a loop. See [`super::interrupts::take`].
pub fn wait_for_interrupt() {
    atoll_halt();
}

/// Halts for good, with interrupts off: only INIT brings the core back.
pub fn park() -> ! {
    loop {
        // SAFETY: it stops this core, which is what the caller wants; an NMI ends one hlt at most.
        unsafe { core::arch::asm!("cli", "hlt", options(nomem, nostack)) };
    }
}

/// The address that the last page fault was about.
pub(super) fn fault_address() -> u64 {
    Cr2::read_raw()
}

/// What CPUID says about the core, as far as the kernel asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Pages can be made non-executable.
    pub no_execute: bool,
    /// Supervisor mode execution prevention.
    pub smep: bool,
    /// Supervisor mode access prevention.
    pub smap: bool,
    /// User mode instruction prevention.
    pub umip: bool,
    /// Address spaces are told apart by identifiers.
    pub identifiers: Identifiers,
    /// Programs can read and write the bases of FS and GS.
    pub fs_gs_base: bool,
    /// The extended state is saved by XSAVE.
    pub xsave: bool,
    /// Broken hardware is reported as an exception.
    pub machine_check: bool,
    /// The local APIC has the x2APIC interface.
    pub x2apic: bool,
    /// The local APIC's timer has the TSC deadline mode.
    pub tsc_deadline: bool,
    /// A hypervisor or emulator runs the machine.
    pub hypervisor: bool,
    /// The local APIC's timer runs at 1 GHz: QEMU's emulator and KVM.
    pub apic_timer_gigahertz: bool,
}

/// Asks CPUID.
#[must_use]
pub fn features() -> Features {
    let cpuid = CpuId::new();
    let basic = cpuid.get_feature_info();
    let extended = cpuid.get_extended_feature_info();
    let is = |feature: Option<bool>| feature.unwrap_or(false);
    Features {
        no_execute: is(cpuid
            .get_extended_processor_and_feature_identifiers()
            .map(|amd| amd.has_execute_disable())),
        smep: is(extended.as_ref().map(raw_cpuid::ExtendedFeatures::has_smep)),
        smap: is(extended.as_ref().map(raw_cpuid::ExtendedFeatures::has_smap)),
        umip: is(extended.as_ref().map(raw_cpuid::ExtendedFeatures::has_umip)),
        identifiers: Identifiers::choose(
            is(basic.as_ref().map(raw_cpuid::FeatureInfo::has_pcid)),
            is(extended.as_ref().map(raw_cpuid::ExtendedFeatures::has_invpcid)),
        ),
        fs_gs_base: is(extended.as_ref().map(raw_cpuid::ExtendedFeatures::has_fsgsbase)),
        xsave: is(basic.as_ref().map(raw_cpuid::FeatureInfo::has_xsave)),
        machine_check: is(basic.as_ref().map(raw_cpuid::FeatureInfo::has_mce)),
        x2apic: is(basic.as_ref().map(raw_cpuid::FeatureInfo::has_x2apic)),
        tsc_deadline: is(basic.as_ref().map(raw_cpuid::FeatureInfo::has_tsc_deadline)),
        hypervisor: is(basic.as_ref().map(raw_cpuid::FeatureInfo::has_hypervisor)),
        apic_timer_gigahertz: cpuid.get_hypervisor_info().is_some_and(|info| {
            matches!(info.identify(), raw_cpuid::Hypervisor::QEMU | raw_cpuid::Hypervisor::KVM)
        }),
    }
}

/// How many cores a package has, as far as the processor says; 0 if it doesn't (Intel SDM vol. 2, CPUID leaf 0BH).
#[must_use]
pub fn cores_per_package() -> u16 {
    let levels = CpuId::new().get_extended_topology_info().into_iter().flatten();
    levels.map(|level| level.processors()).max().unwrap_or(0)
}

/// Turns on what protects the kernel: write protection, and no-execute, SMEP, SMAP, UMIP and the machine check
/// where there are; and the identifiers of address spaces.
/// Turns the caches on, which INIT leaves off.
///
/// # Safety
///
/// The page tables in use must let the kernel go on under these rules.
pub(super) unsafe fn protect(features: &Features) {
    let cr0 = Cr0Flags::PROTECTED_MODE_ENABLE
        | Cr0Flags::MONITOR_COPROCESSOR
        | Cr0Flags::EXTENSION_TYPE
        | Cr0Flags::NUMERIC_ERROR
        | Cr0Flags::WRITE_PROTECT
        | Cr0Flags::PAGING;
    // SAFETY: paging stays on, and the caller vouches for the tables.
    unsafe { Cr0::write_raw(cr0.bits()) };
    let wanted = [
        (true, Cr4Flags::PHYSICAL_ADDRESS_EXTENSION),
        (true, Cr4Flags::OSFXSR),
        (true, Cr4Flags::OSXMMEXCPT_ENABLE),
        (features.xsave, Cr4Flags::OSXSAVE),
        (features.fs_gs_base, Cr4Flags::FSGSBASE),
        (features.machine_check, Cr4Flags::MACHINE_CHECK_EXCEPTION),
        (features.smep, Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION),
        (features.smap, Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION),
        (features.umip, Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION),
        // Must not be set outside of long mode, nor with low bits in CR3 (Intel SDM vol. 3, 4.10.1): the tables in use were
        // loaded without any. No page is global, so all that is cached belongs to an identifier.
        (features.identifiers.are_used, Cr4Flags::PCID),
    ];
    let cr4 =
        wanted.iter().filter(|(has, _)| *has).fold(Cr4Flags::empty(), |all, (_, flag)| all | *flag);
    // SAFETY: CPUID has each of them, and the kernel has no user pages.
    unsafe { Cr4::write(cr4) };
    let efer = if features.no_execute { EferFlags::NO_EXECUTE_ENABLE } else { EferFlags::empty() };
    // SAFETY: long mode stays on.
    unsafe { Efer::write(efer | EferFlags::LONG_MODE_ENABLE | EferFlags::LONG_MODE_ACTIVE) };
}
