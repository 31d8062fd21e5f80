//! Entries of page tables (Intel SDM vol. 3, 4.5), and what the kernel notes in the bits that are its own.

use super::frame::Frame;
use super::memory::PAGE;
use proto::memory::Rights;

pub(super) const PRESENT: u64 = 1;
pub(super) const WRITE: u64 = 1 << 1;
pub(super) const USER: u64 = 1 << 2;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
/// The entry, which is one of a table above those of pages, leads to no table but to a run: its pages are mapped by it.
pub(super) const HUGE: u64 = 1 << 7;
/// With [`HUGE`]: the run is not mapped yet. Its pages are being cleared; [`count`] says how many have been.
pub(super) const BUILDING: u64 = 1 << 8;
/// The frame is not the space's to free: the page about the machine, and pages of the boot archive.
pub(super) const FOREIGN: u64 = 1 << 9;
/// More than one space have had the frame; its word in the pool says how many have it now.
pub(super) const SHARED: u64 = 1 << 10;
/// The page has a frame but no right: it is not present.
const HELD: u64 = 1 << 11;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Where an entry that leads to a table says how many entries of that table are not 0: in bits that the
/// processor ignores there.
const COUNT_SHIFT: u32 = 52;
/// One entry more.
pub(super) const ONE: u64 = 1 << COUNT_SHIFT;

/// An entry that leads to a table without entries.
pub(super) const fn to_table(table: Frame) -> u64 {
    // Accessed from the start, so that no hardware walker ever writes the tables.
    table.address() | PRESENT | WRITE | USER | ACCESSED
}

/// How many entries the table has that an entry leads to.
pub(super) const fn count(entry: u64) -> usize {
    (entry >> COUNT_SHIFT & 0x3ff) as usize
}

/// An entry that maps nothing yet, of a run of whose pages so many have been cleared, to be mapped with these rights.
pub(super) const fn building(run: Frame, rights: Rights, cleared: usize) -> u64 {
    run.address() | HUGE | BUILDING | (rights.0 as u64) << 1 | (cleared as u64) << COUNT_SHIFT
}

/// The rights that such an entry's run is to be mapped with.
pub(super) const fn built_with(entry: u64) -> Rights {
    Rights((entry >> 1 & 7) as u8)
}

/// What a page's own entry would be, of a block that is mapped by this one.
pub(super) const fn of_page(huge: u64, index: usize) -> u64 {
    (huge & !HUGE) + (index * PAGE) as u64
}

/// The frame of an entry.
pub(super) const fn frame(entry: u64) -> Frame {
    Frame::at(entry & ADDRESS)
}

/// How entries of pages look on this machine.
#[derive(Clone, Copy)]
pub(super) struct Format {
    no_execute: u64,
}

impl Format {
    /// Can pages be made non-executable?
    pub(super) const fn new(has_no_execute: bool) -> Self {
        Self { no_execute: if has_no_execute { NO_EXECUTE } else { 0 } }
    }

    /// The entry of a page with these rights.
    pub(super) fn page(self, frame: Frame, rights: Rights) -> u64 {
        self.with_rights(frame.address(), rights)
    }

    /// The entry of a block with these rights.
    pub(super) fn huge(self, run: Frame, rights: Rights) -> u64 {
        self.with_rights(run.address() | HUGE, rights)
    }

    /// The entry of a page that only the kernel can reach.
    pub(super) fn kernel_page(self, frame: Frame) -> u64 {
        self.with_rights(frame.address(), Rights::READ_WRITE) & !USER
    }

    /// The same frame and notes with other rights.
    pub(super) fn with_rights(self, entry: u64, rights: Rights) -> u64 {
        let kept = entry & (ADDRESS | FOREIGN | SHARED | HUGE);
        if rights == Rights::NONE {
            return kept | HELD;
        }
        let write = if rights.include(Rights::WRITE) { WRITE } else { 0 };
        let no_execute = if rights.include(Rights::EXECUTE) { 0 } else { self.no_execute };
        // Accessed and dirty from the start, see above.
        kept | PRESENT | write | USER | ACCESSED | DIRTY | no_execute
    }
}
