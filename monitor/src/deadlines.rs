//! What the coordinator waits for until a moment, each kind in the way that costs it least.
//!
//! - Answers of cores are all given the same time, so those that are awaited stand in a queue in the order in
//!   which they are due: one more goes to its end, and one that has come is taken out wherever it stands.
//! - Of the heartbeat, the slice and the sharing of cores there is one each: a moment is all that is kept.
//! - What programs ask for, and what is rare, lies in the wheel ([`Timers`]).

use crate::cores::Timer;
use crate::timers::{NEVER, TimerId, Timers};
use alloc::vec;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use proto::id::{CoreId, Pid};

/// The answers that a core may owe: to a ping, of a dump, and that it has let go.
const ANSWERS: usize = 3;
/// Timers of a core in the wheel.
const IN_WHEEL: u16 = 2;
/// Answers that are due at the same moment, of which the one with the smallest number is looked for.
const FEW: usize = 8;

/// Where a timer is kept.
#[derive(Clone, Copy, Debug)]
enum Place {
    Single(usize),
    Answer(usize),
    Wheel(TimerId),
}

/// All timers that are set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Deadlines {
    singles: [u64; 3],
    answers: Answers,
    /// Of processes by pid, then those of cores.
    wheel: Timers,
    /// The number in the wheel of the first that is a core's.
    of_cores: u16,
    soonest: Soonest,
}

/// What [`Deadlines::soonest`] said last, and whether that may be over. It follows from the timers.
#[derive(Clone, Copy, Debug)]
struct Soonest {
    moment: u64,
    is_stale: bool,
}

impl PartialEq for Soonest {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Soonest {}

impl Hash for Soonest {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Deadlines {
    /// None is set. There are `pids` pids, the one that is never used included, and so many cores.
    pub(crate) fn new(pids: u16, cores: usize) -> Self {
        Self {
            singles: [NEVER; 3],
            answers: Answers::new(cores * ANSWERS),
            wheel: Timers::new(usize::from(pids) + cores * usize::from(IN_WHEEL)),
            of_cores: pids,
            soonest: Soonest { moment: NEVER, is_stale: false },
        }
    }

    #[inline(always)]
    fn place(&self, timer: Timer) -> Place {
        let answer = |core: CoreId, which| Place::Answer(core.index() * ANSWERS + which);
        let in_wheel =
            |core: CoreId, which| Place::Wheel(TimerId(self.of_cores + core.0 * IN_WHEEL + which));
        match timer {
            Timer::Heartbeat => Place::Single(0),
            Timer::Slice => Place::Single(1),
            Timer::Share => Place::Single(2),
            Timer::Ping(core) => answer(core, 0),
            Timer::Dump(core) => answer(core, 1),
            Timer::LetGo(core) => answer(core, 2),
            Timer::Change(core) => in_wheel(core, 0),
            Timer::Warning(core) => in_wheel(core, 1),
            Timer::Clock(pid) => Place::Wheel(TimerId(pid.0)),
        }
    }

    /// Sets a timer, or moves one that is set. That of an answer must not come before that of another one
    /// that was set earlier.
    #[inline(always)]
    pub(crate) fn set(&mut self, timer: Timer, deadline: u64) {
        match self.place(timer) {
            Place::Single(which) => {
                let was = core::mem::replace(&mut self.singles[which], deadline);
                self.soonest.is_stale |= was <= self.soonest.moment && was != deadline;
            }
            Place::Answer(which) => {
                self.soonest.is_stale |= self.answers.remove(which) <= self.soonest.moment;
                self.answers.push(which, deadline);
            }
            Place::Wheel(id) => {
                self.soonest.is_stale |= self.wheel.set(id, deadline) <= self.soonest.moment;
            }
        }
        self.soonest.moment = self.soonest.moment.min(deadline);
    }

    /// Sets a timer that is not set.
    #[inline(always)]
    pub(crate) fn set_anew(&mut self, timer: Timer, deadline: u64) {
        match self.place(timer) {
            Place::Single(which) => self.singles[which] = deadline,
            Place::Answer(which) => self.answers.push(which, deadline),
            Place::Wheel(id) => self.wheel.set_anew(id, deadline),
        }
        self.soonest.moment = self.soonest.moment.min(deadline);
    }

    /// Cancels a timer, if it is set.
    #[inline(always)]
    pub(crate) fn cancel(&mut self, timer: Timer) {
        let was = match self.place(timer) {
            Place::Single(which) => core::mem::replace(&mut self.singles[which], NEVER),
            Place::Answer(which) => self.answers.remove(which),
            Place::Wheel(id) => self.wheel.cancel(id),
        };
        self.soonest.is_stale |= was <= self.soonest.moment;
    }

    /// When a timer comes, if it is set.
    #[inline(always)]
    pub(crate) fn deadline(&self, timer: Timer) -> Option<u64> {
        let moment = match self.place(timer) {
            Place::Single(which) => self.singles[which],
            Place::Answer(which) => self.answers.entries.get(which + 1)?.deadline,
            Place::Wheel(id) => return self.wheel.deadline(id),
        };
        (moment != NEVER).then_some(moment)
    }

    /// The soonest deadline, or an earlier moment at which to look again; [`NEVER`] if no timer is set.
    #[inline(always)]
    pub(crate) fn soonest(&mut self) -> u64 {
        if self.soonest.is_stale {
            let singles = self.singles.into_iter().fold(self.answers.first, u64::min);
            self.soonest = Soonest { moment: singles.min(self.wheel.soonest()), is_stale: false };
        }
        self.soonest.moment
    }

    /// The same, if it need not be found out.
    #[inline(always)]
    pub(crate) fn known_soonest(&self) -> Option<u64> {
        (!self.soonest.is_stale).then_some(self.soonest.moment)
    }

    /// Takes a timer whose deadline has come. As with [`Timers::expired`] it may take several calls.
    #[inline(always)]
    pub(crate) fn expired(&mut self, now: u64, budget: &mut u32) -> Option<Timer> {
        if self.soonest() > now {
            return None;
        }
        self.soonest.is_stale = true;
        for (which, timer) in [Timer::Heartbeat, Timer::Slice, Timer::Share].iter().enumerate() {
            if self.singles[which] <= now {
                self.singles[which] = NEVER;
                return Some(*timer);
            }
        }
        if self.answers.first <= now {
            return Some(self.overdue_answer());
        }
        let TimerId(number) = self.wheel.expired(now, budget)?;
        let Some(of_core) = number.checked_sub(self.of_cores) else {
            return Some(Timer::Clock(Pid(number)));
        };
        let core = CoreId(of_core / IN_WHEEL);
        Some(if of_core % IN_WHEEL == 0 { Timer::Change(core) } else { Timer::Warning(core) })
    }

    fn overdue_answer(&mut self) -> Timer {
        let which = self.answers.pop();
        let core = CoreId((which / ANSWERS) as u16);
        match which % ANSWERS {
            0 => Timer::Ping(core),
            1 => Timer::Dump(core),
            _ => Timer::LetGo(core),
        }
    }
}

/// An answer that is awaited, in a ring of all of them; entry 0 is where it begins and ends. Not a `Fifo` beside a table
/// of deadlines: that costs 10 to 20 instructions more for each answer that is awaited and comes.
#[derive(Clone, Copy, Debug)]
struct Answer {
    /// [`NEVER`] if it is not awaited.
    deadline: u64,
    prev: u16,
    next: u16,
}

/// Answers that are awaited, in the order in which they are due.
#[derive(Clone, Debug)]
struct Answers {
    entries: Vec<Answer>,
    /// When the first is due, or [`NEVER`].
    first: u64,
}

// In which order those stand that are due at the same moment is of no account, see `pop`.
impl PartialEq for Answers {
    fn eq(&self, other: &Self) -> bool {
        self.deadlines().eq(other.deadlines())
    }
}

impl Eq for Answers {}

impl Hash for Answers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.deadlines().for_each(|deadline| deadline.hash(state));
    }
}

impl Answers {
    fn new(count: usize) -> Self {
        let entries = vec![Answer { deadline: NEVER, prev: 0, next: 0 }; count + 1];
        Self { entries, first: NEVER }
    }

    fn deadlines(&self) -> impl Iterator<Item = u64> + '_ {
        self.entries.iter().map(|answer| answer.deadline)
    }

    /// Puts one that is not awaited yet behind the others.
    fn push(&mut self, which: usize, deadline: u64) {
        let last = usize::from(self.entries[0].prev);
        debug_assert!(last == 0 || self.entries[last].deadline <= deadline, "in order");
        debug_assert!(self.entries[which + 1].deadline == NEVER, "it is not awaited yet");
        let at = which + 1;
        self.entries[at] = Answer { deadline, prev: last as u16, next: 0 };
        self.entries[last].next = at as u16;
        self.entries[0].prev = at as u16;
        self.first = self.first.min(deadline);
    }

    /// Takes one out; when it was due, or [`NEVER`] if it was not awaited.
    #[inline(always)]
    fn remove(&mut self, which: usize) -> u64 {
        let Answer { deadline, prev, next } = self.entries[which + 1];
        if deadline != NEVER {
            self.entries[which + 1].deadline = NEVER;
            self.entries[usize::from(prev)].next = next;
            let next = &mut self.entries[usize::from(next)];
            next.prev = prev;
            if prev == 0 {
                self.first = next.deadline;
            }
        }
        deadline
    }

    /// Takes the first out; of a few that are due at the same moment the one with the smallest number.
    fn pop(&mut self) -> usize {
        let moment = self.first;
        let next = |&at: &usize| Some(usize::from(self.entries[at].next));
        let all = core::iter::successors(next(&0), next).take(FEW);
        let due = all.take_while(|&at| at != 0 && self.entries[at].deadline == moment);
        let which = due.min().map_or(0, |at| at - 1);
        self.remove(which);
        which
    }
}

#[cfg(test)]
mod tests {
    use super::{Deadlines, NEVER};
    use crate::cores::Timer;
    use alloc::vec::Vec;
    use proto::id::{CoreId, Pid};

    fn expired(deadlines: &mut Deadlines, now: u64) -> Vec<Timer> {
        core::iter::from_fn(|| deadlines.expired(now, &mut 64)).collect()
    }

    #[test]
    fn every_kind_of_timer_comes_when_it_is_due_and_not_before() {
        let core = CoreId(1);
        let all = [
            Timer::Heartbeat,
            Timer::Slice,
            Timer::Share,
            Timer::Ping(core),
            Timer::Dump(core),
            Timer::LetGo(core),
            Timer::Change(core),
            Timer::Warning(core),
            Timer::Clock(Pid(3)),
        ];
        let mut deadlines = Deadlines::new(4, 2);
        for timer in all {
            deadlines.set(timer, 10);
            assert_eq!((deadlines.soonest(), deadlines.deadline(timer)), (10, Some(10)));
            assert_eq!(expired(&mut deadlines, 9), []);
            assert_eq!(expired(&mut deadlines, 10), [timer]);
            assert_eq!((deadlines.soonest(), deadlines.deadline(timer)), (NEVER, None));
            deadlines.set(timer, 20);
            deadlines.cancel(timer);
            assert_eq!(deadlines.soonest(), NEVER);
        }
        all.iter().for_each(|&timer| deadlines.set(timer, 30));
        assert_eq!(expired(&mut deadlines, 30).len(), all.len());
    }

    #[test]
    fn the_soonest_is_known_whatever_kind_it_is_of_and_whichever_is_cancelled() {
        let mut deadlines = Deadlines::new(4, 4);
        deadlines.set(Timer::Ping(CoreId(3)), 40);
        deadlines.set(Timer::LetGo(CoreId(2)), 50);
        deadlines.set(Timer::Clock(Pid(1)), 45);
        deadlines.set(Timer::Slice, 60);
        let mut soonest = Vec::new();
        for timer in [Timer::Ping(CoreId(3)), Timer::Clock(Pid(1)), Timer::LetGo(CoreId(2))] {
            soonest.push(deadlines.soonest());
            deadlines.cancel(timer);
        }
        assert_eq!((soonest, deadlines.soonest()), (Vec::from([40, 45, 50]), 60));
    }

    #[test]
    fn an_answer_that_has_come_is_taken_out_of_the_middle_and_what_is_due_together_comes_in_order()
    {
        let mut deadlines = Deadlines::new(1, 4);
        for core in [3, 1, 2] {
            deadlines.set(Timer::LetGo(CoreId(core)), 7);
        }
        let mut again = Deadlines::new(1, 4);
        for core in [2, 3] {
            again.set(Timer::LetGo(CoreId(core)), 7);
        }
        deadlines.cancel(Timer::LetGo(CoreId(1)));
        assert_eq!(deadlines, again);
        let both = [2, 3].map(|core| Timer::LetGo(CoreId(core)));
        assert_eq!([expired(&mut deadlines, 7), expired(&mut again, 7)], [both, both]);
    }
}
