//! Facts about the list of regions, and random lists against a map of single pages.

use super::{Kind, Region, Regions, end, is_mappable, tables, tables_of_many};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use proptest::prelude::*;
use proto::memory::{MAP_AREA, Rights};
use proto::message::PageRange;

const FIRST: u64 = MAP_AREA.first;

fn range(first: u64, pages: u32) -> PageRange {
    PageRange { first: FIRST + first, pages }
}

fn memory(first: u64, pages: u32, rights: Rights) -> Region {
    Region {
        first: FIRST + first,
        pages,
        cleared: 0,
        kind: Kind::Memory,
        rights,
        most: Rights(7),
        name: 0,
        spacing: 0,
    }
}

fn places(regions: &Regions) -> Vec<(u64, u32)> {
    regions.all().iter().map(|it| (it.first - FIRST, it.pages)).collect()
}

fn insert(regions: &mut Regions, new: Region) {
    regions.insert_at(regions.place_of(new.first), new);
}

fn count_with(regions: &Regions, new: &Region) -> usize {
    regions.count_with(regions.place_of(new.first), new)
}

#[test]
fn regions_that_are_alike_are_joined_and_others_are_not() {
    let mut regions = Regions::new().unwrap();
    for region in [memory(0, 2, Rights::READ), memory(4, 2, Rights::READ)] {
        insert(&mut regions, region);
    }
    assert_eq!(count_with(&regions, &memory(2, 2, Rights::READ)), 1);
    assert_eq!(count_with(&regions, &memory(2, 2, Rights::READ_WRITE)), 3);
    insert(&mut regions, memory(2, 2, Rights::READ));
    assert_eq!(places(&regions), [(0, 6)]);
    let name = |name| Region { name, ..memory(6, 1, Rights::READ) };
    assert_eq!(count_with(&regions, &name(3)), 2, "memory that others have stays apart");
}

#[test]
fn a_change_cuts_regions_and_joins_what_is_alike_again() {
    let mut regions = Regions::new().unwrap();
    insert(&mut regions, memory(0, 10, Rights::READ));
    assert_eq!(regions.count_if_cut(range(3, 4), regions.in_range(range(3, 4))), 3);
    let set = |rights| move |region| Some(Region { rights, ..region });
    regions.change(range(3, 4), set(Rights::READ_WRITE));
    assert_eq!(places(&regions), [(0, 3), (3, 4), (7, 3)]);
    regions.change(range(2, 6), |_| None);
    assert_eq!(places(&regions), [(0, 2), (8, 2)]);
    insert(&mut regions, memory(2, 6, Rights::READ_WRITE));
    regions.change(range(0, 10), set(Rights::READ));
    assert_eq!(places(&regions), [(0, 10)]);
}

#[test]
fn two_regions_are_left_of_one_without_pages_in_its_middle_only() {
    let mut regions = Regions::new().unwrap();
    insert(&mut regions, memory(10, 8, Rights::READ));
    let is_within = |first, pages| regions.is_within(0, range(first, pages));
    assert!(is_within(12, 2) && is_within(11, 6));
    assert!(!is_within(10, 8) && !is_within(10, 2) && !is_within(16, 2));
}

/// Where so many pages are free.
fn place(regions: &Regions, pages: u32) -> Option<u64> {
    let (first, at) = regions.free_place(pages)?;
    assert_eq!(at, regions.place_of(first));
    Some(first)
}

#[test]
fn the_lowest_place_that_is_large_enough_is_taken() {
    let mut regions = Regions::new().unwrap();
    assert_eq!(place(&regions, MAP_AREA.pages), Some(FIRST));
    insert(&mut regions, memory(2, 2, Rights::READ));
    insert(&mut regions, memory(7, 2, Rights::READ));
    assert_eq!(place(&regions, 2), Some(FIRST));
    assert_eq!(place(&regions, 3), Some(FIRST + 4));
    assert_eq!(place(&regions, 4), Some(FIRST + 9));
    assert_eq!(place(&regions, MAP_AREA.pages - 8), None);
    assert_eq!(regions.free_block(3, 8).map(|it| it.0), Some(FIRST + 16));
    assert_eq!(regions.free_block(2, 8).map(|it| it.0), Some(FIRST));
}

#[test]
fn only_pages_of_the_area_can_be_mapped() {
    assert!(is_mappable(MAP_AREA) && is_mappable(range(0, 1)));
    assert!(!is_mappable(range(0, 0)) && !is_mappable(range(1, MAP_AREA.pages)));
    for first in [0, FIRST - 1, end(MAP_AREA), u64::MAX] {
        assert!(!is_mappable(PageRange { first, pages: 1 }), "{first:#x}");
    }
}

#[test]
fn page_tables_are_needed_where_nothing_else_needs_them() {
    assert_eq!(tables(range(5, 1), MAP_AREA), 3);
    assert_eq!(tables(range(511, 2), MAP_AREA), 4);
    assert_eq!(tables(range((1 << 18) - 1, 2), MAP_AREA), 5);
    assert_eq!(tables(MAP_AREA, MAP_AREA), (1 << 18) + (1 << 9) + 1);
    assert_eq!(tables(range(5, 1), range(5, 1)), 0);
    assert_eq!(tables(range(512, 512), range(512, 512)), 1);
    assert_eq!(tables(range(500, 600), range(500, 600)), 1);
}

#[test]
fn guards_among_memory_stay_guards_however_it_is_cut() {
    let stacks = |first, pages| Region { spacing: 3, ..memory(first, pages, Rights::READ_WRITE) };
    let mut regions = Regions::new().unwrap();
    insert(&mut regions, stacks(0, 16));
    insert(&mut regions, stacks(16, 12));
    assert_eq!(places(&regions), [(0, 28)], "stacks side by side are one region");
    assert_eq!(count_with(&regions, &memory(28, 4, Rights::READ_WRITE)), 2, "and others are not");
    regions.change(range(5, 9), |it| Some(Region { rights: Rights::READ, ..it }));
    regions.change(range(15, 3), |_| None);
    assert_eq!(places(&regions), [(0, 5), (5, 9), (14, 1), (18, 10)]);
    let has_memory = |page: &u64| {
        let page = FIRST + page;
        regions.find(page).is_some_and(|it| it.has_memory(page))
    };
    let without: Vec<u64> = (0..28).filter(|page| !has_memory(page)).collect();
    assert_eq!(without, [0, 8, 15, 16, 17, 24]);
}

#[test]
fn the_stack_above_a_guard_ends_where_the_next_guard_or_the_region_does() {
    let mut regions = Regions::new().unwrap();
    insert(&mut regions, Region { spacing: 3, ..memory(4, 15, Rights::READ_WRITE) });
    insert(&mut regions, Region { spacing: 3, ..memory(24, 1, Rights::READ_WRITE) });
    insert(&mut regions, memory(32, 9, Rights::READ_WRITE));
    let above = |page: u64| regions.find(FIRST + page).unwrap().pages_above_guard(FIRST + page);
    assert_eq!([above(8), above(16)], [7, 2]);
    for page in [4, 7, 9, 18, 24, 32, 40] {
        assert_eq!(above(page), 0, "page {page}");
    }
}

/// What one page is.
#[derive(Clone, Copy, PartialEq)]
enum Page {
    /// With such rights, or a guard among such.
    Used(u8, bool),
    Leaving,
    Guard,
}

/// The frames of a map of single pages: for them and for their tables.
fn frames(pages: &BTreeMap<u64, Page>) -> u32 {
    let used = |(page, it): (&u64, &Page)| matches!(it, Page::Used(..)).then_some(*page);
    let used: Vec<u64> = pages.iter().filter_map(used).collect();
    let tables = [9, 18, 27].map(|reach| {
        let blocks: BTreeSet<u64> = used.iter().map(|page| page >> reach).collect();
        blocks.len()
    });
    (used.len() + tables.iter().sum::<usize>()) as u32
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn regions_and_their_frames_are_those_of_their_pages(
        deeds in prop::collection::vec((0u8..6, 0u64..90, 1u32..20, 0u8..3, 0u8..4), 1..40)
    ) {
        // Around the ends of tables of two levels.
        let base = (1 << 18) - 40;
        let mut regions = Regions::new().unwrap();
        insert(&mut regions, Region { kind: Kind::Guard, ..memory(0, base as u32, Rights(4)) });
        let mut pages = BTreeMap::new();
        let mut reserved = 0;
        for (deed, first, count, rights, spacing) in deeds {
            let all = range(base + first, count);
            let numbers = all.first..end(all);
            let region = memory(base + first, count, Rights(rights));
            let free = numbers.clone().all(|page| !pages.contains_key(&page));
            prop_assert_eq!(regions.in_range(all).is_empty(), free);
            match deed {
                0 if free => {
                    reserved += regions.room_for(regions.place_of(region.first), &region, usize::MAX).unwrap();
                    insert(&mut regions, Region { spacing, ..region });
                    let guard = |page: u64| spacing > 0 && page.is_multiple_of(1 << spacing);
                    pages.extend(numbers.map(|page| (page, Page::Used(rights, guard(page)))));
                }
                1 if free => {
                    insert(&mut regions, Region { kind: Kind::Guard, ..region });
                    pages.extend(numbers.map(|page| (page, Page::Guard)));
                }
                2 => {
                    regions.change(all, |it| match it.kind {
                        Kind::Memory => Some(Region { rights: Rights(rights), ..it }),
                        _ => Some(it),
                    });
                    for page in numbers {
                        pages.entry(page).and_modify(|it| if let Page::Used(it, _) = it { *it = rights });
                    }
                }
                3 => {
                    reserved -= take_out(&mut regions, all);
                    for page in numbers {
                        pages.entry(page).and_modify(|it| if matches!(it, Page::Used(..)) { *it = Page::Leaving });
                    }
                }
                4 => {
                    regions.remove_left(range(base, 120), 7);
                    pages.retain(|_, it| *it != Page::Leaving);
                }
                5 => {
                    regions.change(all, |it| (it.kind != Kind::Guard).then_some(it));
                    pages.retain(|page, it| *it != Page::Guard || !numbers.contains(page));
                }
                _ => {}
            }
            for page in base..base + 120 {
                let page = FIRST + page;
                let found = regions.find(page).map(|it| match it.kind {
                    Kind::Memory | Kind::Incoming => Page::Used(it.rights.0, !it.has_memory(page)),
                    Kind::Leaving => Page::Leaving,
                    Kind::Guard => Page::Guard,
                });
                prop_assert!(found == pages.get(&page).copied());
            }
            prop_assert_eq!(reserved, frames(&pages));
            let is_free = |first: &u64| (*first..first + u64::from(count)).all(|page| !pages.contains_key(&page));
            let lowest = (FIRST + base..).find(is_free).unwrap();
            prop_assert_eq!(place(&regions, count), Some(lowest));
        }
        regions.remove_left(range(base, 120), 7);
        pages.retain(|_, it| *it != Page::Leaving);
        prop_assert_eq!(regions.all().iter().map(|it| it.pages as usize).sum::<usize>(), base as usize + pages.len());
    }
}

/// Takes the memory of a range out, page by page; says how many frames come back.
fn take_out(regions: &mut Regions, all: PageRange) -> u32 {
    regions.change(all, |it| match it.kind {
        Kind::Memory => Some(Region { kind: Kind::Leaving, name: 7, ..it }),
        _ => Some(it),
    });
    let mut frames = 0;
    for first in all.first..end(all) {
        let page = PageRange { first, pages: 1 };
        let occupied = regions.find(first).filter(|it| it.is_leaving()).and_then(Region::occupied);
        if occupied.is_some_and(|(from, _)| from == first) {
            let tables = tables(page, regions.unused_around_at(regions.place_of(first), page));
            assert_eq!(regions.clear(page).1, tables, "however it was found out");
            frames += 1 + tables;
        }
    }
    frames
}

/// Regions that do not all have the same rights, with and without room between them, around the ends of tables of two levels.
fn some_regions() -> impl Strategy<Value = Regions> {
    prop::collection::vec((0u64..6, 1u32..30, 1u8..4), 1..8).prop_map(|some| {
        let mut regions = Regions::new().unwrap();
        let mut first = (1 << 18) - 60;
        for (room, pages, rights) in some {
            insert(&mut regions, memory(first + room, pages, Rights(rights)));
            first += room + u64::from(pages);
        }
        regions
    })
}

/// A part of one of the regions, or all of it.
fn part_of(regions: &Regions, (which, from, to): (usize, u32, u32)) -> PageRange {
    let all = regions.all();
    let whole = all[which % all.len()];
    let (from, to) = (from % whole.pages, to % whole.pages);
    let (from, to) = (from.min(to), from.max(to));
    PageRange { first: whole.first + u64::from(from), pages: to - from + 1 }
}

proptest! {
    #[test]
    fn tables_of_a_short_range_are_counted_as_those_of_any(
        first in 0u32..MAP_AREA.pages, pages in 1u32..512, below in 0u32..40, above in 0u32..40,
    ) {
        // Powers of two, so that neighbours share tables of every level or none.
        let (below, above) = ((1u64 << below) - 1, (1u64 << above) - 1);
        let some = range(u64::from(first), pages.min(512 - first % 512));
        let (from, to) = (some.first.saturating_sub(below), end(some) + above);
        let (from, to) = (from.max(FIRST), to.min(end(MAP_AREA)));
        let unused = PageRange { first: from, pages: u32::try_from(to - from).unwrap() };
        prop_assert_eq!(tables(some, unused), tables_of_many(some, unused));
    }

    #[test]
    fn rights_set_at_a_place_are_those_of_a_change(
        regions in some_regions(), part: (usize, u32, u32), rights in 1u8..4,
    ) {
        let (some, rights) = (part_of(&regions, part), Rights(rights));
        let (mut by_change, mut by_place) = (regions.clone(), regions);
        by_change.change(some, |it| Some(Region { rights, ..it }));
        let at = by_place.holder(some).unwrap();
        by_place.set_rights(at, some, rights);
        prop_assert_eq!(by_place, by_change);
    }

    #[test]
    fn pages_taken_out_at_once_leave_what_those_do_that_are_listed_meanwhile(
        regions in some_regions(), part: (usize, u32, u32),
    ) {
        let some = part_of(&regions, part);
        let (mut listed, mut at_once) = (regions.clone(), regions);
        listed.change(some, |it| Some(Region { kind: Kind::Leaving, name: 7, ..it }));
        let at = at_once.holder(some).unwrap();
        let (unused, tables) = at_once.take_out(at, some, 7);
        let all = |regions: &Regions| regions.each().map(|it| it.range()).collect::<Vec<_>>();
        prop_assert_eq!(all(&at_once), all(&listed), "what is gone has its place");
        let (unused_then, tables_then) = listed.clear(some);
        prop_assert_eq!(tables, tables_then);
        // Where no table comes free it may be told short.
        prop_assert!(tables == 0 || unused == unused_then);
        listed.remove_left(some, 7);
        at_once.remove_left(some, 7);
        prop_assert_eq!(at_once, listed);
    }
}
