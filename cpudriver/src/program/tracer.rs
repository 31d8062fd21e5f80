//! A trace of system calls on the management core: what was seen, in order, until it is shown.
//!
//! Nothing here waits: what there is no room for is counted and left out.

use super::seen::{Assembler, Caller, Seen, changes_memory, is_at_once, stands_still};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use proto::id::{CoreId, Pid, VcoreId};
use proto::message::ToMonitor;
use proto::program::block::ARGUMENT_COUNT;

/// Lines that wait to be shown, at most.
pub const LINES: usize = 1024;
/// Calls that are not over, at most; of any more the exit is not shown.
const OPEN: usize = 256;

/// One end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// It was made, with these arguments.
    Entry([u64; ARGUMENT_COUNT]),
    /// It was over.
    Exit {
        /// Its outcome.
        result: i64,
        /// The second result, of a call that has one.
        value: u64,
    },
}

/// What is shown of one end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, in clock ticks.
    pub when: u64,
    /// Which core saw it.
    pub core: CoreId,
    /// Who, and which call.
    pub caller: Caller,
    /// Which end.
    pub edge: Edge,
}

/// A trace.
#[derive(Debug)]
pub struct Tracer {
    assemblers: Vec<Assembler>,
    open: Vec<Caller>,
    lines: VecDeque<Line>,
    traced: u64,
    dropped: u64,
}

impl Tracer {
    /// An empty one for a machine with so many cores. Allocates all that it will need.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        Self {
            assemblers: alloc::vec![Assembler::default(); cores],
            open: Vec::with_capacity(OPEN),
            lines: VecDeque::with_capacity(LINES),
            traced: 0,
            dropped: 0,
        }
    }

    /// Takes what a core says that it has seen.
    pub fn take(&mut self, core: CoreId, message: &ToMonitor) {
        let seen = self.assemblers.get_mut(core.index()).and_then(|it| it.take(message));
        match seen {
            Some(Seen::Entered { when, caller, arguments }) => {
                self.enter(Line { when, core, caller, edge: Edge::Entry(arguments) });
            }
            Some(Seen::Returned { when, caller, result }) => {
                self.close(|it| (it.pid, it.at) == (caller.pid, caller.at));
                self.add(Line { when, core, caller, edge: Edge::Exit { result, value: 0 } });
            }
            Some(Seen::Dropped(count)) => self.dropped += count,
            None => {}
        }
    }

    fn enter(&mut self, line: Line) {
        let it = line.caller;
        // The vcore runs, so whatever it stood still for is over.
        self.close(|open| {
            stands_still(open.number) && (open.pid, open.vcore) == (it.pid, it.vcore)
        });
        // And so is whatever used the structure before, even if its end was left out.
        self.close(|open| (open.pid, open.at) == (it.pid, it.at));
        if (stands_still(it.number) || !is_at_once(it.number)) && self.open.len() < OPEN {
            self.open.push(it);
        }
        if self.add(line) {
            self.traced += 1;
        }
    }

    fn close(&mut self, is: impl Fn(&Caller) -> bool) -> Option<Caller> {
        let at = self.open.iter().position(is)?;
        Some(self.open.remove(at))
    }

    fn add(&mut self, line: Line) -> bool {
        let has_room = self.lines.len() < LINES;
        if has_room {
            self.lines.push_back(line);
        } else {
            self.dropped += 1;
        }
        has_room
    }

    fn exit(&mut self, when: u64, caller: Option<Caller>, (result, value): (i64, u64)) {
        if let Some(caller) = caller {
            let core = CoreId::MANAGEMENT;
            self.add(Line { when, core, caller, edge: Edge::Exit { result, value } });
        }
    }

    /// A call whose structure lies at `at` is completed with an outcome and a value.
    pub fn completed(&mut self, when: u64, pid: Pid, at: u64, results: (i64, u64)) {
        let caller = self.close(|it| (it.pid, it.at) == (pid, at) && !stands_still(it.number));
        self.exit(when, caller, results);
    }

    /// The call for which a vcore stands still is answered; `None`: it does not return.
    pub fn answered(&mut self, when: u64, pid: Pid, vcore: VcoreId, result: Option<i64>) {
        let is = |it: &Caller| stands_still(it.number) && (it.pid, it.vcore) == (pid, vcore);
        let caller = self.close(is);
        if let Some(result) = result {
            self.exit(when, caller, (result, 0));
        }
    }

    /// A vcore that stands still goes on, and its call, maybe to change its memory, is over.
    pub fn told(&mut self, when: u64, pid: Pid, vcore: VcoreId, result: i64) {
        let of_vcore = |it: &Caller| (it.pid, it.vcore) == (pid, vcore);
        let caller = self
            .close(|it| of_vcore(it) && stands_still(it.number))
            .or_else(|| self.close(|it| of_vcore(it) && changes_memory(it.number)));
        self.exit(when, caller, (result, 0));
    }

    /// So much was seen and there was no room for it.
    pub const fn drop_more(&mut self, count: u64) {
        self.dropped += count;
    }

    /// The oldest line that has not been shown.
    pub fn next_line(&mut self) -> Option<Line> {
        self.lines.pop_front()
    }

    /// Are there lines to be shown?
    #[must_use]
    pub fn has_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    /// How many calls were traced, and how many entries and exits were left out.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.traced, self.dropped)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Edge, LINES, Line, OPEN, Tracer};
    use crate::program::seen::{Caller, Seen};
    use proto::id::{CoreId, Pid, VcoreId};
    use proto::program::number;
    use std::vec::Vec;

    const ONE: CoreId = CoreId(1);

    fn caller(number: u32, at: u64) -> Caller {
        Caller { pid: Pid(3), vcore: VcoreId(2), number, at }
    }

    fn says(tracer: &mut Tracer, core: CoreId, seen: Seen) {
        let (parts, count) = seen.parts();
        parts[..count].iter().for_each(|part| tracer.take(core, part));
    }

    fn enters(tracer: &mut Tracer, when: u64, caller: Caller) {
        says(tracer, ONE, Seen::Entered { when, caller, arguments: [1, 2, 3, 4, 5] });
    }

    fn lines(tracer: &mut Tracer) -> Vec<(u64, u32, Option<i64>)> {
        let shown = |line: Line| {
            let result = match line.edge {
                Edge::Entry(arguments) => {
                    assert_eq!(arguments, [1, 2, 3, 4, 5]);
                    None
                }
                Edge::Exit { result, .. } => Some(result),
            };
            (line.when, line.caller.number, result)
        };
        core::iter::from_fn(|| tracer.next_line()).map(shown).collect()
    }

    #[test]
    fn a_call_that_goes_on_ends_when_it_is_completed_and_not_before() {
        let mut tracer = Tracer::new(2);
        enters(&mut tracer, 1, caller(number::WRITE, 0x40));
        enters(&mut tracer, 2, caller(number::SLEEP, 0x80));
        tracer.completed(3, Pid(3), 0xc0, (0, 0));
        tracer.completed(4, Pid(9), 0x40, (0, 0));
        tracer.completed(5, Pid(3), 0x40, (14, 0));
        tracer.completed(6, Pid(3), 0x40, (14, 0));
        let seen = lines(&mut tracer);
        let (write, sleep) = (number::WRITE, number::SLEEP);
        assert_eq!(seen, [(1, write, None), (2, sleep, None), (5, write, Some(14))]);
        assert_eq!(tracer.counts(), (2, 0));
    }

    #[test]
    fn a_call_that_the_core_answers_ends_there() {
        let mut tracer = Tracer::new(2);
        let refused = caller(number::WRITE, 0x40);
        enters(&mut tracer, 1, refused);
        says(&mut tracer, ONE, Seen::Returned { when: 2, caller: refused, result: -9 });
        tracer.completed(3, Pid(3), 0x40, (0, 0));
        let write = number::WRITE;
        assert_eq!(lines(&mut tracer), [(1, write, None), (2, write, Some(-9))]);
    }

    #[test]
    fn a_call_that_a_vcore_stands_still_for_ends_with_the_answer_to_the_vcore() {
        let mut tracer = Tracer::new(2);
        let it = number::YIELD;
        enters(&mut tracer, 1, caller(it, 0x40));
        tracer.answered(2, Pid(3), VcoreId(1), Some(0));
        tracer.answered(3, Pid(3), VcoreId(2), Some(-11));
        enters(&mut tracer, 4, caller(it, 0x40));
        tracer.answered(5, Pid(3), VcoreId(2), None);
        tracer.answered(6, Pid(3), VcoreId(2), Some(0));
        assert_eq!(lines(&mut tracer), [(1, it, None), (3, it, Some(-11)), (4, it, None)]);
        enters(&mut tracer, 7, caller(it, 0x40));
        enters(&mut tracer, 8, caller(number::NULL, 0x80));
        tracer.answered(9, Pid(3), VcoreId(2), Some(0));
        assert_eq!(lines(&mut tracer), [(7, it, None), (8, number::NULL, None)]);
    }

    #[test]
    fn a_change_to_memory_ends_when_its_vcore_goes_on_or_its_structure_says_so() {
        let mut tracer = Tracer::new(2);
        let (unmap, yields) = (number::UNMAP, number::YIELD);
        enters(&mut tracer, 1, caller(unmap, 0x40));
        tracer.answered(2, Pid(3), VcoreId(2), Some(-11));
        tracer.told(3, Pid(3), VcoreId(1), 0);
        tracer.told(4, Pid(3), VcoreId(2), 0);
        assert_eq!(lines(&mut tracer), [(1, unmap, None), (4, unmap, Some(0))]);
        enters(&mut tracer, 5, caller(unmap, 0x40));
        enters(&mut tracer, 6, caller(yields, 0x80));
        tracer.told(7, Pid(3), VcoreId(2), -11);
        tracer.completed(8, Pid(3), 0x40, (0, 0));
        let ends =
            [(5, unmap, None), (6, yields, None), (7, yields, Some(-11)), (8, unmap, Some(0))];
        assert_eq!(lines(&mut tracer), ends);
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let mut tracer = Tracer::new(2);
        for at in 0..LINES as u64 + 10 {
            enters(&mut tracer, at, caller(number::WRITE, at * 64));
        }
        says(&mut tracer, ONE, Seen::Dropped(5));
        tracer.drop_more(2);
        assert_eq!(tracer.counts(), (LINES as u64, 17));
        assert_eq!(lines(&mut tracer).len(), LINES);
        assert!(tracer.open.len() <= OPEN);
        tracer.take(CoreId(7), &Seen::Dropped(1).parts().0[0]);
        assert_eq!(tracer.counts().1, 17, "a core that there is not");
    }
}
