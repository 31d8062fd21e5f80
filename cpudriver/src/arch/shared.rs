//! Doorsteps: what a core shows to those who send to it.
//!
//! A doorstep has a state byte, written by its owner, and a flag byte per sender, set by that sender and
//! cleared by the owner; each on lines of its own. [`ThisCore`] is the message path's view of it all.

use super::{apic, cpu, percpu, smp};
use crate::post::{Activity, Hardware, MAX_CORES};
use core::sync::atomic::{AtomicU8, Ordering};
use proto::id::CoreId;

/// What one core shows.
#[repr(C, align(64))]
struct Doorstep {
    flags: [AtomicU8; MAX_CORES],
    state: Line,
}

/// The state byte, on a line of its own: senders read it, the flags are written.
#[repr(C, align(64))]
struct Line(AtomicU8);

static DOORSTEPS: [Doorstep; MAX_CORES] = [const {
    Doorstep {
        flags: [const { AtomicU8::new(0) }; MAX_CORES],
        state: Line(AtomicU8::new(Activity::Kernel as u8)),
    }
}; MAX_CORES];

/// The machine as the message path of this core sees it.
#[derive(Clone, Copy)]
pub struct ThisCore {
    id: CoreId,
    doorstep: &'static Doorstep,
    /// Whether there are more cores than flag bytes on one line.
    is_large: bool,
    /// Words of flags that belong to a core of this machine.
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
    let nobody = ThisCore { id, doorstep: &DOORSTEPS[id.index()], is_large: false, words: 0 };
    nobody.as_if_of(smp::count())
}

/// Flag bytes on one cache line.
const LINE: usize = 64;
/// Flag bytes in one word.
const WORD: usize = 8;

/// Whether any flag byte is set: an instruction for each eight of them.
#[inline(always)]
fn is_any_set(flags: &[AtomicU8; MAX_CORES], is_large: bool) -> bool {
    let any = or_line::<0>(flags, 0);
    if !is_large {
        return any != 0;
    }
    or_line::<3>(flags, or_line::<2>(flags, or_line::<1>(flags, any))) != 0
}

/// `any`, or'ed with the eight words of a line of the flags.
#[inline(always)]
fn or_line<const LINE_INDEX: usize>(flags: &[AtomicU8; MAX_CORES], any: u64) -> u64 {
    const { assert!((LINE_INDEX + 1) * LINE <= MAX_CORES) };
    let mut any = any;
    // SAFETY: it reads 64 bytes within the array.
    unsafe {
        core::arch::asm!(
            "or {any}, [{flags} + {at}]",
            "or {any}, [{flags} + {at} + 8]",
            "or {any}, [{flags} + {at} + 16]",
            "or {any}, [{flags} + {at} + 24]",
            "or {any}, [{flags} + {at} + 32]",
            "or {any}, [{flags} + {at} + 40]",
            "or {any}, [{flags} + {at} + 48]",
            "or {any}, [{flags} + {at} + 56]",
            any = inout(reg) any,
            flags = in(reg) flags.as_ptr(),
            at = const LINE_INDEX * LINE,
            options(nostack, readonly)
        );
    }
    any
}

impl ThisCore {
    /// The same core, as if the machine had so many cores: it looks at as many flag bytes.
    #[must_use]
    pub const fn as_if_of(self, cores: usize) -> Self {
        let words = cores.div_ceil(WORD) as u8;
        Self { is_large: cores > LINE, words, ..self }
    }
}

impl Hardware for ThisCore {
    #[inline]
    fn fence(&self) {
        cpu::fence();
    }

    #[inline]
    fn raise(&self, receiver: CoreId) {
        let flag = &DOORSTEPS[receiver.index()].flags[self.id.index()];
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
        if self.words == 1 {
            // All flags of a small machine at once.
            let of_interest = u64::MAX.checked_shl(from as u32 * 8).unwrap_or(0);
            let set = word(&self.doorstep.flags, 0) & of_interest;
            return (set != 0).then(|| CoreId((set.trailing_zeros() / 8) as u16));
        }
        let flags = &self.doorstep.flags;
        let is_any = || match self.words {
            2 => word(flags, 0) | word(flags, 1) != 0,
            _ => is_any_set(flags, self.is_large),
        };
        // On a large machine most looks find nothing, which is seen first there.
        if self.is_large && from == 0 && !is_any() {
            return None;
        }
        // Most often it is the coordinator.
        let first = word(flags, 0);
        if from == 0 && first != 0 {
            return Some(CoreId((first.trailing_zeros() / 8) as u16));
        }
        if !self.is_large && !is_any() {
            return None;
        }
        // The first word is empty then.
        let from = if from == 0 { WORD } else { from };
        first_set(flags, from, usize::from(self.words))
    }

    #[inline(always)]
    fn each_raised(&self, first: CoreId, mut visit: impl FnMut(CoreId)) {
        for at in first.index() / WORD..usize::from(self.words) {
            let mut set = word(&self.doorstep.flags, at);
            while set != 0 {
                let flag = set.trailing_zeros() / 8;
                visit(CoreId((at * WORD) as u16 + flag as u16));
                set &= !(0xff << (flag * 8));
            }
        }
    }

    #[inline]
    fn lower(&self, sender: CoreId) {
        self.doorstep.flags[sender.index()].store(0, Ordering::Release);
    }

    #[inline]
    fn publish(&self, activity: Activity) {
        self.doorstep.state.0.store(activity as u8, Ordering::Release);
    }

    fn halt(&self) {
        cpu::wait_for_interrupt();
    }
}

/// The number of the first flag that is set, from number `from` on, a word at a time.
#[cold]
#[inline(never)]
fn first_set(flags: &[AtomicU8; MAX_CORES], from: usize, words: usize) -> Option<CoreId> {
    // In the first word, flags before `from` count as not set.
    let mut of_interest = u64::MAX << (from % WORD * 8);
    for at in from / WORD..words.min(MAX_CORES / WORD) {
        let set = word(flags, at) & of_interest;
        if set != 0 {
            // There are fewer than 2^16.
            return Some(CoreId((at * WORD) as u16 + (set.trailing_zeros() / 8) as u16));
        }
        of_interest = u64::MAX;
    }
    None
}

/// Eight flags at once, the first in the lowest byte.
///
/// # Panics
///
/// When there is no such word.
#[inline(always)]
fn word(flags: &[AtomicU8; MAX_CORES], at: usize) -> u64 {
    let first = flags[at * WORD..(at + 1) * WORD].as_ptr();
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
