//! The memory of a process as far as the protocol writes it.

use monitor::ProcessId;
use proto::event::{Event, kind};
use proto::id::{CoreId, VcoreId};
use proto::memory::{MAP_AREA, Rights};
use proto::message::PageRange;
use std::collections::{BTreeMap, BTreeSet};

/// Where a vcore's context is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// Nowhere: it starts anew.
    Fresh,
    /// In its save area.
    Saved,
    /// In a core.
    On(CoreId),
}

/// A vcore's part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VcoreMemory {
    /// There is something to look for.
    pub pending: bool,
    /// Notifications are disabled: the vcore is in vcore context.
    pub in_vcore_context: bool,
    /// Where the context is.
    pub context: Context,
    /// Events that have not been read, and whether one of them was sent to whoever runs rather than to
    /// this vcore by name.
    pub mailbox: Vec<Event>,
    /// The map's entry.
    pub core: Option<CoreId>,
    /// When that core will be taken, as the map says.
    pub deadline: Option<u64>,
}

/// A process's memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    /// Whose it is.
    pub process: ProcessId,
    /// What stands for its top page table.
    pub root: u64,
    /// By vcore.
    pub vcores: Vec<VcoreMemory>,
    /// Many-core?
    pub many: bool,
    /// As a many-core process it has said how many cores it wants.
    pub has_asked: bool,
    /// Every page that has a frame.
    pub pages: BTreeMap<u64, Page>,
    /// The frame of every page table, by reach and place.
    pub tables: BTreeMap<(u32, u64), Frame>,
    /// Blocks whose pages one entry maps, by their number.
    pub huge: BTreeSet<u64>,
    /// Blocks that are being built to be mapped so: with which rights, and how many pages of them have been cleared.
    pub building: BTreeMap<u64, (Rights, u64)>,
    /// Frames that were unmapped under a ticket and have not been released, those together that one entry mapped.
    pub quarantine: BTreeMap<u32, Vec<Vec<Frame>>>,
}

/// An entry of a page table, and a translation made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    /// The frame.
    pub frame: Frame,
    /// What the process may do with it.
    pub rights: Rights,
}

/// The first page that programs may map.
pub const PAGE: u64 = MAP_AREA.first;

/// Frames that an address space comes with.
pub(crate) const FRAMES: u32 = 20;

/// A frame of physical memory.
pub type Frame = u64;

/// Is this page in the range? (0 pages stand for everything.)
pub(crate) fn is_in(range: PageRange, page: u64) -> bool {
    range.pages == 0 || (page >= range.first && page - range.first < u64::from(range.pages))
}

impl Memory {
    /// The memory of a new process.
    #[must_use]
    pub fn new(process: ProcessId, root: u64, vcores: usize) -> Self {
        let vcore = VcoreMemory {
            pending: false,
            in_vcore_context: false,
            context: Context::Fresh,
            mailbox: Vec::new(),
            core: None,
            deadline: None,
        };
        Self {
            process,
            root,
            vcores: vec![vcore; vcores.max(1)],
            many: false,
            has_asked: false,
            pages: BTreeMap::new(),
            tables: BTreeMap::new(),
            huge: BTreeSet::new(),
            building: BTreeMap::new(),
            quarantine: BTreeMap::new(),
        }
    }

    /// May this vcore be started? Vcore 0 makes the pages of the others ready before it asks for cores.
    #[must_use]
    pub fn may_start(&self, vcore: VcoreId) -> bool {
        let fresh =
            self.vcores.get(usize::from(vcore.0)).is_none_or(|it| it.context == Context::Fresh);
        vcore == VcoreId(0) || self.has_asked || !fresh
    }

    /// A vcore reads its mailbox, and those of vcores of which it learns there that they left without
    /// having read theirs.
    pub fn read(&mut self, vcore: VcoreId) {
        let Some(it) = self.vcores.get_mut(usize::from(vcore.0)) else { return };
        it.pending = false;
        for event in std::mem::take(&mut it.mailbox) {
            let left = matches!(
                event.kind,
                kind::VCORE_PREEMPTED | kind::CHECK_MESSAGES | kind::VCORE_LOST
            );
            let other = self.vcores.get(event.value as usize).map(|it| it.context);
            if left && matches!(other, Some(Context::Fresh | Context::Saved)) {
                self.read(VcoreId(event.value as u16));
            }
        }
    }
}
