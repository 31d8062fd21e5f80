//! Reading and writing the memory of a process as the process itself could.

use super::Spaces;
use super::entry::{self, PRESENT, USER, WRITE};
use super::frame::Frame;
use super::memory::{Memory, PAGE};
use proto::program::layout::USER_END;

/// What the entry of a page needs, so that the process can read it. Among its pages are some that only the
/// kernel can.
const READABLE: u64 = PRESENT | USER;
/// The same, so that it can write it.
pub(super) const WRITABLE: u64 = READABLE | WRITE;

/// The process could not access this address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The first address that it could not access.
    pub address: u64,
}

impl<M: Memory> Spaces<M> {
    /// Copies what is at `address` until `to` is full or the process could not read on. Returns how many
    /// bytes were copied.
    pub fn read(&self, root: u64, address: u64, to: &mut [u8]) -> usize {
        let Some(root) = self.pool.root(root) else { return 0 };
        let mut done = 0;
        while done < to.len() {
            let Some(at) = address.checked_add(done as u64) else { break };
            let Some((frame, offset)) = self.translate(root, at, READABLE) else { break };
            let length = (PAGE - offset).min(to.len() - done);
            self.memory.copy_out(frame, offset, &mut to[done..done + length]);
            done += length;
        }
        done
    }

    /// Copies `from` to `address`.
    ///
    /// # Errors
    ///
    /// Where the process could not write. What lies before it has been written.
    pub fn write(&mut self, root: u64, address: u64, from: &[u8]) -> Result<(), Fault> {
        let root = self.pool.root(root).ok_or(Fault { address })?;
        let mut done = 0;
        while done < from.len() {
            let at = address.wrapping_add(done as u64);
            let place = self.translate(root, at, WRITABLE);
            let (frame, offset) = place.ok_or(Fault { address: at })?;
            let length = (PAGE - offset).min(from.len() - done);
            self.memory.copy_in(frame, offset, &from[done..done + length]);
            done += length;
        }
        Ok(())
    }

    /// Where a byte of the process is, if the bits `needed` are set in the entry of its page.
    pub(super) fn translate(
        &self,
        root: Frame,
        address: u64,
        needed: u64,
    ) -> Option<(Frame, usize)> {
        if address >= USER_END {
            return None;
        }
        let entry = self.find(root, address / PAGE as u64);
        let offset = address as usize % PAGE;
        (entry & needed == needed).then_some((entry::frame(entry), offset))
    }
}
