//! Whom a round of shootdowns has told, by which way, and who has answered.

use super::route::Route;
use crate::config::Strategy;
use crate::core_set::CoreSet;
use proto::id::CoreId;
use proto::message::PageRange;

/// A round that is under way, or [`Round::NONE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Round {
    /// 0 if none is under way.
    pub(super) ticket: u32,
    pub(super) range: PageRange,
    /// Cores that have not answered.
    pub(super) waiting: CoreSet,
    /// Those of them to whom nothing was sent yet.
    pub(super) untold: CoreSet,
    /// All to whom it was sent down a tree.
    pub(super) told: CoreSet,
    /// Those whom the way did not reach: the coordinator tells them itself, and whom it has not told yet.
    pub(super) alone: CoreSet,
    pub(super) untold_alone: CoreSet,
    /// Those that have let go of the process and for which another core has answered: they are free, but nobody has seen to
    /// that yet.
    pub(super) freed: CoreSet,
    /// The ticket that cores told alone answer. Whoever is told twice of a round must answer what came from the
    /// coordinator, or the next round's would come on top of it.
    pub(super) alone_ticket: u32,
}

impl Round {
    /// There is none.
    pub(super) const NONE: Self = Self {
        ticket: 0,
        range: PageRange::ALL,
        waiting: CoreSet::EMPTY,
        untold: CoreSet::EMPTY,
        told: CoreSet::EMPTY,
        alone: CoreSet::EMPTY,
        untold_alone: CoreSet::EMPTY,
        freed: CoreSet::EMPTY,
        alone_ticket: 0,
    };

    /// Begins, to wait for these cores; there was none, so nobody is yet to be told. The fields are set where they are: to move
    /// so many costs more.
    #[inline(always)]
    pub(super) fn begin(&mut self, ticket: u32, range: PageRange, cores: CoreSet) {
        debug_assert!(self.untold.is_empty(), "what was begun before has ended");
        (self.ticket, self.range, self.waiting) = (ticket, range, cores);
    }

    /// Ends, when all have answered: nobody is waited for, and nobody is yet to be told.
    pub(super) fn end(&mut self) {
        (self.ticket, self.range, self.alone_ticket) = (0, PageRange::default(), 0);
        (self.told, self.alone) = (CoreSet::EMPTY, CoreSet::EMPTY);
    }

    /// As [`end`](Self::end), of one that told all directly: less is to be forgotten.
    #[inline(always)]
    pub(super) fn end_of_direct(&mut self) {
        debug_assert!(self.told.is_empty() && self.alone.is_empty() && self.alone_ticket == 0);
        (self.ticket, self.range) = (0, PageRange::default());
    }

    /// The ticket that a core has to answer, if it has been sent the round and has not answered.
    #[inline(always)]
    pub(super) fn awaited(&self, core: CoreId) -> Option<u32> {
        if !self.waiting.contains(core) || self.untold.contains(core) {
            return None;
        }
        let alone = self.alone.contains(core) && !self.untold_alone.contains(core);
        Some(if alone { self.alone_ticket } else { self.ticket })
    }

    /// Those that were not told and have let go meanwhile need not be: they load the new tables when they come back.
    pub(super) fn forget_others(&mut self, pinned: &CoreSet) {
        let others = self.untold.without(pinned);
        self.untold = self.untold.without(&others);
        self.waiting = self.waiting.without(&others);
    }

    /// Takes so many of those that were not told out at most, and counts them. Most often they are few.
    #[inline(always)]
    pub(super) fn take_untold(&mut self, most: u32) -> (CoreSet, u32) {
        let mut count = self.untold.count_few();
        let mut some = self.untold;
        let mut rest = CoreSet::EMPTY;
        if count > most {
            (some, rest) = some.split(most as usize);
            count = most;
        }
        self.untold = rest;
        (some, count)
    }

    /// Takes the first group out of those that were not told: whom to tell, and whom that one tells.
    pub(super) fn next_group(&mut self, strategy: &Strategy) -> Option<(CoreId, Option<CoreSet>)> {
        let mut there = self.untold.and(&strategy.next_group(&self.untold)?);
        self.untold = self.untold.without(&there);
        self.told = self.told.or(&there);
        let first = there.at_or_after(CoreId(0))?;
        there.remove(first);
        Some((first, (!there.is_empty()).then_some(there)))
    }
}
