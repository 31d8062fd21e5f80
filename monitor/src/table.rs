//! The table of processes: by pid, in constant time, and the lists of children that run through it.

use crate::process::{Name, Process, ProcessId};
use crate::room::{self, One};
use crate::space::Space;
use alloc::vec::Vec;
use proto::id::{Generation, Pid};

const NOBODY: Pid = Pid(0);

/// A process's place in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Link {
    prev: Pid,
    next: Pid,
}

/// The ends of a list of processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct List {
    head: Pid,
    tail: Pid,
}

impl List {
    pub(crate) fn first(self) -> Option<Pid> {
        (self.head != NOBODY).then_some(self.head)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.head == NOBODY
    }
}

/// All processes. Slot 0 is never used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    slots: Vec<Option<One<Process>>>,
    /// Of a slot that is free: the next free one, in the order in which they came free.
    next_free: Vec<Pid>,
    free: List,
    count: usize,
    last_generation: u32,
}

impl Table {
    /// Makes a table for at most `max` processes.
    pub(crate) fn new(max: u16) -> Self {
        let next = |pid: u16| if pid == 0 || pid == max { NOBODY } else { Pid(pid + 1) };
        Self {
            slots: (0..=max).map(|_| None).collect(),
            next_free: (0..=max).map(next).collect(),
            free: List { head: Pid(max.min(1)), tail: Pid(max) },
            count: 0,
            last_generation: 0,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Makes a process under the pid that has been free for longest, if there is one and memory for it.
    pub(crate) fn insert(&mut self, name: Name, root: u64) -> Option<ProcessId> {
        let pid = self.free.first()?;
        let generation = self.last_generation.checked_add(1)?;
        let id = ProcessId { pid, generation: Generation(generation) };
        let space = Space::new()?;
        let process = room::one(Process::new(id, name, root, space))?;
        *self.slots.get_mut(usize::from(pid.0))? = Some(process);
        let next = core::mem::replace(self.next_free.get_mut(usize::from(pid.0))?, NOBODY);
        self.free.head = next;
        if next == NOBODY {
            self.free.tail = NOBODY;
        }
        self.last_generation = generation;
        self.count += 1;
        Some(id)
    }

    /// Takes a process out; its pid is the last to be used again.
    pub(crate) fn remove(&mut self, pid: Pid) {
        let taken = self.slots.get_mut(usize::from(pid.0)).and_then(Option::take);
        if taken.is_none() {
            return;
        }
        self.count -= 1;
        match self.next_free.get_mut(usize::from(self.free.tail.0)) {
            Some(next) if self.free.tail != NOBODY => *next = pid,
            _ => self.free.head = pid,
        }
        self.free.tail = pid;
    }

    /// The process of that pid, whichever it is.
    pub(crate) fn by_pid(&self, pid: Pid) -> Option<&Process> {
        let [process] = &**self.slots.get(usize::from(pid.0))?.as_ref()?;
        Some(process)
    }

    pub(crate) fn by_pid_mut(&mut self, pid: Pid) -> Option<&mut Process> {
        let [process] = &mut **self.slots.get_mut(usize::from(pid.0))?.as_mut()?;
        Some(process)
    }

    pub(crate) fn get(&self, id: ProcessId) -> Option<&Process> {
        self.by_pid(id.pid).filter(|process| process.id == id)
    }

    /// A process that is known to exist, because a list, a core or a wait names it.
    pub(crate) fn at(&self, pid: Pid) -> &Process {
        self.by_pid(pid).expect("a process that something names is in the table")
    }

    /// See [`Table::at`].
    pub(crate) fn at_mut(&mut self, pid: Pid) -> &mut Process {
        self.by_pid_mut(pid).expect("a process that something names is in the table")
    }

    /// Two processes that are known to exist, if they are not the same.
    #[inline(always)]
    pub(crate) fn two(&mut self, one: Pid, other: Pid) -> Option<(&mut Process, &mut Process)> {
        let both = self.slots.get_disjoint_mut([usize::from(one.0), usize::from(other.0)]);
        let [Some(one), Some(other)] = both.ok()? else { return None };
        Some((&mut one[0], &mut other[0]))
    }

    /// All processes by pid.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Process> {
        self.slots.iter().flatten().map(|process| &process[0])
    }

    /// The processes with pids from `first` to below `end`, by pid.
    pub(crate) fn range(&self, first: Pid, end: Pid) -> impl Iterator<Item = &Process> {
        let end = usize::from(end.0).min(self.slots.len());
        let slots = self.slots.get(usize::from(first.0)..end).unwrap_or(&[]);
        slots.iter().flatten().map(|process| &process[0])
    }

    /// The number of pids, the one that is never used included.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn next(&self, pid: Pid) -> Option<Pid> {
        let next = self.at(pid).siblings.next;
        (next != NOBODY).then_some(next)
    }

    pub(crate) fn push_back(&mut self, list: &mut List, pid: Pid) {
        let tail = core::mem::replace(&mut list.tail, pid);
        self.at_mut(pid).siblings = Link { prev: tail, next: NOBODY };
        match tail {
            NOBODY => list.head = pid,
            tail => self.at_mut(tail).siblings.next = pid,
        }
    }

    pub(crate) fn unlink(&mut self, list: &mut List, pid: Pid) {
        let Link { prev, next } = self.at(pid).siblings;
        self.join(list, prev, next);
        self.at_mut(pid).siblings = Link::default();
    }

    /// Makes `next` follow `prev`; [`NOBODY`] stands for the list's own ends.
    fn join(&mut self, list: &mut List, prev: Pid, next: Pid) {
        match prev {
            NOBODY => list.head = next,
            prev => self.at_mut(prev).siblings.next = next,
        }
        match next {
            NOBODY => list.tail = prev,
            next => self.at_mut(next).siblings.prev = prev,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{List, Name, Pid, ProcessId, Table};

    fn insert(table: &mut Table) -> ProcessId {
        table.insert(Name::new("it"), 0).unwrap()
    }

    #[test]
    fn a_pid_is_used_again_as_late_as_possible_and_a_generation_never() {
        let mut table = Table::new(3);
        let first = insert(&mut table);
        assert_eq!((first.pid, first.generation.0), (Pid(1), 1));
        table.remove(first.pid);
        assert_eq!([insert(&mut table).pid, insert(&mut table).pid], [Pid(2), Pid(3)]);
        let again = insert(&mut table);
        assert_eq!((again.pid, again.generation.0), (Pid(1), 4));
        assert_eq!(table.insert(Name::default(), 0), None);
        assert!(table.get(first).is_none() && table.get(again).is_some());
    }

    #[test]
    fn a_table_that_was_full_takes_processes_again() {
        let mut table = Table::new(1);
        for generation in 1..5 {
            assert_eq!(insert(&mut table).generation.0, generation);
            assert_eq!(table.count(), 1);
            table.remove(Pid(1));
        }
    }

    #[test]
    fn lists_keep_their_order_when_a_middle_one_goes() {
        let mut table = Table::new(3);
        let mut list = List::default();
        for _ in 0..3 {
            let id = insert(&mut table);
            table.push_back(&mut list, id.pid);
        }
        table.unlink(&mut list, Pid(2));
        for pid in [Pid(1), Pid(3)] {
            assert_eq!(list.first(), Some(pid));
            table.unlink(&mut list, pid);
        }
        assert!(list.is_empty());
    }
}
