//! The regions of one address space: sorted, disjoint, bounded in number; and what they take in frames.
//!
//! A region that is being unmapped stays in the list until no core has a translation into it, so that
//! nothing else is put there meanwhile.

mod change;

use crate::room;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use proto::memory::{MAP_AREA, Rights, is_guard};
use proto::message::PageRange;

/// Regions that a process may have.
pub const MAX_REGIONS: usize = 64;

/// More that it may have as long as they are leaving: who has all can still give a part of one back.
pub(crate) const MAX_LEAVING: usize = super::MAX_JOBS;

/// How many pages, as a power of two, the page tables of each level reach.
const REACHES: [u32; 3] = [9, 18, 27];

/// What a region is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Memory.
    Memory,
    /// No memory, and nothing else is put there.
    Guard,
    /// Memory that another process is giving and that is not all there.
    Incoming,
    /// Memory that is being taken away.
    Leaving,
}

/// Pages side by side that are treated alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Region {
    pub(crate) first: u64,
    pub(crate) pages: u32,
    /// So many pages, from the first, are out of the tables already: of a region that is leaving.
    pub(crate) cleared: u32,
    pub(crate) kind: Kind,
    pub(crate) rights: Rights,
    /// The most rights that it may be given.
    pub(crate) most: Rights,
    /// Which memory it is, among those that several processes may have; 0 for the process's own. Of a
    /// region that is leaving: the ticket of the work that takes it away.
    pub(crate) name: u32,
    /// Which of its pages are guards, by their number: see [`SPACING`](proto::memory::SPACING). They are reserved
    /// like the others, so that it makes no difference for what they cost where it is cut.
    pub(crate) spacing: u8,
}

impl Region {
    pub(crate) const fn end(&self) -> u64 {
        self.first + self.pages as u64
    }

    pub(crate) const fn range(&self) -> PageRange {
        PageRange { first: self.first, pages: self.pages }
    }

    /// The pages of a range that lie in it; there must be some.
    pub(crate) fn range_in(&self, range: PageRange) -> PageRange {
        let first = self.first.max(range.first);
        let last = self.end().min(end(range));
        PageRange { first, pages: u32::try_from(last - first).expect("within the region") }
    }

    pub(crate) const fn is_leaving(&self) -> bool {
        matches!(self.kind, Kind::Leaving)
    }

    /// Is this page, of the region's, memory?
    pub(crate) const fn has_memory(&self, page: u64) -> bool {
        matches!(self.kind, Kind::Memory) && !is_guard(page, self.spacing)
    }

    /// How many pages there are above one that is a guard among memory, up to the next guard; 0 if it is none.
    pub(crate) fn pages_above_guard(&self, page: u64) -> u16 {
        if self.kind != Kind::Memory || !is_guard(page, self.spacing) {
            return 0;
        }
        let next = (page + (1 << self.spacing)).min(self.end());
        u16::try_from(next - page - 1).expect("a spacing is of fewer than 2^16 pages")
    }

    /// The pages for which there are page tables, and maybe frames: first and end.
    pub(crate) fn occupied(&self) -> Option<(u64, u64)> {
        let first = self.first + u64::from(self.cleared);
        (self.kind != Kind::Guard && first < self.end()).then(|| (first, self.end()))
    }

    fn can_join(&self, next: &Self) -> bool {
        let steady = matches!(self.kind, Kind::Memory | Kind::Guard);
        steady
            && self.end() == next.first
            && self.pages.checked_add(next.pages).is_some()
            && (self.kind, self.rights, self.most, self.name, self.spacing)
                == (next.kind, next.rights, next.most, next.name, next.spacing)
    }
}

pub(crate) const fn end(range: PageRange) -> u64 {
    range.first + range.pages as u64
}

/// Some pages, all of them where programs may map?
pub(crate) const fn is_mappable(range: PageRange) -> bool {
    let (first, last) = (MAP_AREA.first, end(MAP_AREA));
    range.pages > 0 && range.first >= first && range.first < last && end(range) <= last
}

/// How many page tables are needed for a range and for nothing outside of `unused`, the pages around it
/// (its own included) where no other memory lies.
#[inline(always)]
pub(crate) fn tables(range: PageRange, unused: PageRange) -> u32 {
    let (first, last) = (range.first, end(range) - 1);
    if (first ^ last) >> REACHES[0] != 0 {
        return tables_of_many(range, unused);
    }
    // One table of each level reaches it. Who is next to it, above or below, uses that one too, unless a bit differs that
    // tells tables of that level apart; beside the area, where nobody is, the bits differ that tell the tables of all apart.
    let near = (first ^ (unused.first - 1)).min(last ^ end(unused));
    REACHES.iter().map(|reach| u32::from(near >> reach != 0)).sum()
}

/// The same for a range that several tables of the lowest level reach.
#[inline(never)]
fn tables_of_many(range: PageRange, unused: PageRange) -> u32 {
    let mut count = 0;
    for reach in REACHES {
        let first = (range.first >> reach).max((unused.first + (1 << reach) - 1) >> reach);
        let last = (((end(range) - 1) >> reach) + 1).min(end(unused) >> reach);
        // Where no table of a level is needed for the range alone, none of the levels above is.
        if last <= first {
            break;
        }
        count += last - first;
    }
    u32::try_from(count).expect("an area of 2^27 pages has fewer tables")
}

/// Of the regions that have pages in a range: does the first one begin before it, and does the last one end behind
/// it, so that they must be cut to be treated differently there? Those that are leaving are not cut.
fn cuts(regions: &[Region], range: PageRange) -> [bool; 2] {
    let cut = |region: Option<&Region>, is: fn(&Region, PageRange) -> bool| {
        region.is_some_and(|it| is(it, range) && !it.is_leaving())
    };
    [
        cut(regions.first(), |it, range| it.first < range.first),
        cut(regions.last(), |it, range| it.end() > end(range)),
    ]
}

/// What unmapping comes to: how many regions there are while it is under way, how many stay, and whether those are more.
pub(crate) struct Unmapped {
    pub(crate) all: usize,
    pub(crate) after: usize,
    pub(crate) grows: bool,
}

/// A place in a list that is worth a look before another is searched for: it makes no difference to what is found.
#[derive(Clone, Copy, Debug)]
struct Hint(usize);

impl PartialEq for Hint {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Hint {}

impl Hash for Hint {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// The regions of a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Regions {
    /// Has room from the start for [`MAX_REGIONS`] and [`MAX_LEAVING`], and for one that joins its neighbours at once.
    list: Vec<Region>,
    /// Where a region was made or changed last.
    last: Hint,
    /// Pages that leave, are out of the tables and are not in the list: as long as nothing else is under way it is seen to by
    /// nobody. Nothing may be put there before [`list_gone`](Regions::list_gone).
    gone: Option<Region>,
}

impl Regions {
    /// None yet, if there is memory for all that may come.
    pub(crate) fn new() -> Option<Self> {
        let list = room::list(MAX_REGIONS + MAX_LEAVING + 1)?;
        Some(Self { list, last: Hint(0), gone: None })
    }

    /// Those that other work may be about.
    pub(crate) fn all(&self) -> &[Region] {
        &self.list
    }

    /// All, with what is gone.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Region> {
        let at = self.gone.map_or(0, |gone| self.place_of(gone.first));
        let (below, above) = self.list.split_at_checked(at).unwrap_or((&self.list, &[]));
        below.iter().chain(&self.gone).chain(above)
    }

    /// The place of the first region that ends behind this page.
    #[inline(always)]
    fn place_of(&self, page: u64) -> usize {
        let Hint(last) = self.last;
        if self.list.get(last).is_some_and(|it| it.first <= page && page < it.end()) {
            return last;
        }
        self.search(page)
    }

    #[inline(always)]
    fn search(&self, page: u64) -> usize {
        self.list.partition_point(|region| region.end() <= page)
    }

    pub(crate) fn find(&self, page: u64) -> Option<&Region> {
        self.list.get(self.place_of(page)).filter(|region| region.first <= page)
    }

    /// The place of the region in which all of the range is memory, if it is.
    #[inline(always)]
    pub(crate) fn holder(&self, range: PageRange) -> Option<usize> {
        let Hint(last) = self.last;
        if self.holds(last, range) {
            return Some(last);
        }
        self.holder_elsewhere(range)
    }

    #[inline(never)]
    fn holder_elsewhere(&self, range: PageRange) -> Option<usize> {
        let at = self.search(range.first);
        self.holds(at, range).then_some(at)
    }

    /// Is there a region at a place in which all of the range is memory?
    #[inline(always)]
    fn holds(&self, at: usize, range: PageRange) -> bool {
        self.list.get(at).is_some_and(|it| {
            it.first <= range.first && end(range) <= it.end() && it.kind == Kind::Memory
        })
    }

    /// The regions that have pages in the range, one after the other.
    pub(crate) fn each_in(&self, range: PageRange) -> impl Iterator<Item = &Region> {
        let from = self.list.get(self.place_of(range.first)..).unwrap_or(&[]);
        from.iter().take_while(move |it| it.first < end(range))
    }

    /// The regions that have pages in the range.
    pub(crate) fn in_range(&self, range: PageRange) -> &[Region] {
        let (from, to) = self.span(range);
        self.list.get(from..to).unwrap_or(&[])
    }

    /// The place of the first region that has pages in the range, and that of the first one behind it.
    fn span(&self, range: PageRange) -> (usize, usize) {
        let from = self.place_of(range.first);
        let mut to = from;
        while self.list.get(to).is_some_and(|region| region.first < end(range)) {
            to += 1;
        }
        (from, to)
    }

    /// Where so many pages are free: the lowest place, and that of a new region there in the list.
    pub(crate) fn free_place(&self, pages: u32) -> Option<(u64, usize)> {
        let pages = u64::from(pages);
        let (mut ends, mut at) = (MAP_AREA.first + pages, 0);
        for region in &self.list {
            if region.first >= ends {
                break;
            }
            (ends, at) = (region.end() + pages, at + 1);
        }
        (ends <= end(MAP_AREA)).then(|| (ends - pages, at))
    }

    /// The same for a place that begins where a block of so many pages does, a power of two.
    #[inline(never)]
    pub(crate) fn free_block(&self, pages: u32, block: u64) -> Option<(u64, usize)> {
        let (mut from, mut place) = (MAP_AREA.first, 0);
        for (at, region) in self.list.iter().enumerate() {
            if region.first >= from + u64::from(pages) {
                break;
            }
            (from, place) = ((region.end() + block - 1) & !(block - 1), at + 1);
        }
        (end(MAP_AREA) >= from + u64::from(pages)).then_some((from, place))
    }

    /// The place in the list of a new region with this range, if nothing is there.
    #[inline(always)]
    pub(crate) fn place_if_free(&self, range: PageRange) -> Option<usize> {
        let at = self.place_of(range.first);
        self.list.get(at).is_none_or(|it| it.first >= end(range)).then_some(at)
    }

    /// The pages around a range, its own included, where no other memory lies. At the place given is the first region that
    /// ends behind the range's first page.
    #[inline(always)]
    fn unused_around_at(&self, at: usize, range: PageRange) -> PageRange {
        let below = self.list[..(at + 1).min(self.list.len())].iter().rev();
        let before = below.filter_map(Region::occupied).find(|&(first, _)| first < range.first);
        let above = self.list[at.min(self.list.len())..].iter();
        let after = above.filter_map(Region::occupied).find(|&(_, last)| last > end(range));
        let first = before.map_or(MAP_AREA.first, |(_, last)| last);
        let last = after.map_or(end(MAP_AREA), |(first, _)| first.max(end(range)));
        // Within the area, which has fewer than 2^32 pages.
        PageRange { first, pages: (last - first) as u32 }
    }

    /// Frames that a free range would take if memory were there: for pages and for page tables.
    #[inline(always)]
    fn frames_at(&self, at: usize, range: PageRange) -> u32 {
        range.pages.saturating_add(tables(range, self.unused_around_at(at, range)))
    }

    /// What a new region at a place in the list takes in frames, if there may be as many regions as there are with it then.
    #[inline(always)]
    pub(crate) fn room_for(&self, at: usize, new: &Region, most_regions: usize) -> Option<u32> {
        // More than there are already is no hindrance if it joins another.
        if self.list.len() >= most_regions
            && self.count_with(at, new) > most_regions.max(self.list.len())
        {
            return None;
        }
        Some(if new.kind == Kind::Guard { 0 } else { self.frames_at(at, new.range()) })
    }

    /// How many regions there would be with a new one at a place.
    #[inline(never)]
    fn count_with(&self, at: usize, new: &Region) -> usize {
        let before = at.checked_sub(1).and_then(|at| self.list.get(at));
        let joins = usize::from(before.is_some_and(|it| it.can_join(new)))
            + usize::from(self.list.get(at).is_some_and(|it| new.can_join(it)));
        self.list.len() + 1 - joins
    }

    /// Is a range of the region at a place neither at its beginning nor at its end, so that two regions are left without it?
    #[cold]
    pub(crate) fn is_within(&self, at: usize, range: PageRange) -> bool {
        self.list.get(at).is_some_and(|it| it.first < range.first && end(range) < it.end())
    }

    /// How many regions there are at most if the range, with these regions in it, is treated differently from what
    /// is beside it.
    pub(crate) fn count_if_cut(&self, range: PageRange, regions: &[Region]) -> usize {
        let [below, above] = cuts(regions, range);
        self.list.len() + usize::from(below) + usize::from(above)
    }

    /// How many regions there are, and how many of them will stay if the range, with these regions in it, goes. A part that is
    /// leaving is one more region for a while.
    pub(crate) fn counts_if_unmapped(&self, range: PageRange, regions: &[Region]) -> Unmapped {
        let [below, above] = cuts(regions, range);
        let more = usize::from(below) + usize::from(above);
        let steady = |regions: &[Region]| regions.iter().filter(|it| !it.is_leaving()).count();
        let before = steady(&self.list);
        let after = before - steady(regions) + more;
        Unmapped { all: self.list.len() + more, grows: after > before, after }
    }
}

#[cfg(test)]
mod tests;
