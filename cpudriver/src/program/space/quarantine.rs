//! Frames that are no longer mapped but that cores may still use through old translations.
//!
//! They wait in batches, each named by a ticket; a space keeps its batches among the notes of its top table.
//! A batch is a list. A frame with one owner is linked by its own word, which it needs for nothing else. One that
//! several spaces have had may wait in the batches of some and be mapped by others, and its word counts its
//! owners; a node stands for it in each list. There are nodes for as many owners of shared frames as there
//! may be, so that nothing can go wrong when memory is taken away.

use super::frame::{END, Frame, NoFrames, Pool};
use super::memory::Memory;
use super::{Spaces, entry, note};

/// Batches that a space may have at a time.
const BATCHES: usize = 16;

/// In a link: it is to a node, not to a frame.
const NODE: u32 = 1 << 31;
/// In a link: it is to a page table, which is all zero.
const TABLE: u32 = 1 << 30;
/// In a link: it is to a run, by its first frame.
const RUN: u32 = NODE | TABLE;
const INDEX: u32 = TABLE - 1;

/// Stands for one owner of a shared frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Node {
    frame: u32,
    next: u32,
}

/// The nodes.
pub(super) struct Nodes {
    all: &'static mut [[u32; 2]],
    /// Nodes that have been in use before.
    free: u32,
    /// How many have ever been in use.
    used: u32,
    /// Owners of shared frames: pages that map them, and nodes that wait.
    owners: u32,
}

impl Nodes {
    pub(super) fn new(all: &'static mut [[u32; 2]]) -> Self {
        Self { all, free: END, used: 0, owners: 0 }
    }

    /// Reckons with `more` owners.
    pub(super) fn reserve(&mut self, more: u32) -> Result<(), NoFrames> {
        let owners = self.owners + more;
        if owners as usize > self.all.len() {
            return Err(NoFrames);
        }
        self.owners = owners;
        Ok(())
    }

    /// An owner has given up its frame.
    pub(super) fn forget(&mut self) {
        self.owners -= 1;
    }

    fn take(&mut self, node: Node) -> u32 {
        let index = self.free;
        let index = if index == END {
            self.used += 1;
            self.used - 1
        } else {
            self.free = self.all[index as usize][1];
            index
        };
        self.all[index as usize] = [node.frame, node.next];
        index
    }

    fn give(&mut self, index: u32) -> Node {
        let [frame, next] = core::mem::replace(&mut self.all[index as usize], [0, self.free]);
        self.free = index;
        Node { frame, next }
    }
}

/// The notes of a batch, two words: twice its ticket; twice its first link plus 2. Batches lie side by side; where
/// the second word is 0 there is none.
#[derive(Clone, Copy)]
pub(super) struct Batch {
    root: Frame,
    word: usize,
}

impl Batch {
    /// The space's batch at that position.
    fn at(root: Frame, position: usize) -> Self {
        Self { root, word: note::BATCHES + position * 2 }
    }

    /// The one behind it, which may not be in use.
    fn next(self) -> Option<Self> {
        let word = self.word + 2;
        (word < note::BATCHES + BATCHES * 2).then_some(Self { word, ..self })
    }

    fn ticket(self, memory: &impl Memory) -> u32 {
        (memory.load_u64(self.root, self.word * 8) >> 1) as u32
    }

    fn set_ticket(self, memory: &mut impl Memory, ticket: u32) {
        memory.store_u64(self.root, self.word * 8, u64::from(ticket) << 1);
    }

    /// The first link; `None` if there is no such batch, or nothing is in it yet.
    fn first(self, memory: &impl Memory) -> Option<u32> {
        let word = memory.load_u64(self.root, (self.word + 1) * 8);
        (word >> 1).checked_sub(1).map(|link| link as u32)
    }

    fn set_first(self, memory: &mut impl Memory, link: Option<u32>) {
        let word = link.map_or(0, |link| (u64::from(link) + 1) << 1);
        memory.store_u64(self.root, (self.word + 1) * 8, word);
    }
}

impl<M: Memory> Spaces<M> {
    /// The batches of a space.
    fn batches(&self, root: Frame) -> impl Iterator<Item = Batch> {
        let all = (0..BATCHES).map(move |position| Batch::at(root, position));
        all.take_while(|batch| batch.first(&self.memory).is_some())
    }

    #[inline(always)]
    fn find_batch(&self, root: Frame, ticket: u32) -> Option<Batch> {
        // Mostly there is but one.
        let first = Batch::at(root, 0);
        first.first(&self.memory)?;
        if first.ticket(&self.memory) == ticket {
            return Some(first);
        }
        self.batches(root).find(|batch| batch.ticket(&self.memory) == ticket)
    }

    /// The batch of a ticket, which may be new.
    ///
    /// # Panics
    ///
    /// When the space has too many batches: the coordinator has eight of a process at most.
    #[inline(always)]
    pub(super) fn batch(&mut self, root: Frame, ticket: u32) -> Batch {
        if let Some(batch) = self.find_batch(root, ticket) {
            return batch;
        }
        let count = self.batches(root).count();
        assert!(count < BATCHES, "a space has few batches of unmapped pages at a time");
        let new = Batch::at(root, count);
        new.set_ticket(&mut self.memory, ticket);
        new
    }

    /// Takes a batch that has become empty out: the last one takes its place.
    fn remove_batch(&mut self, batch: Batch) {
        let (mut last, mut next) = (batch, batch.next());
        while let Some(it) = next.filter(|it| it.first(&self.memory).is_some()) {
            (last, next) = (it, it.next());
        }
        let (ticket, first) = (last.ticket(&self.memory), last.first(&self.memory));
        batch.set_ticket(&mut self.memory, ticket);
        batch.set_first(&mut self.memory, first);
        last.set_ticket(&mut self.memory, 0);
        last.set_first(&mut self.memory, None);
    }

    /// Puts the frame of a page into a batch, by the page's entry.
    pub(super) fn put_page(&mut self, batch: Batch, page: u64) {
        let frame = entry::frame(page);
        if page & entry::FOREIGN != 0 {
            return;
        }
        if page & entry::SHARED == 0 {
            return self.put(batch, frame, 0);
        }
        let next = batch.first(&self.memory).unwrap_or(END);
        let node = self.nodes.take(Node { frame: self.pool.index(frame), next });
        batch.set_first(&mut self.memory, Some(node | NODE));
    }

    /// Puts a run into a batch.
    pub(super) fn put_run(&mut self, batch: Batch, run: Frame) {
        self.put(batch, run, RUN);
    }

    /// Puts a page table that is all zero into a batch.
    pub(super) fn put_table(&mut self, batch: Batch, table: Frame) {
        self.put(batch, table, TABLE);
    }

    fn put(&mut self, batch: Batch, frame: Frame, kind: u32) {
        *self.pool.word(frame) = batch.first(&self.memory).unwrap_or(END);
        batch.set_first(&mut self.memory, Some(self.pool.index(frame) | kind));
    }

    /// Puts a frame that is the space's alone into the batch of a ticket.
    #[inline(always)]
    pub(super) fn put_own(&mut self, root: Frame, ticket: u32, frame: Frame) {
        let first = Batch::at(root, 0);
        if first.first(&self.memory).is_some() {
            let batch = self.batch(root, ticket);
            return self.put(batch, frame, 0);
        }
        // Mostly it is the first in the only one.
        *self.pool.word(frame) = END;
        first.set_ticket(&mut self.memory, ticket);
        first.set_first(&mut self.memory, Some(self.pool.index(frame)));
    }

    /// Gives up to `most` frames of a batch back, of those whose last owner the space was; of a run all or none.
    #[inline(always)]
    pub fn release(&mut self, root: u64, ticket: u32, most: u32) {
        let Some(root) = self.pool.root(root) else { return };
        if most == 0 || !self.release_only(root, ticket) {
            self.release_some(root, ticket, most);
        }
    }

    /// Gives the batch of a ticket back if it is the only one and has but one frame, which is the space's alone, as it mostly
    /// is; says whether.
    #[inline(always)]
    fn release_only(&mut self, root: Frame, ticket: u32) -> bool {
        let batch = Batch::at(root, 0);
        let link = batch.first(&self.memory).filter(|link| link & RUN == 0);
        let Some(frame) = link.map(|link| self.pool.frame(link)) else { return false };
        let is_only = batch.ticket(&self.memory) == ticket
            && *self.pool.word(frame) == END
            && batch.next().is_none_or(|next| next.first(&self.memory).is_none());
        if is_only {
            batch.set_ticket(&mut self.memory, 0);
            batch.set_first(&mut self.memory, None);
            self.pool.give(frame);
        }
        is_only
    }

    #[inline(never)]
    fn release_some(&mut self, root: Frame, ticket: u32, most: u32) {
        if let Some(batch) = self.find_batch(root, ticket) {
            self.give_batch(batch, most);
        }
    }

    /// Gives all frames of all batches of a space back.
    pub(super) fn release_all(&mut self, root: Frame) {
        loop {
            let Some(batch) = self.batches(root).next() else { return };
            self.give_batch(batch, u32::MAX);
        }
    }

    fn give_batch(&mut self, batch: Batch, most: u32) {
        let Some(mut link) = batch.first(&self.memory) else { return };
        for _ in 0..most {
            if link == END {
                break;
            }
            link = self.give_link(link);
        }
        if link == END {
            self.remove_batch(batch);
        } else {
            batch.set_first(&mut self.memory, Some(link));
        }
    }

    /// Gives back what a link leads to, and returns the next link.
    fn give_link(&mut self, link: u32) -> u32 {
        let index = link & INDEX;
        if link & RUN == NODE {
            let Node { frame, next } = self.nodes.give(index);
            self.give_shared(self.pool.frame(frame));
            return next;
        }
        let frame = self.pool.frame(index);
        let next = *self.pool.word(frame);
        match link & RUN {
            0 => self.pool.give(frame),
            TABLE => self.pool.give_clean(frame),
            _ => self.pool.give_run(frame),
        }
        next
    }

    /// Takes one owner from a shared frame, and gives it back if that was the last.
    pub(super) fn give_shared(&mut self, frame: Frame) {
        self.nodes.forget();
        let owners = self.pool.word(frame);
        *owners -= 1;
        if *owners == 0 {
            self.pool.give(frame);
        }
    }
}

/// The greatest link is not the end of a list.
const _: () = assert!(Pool::MOST < INDEX as u64);

#[cfg(test)]
impl<M: Memory> Spaces<M> {
    /// Calls `see` with each frame that waits in a batch of the space, the first of a run, and whether it is shared
    /// and one of a run.
    pub(super) fn waiting(&self, root: Frame, mut see: impl FnMut(Frame, bool, bool)) {
        for batch in self.batches(root) {
            let mut link = batch.first(&self.memory).unwrap_or(END);
            while link != END {
                let index = link & INDEX;
                let (frame, next) = if link & RUN != NODE {
                    (index, self.pool.words()[index as usize])
                } else {
                    let [frame, next] = self.nodes.all[index as usize];
                    (frame, next)
                };
                see(self.pool.frame(frame), link & RUN == NODE, link & RUN == RUN);
                link = next;
            }
        }
    }
}
