//! The calls that led to a place, from the frame pointers on the stack.
//!
//! One line a call, `  #N 0x<16 digits>`: line 0 is where the code is, the others are return addresses. The
//! host tool adds names and lines.

use super::layout::{self, Stack};
use super::percpu;
use crate::machine::memory::Range;
use core::fmt::{self, Write};

/// The longest list; deeper calls are left out.
const DEPTH: usize = 48;

/// Writes the calls that led to `rip`, whose frame pointer is `rbp`. Follows pointers only as far as
/// they stay on a stack of this core and go upwards on it, so a damaged stack ends the list.
pub(super) fn write(out: &mut dyn Write, rip: u64, rbp: u64) -> fmt::Result {
    writeln!(out, "backtrace:")?;
    writeln!(out, "  #0 {rip:#018x}")?;
    let mut frame = rbp;
    for depth in 1..DEPTH {
        let Some((caller_frame, return_address)) = read_frame(frame) else { break };
        if return_address == 0 {
            break;
        }
        writeln!(out, "  #{depth} {return_address:#018x}")?;
        if caller_frame <= frame {
            break;
        }
        frame = caller_frame;
    }
    Ok(())
}

/// The saved frame pointer and the return address above it.
fn read_frame(frame: u64) -> Option<(u64, u64)> {
    let stack = stack_of(frame)?;
    if !frame.is_multiple_of(8) || frame + 16 > stack.end {
        return None;
    }
    let words: *const [u64; 2] = core::ptr::with_exposed_provenance(frame as usize);
    // SAFETY: both words lie on a stack of this core, which is mapped and which no other core writes.
    let [caller_frame, return_address] = unsafe { words.read_volatile() };
    Some((caller_frame, return_address))
}

/// The stack of this core that an address is on.
fn stack_of(address: u64) -> Option<Range> {
    let index = percpu::id().index();
    let boot = (index == 0).then(layout::boot_stack);
    let stacks = Stack::ALL.into_iter().map(|stack| stack.of(index)).chain(boot);
    stacks.into_iter().find(|stack| (stack.start..stack.end).contains(&address))
}

/// Whether an address is in the unmapped page below a stack of this core.
pub(super) fn is_below_a_stack(address: u64) -> bool {
    let guard =
        |stack: Range| (stack.start - crate::machine::memory::PAGE..stack.start).contains(&address);
    Stack::ALL.into_iter().any(|stack| guard(stack.of(percpu::id().index())))
}
