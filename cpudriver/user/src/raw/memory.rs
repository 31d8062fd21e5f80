//! Calls that change which memory there is.

use super::call::Block;
use super::request::Request;
use crate::{Error, Pid};
use core::ptr::NonNull;
use proto::memory::{FIXED, Rights, SHARED};
use proto::program::number;

/// Maps memory that was not there before, with these rights and [flags](crate::memory); zeroed, unless it is a guard.
///
/// # Errors
///
/// [`Error::NoMemory`], [`Error::Invalid`] if the arguments have no meaning or name a place
/// ([`FIXED`]): that is [`map_at`]'s.
pub fn map(bytes: usize, rights: Rights, flags: u8) -> Result<NonNull<[u8]>, Error> {
    if flags & FIXED != 0 {
        return Err(Error::Invalid);
    }
    // SAFETY: the kernel chooses a place where nothing is.
    unsafe { map_at(0, bytes, rights, flags) }
}

/// Maps memory at an address.
///
/// # Safety
///
/// With [`FIXED`], nothing that lies there is needed any more.
///
/// # Errors
///
/// As [`map`].
pub unsafe fn map_at(
    at: u64,
    bytes: usize,
    rights: Rights,
    flags: u8,
) -> Result<NonNull<[u8]>, Error> {
    // SAFETY: the caller vouches.
    let start = unsafe { mapping(at, bytes, rights, flags) }.call()?;
    let start = NonNull::new(core::ptr::with_exposed_provenance_mut(start as usize));
    Ok(NonNull::slice_from_raw_parts(start.ok_or(Error::Invalid)?, bytes))
}

/// The request of [`map_at`], which gives the address.
///
/// # Safety
///
/// As [`map_at`], from the moment on when it is made.
pub unsafe fn mapping(at: u64, bytes: usize, rights: Rights, flags: u8) -> Request<'static, u64> {
    let request = Request::new(number::MAP, |_, address| address).with(at).with(bytes as u64);
    request.with(rights.0.into()).with(flags.into())
}

fn nothing(_: u32, _: u64) {}

/// Memory that was mapped for one owner, and is unmapped when that is dropped.
#[derive(Debug)]
pub struct Mapping {
    memory: NonNull<[u8]>,
    rights: Rights,
}

impl Mapping {
    /// Maps so many bytes, zeroed, with these rights and [flags](crate::memory).
    ///
    /// # Errors
    ///
    /// As [`map`]; [`Error::Invalid`] for [`SHARED`] memory, which has no single owner.
    pub fn new(bytes: usize, rights: Rights, flags: u8) -> Result<Self, Error> {
        if flags & SHARED != 0 {
            return Err(Error::Invalid);
        }
        Ok(Self { memory: map(bytes, rights, flags)?, rights })
    }

    /// The bytes.
    ///
    /// # Panics
    ///
    /// When they cannot be read.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        assert!(self.rights.include(Rights::READ), "this memory cannot be read");
        // SAFETY: it is mapped for this value alone, and can be read.
        unsafe { self.memory.as_ref() }
    }

    /// The bytes, to change them.
    ///
    /// # Panics
    ///
    /// When they cannot be read and written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        assert!(self.rights.include(Rights::READ_WRITE), "this memory cannot be written");
        // SAFETY: it is mapped for this value alone, and can be read and written.
        unsafe { self.memory.as_mut() }
    }

    /// Changes the rights.
    ///
    /// # Errors
    ///
    /// As [`protect`].
    pub fn set_rights(&mut self, rights: Rights) -> Result<(), Error> {
        // SAFETY: nobody has a reference into it while this one is exclusive, and later ones ask the new rights.
        unsafe { protect(self.memory, rights) }?;
        self.rights = rights;
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped for this value alone, which is not used any more. If the kernel refuses, it stays.
        let _ = unsafe { unmap(self.memory) };
    }
}

/// Unmaps memory.
///
/// # Safety
///
/// It was mapped, and nothing that lies there is needed any more.
///
/// # Errors
///
/// [`Error::Invalid`] if it is not the program's to unmap; [`Error::NoMemory`] if it is in the midst of a region, of which
/// two would be left, and there are as many as there may be; [`Error::Again`] if too much is on its way already.
pub unsafe fn unmap(memory: NonNull<[u8]>) -> Result<(), Error> {
    // SAFETY: the caller vouches.
    unsafe { unmapping(memory) }.call()
}

/// The request of [`unmap`].
///
/// # Safety
///
/// As [`unmap`], from the moment on when it is made.
pub unsafe fn unmapping(memory: NonNull<[u8]>) -> Request<'static, ()> {
    let start = memory.as_ptr().expose_provenance() as u64;
    Request::new(number::UNMAP, nothing).with(start).with(memory.len() as u64)
}

/// Changes the rights to memory.
///
/// # Safety
///
/// It was mapped, and nobody accesses it in a way that it does not allow from now on.
///
/// # Errors
///
/// [`Error::Invalid`] if it is not the program's to change, or the rights are impossible.
pub unsafe fn protect(memory: NonNull<[u8]>, rights: Rights) -> Result<(), Error> {
    // SAFETY: the caller vouches.
    unsafe { protecting(memory, rights) }.call()
}

/// The request of [`protect`].
///
/// # Safety
///
/// As [`protect`], from the moment on when it is made.
pub unsafe fn protecting(memory: NonNull<[u8]>, rights: Rights) -> Request<'static, ()> {
    let start = memory.as_ptr().expose_provenance() as u64;
    let request = Request::new(number::PROTECT, nothing).with(start);
    request.with(memory.len() as u64).with(rights.0.into())
}

/// Gives a child memory that was mapped with [`SHARED`]; it is at the same address there.
///
/// # Errors
///
/// [`Error::Invalid`] if it is not shared, [`Error::NoProcess`], [`Error::NotPermitted`].
pub fn share(child: Pid, memory: NonNull<[u8]>) -> Result<(), Error> {
    let start = memory.as_ptr().expose_provenance() as u64;
    Request::new(number::SHARE, nothing).with(child.0.into()).with(start).call()
}

/// Loads a [context](proto::program::context) and leaves vcore context. Returns only if that cannot be done.
///
/// # Safety
///
/// What the context goes on with is sound to go on with, once.
pub unsafe fn resume(context: &[u64; proto::program::context::WORDS]) -> i64 {
    let address = context.as_ptr().expose_provenance() as u64;
    // SAFETY: the structure and the context are there until the call is over, which it is when it returns.
    unsafe { Block::new(number::RESUME, [address, 0, 0, 0, 0]).enter() }
}
