//! Where things are in the kernel's half of the address space, and where the image lies.
//!
//! | from | what |
//! |---|---|
//! | `0xffff_8000_0000_0000` | direct map: all usable memory, never executable |
//! | `0xffff_c000_0000_0000` | stacks, a [`HOME_STRIDE`] per core, with unmapped pages between them |
//! | `0xffff_d000_0000_0000` | device registers, uncached, at their physical address |
//! | `0xffff_ffff_8000_0000` | the image, at its physical address |

use crate::machine::memory::{PAGE, Range};

/// Start of the direct map.
pub(super) const DIRECT: u64 = 0xffff_8000_0000_0000;
/// Start of the stacks.
const HOMES: u64 = 0xffff_c000_0000_0000;
/// Start of the window on device registers.
pub(super) const DEVICES: u64 = 0xffff_d000_0000_0000;
/// Address of the image less its physical address.
pub(super) const IMAGE: u64 = 0xffff_ffff_8000_0000;

/// Physical address of the image.
pub(super) const IMAGE_START: u64 = 0x10_0000;

/// Address space between the stacks of two cores.
const HOME_STRIDE: u64 = 0x4_0000;
/// Bytes of the stack that a core runs on.
const MAIN_BYTES: u64 = 0x8000;
/// Bytes of the stack of the management core, whose work goes deeper.
const MANAGEMENT_BYTES: u64 = 0x2_0000;
/// Bytes of each interrupt stack.
const IST_BYTES: u64 = 0x4000;
/// Bytes above an interrupt stack, so many that it stays aligned.
const MARK_BYTES: u64 = 16;

/// The stacks of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stack {
    /// What the core runs on.
    Main,
    /// Double faults, among them the overflow of the main stack.
    DoubleFault,
    /// Non-maskable interrupts.
    Nmi,
    /// Machine checks.
    MachineCheck,
}

impl Stack {
    /// All stacks of a core.
    pub(super) const ALL: [Self; 4] =
        [Self::Main, Self::DoubleFault, Self::Nmi, Self::MachineCheck];

    /// The addresses of this stack of core `index`; the page below its start is not mapped.
    pub(super) fn of(self, index: usize) -> Range {
        let home = HOMES + index as u64 * HOME_STRIDE;
        let main_end = home + PAGE + if index == 0 { MANAGEMENT_BYTES } else { MAIN_BYTES };
        let ist = |n: u64| {
            let start = main_end + PAGE + n * (IST_BYTES + PAGE);
            Range { start, end: start + IST_BYTES }
        };
        match self {
            Self::Main => Range { start: home + PAGE, end: main_end },
            Self::DoubleFault => ist(0),
            Self::Nmi => ist(1),
            Self::MachineCheck => ist(2),
        }
    }

    /// Where an interrupt stack begins: above it lies a word, the address of the core's memory.
    pub(super) fn mark(self, index: usize) -> u64 {
        self.of(index).end - MARK_BYTES
    }
}

const _: () = assert!(MANAGEMENT_BYTES + 3 * IST_BYTES + 4 * PAGE <= HOME_STRIDE);

/// The address in the direct map of a physical address.
pub(super) fn direct(physical: u64) -> *mut u8 {
    core::ptr::with_exposed_provenance_mut((DIRECT + physical) as usize)
}

/// A device register, by its address in the window.
pub(super) fn device(address: u64) -> *mut u32 {
    core::ptr::with_exposed_provenance_mut(address as usize)
}

// Places that the link script and `boot.s` define. Only their addresses mean anything.
unsafe extern "C" {
    safe static __text_start: u8;
    safe static __text_end: u8;
    safe static __data_start: u8;
    safe static __bss_end: u8;
    safe static atoll_boot_stack: u8;
    safe static atoll_boot_stack_top: u8;
}

/// The parts of the image, as addresses of its high half.
pub(super) struct Image {
    /// Code.
    pub(super) text: Range,
    /// Constants.
    pub(super) constants: Range,
    /// Variables.
    pub(super) variables: Range,
}

/// Where the parts of the image are.
pub(super) fn image() -> Image {
    let at = |symbol: *const u8| symbol.expose_provenance() as u64;
    let (text, text_end) = (at(&raw const __text_start), at(&raw const __text_end));
    let (variables, end) = (at(&raw const __data_start), at(&raw const __bss_end));
    Image {
        text: Range { start: text, end: text_end },
        constants: Range { start: text_end, end: variables },
        variables: Range { start: variables, end },
    }
}

/// The stack that core 0 boots on, before it has one with a guard page.
pub(super) fn boot_stack() -> Range {
    Range {
        start: (&raw const atoll_boot_stack).expose_provenance() as u64,
        end: (&raw const atoll_boot_stack_top).expose_provenance() as u64,
    }
}
