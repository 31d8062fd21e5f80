//! The queues of calls that wait, which run through the calls themselves.

use super::{WaitRef, wait_mut};
use crate::table::Table;

/// A place in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Link {
    prev: Option<WaitRef>,
    next: Option<WaitRef>,
}

/// Calls that wait for the same, first come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Queue {
    head: Option<WaitRef>,
    tail: Option<WaitRef>,
}

impl Queue {
    pub(crate) fn first(&self) -> Option<WaitRef> {
        self.head
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// The place of the next call that comes.
    pub(crate) const fn last_place(&self) -> Link {
        Link { prev: self.tail, next: None }
    }

    /// A call takes the last place.
    #[inline(always)]
    pub(crate) fn join(&mut self, table: &mut Table, at: WaitRef) {
        match self.tail.replace(at).and_then(|prev| link_mut(table, prev)) {
            Some(link) => link.next = Some(at),
            None => self.head = Some(at),
        }
    }

    /// A call has left that had this place.
    #[inline(always)]
    pub(crate) fn close_up(&mut self, table: &mut Table, left: Link) {
        let Link { prev, next } = left;
        match prev.and_then(|prev| link_mut(table, prev)) {
            Some(link) => link.next = next,
            None => self.head = next,
        }
        match next.and_then(|next| link_mut(table, next)) {
            Some(link) => link.prev = prev,
            None => self.tail = prev,
        }
    }

    /// All in their order.
    pub(crate) fn iter<'a>(&self, table: &'a Table) -> impl Iterator<Item = WaitRef> + 'a {
        core::iter::successors(self.head, |&at| {
            table.by_pid(at.pid())?.waits.get(at)?.link.as_ref()?.next
        })
    }
}

/// The place of a call that stands in a queue. Mostly there is one call in it, which has no neighbours.
#[cold]
fn link_mut(table: &mut Table, at: WaitRef) -> Option<&mut Link> {
    wait_mut(table, at)?.link.as_mut()
}
