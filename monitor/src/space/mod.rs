//! Address spaces: what a process has mapped, and how that changes.
//!
//! A request to map, protect, unmap or share changes the list of regions at once, or is refused with nothing
//! changed. What remains to be done is a *job*: first its pages are changed, in slices of [`MAX_PAGES`],
//! one job of a process after the other; then, if rights were taken away, every core that may have a
//! translation says that it has flushed; then frames come back; and at last the caller is answered.
//!
//! All frames that a process may come to use are reserved when it maps, those for page tables included,
//! and given back when they have been released. So a page fault, and whoever applies the outputs, never
//! runs out of memory. What several processes share is reserved for each of them: it is freed safely in
//! whatever order they let go of it.

mod answers;
mod at_once;
mod audit;
mod end;
mod fault;
mod gathered;
mod reach;
mod regions;
mod requests;
mod round;
mod route;
mod share;
mod standing;
mod told;
mod work;

pub use fault::Mended;
pub use regions::{Kind, MAX_REGIONS};
pub(crate) use round::Shootdown;
pub use route::{Clusters, Edge};

use crate::room;
use alloc::vec::Vec;
use proto::memory::Rights;
use proto::message::PageRange;
use regions::Regions;
use told::Round;
use work::Job;

/// Pages that one output is about, at most.
pub const MAX_PAGES: u32 = proto::memory::FEW;

/// Cores whose answers to a shootdown one input brings, at most.
pub const MOST_FLUSHED: u32 = 32;

/// Requests about memory of one process that are not answered; more are refused.
pub(crate) const MAX_JOBS: usize = 8;

/// A process's address space.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Space {
    regions: Regions,
    /// What remains to be done, in the order in which it was asked for. Has room from the start.
    jobs: Vec<Job>,
    round: Round,
    /// Frames that the space came with, outside of where programs may map.
    pub(crate) image: u32,
    /// Frames that are reserved for what is mapped, and for what is not released yet.
    mapped: u32,
}

impl Space {
    /// An empty one, if there is memory for it.
    pub(crate) fn new() -> Option<Self> {
        let (regions, jobs) = (Regions::new()?, room::list(MAX_JOBS)?);
        Some(Self { regions, jobs, round: Round::NONE, image: 0, mapped: 0 })
    }

    /// Calls that are not answered.
    pub(crate) fn waiting_calls(&self) -> usize {
        self.jobs.len()
    }

    /// How many frames are reserved.
    pub(crate) fn frames(&self) -> u32 {
        self.image + self.mapped
    }

    /// The regions as others see them.
    pub(crate) fn views(&self) -> impl Iterator<Item = RegionView> + '_ {
        self.regions.each().map(|it| RegionView {
            range: it.range(),
            kind: it.kind,
            rights: it.rights,
            shared: it.name != 0 && !it.is_leaving(),
            spacing: it.spacing,
        })
    }
}

/// A region of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegionView {
    /// Where it is.
    pub range: PageRange,
    /// What it is.
    pub kind: Kind,
    /// What the process may do with it.
    pub rights: Rights,
    /// Other processes may have it too.
    pub shared: bool,
    /// Which pages of it are guards: see [`proto::memory::SPACING`].
    pub spacing: u8,
}
