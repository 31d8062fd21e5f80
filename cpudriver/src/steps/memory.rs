//! Scenes about memory: of a process that has one region, and of one that has as many as it may have.

use super::stage::{Meter, Stage};
use monitor::{MAX_REGIONS, ProcessId};
use proto::memory::{FIXED, MAP_AREA, POPULATE, Rights};
use proto::message::{PageRange, ToMonitor};

/// Pages of each region where there are many, and from one to the next.
const PAGES: u32 = 6;
const STRIDE: u64 = PAGES as u64 + 1;
/// Free pages below the first of them.
const BELOW: u64 = 5;

/// The vector of page faults.
const PAGE_FAULT: u8 = 14;

/// The pages of the region with that number, where there are many.
fn region(at: usize) -> PageRange {
    PageRange { first: MAP_AREA.first + BELOW + at as u64 * STRIDE, pages: PAGES }
}

/// Two pages in the middle of a region.
fn middle(at: usize) -> PageRange {
    PageRange { first: region(at).first + 2, pages: 2 }
}

impl<M: Meter> Stage<'_, M> {
    /// Maps some memory, with frames.
    fn map(&mut self, name: &'static str, process: ProcessId) -> PageRange {
        let (pages, rights) = (4, Rights::READ_WRITE);
        let request = |call| ToMonitor::Map { call, first: 0, pages, rights, flags: POPULATE };
        self.ask(name, process, request);
        self.came_to(0);
        PageRange { first: self.value >> 12, pages }
    }

    pub(super) fn unmap_one(&mut self) {
        let range = self.map("map", self.cast.small);
        let rights = Rights::READ;
        self.ask_for_event("protect", self.cast.small, |call| ToMonitor::Protect {
            call,
            range,
            rights,
        });
        self.settle();
        self.came_to(0);
        self.ask_for_event("unmap", self.cast.small, |call| ToMonitor::Unmap { call, range });
        self.answer("shootdown-done");
        self.came_to(0);
        self.settle();
    }

    pub(super) fn unmap_many(&mut self) {
        let range = self.map("", self.cast.large);
        self.ask("unmap-many", self.cast.large, |call| ToMonitor::Unmap { call, range });
        while !self.is_settled() {
            let name = match (self.is_to_continue(), self.is_last_answer()) {
                (true, _) => "unmap-continued",
                (false, true) => "shootdown-done-last",
                (false, false) => "shootdown-done-of-many",
            };
            self.answer(name);
        }
        self.came_to(0);
    }

    /// The small process maps memory at a place, or where there is some.
    fn map_at(&mut self, name: &'static str, range: PageRange, flags: u8) {
        let PageRange { first, pages } = range;
        let rights = Rights::READ_WRITE;
        let request = |call| ToMonitor::Map { call, first, pages, rights, flags };
        self.ask(name, self.cast.small, request);
        self.finish();
        self.came_to(0);
    }

    fn protect(&mut self, name: &'static str, range: PageRange, rights: Rights) {
        self.ask_for_event(name, self.cast.small, |call| ToMonitor::Protect {
            call,
            range,
            rights,
        });
        self.finish();
        self.came_to(0);
    }

    fn unmap(&mut self, name: &'static str, range: PageRange) {
        self.ask_for_event(name, self.cast.small, |call| ToMonitor::Unmap { call, range });
        self.finish();
        self.came_to(0);
    }

    /// All that is still to come of a request.
    fn finish(&mut self) {
        while !self.is_settled() {
            let goes_on = self.is_to_continue();
            self.answer(if goes_on { "unmap-all-continued" } else { "unmapped-one-of-all" });
        }
    }

    /// The small process has so many regions, with a page between two of them, and was asked about the last.
    fn lay_out(&mut self, count: usize) {
        (0..count).for_each(|at| self.map_at("", region(at), FIXED));
        assert_eq!(self.coordinator.regions(self.cast.small.pid).count(), count);
    }

    /// It has none again.
    fn clear(&mut self) {
        let watched = core::mem::take(&mut self.watched);
        self.unmap("", MAP_AREA);
        self.watched = watched;
    }

    /// The only place that is large enough is behind all.
    pub(super) fn map_behind(&mut self) {
        self.lay_out(MAX_REGIONS - 1);
        self.map_at("map-behind", PageRange { first: 0, pages: PAGES }, POPULATE);
        self.clear();
    }

    /// There is one below all.
    pub(super) fn map_in_front(&mut self) {
        self.lay_out(MAX_REGIONS - 1);
        self.map_at("map-in-front", PageRange { first: 0, pages: 4 }, POPULATE);
        self.clear();
    }

    /// Two regions become one.
    pub(super) fn map_between(&mut self) {
        self.lay_out(MAX_REGIONS);
        let between = PageRange { first: region(1).first - 1, pages: 1 };
        self.map_at("map-between", between, FIXED | POPULATE);
        self.clear();
    }

    /// One region becomes three, and one again.
    pub(super) fn protect_part(&mut self) {
        self.lay_out(MAX_REGIONS - 3);
        self.protect("protect-part", middle(1), Rights::READ);
        self.map_at("", region(MAX_REGIONS - 3), FIXED);
        self.protect("protect-part-back", middle(1), Rights::READ_WRITE);
        self.clear();
    }

    /// One region becomes two.
    pub(super) fn unmap_part(&mut self) {
        self.lay_out(MAX_REGIONS - 1);
        self.unmap("unmap-part", middle(1));
        self.clear();
    }

    /// One of as many as there may be.
    pub(super) fn unmap_one_of_all(&mut self) {
        self.lay_out(MAX_REGIONS);
        self.unmap("unmap-one-of-all", region(1));
        self.clear();
    }

    /// All of them, with one request.
    pub(super) fn unmap_all_at_once(&mut self) {
        self.lay_out(MAX_REGIONS);
        self.unmap("unmap-all", MAP_AREA);
    }

    /// A page is missed that is in one of the first.
    pub(super) fn miss(&mut self) {
        self.lay_out(MAX_REGIONS);
        let core = self.core_of_small();
        let lease = self.lease(core);
        let (address, vector, code) = (region(1).first << 12, PAGE_FAULT, 0b110);
        self.say("fault", core, ToMonitor::Fault { lease, address, vector, code, at: 0 });
        self.clear();
    }

    /// A page is missed that is in none, behind all, and the program wants to hear of it.
    pub(super) fn reflect(&mut self) {
        self.lay_out(MAX_REGIONS);
        let core = self.core_of_small();
        let lease = self.lease(core);
        let (address, vector, code) = (region(MAX_REGIONS).first << 12, PAGE_FAULT, 0b110);
        self.say("reflect", core, ToMonitor::Reflect { lease, address, vector, code, at: 0 });
        self.clear();
    }
}
