//! Handles: the console, and ends of pipes.

use crate::calls::{self, ForChildren, Patience};
use crate::{Error, wait};
use core::fmt;
use proto::program;

/// Something that can be read or written, by its number in this process.
///
/// It is only the number: a copy of it means the same thing, and nothing is closed before [`Handle::close`], or the
/// end of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u8);

/// The console, to read what is typed; or what the parent put there.
pub const INPUT: Handle = Handle(program::INPUT as u8);
/// The console, to print.
pub const CONSOLE: Handle = Handle(program::CONSOLE as u8);
/// The console, to complain.
pub const ERRORS: Handle = Handle(program::ERRORS as u8);

impl Handle {
    /// Reads what is there, waiting for at least a byte; 0 bytes at the end.
    ///
    /// # Errors
    ///
    /// [`Error::BadHandle`] if it cannot be read, [`Error::Interrupted`] if the wait was cut short.
    pub fn read(self, room: &mut [u8]) -> Result<usize, Error> {
        wait::patiently(|| calls::read(self, room, Patience::Wait).call())
    }

    /// Reads until `room` is full or the end has come; how many bytes it was.
    ///
    /// # Errors
    ///
    /// As [`Handle::read`].
    pub fn read_all(self, room: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        while filled < room.len() {
            match self.read(&mut room[filled..])? {
                0 => break,
                more => filled += more,
            }
        }
        Ok(filled)
    }

    /// Writes all of it, waiting for room where there is none.
    ///
    /// # Errors
    ///
    /// [`Error::BrokenPipe`] if nobody is left who could read it, [`Error::BadHandle`] if it cannot be written.
    pub fn write_all(self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let taken = wait::patiently(|| calls::write(self, bytes, Patience::Wait).call())?;
            bytes = bytes.get(taken..).ok_or(Error::Invalid)?;
        }
        Ok(())
    }

    /// Closes it. Those who read from the other end of a pipe come to its end when its last writer has closed.
    ///
    /// # Errors
    ///
    /// [`Error::BadHandle`] if it is not open.
    pub fn close(self) -> Result<(), Error> {
        calls::close(self).call()
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Makes a pipe: what is written to the second handle is read from the first.
///
/// # Errors
///
/// [`Error::NoHandle`] if all handles are in use, [`Error::Again`] if there are too many pipes.
pub fn pipe() -> Result<(Handle, Handle), Error> {
    calls::pipe(ForChildren::Copied).call()
}
