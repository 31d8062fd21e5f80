//! The fields of the pages that the kernel shares with a program: see [`proto::program`].

use super::copy::WRITABLE;
use super::entry::{self, PRESENT};
use super::frame::Frame;
use super::memory::{Memory, PAGE};
use super::tables::reserved;
use super::{Spaces, note};
use proto::call::Outcome;
use proto::event::Event;
use proto::id::{CoreId, Generation, Pid, VcoreId};
use proto::program::layout::{DATA, DATA_PAGES, INFO, RESERVED, SAVED, WISHES};
use proto::program::{block, data, global, info};

/// What [`proto::program::info`] says from the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its pid.
    pub pid: Pid,
    /// Its parent's, or 0.
    pub parent: Pid,
    /// Its generation.
    pub generation: Generation,
    /// Vcores that it may have at most.
    pub max_vcores: u16,
}

/// What [`proto::program::global`] says; see there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the fields")]
pub struct Global {
    pub tsc_hz: u64,
    pub cores: u32,
    pub tsc_overhead: u32,
    pub wall_ns: u64,
    pub wall_tsc: u64,
    pub xcr0: u64,
    pub extended_bytes: u32,
    pub features: u32,
}

/// Number of an address' page in the table with what the kernel shares with the program.
pub(super) const fn reserved_index(address: u64) -> usize {
    (address - RESERVED.start) as usize / PAGE
}

/// In the page of [`saved_frame`]: a byte that is 1 while the calls of the process are traced.
pub const TRACED: usize = 0xff8;

const _: () = assert!(data::EXTENDED + data::EXTENDED_BYTES <= TRACED && TRACED < PAGE);

/// A mailbox in the page of a vcore.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    posted: usize,
    taken: usize,
    overflow: usize,
    slots: usize,
    events: u32,
}

/// The one that others may read when the vcore does not run.
pub const PUBLIC: Ring = Ring {
    posted: data::POSTED,
    taken: data::TAKEN,
    overflow: data::OVERFLOW,
    slots: data::MAILBOX,
    events: data::EVENTS,
};

/// The one that nobody else reads.
pub const PRIVATE: Ring = Ring {
    posted: data::PRIVATE_POSTED,
    taken: data::PRIVATE_TAKEN,
    overflow: data::PRIVATE_OVERFLOW,
    slots: data::PRIVATE_MAILBOX,
    events: data::PRIVATE_EVENTS,
};

impl Ring {
    fn post(self, memory: &mut impl Memory, page: Frame, event: Event) -> bool {
        let posted = memory.load_u32(page, self.posted);
        let taken = memory.load_u32(page, self.taken);
        // Both are what the program left there: a count that cannot be leaves no room.
        if posted.wrapping_sub(taken) >= self.events {
            return false;
        }
        let at = self.slots + (posted % self.events) as usize * data::EVENT_BYTES;
        memory.store_u16(page, at, event.kind);
        memory.store_u64(page, at + 8, event.value);
        memory.store_u32(page, self.posted, posted.wrapping_add(1));
        true
    }

    fn note_lost(self, memory: &mut impl Memory, page: Frame, event: Event) {
        memory.store_u8(page, self.overflow + overflow_byte(event.kind), 1);
    }
}

/// Which byte notes that an event of a kind was lost.
pub(super) fn overflow_byte(kind: u16) -> usize {
    usize::from(kind).min(data::OVERFLOW_KINDS - 1)
}

/// The page of a vcore, for any core that has a lease of the space with the top page table at `root`. `None` if
/// the vcore has no page.
pub fn vcore_frame(memory: &impl Memory, root: u64, vcore: VcoreId) -> Option<Frame> {
    if u64::from(vcore.0) >= DATA_PAGES {
        return None;
    }
    let table = reserved(memory, Frame::at(root));
    let entry = memory.load_u64(table, (reserved_index(DATA) + usize::from(vcore.0)) * 8);
    (entry & PRESENT != 0).then(|| entry::frame(entry))
}

/// The page with the registers of a single-core process, see [`vcore_frame`]; laid out as that of a vcore.
pub fn saved_frame(memory: &impl Memory, root: u64) -> Option<Frame> {
    reserved_frame(memory, root, SAVED)
}

/// The page of what a process wants, see [`vcore_frame`].
pub fn wishes_frame(memory: &impl Memory, root: u64) -> Option<Frame> {
    reserved_frame(memory, root, WISHES)
}

fn reserved_frame(memory: &impl Memory, root: u64, address: u64) -> Option<Frame> {
    let table = reserved(memory, Frame::at(root));
    let entry = memory.load_u64(table, reserved_index(address) * 8);
    (entry & PRESENT != 0).then(|| entry::frame(entry))
}

impl<M: Memory> Spaces<M> {
    /// Fills the page about the machine, which all processes have.
    pub fn set_global(&mut self, it: &Global) {
        let (memory, page) = (&mut self.memory, self.global);
        memory.store_u64(page, global::TSC_HZ, it.tsc_hz);
        memory.store_u32(page, global::CORES, it.cores);
        memory.store_u32(page, global::TSC_OVERHEAD, it.tsc_overhead);
        memory.store_u64(page, global::WALL_NS, it.wall_ns);
        memory.store_u64(page, global::WALL_TSC, it.wall_tsc);
        memory.store_u64(page, global::XCR0, it.xcr0);
        memory.store_u32(page, global::EXTENDED_BYTES, it.extended_bytes);
        memory.store_u32(page, global::FEATURES, it.features);
    }

    /// Tells the process who it is.
    pub fn set_identity(&mut self, root: u64, it: &Identity) {
        let Some(page) = self.info(root, 0) else { return };
        let memory = &mut self.memory;
        memory.store_u16(page, info::PID, it.pid.0);
        memory.store_u16(page, info::PARENT, it.parent.0);
        memory.store_u16(page, info::MAX_VCORES, it.max_vcores);
        memory.store_u32(page, info::GENERATION, it.generation.0);
    }

    /// Tells the process who its parent is; 0 for nobody.
    pub fn set_parent(&mut self, root: u64, parent: Pid) {
        if let Some(page) = self.info(root, 0) {
            self.memory.store_u16(page, info::PARENT, parent.0);
        }
    }

    /// Posts an event to a vcore's mailbox, or notes its kind if there is no room, and sets the byte that says that
    /// there is something to look for. Does nothing if the vcore has no page.
    pub fn post(&mut self, root: u64, vcore: VcoreId, event: Event) {
        let Some(page) = self.vcore(root, vcore) else { return };
        if !PUBLIC.post(&mut self.memory, page, event) {
            PUBLIC.note_lost(&mut self.memory, page, event);
        }
        self.memory.store_u8(page, data::PENDING, 1);
    }

    /// The same in any mailbox of the vcore, but where there is no room it notes nothing. False if there is none.
    pub fn try_post(&mut self, root: u64, vcore: VcoreId, mailbox: Ring, event: Event) -> bool {
        let Some(page) = self.vcore(root, vcore) else { return false };
        let posted = mailbox.post(&mut self.memory, page, event);
        self.memory.store_u8(page, data::PENDING, 1);
        posted
    }

    /// Notes that an event found no room in a mailbox of a vcore.
    pub fn note_lost(&mut self, root: u64, vcore: VcoreId, mailbox: Ring, event: Event) {
        if let Some(page) = self.vcore(root, vcore) {
            mailbox.note_lost(&mut self.memory, page, event);
        }
    }

    /// Sets a vcore's byte that says that there is something to look for.
    pub fn set_pending(&mut self, root: u64, vcore: VcoreId) {
        if let Some(page) = self.vcore(root, vcore) {
            self.memory.store_u8(page, data::PENDING, 1);
        }
    }

    /// Writes outcome and value into the structure of a call, and then that it is done. Does nothing if there
    /// is no structure that the process could write.
    pub fn complete(&mut self, root: u64, call: u64, outcome: Outcome, value: u64) {
        let place = self.pool.root(root).filter(|_| call.is_multiple_of(block::ALIGN));
        let place = place.and_then(|root| self.translate(root, call, WRITABLE));
        let Some((frame, at)) = place else { return };
        let memory = &mut self.memory;
        memory.store_u64(frame, at + block::OUTCOME, i64::from(outcome.0).cast_unsigned());
        memory.store_u64(frame, at + block::VALUE, value);
        memory.store_u8(frame, at + block::DONE, 1);
    }

    /// Says in the process's map where a vcore is, from the moment `now` on; `None`: nowhere. A process that
    /// is not many-core has no map.
    pub fn map_vcore(&mut self, root: u64, vcore: VcoreId, core: Option<CoreId>, now: u64) {
        let Some(first) = self.info(root, 0) else { return };
        let map = info::VCORES_MAP + usize::from(vcore.0) * info::VCORE_BYTES;
        let (Some(page), true) = (self.info(root, map), map < info::CORES_MAP) else { return };
        let at = map % PAGE;
        let sequence = self.memory.load_u32(first, info::SEQUENCE);
        self.memory.store_u32(first, info::SEQUENCE, sequence.wrapping_add(1));
        self.leave(root, first, (page, at), now);
        if let Some(core) = core {
            self.take_core(root, first, (page, at), (vcore, core), now);
        }
        self.memory.store_u32(first, info::SEQUENCE, sequence.wrapping_add(2));
    }

    /// Says when a vcore's core will be taken, in ticks; 0: nobody has said so.
    pub fn set_deadline(&mut self, root: u64, vcore: VcoreId, deadline: u64) {
        let map = info::VCORES_MAP + usize::from(vcore.0) * info::VCORE_BYTES;
        if let (Some(page), true) = (self.info(root, map), map < info::CORES_MAP) {
            self.memory.store_u64(page, map % PAGE + info::vcore::DEADLINE, deadline);
        }
    }

    /// Ends the stay of the vcore of entry `at`, if it has a core.
    fn leave(&mut self, root: u64, first: Frame, (page, at): (Frame, usize), now: u64) {
        use info::vcore::{CORE, DEADLINE, SINCE, TICKS, VALID};
        let valid = self.memory.load_u32(page, at + CORE) >> (8 * (VALID - CORE)) & 0xff;
        if valid == 0 {
            return;
        }
        let core = self.memory.load_u32(page, at + CORE) as u16;
        let since = self.memory.load_u64(page, at + SINCE);
        let ticks = self.memory.load_u64(page, at + TICKS);
        self.memory.store_u64(page, at + TICKS, ticks + now.saturating_sub(since));
        self.memory.store_u64(page, at + DEADLINE, 0);
        self.memory.store_u8(page, at + VALID, 0);
        if let Some((page, at)) = self.core_entry(root, core) {
            self.memory.store_u8(page, at + info::core::VALID, 0);
        }
        self.add_vcores_online(first, u16::MAX);
    }

    fn take_core(
        &mut self,
        root: u64,
        first: Frame,
        (page, at): (Frame, usize),
        (vcore, core): (VcoreId, CoreId),
        now: u64,
    ) {
        use info::vcore::{CORE, SINCE, VALID};
        self.memory.store_u16(page, at + CORE, core.0);
        self.memory.store_u64(page, at + SINCE, now);
        self.memory.store_u8(page, at + VALID, 1);
        if let Some((page, at)) = self.core_entry(root, core.0) {
            self.memory.store_u16(page, at + info::core::VCORE, vcore.0);
            self.memory.store_u8(page, at + info::core::VALID, 1);
        }
        self.add_vcores_online(first, 1);
    }

    /// The entry of a core in the process's map.
    fn core_entry(&self, root: u64, core: u16) -> Option<(Frame, usize)> {
        let at = info::CORES_MAP + usize::from(core) * info::CORE_BYTES;
        Some((self.info(root, at)?, at % PAGE))
    }

    /// Adds, wrapping, to the number of vcores that have a core.
    fn add_vcores_online(&mut self, first: Frame, more: u16) {
        let before = (self.memory.load_u32(first, info::MAX_VCORES) >> 16) as u16;
        self.memory.store_u16(first, info::VCORES, before.wrapping_add(more));
    }

    /// The frame with the byte at `offset` of the pages about the process, if there is it.
    pub(super) fn info(&self, root: u64, offset: usize) -> Option<Frame> {
        let root = self.pool.root(root)?;
        if offset >= info::PAGES * PAGE {
            return None;
        }
        let at = reserved_index(INFO) + offset / PAGE;
        let entry = self.memory.load_u64(self.reserved(root), at * 8);
        (entry & PRESENT != 0).then(|| entry::frame(entry))
    }

    pub(super) fn vcore(&self, root: u64, vcore: VcoreId) -> Option<Frame> {
        vcore_frame(&self.memory, self.pool.root(root)?.address(), vcore)
    }

    /// How many vcores of a many-core process have a page; 0 for any other.
    pub(super) fn vcore_pages(&self, root: Frame) -> usize {
        (self.memory.load_u64(root, note::VCORES * 8) >> 1) as usize
    }
}

const _: () = assert!(info::VCORES == info::MAX_VCORES + 2 && info::MAX_VCORES.is_multiple_of(4));
