//! Lists of threads that go through the threads themselves, so that none ever needs memory.

use super::thread::{Claim, Parked, Thread};

/// Threads that do not run, in the order in which they came.
#[derive(Debug, Default)]
pub struct List {
    first: Option<&'static Thread>,
    last: Option<&'static Thread>,
}

impl List {
    /// Empty.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: None, last: None }
    }

    /// Is nothing there?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Puts a thread behind the others.
    pub fn push(&mut self, thread: Parked) {
        let Parked(thread) = thread;
        thread.next.set(None);
        match self.last {
            Some(last) => last.next.set(Some(thread)),
            None => self.first = Some(thread),
        }
        self.last = Some(thread);
    }

    /// Puts a thread before the others.
    pub fn push_front(&mut self, thread: Parked) {
        let Parked(thread) = thread;
        thread.next.set(self.first);
        self.first = Some(thread);
        self.last = self.last.or(self.first);
    }

    /// Takes the first thread.
    pub fn pop(&mut self) -> Option<Parked> {
        let thread = self.first?;
        self.first = thread.next.get();
        if self.first.is_none() {
            self.last = None;
        }
        // SAFETY: it was put here by its `Parked`, and is here no more.
        Some(unsafe { Parked::again(thread) })
    }

    /// Takes the first thread that is wanted.
    pub fn take_first(&mut self, is_wanted: impl Fn(&Parked) -> bool) -> Option<Parked> {
        let mut before: Option<&'static Thread> = None;
        let mut at = self.first;
        while let Some(thread) = at {
            // SAFETY: it was put here by its `Parked`; this one goes back unless the thread is taken out.
            let parked = unsafe { Parked::again(thread) };
            if is_wanted(&parked) {
                let next = thread.next.get();
                match before {
                    Some(before) => before.next.set(next),
                    None => self.first = next,
                }
                if next.is_none() {
                    self.last = before;
                }
                return Some(parked);
            }
            (before, at) = (at, thread.next.get());
        }
        None
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
pub struct Waiters {
    first: Option<&'static Thread>,
    last: Option<&'static Thread>,
}

impl Waiters {
    /// Nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: None, last: None }
    }

    /// One more waits.
    pub fn push(&mut self, thread: Parked) {
        let thread = thread.open();
        thread.next_waiter.set(None);
        match self.last {
            Some(last) => last.next_waiter.set(Some(thread)),
            None => self.first = Some(thread),
        }
        self.last = Some(thread);
    }

    /// The first one does not wait any more.
    pub fn wake_one(&mut self) -> Option<Parked> {
        loop {
            let thread = self.first?;
            self.first = thread.next_waiter.get();
            if self.first.is_none() {
                self.last = None;
            }
            let claimed = thread.claim(Claim::Woken);
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
        let mut before: Option<&'static Thread> = None;
        let mut at = self.first;
        while let Some(it) = at {
            let next = it.next_waiter.get();
            if core::ptr::eq(it, thread) {
                match before {
                    Some(before) => before.next_waiter.set(next),
                    None => self.first = next,
                }
                if next.is_none() {
                    self.last = before;
                }
                return;
            }
            (before, at) = (at, next);
        }
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
