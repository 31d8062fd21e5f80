//! Doorsteps: what a core shows to those who send to it.
//!
//! A doorstep has a state byte, written by its owner, and a flag byte per sender, set by that sender and
//! cleared by the owner; each on lines of its own. [`ThisCore`] is the message path's view of it all.

use super::{apic, cpu, percpu, smp};
use crate::post::flags::{self, Flags, LINE, WORD};
use crate::post::{Activity, Hardware, MAX_CORES};
use core::sync::atomic::{AtomicU8, Ordering};
use proto::id::CoreId;

/// What one core shows.
#[repr(C, align(64))]
struct Doorstep {
    flags: Bytes,
    state: Line,
}

/// The flag bytes, by sender.
struct Bytes([AtomicU8; MAX_CORES]);

/// The state byte, on a line of its own: senders read it, the flags are written.
#[repr(C, align(64))]
struct Line(AtomicU8);

static DOORSTEPS: [Doorstep; MAX_CORES] = [const {
    Doorstep {
        flags: Bytes([const { AtomicU8::new(0) }; MAX_CORES]),
        state: Line(AtomicU8::new(Activity::Kernel as u8)),
    }
}; MAX_CORES];

/// The machine as the message path of this core sees it.
#[derive(Clone, Copy)]
pub struct ThisCore {
    id: CoreId,
    doorstep: &'static Doorstep,
    /// Words of flags that are looked at: those of all that send to this core.
    words: u8,
}

impl core::fmt::Debug for ThisCore {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ThisCore({})", self.id)
    }
}

/// The message path's view of the core that this runs on. It must stay on this core.
#[must_use]
pub fn this_core() -> ThisCore {
    let id = percpu::id();
    let nobody = ThisCore { id, doorstep: &DOORSTEPS[id.index()], words: 0 };
    nobody.as_if_of(smp::count())
}

/// Joins the eight words of a line to a value, with this instruction.
macro_rules! join_line {
    ($instruction:literal, $flags:expr, $line:ident, $value:expr) => {{
        const { assert!(($line + 1) * LINE <= MAX_CORES) };
        let mut value: u64 = $value;
        // SAFETY: it reads 64 bytes within the array.
        unsafe {
            core::arch::asm!(
                concat!($instruction, " {value}, [{flags} + {at}]"),
                concat!($instruction, " {value}, [{flags} + {at} + 8]"),
                concat!($instruction, " {value}, [{flags} + {at} + 16]"),
                concat!($instruction, " {value}, [{flags} + {at} + 24]"),
                concat!($instruction, " {value}, [{flags} + {at} + 32]"),
                concat!($instruction, " {value}, [{flags} + {at} + 40]"),
                concat!($instruction, " {value}, [{flags} + {at} + 48]"),
                concat!($instruction, " {value}, [{flags} + {at} + 56]"),
                value = inout(reg) value,
                flags = in(reg) $flags.as_ptr(),
                at = const $line * LINE,
                options(nostack, readonly)
            );
        }
        value
    }};
}

impl Flags for Bytes {
    #[inline(always)]
    fn word(&self, at: usize) -> u64 {
        let first = self.0[at * WORD..(at + 1) * WORD].as_ptr();
        let word: u64;
        // SAFETY: it reads the eight bytes of the slice.
        unsafe {
            core::arch::asm!(
                "mov {word}, [{first}]",
                word = out(reg) word,
                first = in(reg) first,
                options(nostack, readonly, preserves_flags)
            );
        }
        word
    }

    #[inline(always)]
    fn or_line<const LINE_INDEX: usize>(&self, any: u64) -> u64 {
        join_line!("or", self.0, LINE_INDEX, any)
    }

    #[inline(always)]
    fn add_line<const LINE_INDEX: usize>(&self, sum: u64) -> u64 {
        join_line!("add", self.0, LINE_INDEX, sum)
    }
}

impl ThisCore {
    /// The same core, as if the machine had so many cores: it looks at as many flag bytes.
    #[must_use]
    pub const fn as_if_of(self, cores: usize) -> Self {
        Self { words: flags::words_of(cores), ..self }
    }
}

impl Hardware for ThisCore {
    #[inline]
    fn fence(&self) {
        cpu::fence();
    }

    #[inline]
    fn raise(&self, receiver: CoreId) {
        let flag = &DOORSTEPS[receiver.index()].flags.0[self.id.index()];
        flag.store(1, Ordering::Release);
    }

    #[inline]
    fn activity_of(&self, receiver: CoreId) -> Activity {
        Activity::from_byte(DOORSTEPS[receiver.index()].state.0.load(Ordering::Acquire))
    }

    fn ring(&self, receiver: CoreId) {
        apic::ring_doorbell(smp::apic_id(receiver));
    }

    #[inline(always)]
    fn next_raised(&self, from: usize) -> Option<CoreId> {
        flags::first(&self.doorstep.flags, from, self.words)
    }

    #[inline(always)]
    fn first_raised(&self) -> Option<(CoreId, bool)> {
        flags::first_of_all(&self.doorstep.flags, self.words)
    }

    #[inline(always)]
    fn each_raised(&self, first: CoreId, visit: impl FnMut(CoreId)) {
        flags::each(&self.doorstep.flags, first, self.words, visit);
    }

    fn hear_up_to(&mut self, last: CoreId) {
        *self = self.as_if_of(last.index() + 1);
    }

    #[inline]
    fn lower(&self, sender: CoreId) {
        self.doorstep.flags.0[sender.index()].store(0, Ordering::Release);
    }

    #[inline]
    fn publish(&self, activity: Activity) {
        self.doorstep.state.0.store(activity as u8, Ordering::Release);
    }

    fn halt(&self) {
        cpu::wait_for_interrupt();
    }
}
