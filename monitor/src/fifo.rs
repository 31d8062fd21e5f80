//! A queue of numbers, each of which stands in it at most once. Its links lie in a table of their own, by number, so
//! nothing is allocated after construction, and a number is taken out wherever it stands without looking at
//! what it is the number of.

use alloc::vec;
use alloc::vec::Vec;

/// Of a number that does not stand in the queue.
const OUT: Link = Link { prev: u16::MAX, next: u16::MAX };

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Link {
    prev: u16,
    next: u16,
}

/// A queue of numbers from 1 on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fifo {
    /// Those in the queue are a ring; 0 stands before the first and behind the last.
    links: Vec<Link>,
}

impl Fifo {
    /// An empty one for the numbers 1 to `last`, which is less than 65,535.
    pub(crate) fn new(last: u16) -> Self {
        let mut links = vec![OUT; usize::from(last) + 1];
        links[0] = Link { prev: 0, next: 0 };
        Self { links }
    }

    pub(crate) fn first(&self) -> Option<u16> {
        let first = self.links[0].next;
        (first != 0).then_some(first)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.links[0].next == 0
    }

    pub(crate) fn contains(&self, number: u16) -> bool {
        self.links[usize::from(number)] != OUT
    }

    /// Puts a number behind the others, if it does not stand in the queue.
    #[inline(always)]
    pub(crate) fn push(&mut self, number: u16) {
        if self.links[usize::from(number)] == OUT {
            self.push_anew(number);
        }
    }

    /// The same for one that does not stand in the queue.
    #[inline(always)]
    pub(crate) fn push_anew(&mut self, number: u16) {
        let last = self.links[0].prev;
        let link = &mut self.links[usize::from(number)];
        debug_assert!(*link == OUT, "it does not stand in the queue yet");
        *link = Link { prev: last, next: 0 };
        self.links[usize::from(last)].next = number;
        self.links[0].prev = number;
    }

    /// Takes a number out, if it stands in the queue; says whether it did.
    #[inline(always)]
    pub(crate) fn remove(&mut self, number: u16) -> bool {
        let link = &mut self.links[usize::from(number)];
        if *link == OUT {
            return false;
        }
        let Link { prev, next } = core::mem::replace(link, OUT);
        self.links[usize::from(prev)].next = next;
        self.links[usize::from(next)].prev = prev;
        true
    }

    /// The same for one that mostly stands before all others.
    #[inline(always)]
    pub(crate) fn remove_mostly_first(&mut self, number: u16) {
        if self.links[0].next == number {
            self.pop();
        } else {
            self.remove(number);
        }
    }

    /// Takes the first out.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Option<u16> {
        let first = self.first()?;
        let next = core::mem::replace(&mut self.links[usize::from(first)], OUT).next;
        self.links[0].next = next;
        self.links[usize::from(next)].prev = 0;
        Some(first)
    }

    /// All in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        core::iter::successors(self.first(), |&at| {
            Some(self.links[usize::from(at)].next).filter(|&next| next != 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Fifo;
    use alloc::vec::Vec;

    #[test]
    fn a_queue_keeps_its_order_when_a_middle_one_goes_and_nobody_stands_in_it_twice() {
        let mut queue = Fifo::new(4);
        for number in [2, 4, 1, 4, 3] {
            queue.push(number);
        }
        assert!(queue.remove(1) && !queue.remove(1));
        assert_eq!(queue.iter().collect::<Vec<_>>(), [2, 4, 3]);
        assert_eq!([1, 2, 3, 4].map(|number| queue.contains(number)), [false, true, true, true]);
        queue.push(1);
        assert_eq!(core::iter::from_fn(|| queue.pop()).collect::<Vec<_>>(), [2, 4, 3, 1]);
        assert!(queue.is_empty() && queue == Fifo::new(4));
    }
}
