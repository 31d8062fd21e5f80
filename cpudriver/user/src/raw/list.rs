//! Lists of threads that go through the threads themselves, so that none ever needs memory.

use super::thread::{Claim, Link, Parked, Thread};
use core::fmt::{self, Debug, Formatter};
use core::marker::PhantomData;

/// Which of a thread's links a chain goes through.
trait Through {
    fn link(thread: &Thread) -> &Link;
}

/// Through the one that lists of threads use.
struct Lying;

impl Through for Lying {
    #[inline]
    fn link(thread: &Thread) -> &Link {
        &thread.next
    }
}

/// Through the one that those use who wait for the same.
struct Waiting;

impl Through for Waiting {
    #[inline]
    fn link(thread: &Thread) -> &Link {
        &thread.next_waiter
    }
}

/// Threads one behind the other.
struct Chain<L> {
    first: Option<&'static Thread>,
    last: Option<&'static Thread>,
    through: PhantomData<L>,
}

impl<L> Default for Chain<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L> Debug for Chain<L> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain").field("first", &self.first).field("last", &self.last).finish()
    }
}

impl<L> Chain<L> {
    const fn new() -> Self {
        Self { first: None, last: None, through: PhantomData }
    }
}

impl<L: Through> Chain<L> {
    #[inline]
    fn push(&mut self, thread: &'static Thread) {
        L::link(thread).set(None);
        match self.last {
            Some(last) => L::link(last).set(Some(thread)),
            None => self.first = Some(thread),
        }
        self.last = Some(thread);
    }

    #[inline]
    fn push_front(&mut self, thread: &'static Thread) {
        L::link(thread).set(self.first);
        self.first = Some(thread);
        self.last = self.last.or(self.first);
    }

    #[inline]
    fn pop(&mut self) -> Option<&'static Thread> {
        let thread = self.first?;
        self.first = L::link(thread).get();
        if self.first.is_none() {
            self.last = None;
        }
        Some(thread)
    }

    /// Takes the first thread out that is wanted.
    fn take_first(
        &mut self,
        is_wanted: impl Fn(&'static Thread) -> bool,
    ) -> Option<&'static Thread> {
        let mut before: Option<&'static Thread> = None;
        let mut at = self.first;
        while let Some(thread) = at {
            let next = L::link(thread).get();
            if is_wanted(thread) {
                match before {
                    Some(before) => L::link(before).set(next),
                    None => self.first = next,
                }
                if next.is_none() {
                    self.last = before;
                }
                return Some(thread);
            }
            (before, at) = (at, next);
        }
        None
    }
}

/// Threads that do not run, in the order in which they came.
#[derive(Debug, Default)]
pub struct List(Chain<Lying>);

impl List {
    /// Empty.
    #[must_use]
    pub const fn new() -> Self {
        Self(Chain::new())
    }

    /// Is nothing there?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.first.is_none()
    }

    /// Puts a thread behind the others.
    pub fn push(&mut self, thread: Parked) {
        let Parked(thread) = thread;
        self.0.push(thread);
    }

    /// Puts a thread before the others.
    pub fn push_front(&mut self, thread: Parked) {
        let Parked(thread) = thread;
        self.0.push_front(thread);
    }

    /// Takes the first thread.
    pub fn pop(&mut self) -> Option<Parked> {
        // SAFETY: it was put here by its `Parked`, and is here no more.
        self.0.pop().map(|thread| unsafe { Parked::again(thread) })
    }

    /// Takes the first thread that is wanted.
    pub fn take_first(&mut self, is_wanted: impl Fn(&Parked) -> bool) -> Option<Parked> {
        // SAFETY: each was put here by its `Parked`; the one that is shown goes back unless it is taken out.
        let parked = |thread| unsafe { Parked::again(thread) };
        self.0.take_first(|thread| is_wanted(&parked(thread))).map(parked)
    }
}

impl Iterator for List {
    type Item = Parked;

    fn next(&mut self) -> Option<Parked> {
        self.pop()
    }
}

/// Threads that wait for the same, in the order in which they came. Each of them may be claimed by somebody else, a
/// moment that it did not want to wait beyond; it then takes itself out when it runs.
#[derive(Debug, Default)]
pub struct Waiters(Chain<Waiting>);

impl Waiters {
    /// Nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self(Chain::new())
    }

    /// One more waits.
    pub fn push(&mut self, thread: Parked) {
        self.0.push(thread.open());
    }

    /// The first one does not wait any more.
    pub fn wake_one(&mut self) -> Option<Parked> {
        loop {
            let claimed = self.0.pop()?.claim(Claim::Woken);
            if claimed.is_some() {
                return claimed;
            }
        }
    }

    /// Nobody waits any more.
    pub fn wake_all(&mut self) -> List {
        let mut all = List::new();
        while let Some(thread) = self.wake_one() {
            all.push(thread);
        }
        all
    }

    /// Takes one out that somebody else has claimed.
    pub(crate) fn remove(&mut self, thread: &'static Thread) {
        self.0.take_first(|it| core::ptr::eq(it, thread));
    }
}

#[cfg(test)]
mod tests {
    use super::{List, Waiters};
    use crate::raw::thread::{Claim, Parked, Thread};
    use std::vec::Vec;

    fn threads(count: usize) -> Vec<&'static Thread> {
        (0..count).map(|_| Thread::new()).collect()
    }

    fn parked(thread: &'static Thread) -> Parked {
        // SAFETY: no thread ever runs in these tests, and each is parked in one place.
        unsafe { Parked::again(thread) }
    }

    fn are(found: impl Iterator<Item = Parked>, expected: &[&'static Thread]) {
        let found: Vec<_> = found.map(|it| core::ptr::from_ref(it.thread())).collect();
        let expected: Vec<_> = expected.iter().map(|it| core::ptr::from_ref(*it)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn threads_come_out_in_the_order_in_which_they_came() {
        let all = threads(3);
        let mut list = List::new();
        all[1..].iter().for_each(|it| list.push(parked(it)));
        list.push_front(parked(all[0]));
        are(list.by_ref(), &all);
        assert!(list.is_empty() && list.pop().is_none());
        list.push_front(parked(all[0]));
        list.push(parked(all[1]));
        are(list, &all[..2]);
    }

    #[test]
    fn one_is_taken_from_wherever_it_is() {
        for taken in 0..3 {
            let all = threads(3);
            let mut list = List::new();
            all.iter().for_each(|it| list.push(parked(it)));
            let found = list.take_first(|it| core::ptr::eq(it.thread(), all[taken]));
            assert!(core::ptr::eq(found.unwrap().thread(), all[taken]));
            assert!(list.take_first(|it| core::ptr::eq(it.thread(), all[taken])).is_none());
            let more = threads(1);
            list.push(parked(more[0]));
            let mut rest: Vec<_> = all.clone();
            rest.remove(taken);
            rest.extend(more);
            are(list, &rest);
        }
    }

    #[test]
    fn who_was_claimed_by_another_is_not_woken_and_can_take_itself_out() {
        let all = threads(3);
        let mut waiters = Waiters::new();
        all.iter().for_each(|it| waiters.push(parked(it)));
        assert!(all[0].claim(Claim::TimedOut).is_some());
        assert!(all[0].claim(Claim::Woken).is_none(), "once");
        let woken = waiters.wake_one().unwrap();
        assert!(core::ptr::eq(woken.thread(), all[1]) && all[0].was_timed_out());
        assert!(!all[1].was_timed_out());
        waiters.push(woken);
        waiters.remove(all[2]);
        waiters.remove(all[2]);
        are(waiters.wake_all(), &all[1..2]);
        assert!(waiters.wake_one().is_none());
    }
}
