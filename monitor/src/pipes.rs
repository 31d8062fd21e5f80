//! Pipes: bytes on their way from those who write to those who read. The console's keys are one, too.
//!
//! A pipe knows how many handles of each of its ends there are, and who waits at either. Bytes lie in it
//! in a ring of fixed size, made with the pipe.

use crate::process::ProcessId;
use crate::table::Table;
use crate::transfer::MAX_COPY;
use crate::waits::{Queue, Stands, WaitRef};
use alloc::boxed::Box;
use alloc::vec::Vec;
use serde::Serialize;

/// Pipes that a process may have made and that are still open, at most.
pub const MAX_PIPES: u8 = 16;

/// Names a pipe that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PipeId(pub u16);

impl PipeId {
    /// The console's keys.
    pub const KEYBOARD: Self = Self(0);

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// Bytes in a ring of a fixed size.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ring {
    bytes: Box<[u8]>,
    start: usize,
    len: usize,
}

impl Ring {
    /// Makes an empty one, if there is memory for it.
    fn new(size: u16) -> Option<Self> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(usize::from(size)).ok()?;
        bytes.resize(usize::from(size), 0);
        Some(Self { bytes: bytes.into_boxed_slice(), start: 0, len: 0 })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn room(&self) -> usize {
        self.bytes.len() - self.len
    }

    /// Adds as many bytes as there is room for; says how many.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        let end = self.start + self.len;
        let end = if end < self.bytes.len() { end } else { end - self.bytes.len() };
        let (first, second) = bytes[..count].split_at(count.min(self.bytes.len() - end));
        self.bytes[end..][..first.len()].copy_from_slice(first);
        if !second.is_empty() {
            self.bytes[..second.len()].copy_from_slice(second);
        }
        self.len += count;
        count
    }

    /// Takes `count` bytes, or as many as there are.
    #[inline(always)]
    pub(crate) fn take(&mut self, count: usize) -> Taken {
        let count = count.min(self.len);
        let start = self.start;
        let first = count.min(self.bytes.len() - start);
        let end = start + first;
        self.start = if end < self.bytes.len() { end } else { count - first };
        self.len -= count;
        Taken { start: start as u16, first: first as u16, second: (count - first) as u16 }
    }
}

/// Bytes that were taken out of a ring: where they lie until more are added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) start: u16,
    /// So many from there, and so many more from the beginning of the ring.
    pub(crate) first: u16,
    pub(crate) second: u16,
}

/// A pipe.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pipe {
    pub(crate) ring: Ring,
    /// Handles of each end.
    pub(crate) readers: u32,
    pub(crate) writers: u32,
    /// Calls that wait for bytes, and for room.
    pub(crate) reading: Queue,
    pub(crate) writing: Queue,
    /// Bytes for it are being copied in.
    pub(crate) copying: bool,
    /// The next reader who finds it empty is told that this is the end, though there may be more later.
    pub(crate) ended: bool,
    /// Who made it, if anyone.
    pub(crate) owner: Option<ProcessId>,
}

/// What can be done about a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// There are bytes for a reader.
    Give(WaitRef),
    /// There will be none for a reader.
    End(WaitRef),
    /// There is room for so many bytes of a writer.
    Fetch(WaitRef, u32),
    /// Nobody will read the bytes of a writer.
    Break(WaitRef),
}

impl Pipe {
    pub(crate) fn next_deed(&self) -> Option<Deed> {
        if let Some(reader) = self.reading.first() {
            if self.ring.len() > 0 {
                return Some(Deed::Give(reader));
            }
            if self.writers == 0 || self.ended {
                return Some(Deed::End(reader));
            }
        }
        let writer = self.writing.first()?;
        if self.readers == 0 {
            return Some(Deed::Break(writer));
        }
        let most = self.most_to_fetch();
        (most > 0 && !self.copying).then_some(Deed::Fetch(writer, most))
    }

    /// Are there bytes for a reader who comes now? Who does not want to wait takes some also while those who do are yet to
    /// be served, each in a step of its own: it could not be told that there are none.
    #[inline(always)]
    pub(crate) fn has_for_next_reader(&self, no_hang: bool) -> bool {
        self.ring.len() > 0 && (self.reading.is_empty() || no_hang)
    }

    /// Will there never be bytes again, and are all taken?
    pub(crate) fn is_over_for_readers(&self) -> bool {
        self.writers == 0 && self.ring.len() == 0
    }

    /// How many bytes of a writer who comes now can be fetched at once.
    pub(crate) fn room_for_next_writer(&self) -> u32 {
        if self.writing.is_empty() { self.room_for_first_writer() } else { 0 }
    }

    /// How many bytes of the first writer can be fetched next.
    pub(crate) fn room_for_first_writer(&self) -> u32 {
        if self.readers > 0 { self.most_to_fetch() } else { 0 }
    }

    /// How many bytes are fetched next.
    fn most_to_fetch(&self) -> u32 {
        u32::try_from(self.ring.room()).unwrap_or(MAX_COPY).min(MAX_COPY)
    }

    fn queue(&mut self, direction: Direction) -> &mut Queue {
        match direction {
            Direction::Read => &mut self.reading,
            Direction::Write => &mut self.writing,
        }
    }

    fn ends(&mut self, direction: Direction) -> &mut u32 {
        match direction {
            Direction::Read => &mut self.readers,
            Direction::Write => &mut self.writers,
        }
    }
}

/// All pipes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pipes {
    slots: Vec<Option<Pipe>>,
    free: Vec<PipeId>,
    /// How large a new one is, in bytes.
    size: u16,
}

impl Pipes {
    /// Makes room for `count` pipes of so many bytes beside the keyboard's.
    pub(crate) fn new(count: u16, size: u16) -> Self {
        let places = usize::from(count) + 1;
        let mut new = Self {
            slots: (0..places).map(|_| None).collect(),
            free: (1..=count).rev().map(PipeId).collect(),
            size: size.max(1),
        };
        // The console itself is at both ends: it writes, and what nobody reads is kept for a reader.
        new.slots[0] = new.pipe(None, 1);
        new
    }

    fn pipe(&self, owner: Option<ProcessId>, ends: u32) -> Option<Pipe> {
        Some(Pipe {
            ring: Ring::new(self.size)?,
            readers: ends,
            writers: ends,
            reading: Queue::default(),
            writing: Queue::default(),
            copying: false,
            ended: false,
            owner,
        })
    }

    pub(crate) fn has_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// Makes a pipe without handles; `None` if there is no memory for it.
    pub(crate) fn make(&mut self, owner: ProcessId) -> Option<PipeId> {
        let &id = self.free.last()?;
        self.slots[id.index()] = Some(self.pipe(Some(owner), 0)?);
        self.free.pop();
        Some(id)
    }

    /// Takes a pipe away that has no handle any more; says whose it was.
    pub(crate) fn free_if_over(&mut self, id: PipeId) -> Option<ProcessId> {
        let slot = self.slots.get_mut(id.index())?;
        let over = |pipe: &mut Pipe| pipe.readers == 0 && pipe.writers == 0;
        let owner = slot.take_if(over)?.owner;
        self.free.push(id);
        owner
    }

    pub(crate) fn get(&self, id: PipeId) -> Option<&Pipe> {
        self.slots.get(id.index())?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: PipeId) -> Option<&mut Pipe> {
        self.slots.get_mut(id.index())?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PipeId, &Pipe)> {
        (0..).map(PipeId).zip(&self.slots).filter_map(|(id, pipe)| Some((id, pipe.as_ref()?)))
    }

    pub(crate) fn open_end(&mut self, id: PipeId, direction: Direction) {
        if let Some(pipe) = self.get_mut(id) {
            *pipe.ends(direction) += 1;
        }
    }

    pub(crate) fn close_end(&mut self, id: PipeId, direction: Direction) {
        if let Some(pipe) = self.get_mut(id) {
            *pipe.ends(direction) -= 1;
        }
    }

    /// A call does not wait at its pipe any more; were bytes being copied in for it, they come too late.
    #[inline(always)]
    pub(crate) fn leave(&mut self, table: &mut Table, it: Stands) {
        let Some(pipe) = self.get_mut(it.pipe) else { return };
        pipe.copying &= !it.copying;
        if let Some(left) = it.link {
            pipe.queue(it.direction).close_up(table, left);
        }
    }

    pub(crate) fn bytes(&self, id: PipeId, start: u16, length: u16) -> Option<&[u8]> {
        self.get(id)?.ring.bytes.get(usize::from(start)..)?.get(..usize::from(length))
    }
}

#[cfg(test)]
mod tests {
    use super::{Ring, Taken};
    use alloc::collections::VecDeque;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_ring_gives_the_bytes_that_it_was_given(
            deeds in prop::collection::vec((any::<bool>(), 0usize..12), 0..60),
        ) {
            let mut ring = Ring::new(7).unwrap();
            let mut model = VecDeque::new();
            let mut next = 0u8;
            for (push, count) in deeds {
                if push {
                    let bytes: Vec<u8> = (0..count).map(|at| next.wrapping_add(at as u8)).collect();
                    let taken = ring.push(&bytes);
                    prop_assert_eq!(taken, count.min(7 - model.len()));
                    model.extend(&bytes[..taken]);
                    next = next.wrapping_add(taken as u8);
                } else {
                    let Taken { start, first, second } = ring.take(count);
                    let first = &ring.bytes[usize::from(start)..][..usize::from(first)];
                    let bytes = [first, &ring.bytes[..usize::from(second)]].concat();
                    let expected: Vec<u8> = model.drain(..count.min(model.len())).collect();
                    prop_assert_eq!(bytes, expected);
                }
                prop_assert_eq!((ring.len(), ring.room()), (model.len(), 7 - model.len()));
            }
        }
    }
}
