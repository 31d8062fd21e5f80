//! Ending the machine.

use super::cpu;
use proto::exit;
use x86_64::VirtAddr;
use x86_64::instructions::port::Port;
use x86_64::instructions::tables;
use x86_64::structures::DescriptorTablePointer;

/// Ends the machine with a code for the host tool: QEMU leaves with it. On a machine without the
/// debug exit device the core parks.
pub fn exit(code: u8) -> ! {
    let mut port = Port::<u8>::new(exit::DEBUG_EXIT_PORT);
    // SAFETY: the debug exit device, or nothing, answers at this port.
    unsafe { port.write(code.wrapping_add(exit::BIAS)) };
    cpu::park()
}

/// Resets the machine: by the keyboard controller, and where there is none by a triple fault.
pub fn reset() -> ! {
    const KEYBOARD_COMMAND: u16 = 0x64;
    const PULSE_RESET: u8 = 0xfe;
    let mut port = Port::<u8>::new(KEYBOARD_COMMAND);
    // SAFETY: the command resets the machine, which is what the caller wants.
    unsafe { port.write(PULSE_RESET) };
    let nothing = DescriptorTablePointer { limit: 0, base: VirtAddr::zero() };
    // SAFETY: without gates the next exception is a triple fault, which is wanted.
    unsafe { tables::lidt(&nothing) };
    // SAFETY: as above; it does not come back.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}
