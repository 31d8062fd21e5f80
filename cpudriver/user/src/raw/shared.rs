//! Memory that several processes have.

use super::memory::{map, share};
use super::page::Page;
use crate::{Error, Pid};
use core::ptr::NonNull;
use proto::memory::{Rights, SHARED};

/// Memory that another process may write to at any time, whatever this one does. It stays until the process ends.
#[derive(Clone, Copy, Debug)]
pub struct SharedMemory {
    page: Page,
}

impl SharedMemory {
    /// So many new bytes, zeroed.
    ///
    /// # Errors
    ///
    /// As [`map`].
    pub fn new(bytes: usize) -> Result<Self, Error> {
        let memory = map(bytes, Rights::READ_WRITE, SHARED)?;
        let start = memory.cast::<u8>().as_ptr().expose_provenance();
        Ok(Self { page: Page::lasting(start as u64, bytes) })
    }

    /// What the parent has [given](Self::give) before this process ran: so many bytes at an address that it has told.
    ///
    /// # Safety
    ///
    /// That is so, and nothing else of this program lies there.
    #[must_use]
    pub const unsafe fn given(address: u64, bytes: usize) -> Self {
        Self { page: Page::lasting(address, bytes) }
    }

    /// Gives it to a child, where it is at the same address.
    ///
    /// # Errors
    ///
    /// As [`share`].
    pub fn give(&self, child: Pid) -> Result<(), Error> {
        let start = core::ptr::with_exposed_provenance_mut::<u8>(self.address() as usize);
        let memory = NonNull::new(start).ok_or(Error::Invalid)?;
        share(child, NonNull::slice_from_raw_parts(memory, self.bytes()))
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> u64 {
        self.page.address()
    }

    /// How many bytes it has.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.page.bytes()
    }

    /// Its fields, each access an atomic one.
    #[must_use]
    pub const fn page(&self) -> Page {
        self.page
    }
}
