//! The pages that the kernel keeps in the memory of a process, and memory of the program's own to which the kernel
//! writes as well.
//!
//! They are shared, so each access is an atomic one; all fields lie at multiples of their size.

use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use proto::program::layout;

/// A page, or several in a row, or a part of one, of which a field can be read or stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    start: u64,
    bytes: usize,
}

/// About the machine; read-only.
pub const GLOBAL: Page = Page { start: layout::GLOBAL, bytes: 4096 };
/// About the process; read-only. All of its pages are there only in a many-core process.
pub const INFO: Page = Page { start: layout::INFO, bytes: proto::program::info::PAGES * 4096 };
/// What the process wants.
pub const WISHES: Page = Page { start: layout::WISHES, bytes: 4096 };

/// The page of a vcore. That of vcore 0 is always there, the others in a many-core process.
///
/// # Panics
///
/// When no process can have so many vcores.
#[must_use]
pub const fn vcore(number: u64) -> Page {
    assert!(number < layout::DATA_PAGES, "no such vcore");
    Page { start: layout::DATA + number * 4096, bytes: 4096 }
}

impl Page {
    /// The page of a vcore, whose address the vcore knows: without a look at its number.
    #[inline]
    pub(super) const fn of_vcore(start: u64) -> Self {
        Self { start, bytes: 4096 }
    }
}

/// A cache line of memory that the kernel, or another process, writes to as well.
#[derive(Clone)]
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "it is reached through its address")] [u8; 64]);

/// Memory of this program's own for the kernel to write to as well: at least so many bytes, zeroed, and never freed,
/// because something may be on its way there at any time.
#[must_use]
pub(crate) fn own(bytes: usize) -> Page {
    let lines = alloc::vec![Line([0; 64]); bytes.div_ceil(64)].leak();
    let start = lines.as_mut_ptr().expose_provenance() as u64;
    // The kernel counts only on memory that has been written to.
    lines.fill(Line([0; 64]));
    Page { start, bytes: size_of_val(lines) }
}

macro_rules! field {
    ($(#[$doc:meta])* $name:ident, $atomic:ty) => {
        $(#[$doc])*
        #[must_use]
        #[inline]
        pub fn $name(self, at: usize) -> &'static $atomic {
            assert!(at + size_of::<$atomic>() <= self.bytes && at.is_multiple_of(align_of::<$atomic>()));
            let field = (self.start as usize + at) as *const $atomic;
            // SAFETY: it lies in a page of the kernel's, aligned, or in memory that `own` has made; such memory is
            // there as long as the process, or the access ends the process. All sides use atomic accesses.
            unsafe { &*field }
        }
    };
}

impl Page {
    /// Memory that stays where it is, and that others write to by atomic accesses.
    pub(super) const fn lasting(start: u64, bytes: usize) -> Self {
        Self { start, bytes }
    }

    /// How many bytes it has.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.bytes
    }

    /// Its address.
    #[must_use]
    pub const fn address(self) -> u64 {
        self.start
    }

    field!(
        /// The field of 1 byte at this offset.
        u8, AtomicU8
    );
    field!(
        /// The field of 2 bytes at this offset.
        u16, AtomicU16
    );
    field!(
        /// The field of 4 bytes at this offset.
        u32, AtomicU32
    );
    field!(
        /// The field of 8 bytes at this offset.
        u64, AtomicU64
    );
}

impl Page {
    /// Stores whole words at this offset, a multiple of 8, one by one.
    ///
    /// # Panics
    ///
    /// When they are not all in the page.
    #[inline]
    pub(crate) fn store_words(self, at: usize, words: &[[u8; 8]]) {
        let to = self.words(at, words.len());
        for (to, word) in to.iter().zip(words) {
            to.store(u64::from_le_bytes(*word), Ordering::Relaxed);
        }
    }

    /// Loads the words at this offset, a multiple of 8, one by one, as far as there is room: the last one in part.
    ///
    /// # Panics
    ///
    /// When they are not all in the page.
    #[inline]
    pub(crate) fn load_words(self, at: usize, room: &mut [u8]) {
        let from = self.words(at, room.len().div_ceil(8));
        let (whole, rest) = room.as_chunks_mut();
        for (to, from) in whole.iter_mut().zip(from) {
            *to = from.load(Ordering::Relaxed).to_le_bytes();
        }
        if let Some(last) = from.get(whole.len()) {
            rest.copy_from_slice(&last.load(Ordering::Relaxed).to_le_bytes()[..rest.len()]);
        }
    }

    #[inline]
    fn words(self, at: usize, count: usize) -> &'static [AtomicU64] {
        let fits = count <= self.bytes / 8 && at <= self.bytes - count * 8;
        assert!(fits && at.is_multiple_of(8), "these words are not in the page");
        let first = (self.start as usize + at) as *const AtomicU64;
        // SAFETY: as for a field; all of them lie in the page.
        unsafe { core::slice::from_raw_parts(first, count) }
    }
}

/// Reads a field of 8 bytes that does not change.
#[must_use]
#[inline]
pub fn constant(page: Page, at: usize) -> u64 {
    page.u64(at).load(Ordering::Relaxed)
}

/// All earlier stores are visible to the kernel before any later load is made.
#[inline]
pub fn fence() {
    // SAFETY: it has no effect but on the order of memory accesses.
    unsafe {
        core::arch::x86_64::_mm_mfence();
    }
}
