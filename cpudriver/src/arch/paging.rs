//! The kernel's page tables: W^X everywhere, unmapped pages below stacks, the direct map never executable.
//!
//! `boot.s` begins with a crude map of the first 4 GiB; [`build`] makes the final one, which all cores
//! share and nobody changes after boot. It has no identity map: a second root with one identity-mapped
//! page serves the trampoline of starting cores.

use super::layout::{self, DEVICES, DIRECT, IMAGE, IMAGE_START, Image};
use crate::machine::memory::{PAGE, Range, Ranges};
use x86_64::structures::paging::mapper::{MapToError, MapperFlush};
use x86_64::structures::paging::{
    FrameAllocator, Mapper, OffsetPageTable, Page, PageSize, PageTable, PageTableFlags, PhysFrame,
    Size2MiB, Size4KiB, Translate,
};
use x86_64::{PhysAddr, VirtAddr};

/// Rights of a page, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    Read,
    ReadWrite,
    ReadExecute,
    /// Device registers: read, write, not cached.
    Device,
}

/// Page tables under construction, and the free memory that they and all else at boot are made of.
pub(super) struct Space {
    root: u64,
    has_no_execute: bool,
    pub(super) free: Ranges,
}

/// Frames for page tables, zeroed.
struct Frames<'a>(&'a mut Ranges);

// SAFETY: a frame that is taken from the list of free memory is nobody else's.
unsafe impl FrameAllocator<Size4KiB> for Frames<'_> {
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        let frame = self.0.take(PAGE, PAGE)?;
        // SAFETY: the frame is free and mapped in the direct map.
        unsafe { layout::direct(frame).write_bytes(0, PAGE as usize) };
        Some(PhysFrame::containing_address(PhysAddr::new(frame)))
    }
}

/// An empty page table to be a root. It lies below 4 GiB, because starting cores load it in 16-bit code.
fn new_root(free: &mut Ranges) -> u64 {
    let frame = Frames(free).allocate_frame().expect("there is a page of free memory");
    let root = frame.start_address().as_u64();
    assert!(root < 1 << 32, "there is no free memory below 4 GiB");
    root
}

/// The page tables below a root.
fn tables(root: u64) -> OffsetPageTable<'static> {
    // SAFETY: the root is a page table of a space under construction, which one core works on.
    let root = unsafe { &mut *layout::direct(root).cast::<PageTable>() };
    // SAFETY: the direct map of the tables in use has all page tables.
    unsafe { OffsetPageTable::new(root, VirtAddr::new(DIRECT)) }
}

impl Space {
    /// An empty address space.
    ///
    /// # Safety
    ///
    /// `free` must be free, usable memory, and what is taken of it during boot must be mapped in the
    /// direct map of the tables in use.
    pub(super) unsafe fn new(mut free: Ranges, has_no_execute: bool) -> Self {
        let root = new_root(&mut free);
        Self { root, has_no_execute, free }
    }

    /// Physical address of the root.
    pub(super) fn root(&self) -> u64 {
        self.root
    }

    /// Maps the pages of `range` to the physical addresses from `physical` on, with pages of 4 KiB.
    pub(super) fn map(&mut self, range: Range, physical: u64, rights: Rights) {
        self.map_pages::<Size4KiB>(range, physical, rights);
    }

    /// Maps free memory into the direct map: large pages where they fit, small ones at the edges.
    pub(super) fn map_direct(&mut self, memory: Range) {
        let large = memory.pages_inside(Size2MiB::SIZE);
        let memory = memory.pages_inside(PAGE);
        let shifted = |range: Range| Range { start: DIRECT + range.start, end: DIRECT + range.end };
        if large.bytes() == 0 {
            return self.map(shifted(memory), memory.start, Rights::ReadWrite);
        }
        let below = Range { start: memory.start, end: large.start };
        let above = Range { start: large.end, end: memory.end };
        self.map(shifted(below), below.start, Rights::ReadWrite);
        self.map_pages::<Size2MiB>(shifted(large), large.start, Rights::ReadWrite);
        self.map(shifted(above), above.start, Rights::ReadWrite);
    }

    /// Maps the image: each part in the high half with the rights it needs, and in the direct map, where
    /// code and constants are readable only.
    pub(super) fn map_image(&mut self, image: &Image) {
        let boot_code = Range { start: IMAGE + IMAGE_START, end: image.text.start };
        let parts = [
            (boot_code, None, Rights::Read),
            (image.text, Some(Rights::ReadExecute), Rights::Read),
            (image.constants, Some(Rights::Read), Rights::Read),
            (image.variables, Some(Rights::ReadWrite), Rights::ReadWrite),
        ];
        for (part, high, low) in parts {
            let physical = part.start - IMAGE;
            if let Some(rights) = high {
                self.map(part, physical, rights);
            }
            let alias = Range { start: DIRECT + physical, end: DIRECT + physical + part.bytes() };
            self.map(alias, physical, low);
        }
    }

    /// Maps the pages that hold `bytes` of firmware data at `physical` into the direct map, unless they
    /// are there already.
    pub(super) fn map_firmware(&mut self, physical: u64, bytes: u64) {
        let pages = Range { start: physical, end: physical + bytes }.pages_around(PAGE);
        for page in (pages.start..pages.end).step_by(PAGE as usize) {
            let place = DIRECT + page;
            if tables(self.root).translate_addr(VirtAddr::new(place)).is_none() {
                self.map(Range { start: place, end: place + PAGE }, page, Rights::Read);
            }
        }
    }

    /// Takes the right to write the page at physical address `page` out of the direct map. The page must be
    /// mapped there with 4 KiB, as all memory below 1 MiB is.
    pub(super) fn make_read_only(&mut self, page: u64) {
        let flags = self.flags(Rights::Read);
        let page = Page::<Size4KiB>::containing_address(VirtAddr::new(DIRECT + page));
        // SAFETY: nothing writes the page any more; the caller has no reference to it.
        let updated = unsafe { tables(self.root).update_flags(page, flags) };
        updated.expect("the page is in the direct map").flush();
    }

    /// Maps the page of device registers at `physical` and returns their address.
    pub(super) fn map_device(&mut self, physical: u64) -> u64 {
        let page = physical & !(PAGE - 1);
        self.map(Range { start: DEVICES + page, end: DEVICES + page + PAGE }, page, Rights::Device);
        DEVICES + physical
    }

    /// Another root, with the kernel's half of this one and the page at physical address `page`, where it
    /// is and executable.
    pub(super) fn root_with_identity(&mut self, page: u64) -> u64 {
        let root = new_root(&mut self.free);
        let half = PAGE / 2;
        let (from, to) = (layout::direct(self.root + half), layout::direct(root + half));
        // SAFETY: both are page tables, and nobody uses the new one yet.
        unsafe { to.copy_from_nonoverlapping(from, half as usize) };
        let kernel = core::mem::replace(&mut self.root, root);
        self.map(Range { start: page, end: page + PAGE }, page, Rights::ReadExecute);
        core::mem::replace(&mut self.root, kernel)
    }

    /// Takes memory of whole pages from the free memory and returns its physical address.
    pub(super) fn take(&mut self, bytes: u64) -> Option<u64> {
        self.free.take(bytes.next_multiple_of(PAGE), PAGE)
    }

    fn flags(&self, rights: Rights) -> PageTableFlags {
        let no_execute =
            if self.has_no_execute { PageTableFlags::NO_EXECUTE } else { PageTableFlags::empty() };
        let flags = match rights {
            Rights::Read => no_execute,
            Rights::ReadWrite => PageTableFlags::WRITABLE | no_execute,
            Rights::ReadExecute => PageTableFlags::empty(),
            Rights::Device => {
                PageTableFlags::WRITABLE
                    | PageTableFlags::NO_CACHE
                    | PageTableFlags::WRITE_THROUGH
                    | no_execute
            }
        };
        // Accessed and dirty are set from the start, so that no hardware walker ever writes the tables.
        flags | PageTableFlags::PRESENT | PageTableFlags::ACCESSED | PageTableFlags::DIRTY
    }

    fn map_pages<S>(&mut self, range: Range, physical: u64, rights: Rights)
    where
        S: PageSize + core::fmt::Debug,
        for<'a> OffsetPageTable<'a>: Mapper<S>,
    {
        let flags = self.flags(rights);
        let mut tables = tables(self.root);
        let parents = PageTableFlags::PRESENT | PageTableFlags::WRITABLE | PageTableFlags::ACCESSED;
        let mut frames = Frames(&mut self.free);
        for offset in (0..range.bytes()).step_by(S::SIZE as usize) {
            let page = Page::<S>::containing_address(VirtAddr::new(range.start + offset));
            let frame = PhysFrame::<S>::containing_address(PhysAddr::new(physical + offset));
            // SAFETY: callers map free memory, the image, firmware data or devices, each to its own place.
            let mapped =
                unsafe { tables.map_to_with_table_flags(page, frame, flags, parents, &mut frames) };
            match mapped.map(MapperFlush::ignore) {
                Ok(()) => {}
                Err(MapToError::FrameAllocationFailed) => {
                    panic!("no memory is left for page tables")
                }
                Err(error) => panic!("{page:?} cannot be mapped: {error:?}"),
            }
        }
    }
}

/// Builds the final address space: the image and all of memory. The pages of `constant`, which may be empty, can
/// only be read.
///
/// # Safety
///
/// `usable` must be the machine's memory, `free` the part of it that is free, and the boot tables must be
/// in use.
pub(super) unsafe fn build(
    usable: &Ranges,
    free: Ranges,
    constant: Range,
    has_no_execute: bool,
) -> Space {
    // SAFETY: the boot tables map the first 4 GiB, where boot takes its memory from.
    let mut space = unsafe { Space::new(free, has_no_execute) };
    let image = layout::image();
    space.map_image(&image);
    let mut rest = usable.clone();
    rest.remove(Range { start: IMAGE_START, end: image.variables.end - IMAGE });
    if constant.bytes() > 0 {
        let pages = constant.pages_around(PAGE);
        let shifted = Range { start: DIRECT + pages.start, end: DIRECT + pages.end };
        space.map(shifted, pages.start, Rights::Read);
        rest.remove(pages);
    }
    for memory in rest.iter() {
        space.map_direct(*memory);
    }
    space
}
