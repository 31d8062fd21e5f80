//! What programs do with memory in random runs.

use super::action::Op;
use super::memory::PAGE;
use super::seed::Seed;
use super::world::World;
use monitor::{Kind, RegionView};
use proto::id::Pid;
use proto::memory::{FIXED, GUARD, POPULATE, Rights, SHARED, guard_every};

/// Where regions are put by hand: around the bounds of what page tables of each level reach.
const PLACES: [u64; 3] = [PAGE, PAGE + (1 << 9) - 8, PAGE + (1 << 18) - 8];

impl World {
    /// One of the regions that a process has.
    fn any_region(&self, pid: Pid, seed: &mut Seed) -> Option<RegionView> {
        let regions: Vec<RegionView> = self.coordinator.regions(pid).collect();
        seed.one_of(&regions)
    }

    /// A page, mostly one that is mapped.
    fn any_page(&self, pid: Pid, seed: &mut Seed) -> u64 {
        match self.any_region(pid, seed) {
            Some(region) if !seed.once_in(8) => {
                region.range.first + seed.below(region.range.pages.min(20) as usize) as u64
            }
            _ => seed.one_of(&PLACES).unwrap_or(PAGE) + seed.below(16) as u64,
        }
    }

    /// A program uses a page, mostly one that it may.
    pub(crate) fn any_use(&self, pid: Pid, seed: &mut Seed) -> Op {
        let usable = |region: &RegionView| {
            region.kind == Kind::Memory && region.rights.include(Rights::READ)
        };
        match self.any_region(pid, seed) {
            Some(region) if usable(&region) => {
                let page = region.range.first + seed.below(region.range.pages as usize) as u64;
                let writable = region.rights.include(Rights::WRITE);
                if writable && !seed.once_in(3) { Op::Touch(page) } else { Op::Read(page) }
            }
            _ if seed.once_in(30) => Op::Touch(self.any_page(pid, seed)),
            _ => Op::Look,
        }
    }

    /// A request about memory.
    pub(crate) fn any_mapping(&self, pid: Pid, other: Pid, seed: &mut Seed) -> Op {
        let rights = [Rights::NONE, Rights::READ, Rights::READ_WRITE, Rights::READ_WRITE];
        let rights = seed.one_of(&rights).unwrap_or_default();
        let most = if seed.once_in(8) { 150 } else { 12 };
        let pages = seed.below(most) as u32;
        let first = self.any_page(pid, seed);
        match seed.below(12) {
            0..4 => {
                let guards = guard_every(4);
                let flags =
                    [0, POPULATE, SHARED, GUARD, FIXED, FIXED | guards, FIXED | SHARED, guards];
                let flags = seed.one_of(&flags).unwrap_or_default();
                let rights = if flags & GUARD != 0 { Rights::NONE } else { rights };
                Op::Map { first, pages, rights, flags }
            }
            4..7 => Op::Unmap(first, pages),
            7..10 => Op::Protect(first, pages.min(4), rights),
            _ => {
                let shared = |it: &RegionView| it.shared;
                let first = self.coordinator.regions(pid).find(shared);
                Op::Share(other, first.map_or(PAGE, |it| it.range.first))
            }
        }
    }
}
