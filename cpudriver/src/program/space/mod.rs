//! The memory of processes: free frames, page tables, the pages that the kernel shares with programs.
//!
//! [`Spaces`] belongs to core 0. It knows the machine through [`Memory`] alone, so all of it runs in host
//! tests. A space is named by its root, the physical address of its top page table; a root that is none
//! (any more) is refused, or the call does nothing.
//!
//! The kernel's half of all spaces is the same. Of the other half the first entry of the top table leads to what
//! came with the program, the second to [`MAP_AREA`](proto::memory::MAP_AREA); the others are not present, and some
//! hold what the kernel notes about the space (`note`). What the kernel shares with the program lies in
//! one page table ([`layout::RESERVED`](proto::program::layout::RESERVED)), which a note leads to.

mod copy;
mod destroy;
mod entry;
mod fields;
mod frame;
mod huge;
mod load;
mod memory;
mod pages;
mod quarantine;
mod queue;
mod tables;

pub use copy::Fault;
pub use fields::{
    Global, Identity, PRIVATE, PUBLIC, Ring, TRACED, saved_frame, vcore_frame, wishes_frame,
};
pub use frame::{Frame, NoFrames};
pub use load::{File, LoadError, Loaded, Place};
pub use memory::Memory;

use crate::machine::memory::Ranges;
use entry::Format;
use frame::Pool;
use proto::memory::Rights;
use quarantine::Nodes;

/// Notes in a top page table: the entry's number, and what it holds. Bit 0 is clear in all of them.
mod note {
    /// Address of the page table with what the kernel shares with the program.
    pub(super) const RESERVED: usize = 2;
    /// Twice the number of vcores that have a page if the process is a many-core one, else 0.
    pub(super) const VCORES: usize = 3;
    /// From here on the space's batches of unmapped frames, two entries each.
    pub(super) const BATCHES: usize = 16;
}

/// All address spaces of processes, and the frames that there are for them.
pub struct Spaces<M> {
    memory: M,
    pool: Pool,
    nodes: Nodes,
    format: Format,
    /// Blocks that are mapped by one entry.
    huge: u32,
    /// Faults on pages that were there already.
    looks: u64,
    /// The page about the machine.
    global: Frame,
}

/// Words that [`Spaces::new`] needs to keep account of this memory.
#[must_use]
pub fn words(free: &Ranges) -> usize {
    frame::frames(free) * WORDS
}

/// Words for each frame: one of its own, and two for an owner of a shared frame.
const WORDS: usize = 3;

impl<M: Memory> Spaces<M> {
    /// No spaces yet, and the frames of `free`; `None` if there is not a single one. `words` are zero, and so
    /// many as [`words`] says.
    pub fn new(
        memory: M,
        free: &Ranges,
        words: &'static mut [u32],
        has_no_execute: bool,
    ) -> Option<Self> {
        let mut memory = memory;
        let (words, nodes) = words.split_at_mut(words.len() / WORDS);
        let mut pool = Pool::new(free, words);
        let nodes = Nodes::new(nodes.as_chunks_mut().0);
        let global = pool.take()?;
        memory.clear(global, 0, memory::PAGE);
        let format = Format::new(has_no_execute);
        Some(Self { memory, pool, nodes, format, huge: 0, looks: 0, global })
    }

    /// Frames that are free.
    #[must_use]
    pub fn free_frames(&self) -> u32 {
        self.pool.free()
    }

    /// Faults that were [mended](Self::mend) of pages that were there already: another vcore was first, or the core had a
    /// translation from before rights were added.
    #[must_use]
    pub const fn looks(&self) -> u64 {
        self.looks
    }

    /// Frames that there are, free or not.
    #[must_use]
    pub fn total_frames(&self) -> u32 {
        self.pool.total()
    }

    /// A frame of zeros.
    fn zeroed(&mut self) -> Result<Frame, NoFrames> {
        if let Some(frame) = self.pool.take_clean() {
            return Ok(frame);
        }
        let frame = self.pool.take().ok_or(NoFrames)?;
        self.memory.clear(frame, 0, memory::PAGE);
        Ok(frame)
    }

    /// Maps a new frame of zeros, owned by the space.
    fn map_zeroed(&mut self, root: Frame, page: u64, rights: Rights) -> Result<Frame, NoFrames> {
        let frame = self.zeroed()?;
        let entry = self.format.page(frame, rights);
        self.map(root, page, entry).inspect_err(|NoFrames| self.pool.give_clean(frame))?;
        Ok(frame)
    }
}

#[cfg(test)]
mod tests;
