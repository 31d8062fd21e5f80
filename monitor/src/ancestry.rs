//! From whom a process comes, which decides who may control it: whoever made it, whoever made that one, and so on.
//!
//! That does not end when one in between does. An orphan has no parent, so nobody is told its exit code, but those above
//! who live can still end it: otherwise a program would be rid of who controls it by having a child take its place.
//!
//! Every process has a rank, the lowest that none of its living ancestors has, and a list of those by rank. So whether one
//! comes from another is seen in one place, however long the chain, and of those who have ended nothing is kept for longer
//! than their descendants go without a child.

use crate::config::Policy;
use crate::coordinator::Coordinator;
use crate::process::{Process, ProcessId};
use crate::table::Table;
use proto::id::Pid;

/// So many living processes may come one from the other.
pub(crate) const LONGEST_CHAIN: usize = 64;

const _: () = assert!(LONGEST_CHAIN == u64::BITS as usize, "a bit for each rank");

/// Of no process.
const NOBODY: Pid = Pid(0);

/// The ancestors of a process that lived when it was made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ancestry {
    /// By rank. Their pids may be those of others by now, which then are younger than the process.
    above: [Pid; LONGEST_CHAIN],
    /// The ranks that they have, a bit each.
    taken: u64,
    rank: u8,
}

impl Ancestry {
    /// Of a process without a parent.
    pub(crate) const NONE: Self = Self { above: [NOBODY; LONGEST_CHAIN], taken: 0, rank: 0 };
}

/// The lowest rank that is free, if any is.
fn lowest_free(taken: u64) -> Option<u8> {
    (taken != u64::MAX).then(|| taken.trailing_ones() as u8)
}

impl Process {
    fn comes_from(&self, other: &Self) -> bool {
        // Who has the pid of an ancestor that has ended was made after this one.
        self.ancestry.above[usize::from(other.ancestry.rank) % LONGEST_CHAIN] == other.id.pid
            && other.id.generation < self.id.generation
    }
}

impl Table {
    /// The ranks of the ancestors of a process that live, and its own: those that a child of it cannot have.
    fn line(&self, process: &Process) -> u64 {
        let &Ancestry { ref above, mut taken, rank } = &process.ancestry;
        let mut line = 1 << rank;
        while taken != 0 {
            let rank = taken.trailing_zeros();
            taken &= taken - 1;
            let ancestor = self.by_pid(above[rank as usize]);
            if ancestor.is_some_and(|it| process.comes_from(it) && !it.is_dying()) {
                line |= 1 << rank;
            }
        }
        line
    }

    /// May a process have children, or is the chain of its ancestors too long?
    pub(crate) fn may_have_children(&self, process: &Process) -> bool {
        lowest_free(self.line(process)).is_some()
    }

    /// What a child of a process will know of its ancestors, if their chain is not too long.
    pub(crate) fn ancestry_below(&self, process: &Process) -> Option<Ancestry> {
        let taken = self.line(process);
        let rank = lowest_free(taken)?;
        let mut above = process.ancestry.above;
        above[usize::from(process.ancestry.rank) % LONGEST_CHAIN] = process.id.pid;
        let mut ended = process.ancestry.taken & !taken;
        while ended != 0 {
            above[ended.trailing_zeros() as usize] = NOBODY;
            ended &= ended - 1;
        }
        Some(Ancestry { above, taken, rank })
    }
}

impl Coordinator {
    /// May `actor` control `target`? A process controls itself and all that come from it.
    pub(crate) fn controls(&self, actor: Pid, target: &Process) -> bool {
        let is_above = || target.id.pid == actor || target.comes_from(self.table.at(actor));
        self.config.policy == Policy::Descendants && is_above()
    }

    /// Is it this process, or does it come from it?
    #[must_use]
    pub fn comes_from(&self, pid: Pid, other: ProcessId) -> bool {
        let both = self.table.by_pid(pid).zip(self.table.get(other));
        both.is_some_and(|(it, other)| it.id == other.id || it.comes_from(other))
    }
}

#[cfg(test)]
mod tests;
