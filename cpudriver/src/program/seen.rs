//! What a core has seen of the calls of programs that are traced, and how it travels to the management core.
//!
//! A call does not fit into one message, so a [`Seen`] travels as one or two [`ToMonitor::Traced`], which follow each
//! other in the ring; [`Assembler`] puts them together again.

use proto::id::{Lease, Pid, VcoreId};
use proto::message::ToMonitor;
use proto::program::{block, number};

/// Messages that something seen takes at most.
pub const PARTS: usize = 2;

/// A vcore in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose.
    pub pid: Pid,
    /// Which vcore, at most 4,095.
    pub vcore: VcoreId,
    /// The call's number.
    pub number: u32,
    /// Address of its structure.
    pub at: u64,
}

/// What was seen, and when, in clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A vcore made a call.
    Entered {
        /// When.
        when: u64,
        /// Who, and which call.
        caller: Caller,
        /// The arguments as they were.
        arguments: [u64; block::ARGUMENT_COUNT],
    },
    /// A call was answered at once.
    Returned {
        /// When.
        when: u64,
        /// Who, and which call.
        caller: Caller,
        /// What it returned.
        result: i64,
    },
    /// There was no room for so much of what was seen before.
    Dropped(u64),
}

const ENTERED: u64 = 0;
const RETURNED: u64 = 1;
const DROPPED: u64 = 2;
const REST: u64 = 3;

fn part([first, second, third, fourth, fifth]: [u64; 5]) -> ToMonitor {
    ToMonitor::Traced { first, second, third, fourth, fifth }
}

impl Caller {
    /// The first word: the kind in bits 0 to 3, the vcore from 4, the pid from 16, the number from 32.
    fn head(self, kind: u64) -> u64 {
        let (vcore, pid) = (u64::from(self.vcore.0 & 0xfff), u64::from(self.pid.0));
        kind | vcore << 4 | pid << 16 | u64::from(self.number) << 32
    }

    fn read(head: u64, at: u64) -> Self {
        let (vcore, pid) = (head >> 4 & 0xfff, head >> 16 & 0xffff);
        let (vcore, pid) = (VcoreId(vcore as u16), Pid(pid as u16));
        Self { pid, vcore, number: (head >> 32) as u32, at }
    }
}

impl Seen {
    /// That the vcore with this lease made the call whose structure holds these words.
    #[must_use]
    pub fn entry(words: &[u64; 8], at: u64, lease: Lease, when: u64) -> Self {
        let number = (words[block::NUMBER / 8] >> (block::NUMBER % 8 * 8)) as u32;
        let arguments = core::array::from_fn(|n| words[block::ARGUMENTS / 8 + n]);
        let caller = Caller { pid: lease.pid, vcore: lease.vcore, number, at };
        Self::Entered { when, caller, arguments }
    }

    /// That a call returned.
    #[must_use]
    pub const fn returned(self, when: u64, result: i64) -> Self {
        match self {
            Self::Entered { caller, .. } => Self::Returned { when, caller, result },
            other => other,
        }
    }

    /// The messages, in the order in which they are sent.
    #[must_use]
    pub fn parts(self) -> ([ToMonitor; PARTS], usize) {
        match self {
            Self::Entered { when, caller, arguments: [a, b, c, d, e] } => {
                let first = [caller.head(ENTERED), when, caller.at, a, b];
                ([part(first), part([REST, c, d, e, 0])], 2)
            }
            Self::Returned { when, caller, result } => {
                let it = part([caller.head(RETURNED), when, caller.at, result.cast_unsigned(), 0]);
                ([it; PARTS], 1)
            }
            Self::Dropped(count) => ([part([DROPPED, count, 0, 0, 0]); PARTS], 1),
        }
    }
}

/// Puts the messages of one core together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Assembler {
    begun: Option<Seen>,
}

impl Assembler {
    /// Takes the next message; `None` when there is more to come, or it is about something else.
    pub fn take(&mut self, message: &ToMonitor) -> Option<Seen> {
        let ToMonitor::Traced { first, second, third, fourth, fifth } = *message else {
            return None;
        };
        let begun = self.begun.take();
        match (first & 0xf, begun) {
            (ENTERED, _) => {
                let arguments = [fourth, fifth, 0, 0, 0];
                let caller = Caller::read(first, third);
                self.begun = Some(Seen::Entered { when: second, caller, arguments });
                None
            }
            (REST, Some(Seen::Entered { when, caller, arguments: [a, b, ..] })) => {
                let arguments = [a, b, second, third, fourth];
                Some(Seen::Entered { when, caller, arguments })
            }
            (RETURNED, _) => {
                let (caller, result) = (Caller::read(first, third), fourth.cast_signed());
                Some(Seen::Returned { when: second, caller, result })
            }
            (DROPPED, _) => Some(Seen::Dropped(second)),
            _ => None,
        }
    }
}

/// Does the vcore stand still until this call is answered by a message?
#[must_use]
pub const fn stands_still(number: u32) -> bool {
    matches!(number, number::EXIT | number::YIELD | number::CHANGE_TO_MANY | number::CHANGE_VCORE)
}

/// Whether a call of that number changes memory: a vcore can stand still for it, or go on meanwhile.
#[must_use]
pub const fn changes_memory(number: u32) -> bool {
    matches!(number, number::UNMAP | number::PROTECT)
}

/// Is this call over when the vcore goes on, if it ever does?
#[must_use]
pub const fn is_at_once(number: u32) -> bool {
    let by_core = matches!(
        number,
        number::NULL
            | number::CORE
            | number::VCORE
            | number::PID
            | number::HALT
            | number::ENTER
            | number::RESUME
            | number::TIME
    );
    by_core || stands_still(number)
}

#[cfg(test)]
mod tests {
    use super::{Assembler, Caller, Seen, is_at_once, stands_still};
    use proptest::prelude::*;
    use proto::id::{Lease, Pid, VcoreId};
    use proto::message::ToMonitor;
    use proto::program::names::CALLS;
    use proto::program::{block, number};

    fn through(assembler: &mut Assembler, seen: Seen) -> Option<Seen> {
        let (parts, count) = seen.parts();
        parts[..count].iter().fold(None, |whole, part| {
            assert_eq!(whole, None, "whole before its last part");
            assembler.take(part)
        })
    }

    #[test]
    fn a_call_is_what_its_structure_says() {
        let mut words = [0, 0, 0, 11, 12, 13, 14, 15];
        words[block::NUMBER / 8] = u64::from(number::CREATE) | 1 << 32;
        let lease = Lease { pid: Pid(3), vcore: VcoreId(2), ..Lease::default() };
        let caller = Caller { pid: Pid(3), vcore: VcoreId(2), number: number::CREATE, at: 0x40 };
        let entered = Seen::Entered { when: 7, caller, arguments: [11, 12, 13, 14, 15] };
        assert_eq!(Seen::entry(&words, 0x40, lease, 7), entered);
        assert_eq!(entered.returned(9, -1), Seen::Returned { when: 9, caller, result: -1 });
    }

    #[test]
    fn a_part_that_was_lost_takes_nothing_else_along() {
        let caller = Caller { pid: Pid(1), vcore: VcoreId(0), number: 3, at: 0x40 };
        let entered = Seen::Entered { when: 1, caller, arguments: [1; 5] };
        let mut assembler = Assembler::default();
        let (parts, _) = entered.parts();
        assert_eq!(assembler.take(&parts[1]), None, "a rest without a beginning");
        assert_eq!(assembler.take(&parts[0]), None);
        assert_eq!(through(&mut assembler, Seen::Dropped(4)), Some(Seen::Dropped(4)));
        assert_eq!(assembler.take(&parts[1]), None);
        assert_eq!(assembler.take(&ToMonitor::Stopped), None);
        assert_eq!(through(&mut assembler, entered), Some(entered));
    }

    #[test]
    fn a_call_for_which_a_vcore_stands_still_is_over_when_it_goes_on() {
        for at in 0..CALLS.len() as u32 {
            assert!(!stands_still(at) || is_at_once(at), "{at}");
        }
        assert!(stands_still(number::YIELD) && !stands_still(number::NULL));
        assert!(is_at_once(number::NULL) && !is_at_once(number::WRITE));
    }

    proptest! {
        #[test]
        fn all_that_is_seen_comes_out_as_it_went_in(
            (pid, vcore, number) in (any::<u16>(), 0..4096_u16, any::<u32>()),
            (when, at, result) in (any::<u64>(), any::<u64>(), any::<i64>()),
            arguments in prop::array::uniform5(any::<u64>()),
        ) {
            let caller = Caller { pid: Pid(pid), vcore: VcoreId(vcore), number, at };
            let mut assembler = Assembler::default();
            let entered = Seen::Entered { when, caller, arguments };
            for seen in [entered, entered.returned(when, result), Seen::Dropped(when)] {
                prop_assert_eq!(through(&mut assembler, seen), Some(seen));
            }
        }
    }
}
