//! How the list of regions changes.

use super::{Hint, Kind, REACHES, Region, Regions, cuts, end, tables};
use proto::memory::Rights;
use proto::message::PageRange;

impl Regions {
    /// Puts a region where nothing is, at its place in the list.
    #[inline(always)]
    pub(crate) fn insert_at(&mut self, at: usize, new: Region) {
        let at = match (self.joins_below(at, &new), self.list.get_mut(at)) {
            (true, _) => {
                self.list[at - 1].pages += new.pages;
                self.join_around(at, at);
                at - 1
            }
            (false, Some(next)) if new.can_join(next) => {
                (next.first, next.pages) = (new.first, next.pages + new.pages);
                at
            }
            _ => {
                self.list.insert(at, new);
                at
            }
        };
        self.last = Hint(at);
    }

    /// Can this region, which lies before the one at a place, be joined with the one before it?
    #[inline(always)]
    fn joins_below(&self, at: usize, region: &Region) -> bool {
        at.checked_sub(1).and_then(|at| self.list.get(at)).is_some_and(|it| it.can_join(region))
    }

    /// Cuts pages out of the region of memory at a place, which leave as the work with this ticket, and are out of the tables
    /// from now on. Gives what [`clear`](Self::clear) does. No other work may be under way: until any is, they need not
    /// be in the list, where they would have to be put and taken out again.
    #[inline(always)]
    pub(crate) fn take_out(
        &mut self,
        at: usize,
        range: PageRange,
        ticket: u32,
    ) -> (PageRange, u32) {
        debug_assert!(self.gone.is_none(), "other work is under way");
        self.last = Hint(at);
        let whole = &mut self.list[at];
        let (first, last) = (range.first, end(range));
        let (kind, cleared) = (Kind::Leaving, range.pages);
        self.gone = Some(Region { first, pages: cleared, cleared, kind, name: ticket, ..*whole });
        let below = whole.first < first;
        let above = whole.end() > last;
        match (below, above) {
            (true, false) => whole.pages -= range.pages,
            (false, true) => (whole.first, whole.pages) = (last, whole.pages - range.pages),
            (false, false) => {
                self.take_whole(at);
                return self.unused_without(at, range);
            }
            (true, true) => self.take_middle(at, range),
        }
        let table = |page: u64| page >> REACHES[0];
        let is_beside =
            below && table(first - 1) == table(last - 1) || above && table(last) == table(first);
        // So it is mostly: the rest of the region keeps the only table that reaches the range.
        if is_beside {
            return (range, 0);
        }
        self.unused_without(at + usize::from(below), range)
    }

    /// Takes out the region at a place.
    #[inline(always)]
    fn take_whole(&mut self, at: usize) {
        // `remove` takes long to move nothing.
        if at + 1 == self.list.len() {
            self.list.pop();
        } else {
            self.list.remove(at);
        }
    }

    /// Around which pages nothing is left, and how many tables come free, without a range that was before the region at a place.
    #[inline(always)]
    fn unused_without(&self, at: usize, range: PageRange) -> (PageRange, u32) {
        let unused = self.unused_around_at(at, range);
        (unused, tables(range, unused))
    }

    /// Takes pages out of the middle of a region.
    #[inline(never)]
    fn take_middle(&mut self, at: usize, range: PageRange) {
        let whole = &mut self.list[at];
        let above =
            Region { first: end(range), pages: (whole.end() - end(range)) as u32, ..*whole };
        whole.pages -= range.pages + above.pages;
        self.list.insert(at + 1, above);
    }

    /// Puts what is gone into the list, because there will be other work.
    #[inline(always)]
    pub(crate) fn list_gone(&mut self) {
        if let Some(gone) = self.gone.take() {
            self.list_leaving(gone);
        }
    }

    #[inline(never)]
    fn list_leaving(&mut self, gone: Region) {
        let at = self.place_of(gone.first);
        self.list.insert(at, gone);
    }

    /// Gives pages of the region of memory at a place these rights.
    #[inline(always)]
    pub(crate) fn set_rights(&mut self, at: usize, range: PageRange, rights: Rights) {
        self.last = Hint(at);
        if self.list[at].pages == range.pages && !self.touches_another(at) {
            self.list[at].rights = rights;
        } else {
            self.set_rights_of_part(at, range, rights);
        }
    }

    /// Is there no room between the region at a place and the next, or the one before it?
    #[inline(always)]
    fn touches_another(&self, at: usize) -> bool {
        let it = &self.list[at];
        self.list.get(at + 1).is_some_and(|next| next.first == it.end())
            || at > 0 && self.list[at - 1].end() == it.first
    }

    /// The same where it must be cut, or may be joined with what is beside it.
    #[inline(never)]
    fn set_rights_of_part(&mut self, at: usize, range: PageRange, rights: Rights) {
        let whole = self.list[at];
        if whole.rights == rights {
            return;
        }
        let part = Region { first: range.first, pages: range.pages, rights, ..whole };
        if whole.first < part.first {
            if part.end() != whole.end() {
                return self.set_rights_in_middle(at, part);
            }
            if !self.joins_above(at, &part) {
                self.list[at].pages -= part.pages;
                self.list.insert(at + 1, part);
                return;
            }
        }
        let at = self.cut_out(at, range);
        self.list[at].rights = rights;
        self.join_around(at, at + 1);
    }

    /// Can this region, which ends the one at a place, be joined with the one behind it?
    #[inline(always)]
    fn joins_above(&self, at: usize, region: &Region) -> bool {
        self.list.get(at + 1).is_some_and(|it| region.can_join(it))
    }

    /// Cuts the region at a place where the range, which lies inside, begins and ends; gives the place of what has the range.
    fn cut_out(&mut self, mut at: usize, range: PageRange) -> usize {
        if self.list[at].first < range.first {
            self.cut(at, range.first);
            at += 1;
        }
        if self.list[at].end() > end(range) {
            self.cut(at, end(range));
        }
        at
    }

    /// Gives a part of the region at a place, with some of it on both sides, other rights.
    #[inline(never)]
    fn set_rights_in_middle(&mut self, at: usize, part: Region) {
        let whole = self.list[at];
        let (first, last) = (part.end(), whole.end());
        let above = Region { first, pages: (last - first) as u32, ..whole };
        self.list[at].pages -= part.pages + above.pages;
        // Those behind are moved once, not twice.
        let count = self.list.len();
        self.list.extend([above; 2]);
        self.list.copy_within(at + 1..count, at + 3);
        self.list[at + 1] = part;
        self.list[at + 2] = above;
    }

    /// Changes all regions in the range, cut off where they reach beyond it; those that are leaving are not
    /// cut and must stay as they are. A change to `None` takes the region out.
    pub(crate) fn change(&mut self, range: PageRange, with: impl Fn(Region) -> Option<Region>) {
        let (mut from, mut to) = self.span(range);
        let [below, above] = cuts(self.list.get(from..to).unwrap_or(&[]), range);
        if below {
            self.cut(from, range.first);
            (from, to) = (from + 1, to + 1);
        }
        if above {
            self.cut(to - 1, end(range));
        }
        let mut kept = from;
        for at in from..to {
            if let Some(changed) = with(self.list[at]) {
                self.list[kept] = changed;
                kept += 1;
            }
        }
        if kept < to {
            self.list.drain(kept..to);
        }
        self.join_around(from, kept);
    }

    /// Notes that pages of a region that is leaving, from its first that was not, are out of the tables. Gives the
    /// pages around them in which nothing is left, or fewer where no table comes free, and how many tables do.
    pub(crate) fn clear(&mut self, range: PageRange) -> (PageRange, u32) {
        let at = self.place_of(range.first);
        if let Some(region) = self.list.get_mut(at) {
            region.cleared += range.pages;
        }
        if self.is_table_used_beside(at, range) {
            return (range, 0);
        }
        let unused = self.unused_around_at(at, range);
        (unused, tables(range, unused))
    }

    /// Does the region before or behind the one at a place use the only page table that reaches the range? So it is
    /// mostly, and seen sooner than how far nothing is used.
    fn is_table_used_beside(&self, at: usize, range: PageRange) -> bool {
        let table = |page: u64| page >> REACHES[0];
        let occupied = |at: usize| self.list.get(at).and_then(Region::occupied);
        let only = table(range.first);
        table(end(range) - 1) == only
            && (occupied(at + 1).is_some_and(|(first, _)| table(first) == only)
                || occupied(at.wrapping_sub(1)).is_some_and(|(_, end)| table(end - 1) == only))
    }

    /// Takes out the first region.
    pub(crate) fn remove_first(&mut self) {
        self.list.remove(0);
    }

    /// Takes out the regions in the range that the work with this ticket has unmapped.
    #[inline(always)]
    pub(crate) fn remove_left(&mut self, range: PageRange, ticket: u32) {
        if self.gone.take_if(|it| it.name == ticket).is_none() {
            self.remove_listed(range, ticket);
        }
    }

    #[inline(never)]
    fn remove_listed(&mut self, range: PageRange, ticket: u32) {
        let (from, to) = self.span(range);
        let mut kept = from;
        for at in from..to {
            let region = self.list[at];
            if !region.is_leaving() || region.name != ticket {
                self.list[kept] = region;
                kept += 1;
            }
        }
        if kept < to {
            self.list.drain(kept..to);
        }
    }

    /// Makes the region at a place end, and another begin, at a page inside of it.
    fn cut(&mut self, at: usize, page: u64) {
        let region = &mut self.list[at];
        let below = u32::try_from(page - region.first).expect("fewer than the region's pages");
        let above = Region { first: page, pages: region.pages - below, ..*region };
        region.pages = below;
        self.list.insert(at + 1, above);
    }

    /// Joins regions from the one before `from` up to the one at `to` where they are alike.
    pub(crate) fn join_around(&mut self, from: usize, to: usize) {
        let mut at = to.min(self.list.len().saturating_sub(1));
        while at > 0 && at + 1 > from {
            let next = self.list[at];
            if self.list[at - 1].can_join(&next) {
                self.list[at - 1].pages += next.pages;
                self.list.remove(at);
            }
            at -= 1;
        }
    }
}
