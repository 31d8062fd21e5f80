//! Access to the memory of processes, through the direct map.
//!
//! What there is to know of address spaces is in [`crate::program::space`]; this gives it the machine.
//! No reference ever leads to memory that a program can reach: all accesses are through raw pointers, volatile
//! where programs on other cores may be at it at the same time.

use super::boot::BootInfo;
use super::layout::{self, DIRECT};
use crate::machine::memory::{PAGE as PAGE_BYTES, Ranges};
use crate::program::space::{self, File, Frame, LoadError, Loaded, Memory, Place};
use core::ops::{Deref, DerefMut};
use proto::id::VcoreId;
use x86_64::registers::control::Cr3;

const PAGE: usize = PAGE_BYTES as usize;

/// Access to frames through the direct map.
pub struct Direct {
    /// Physical address of the kernel's own top page table.
    kernel_root: u64,
}

/// The memory that boot has left. There is one such value, which owns it.
#[derive(Debug, Default)]
pub struct FreeMemory(pub(super) Ranges);

impl FreeMemory {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.bytes()
    }
}

/// All address spaces of processes; see [`space::Spaces`]. Belongs to core 0.
pub struct Spaces {
    spaces: space::Spaces<Direct>,
    archive: &'static [u8],
}

/// A pointer to bytes of a frame, of which `size` at `offset` are to be accessed.
fn place(frame: Frame, offset: usize, size: usize) -> *mut u8 {
    debug_assert!(offset.is_multiple_of(size) && offset < PAGE);
    // The mask is what keeps the access within the frame and aligned.
    layout::direct(frame.address()).wrapping_add(offset & (PAGE - size))
}

// SAFETY of the accesses: a [`Frame`] is one of the free memory that `Spaces::new` was given, or a page
// of the boot archive, which is only read. All of that is in the direct map, and there are no references to
// what processes may write.
impl Memory for Direct {
    fn load_u32(&self, frame: Frame, offset: usize) -> u32 {
        // SAFETY: see above.
        unsafe { place(frame, offset, 4).cast::<u32>().read_volatile() }
    }

    fn load_u64(&self, frame: Frame, offset: usize) -> u64 {
        // SAFETY: see above.
        unsafe { place(frame, offset, 8).cast::<u64>().read_volatile() }
    }

    fn store_u8(&mut self, frame: Frame, offset: usize, value: u8) {
        // SAFETY: see above.
        unsafe { place(frame, offset, 1).write_volatile(value) };
    }

    fn store_u16(&mut self, frame: Frame, offset: usize, value: u16) {
        // SAFETY: see above.
        unsafe { place(frame, offset, 2).cast::<u16>().write_volatile(value) };
    }

    fn store_u32(&mut self, frame: Frame, offset: usize, value: u32) {
        // SAFETY: see above.
        unsafe { place(frame, offset, 4).cast::<u32>().write_volatile(value) };
    }

    fn store_u64(&mut self, frame: Frame, offset: usize, value: u64) {
        // SAFETY: see above.
        unsafe { place(frame, offset, 8).cast::<u64>().write_volatile(value) };
    }

    fn fence(&self) {
        super::cpu::fence();
    }

    fn copy_out(&self, frame: Frame, offset: usize, to: &mut [u8]) {
        assert!(offset + to.len() <= PAGE, "a copy stays within its frame");
        let from = layout::direct(frame.address()).wrapping_add(offset).cast_const();
        // SAFETY: see above; `to` is the kernel's own, so they do not overlap.
        unsafe { from.copy_to_nonoverlapping(to.as_mut_ptr(), to.len()) };
    }

    fn copy_in(&mut self, frame: Frame, offset: usize, from: &[u8]) {
        assert!(offset + from.len() <= PAGE, "a copy stays within its frame");
        let to = layout::direct(frame.address()).wrapping_add(offset);
        // SAFETY: see above; `from` is the kernel's own, so they do not overlap.
        unsafe { to.copy_from_nonoverlapping(from.as_ptr(), from.len()) };
    }

    fn clear(&mut self, frame: Frame, start: usize, end: usize) {
        assert!(end <= PAGE, "what is cleared lies within its frame");
        let words = end.saturating_sub(start) / 8;
        let to = layout::direct(frame.address()).wrapping_add(start & !7);
        // SAFETY: see above; the direction flag is clear in the kernel.
        unsafe {
            core::arch::asm!(
                "rep stosq",
                inout("rcx") words => _,
                inout("rdi") to => _,
                in("rax") 0,
                options(nostack, preserves_flags)
            );
        }
    }

    fn copy_kernel_half(&mut self, root: Frame) {
        let from = layout::direct(self.kernel_root).wrapping_add(PAGE / 2).cast_const();
        let to = layout::direct(root.address()).wrapping_add(PAGE / 2);
        // SAFETY: as above; the kernel's top page table does not change any more.
        unsafe { to.copy_from_nonoverlapping(from, PAGE / 2) };
    }

    fn with_bytes<R>(&mut self, frame: Frame, work: impl FnOnce(&mut [u8; PAGE]) -> R) -> R {
        let bytes: *mut [u8; PAGE] = layout::direct(frame.address()).cast();
        // SAFETY: as above, and no program can reach the frame yet, so that for the time of this borrow of
        // what hands frames out nobody else does.
        work(unsafe { &mut *bytes })
    }
}

impl Spaces {
    /// No spaces yet. All memory that boot has left goes to processes. Must be called while the kernel's own
    /// page tables are loaded. `None` if there is no memory left.
    #[must_use]
    pub fn new(boot: &mut BootInfo) -> Option<Self> {
        let mut free = core::mem::take(&mut boot.free.0);
        let count = space::words(&free);
        let memory = free.take((count as u64 * 4).next_multiple_of(PAGE_BYTES), PAGE_BYTES)?;
        let words: *mut u32 = layout::direct(memory).cast();
        // SAFETY: the memory was free and is nobody else's.
        unsafe { words.write_bytes(0, count) };
        // SAFETY: as above, and all of it has just been written.
        let words = unsafe { core::slice::from_raw_parts_mut(words, count) };
        let direct = Direct { kernel_root: Cr3::read().0.start_address().as_u64() };
        let spaces = space::Spaces::new(direct, &free, words, boot.features.no_execute)?;
        Some(Self { spaces, archive: boot.archive })
    }

    /// Makes a space and loads a program into it; see [`space::Spaces::load`]. Of a file that is a part of the
    /// boot archive, pages that nobody writes are not copied.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub fn load(&mut self, file: &[u8], arguments: &[u8]) -> Result<Loaded, LoadError> {
        let archive = self.archive.as_ptr_range();
        let physical = |at: *const u8| at.expose_provenance() as u64 - DIRECT;
        let range = file.as_ptr_range();
        let is_inside = archive.start <= range.start && range.end <= archive.end;
        let place = (is_inside && !file.is_empty())
            .then(|| Place { start: physical(range.start), end: physical(archive.end) });
        self.spaces.load(File { bytes: file, place }, arguments)
    }
}

impl Deref for Spaces {
    type Target = space::Spaces<Direct>;

    fn deref(&self) -> &Self::Target {
        &self.spaces
    }
}

impl DerefMut for Spaces {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.spaces
    }
}

/// The page of a vcore: [`proto::program::data`]. Valid as long as this core has a lease of the space, or
/// knows otherwise that it is not freed.
#[derive(Clone, Copy, Debug)]
pub struct VcorePage(*mut u8);

/// The page of a vcore of the space with the top page table at `root`, which this core has a lease for. The root
/// is what the coordinator sent with the lease; it is trusted here as it is where it is loaded.
#[must_use]
pub fn vcore_page(root: u64, vcore: VcoreId) -> Option<VcorePage> {
    let direct = Direct { kernel_root: 0 };
    let frame = space::vcore_frame(&direct, root, vcore)?;
    Some(VcorePage(layout::direct(frame.address())))
}

/// The page with the registers of the single-core process whose top page table is at `root`; see
/// [`vcore_page`].
#[must_use]
pub fn saved_page(root: u64) -> Option<VcorePage> {
    let direct = Direct { kernel_root: 0 };
    let frame = space::saved_frame(&direct, root)?;
    Some(VcorePage(layout::direct(frame.address())))
}

/// The page of what the process wants whose top page table is at `root`; see [`vcore_page`].
#[must_use]
pub fn wishes_page(root: u64) -> Option<VcorePage> {
    let direct = Direct { kernel_root: 0 };
    let frame = space::wishes_frame(&direct, root)?;
    Some(VcorePage(layout::direct(frame.address())))
}

impl crate::program::vcore::Page for VcorePage {
    fn byte(&self, at: usize) -> u8 {
        self.load_u8(at)
    }

    fn set_byte(&mut self, at: usize, value: u8) {
        self.store_u8(at, value);
    }

    fn word(&self, at: usize) -> u64 {
        self.load_u64(at)
    }

    fn set_word(&mut self, at: usize, value: u64) {
        self.store_u64(at, value);
    }
}

/// Memory of the kernel that can stand for the page of a vcore.
#[repr(C, align(4096))]
#[derive(Debug)]
pub struct Kept([u64; PAGE / 8]);

impl Kept {
    /// With nothing in it.
    pub const EMPTY: Self = Self([0; PAGE / 8]);
}

impl VcorePage {
    /// No page.
    pub(super) const NONE: Self = Self(core::ptr::null_mut());

    /// Whether it is one.
    #[inline(always)]
    pub(super) const fn is_some(self) -> bool {
        !self.0.is_null()
    }

    /// What stands for one. Valid as long as `kept` is there.
    pub(super) const fn of(kept: &mut Kept) -> Self {
        Self(core::ptr::from_mut(kept).cast())
    }

    fn at(self, offset: usize, size: usize) -> *mut u8 {
        assert!(offset.is_multiple_of(size) && offset < PAGE, "a field lies within its page");
        self.0.wrapping_add(offset)
    }

    /// Reads a u8.
    #[must_use]
    pub fn load_u8(self, offset: usize) -> u8 {
        // SAFETY: the page is pinned while it is valid, and nobody has references to it.
        unsafe { self.at(offset, 1).read_volatile() }
    }

    /// Writes a u8.
    pub fn store_u8(self, offset: usize, value: u8) {
        // SAFETY: as above.
        unsafe { self.at(offset, 1).write_volatile(value) };
    }

    /// Reads a u16; the offset is a multiple of 2.
    #[must_use]
    pub fn load_u16(self, offset: usize) -> u16 {
        // SAFETY: as above.
        unsafe { self.at(offset, 2).cast::<u16>().read_volatile() }
    }

    /// Reads a u64; the offset is a multiple of 8.
    #[must_use]
    pub fn load_u64(self, offset: usize) -> u64 {
        // SAFETY: as above.
        unsafe { self.at(offset, 8).cast::<u64>().read_volatile() }
    }

    /// Writes a u64; the offset is a multiple of 8.
    pub fn store_u64(self, offset: usize, value: u64) {
        // SAFETY: as above.
        unsafe { self.at(offset, 8).cast::<u64>().write_volatile(value) };
    }

    /// Reads words from `offset` on, each whole.
    pub fn read_words(self, offset: usize, words: &mut [u64]) {
        assert!(offset + words.len() * 8 <= PAGE, "words lie within their page");
        // SAFETY: the words lie in the page, which is pinned while it is valid; no reference leads to it.
        unsafe { copy_words(self.at(offset, 8).cast(), words.as_mut_ptr(), words.len()) };
    }

    /// Writes words from `offset` on, each whole.
    pub fn write_words(self, offset: usize, words: &[u64]) {
        assert!(offset + words.len() * 8 <= PAGE, "words lie within their page");
        // SAFETY: as above.
        unsafe { copy_words(words.as_ptr(), self.at(offset, 8).cast(), words.len()) };
    }

    /// Where the extended state is kept.
    #[must_use]
    pub fn extended(self) -> *mut u8 {
        self.0.wrapping_add(proto::program::data::EXTENDED)
    }
}

/// Copies words by one instruction, which a compiler does not look into: a program may change what is read
/// meanwhile.
///
/// # Safety
///
/// Both places have so many words, which do not overlap.
unsafe fn copy_words(from: *const u64, to: *mut u64, words: usize) {
    // SAFETY: the caller vouches; the direction flag is clear in the kernel.
    unsafe {
        core::arch::asm!(
            "rep movsq",
            inout("rcx") words => _,
            inout("rsi") from => _,
            inout("rdi") to => _,
            options(nostack, preserves_flags)
        );
    }
}
