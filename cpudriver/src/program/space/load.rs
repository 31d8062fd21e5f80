//! A new space with a program in it.

use super::entry::{self, FOREIGN};
use super::fields::{TRACED, reserved_index};
use super::frame::{Frame, NoFrames};
use super::memory::{Memory, PAGE};
use super::tables::index;
use super::{Spaces, note};
use crate::program::elf::{ElfError, Fill, Plan, Rights as SegmentRights, Segment};
use crate::program::extended::{HEADER_AT, HEADER_LEN};
use crate::program::stack::{self, TooLong, key};
use core::fmt;
use core::ops::Range;
use proto::memory::Rights;
use proto::program::layout::{DATA, GLOBAL, INFO, RESERVED, SAVED, STACK_BYTES, STACK_END, WISHES};
use proto::program::{data, info};

/// Bytes of a program header.
const HEADER_BYTES: u64 = 56;

/// A program's file.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    /// Where it lies for good, if it does: then pages of it that nobody writes are not copied.
    pub place: Option<Place>,
}

/// Where a file lies in memory that never changes.
#[derive(Clone, Debug, Copy)]
pub struct Place {
    /// Physical address of its first byte.
    pub start: u64,
    /// Physical address after the last byte that programs may read.
    pub end: u64,
}

/// A space with a program in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Physical address of its top page table.
    pub root: u64,
    /// Where the program starts.
    pub entry: u64,
    /// Its stack pointer.
    pub stack: u64,
    /// The address after its last segment.
    pub program_end: u64,
    /// Frames that it has taken, page tables included.
    pub frames: u32,
    /// Frames that its stack may still take.
    pub stack_frames: u32,
}

/// Why a program cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// Its file cannot be run.
    File(ElfError),
    /// Its arguments are too long or too many.
    Arguments,
    /// There is not enough memory.
    NoFrames,
}

impl From<NoFrames> for LoadError {
    fn from(_: NoFrames) -> Self {
        Self::NoFrames
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Arguments => f.write_str("the arguments are too long"),
            Self::NoFrames => f.write_str("there is not enough memory"),
        }
    }
}

impl<M: Memory> Spaces<M> {
    /// Makes a space and loads a program into it. Each of the `arguments` ends with a zero byte; the first is
    /// the program's name.
    ///
    /// # Errors
    ///
    /// [`LoadError`]; nothing is left of the space then.
    pub fn load(&mut self, file: File<'_>, arguments: &[u8]) -> Result<Loaded, LoadError> {
        let plan = Plan::of(file.bytes).map_err(LoadError::File)?;
        let before = self.pool.free();
        let root = self.create()?;
        let stack = self.fill(root, file, &plan, arguments).inspect_err(|_| self.free(root))?;
        Ok(Loaded {
            root: root.address(),
            entry: plan.entry,
            stack,
            program_end: plan.end,
            frames: before - self.pool.free(),
            stack_frames: (STACK_BYTES / PAGE as u64) as u32 - 1,
        })
    }

    /// A space with the pages that the kernel shares with the program, and no program.
    pub(super) fn create(&mut self) -> Result<Frame, NoFrames> {
        let root = if let Some(root) = self.pool.take_root() {
            root
        } else {
            let root = self.pool.take().ok_or(NoFrames)?;
            self.memory.clear(root, 0, PAGE / 2);
            self.memory.copy_kernel_half(root);
            root
        };
        self.pool.make_root(root);
        self.add_reserved(root).inspect_err(|NoFrames| self.free(root))?;
        Ok(root)
    }

    fn add_reserved(&mut self, root: Frame) -> Result<(), NoFrames> {
        let slot = self.make_table(root, RESERVED.start / PAGE as u64)?;
        // Of this table's entries only those of the stack are counted.
        let table = entry::frame(slot.load(&self.memory));
        self.memory.store_u64(root, note::RESERVED * 8, table.address());
        let global = self.format.page(self.global, Rights::READ) | FOREIGN;
        self.memory.store_u64(table, reserved_index(GLOBAL) * 8, global);
        for (address, rights) in
            [(INFO, Rights::READ), (WISHES, Rights::READ_WRITE), (DATA, Rights::READ_WRITE)]
        {
            let entry = self.format.page(self.zeroed()?, rights);
            self.memory.store_u64(table, reserved_index(address) * 8, entry);
        }
        // What it holds is written before it is read, but for these bytes, and what XSAVE leaves of its header.
        let saved = self.pool.take().ok_or(NoFrames)?;
        let header = data::EXTENDED + HEADER_AT;
        self.memory.clear(saved, header, header + HEADER_LEN);
        for byte in [data::EXTENDED_SAVED, TRACED] {
            self.memory.store_u8(saved, byte, 0);
        }
        let entry = self.format.kernel_page(saved);
        self.memory.store_u64(table, reserved_index(SAVED) * 8, entry);
        Ok(())
    }

    fn fill(
        &mut self,
        root: Frame,
        file: File<'_>,
        plan: &Plan,
        arguments: &[u8],
    ) -> Result<u64, LoadError> {
        for segment in plan.segments() {
            self.fill_segment(root, file, &segment)?;
        }
        if let Some(page) = self.info(root.address(), 0) {
            self.memory.store_u64(page, info::PROGRAM_END, plan.end);
        }
        let vector = [
            (key::HEADERS, plan.headers),
            (key::HEADER_BYTES, HEADER_BYTES),
            (key::HEADER_COUNT, plan.header_count.into()),
            (key::PAGE_BYTES, PAGE as u64),
            (key::ENTRY, plan.entry),
        ];
        let top = self.map_zeroed(root, STACK_END / PAGE as u64 - 1, Rights::READ_WRITE)?;
        let fill = |page: &mut [u8; PAGE]| stack::fill(page, STACK_END, arguments, &vector);
        self.memory.with_bytes(top, fill).map_err(|TooLong| LoadError::Arguments)
    }

    fn fill_segment(
        &mut self,
        root: Frame,
        file: File<'_>,
        segment: &Segment,
    ) -> Result<(), NoFrames> {
        let rights = match segment.rights {
            SegmentRights::Read => Rights::READ,
            SegmentRights::ReadWrite => Rights::READ_WRITE,
            SegmentRights::ReadExecute => Rights(Rights::READ.0 | Rights::EXECUTE.0),
        };
        let is_constant = segment.rights != SegmentRights::ReadWrite
            && segment.bytes == segment.file.len() as u64;
        let mut above = None;
        for fill in segment.fills() {
            let page = fill.page / PAGE as u64;
            // The entry that leads to the page's table, as long as that is the same.
            let above = match above.filter(|_| index(page, 0) != 0) {
                Some(above) => above,
                None => *above.insert(self.make_table(root, page)?),
            };
            let entry = match file.place.filter(|_| is_constant).and_then(|it| it.page(&fill)) {
                Some(frame) => self.format.page(frame, rights) | FOREIGN,
                None => self.format.page(self.copied(file.bytes, &fill)?, rights),
            };
            self.put_entry(above, page, entry);
        }
        Ok(())
    }

    /// A frame with a page of a file.
    fn copied(&mut self, file: &[u8], fill: &Fill) -> Result<Frame, NoFrames> {
        let Range { start, end } = fill.at..fill.at + fill.file.len();
        if start == end {
            return self.zeroed();
        }
        let frame = self.pool.take().ok_or(NoFrames)?;
        // The words at the edges are cleared first, as the copy covers a part of them.
        self.memory.clear(frame, 0, start.next_multiple_of(8));
        self.memory.clear(frame, end & !7, PAGE);
        self.memory.copy_in(frame, start, &file[fill.file.clone()]);
        Ok(frame)
    }
}

impl Place {
    /// The frame that holds a page as it lies in the file, if there is one.
    fn page(self, fill: &Fill) -> Option<Frame> {
        let start = self.start + (fill.file.start as u64).checked_sub(fill.at as u64)?;
        let fits = start.is_multiple_of(PAGE as u64) && start + PAGE as u64 <= self.end;
        (fits && !fill.file.is_empty()).then(|| Frame::at(start))
    }
}
