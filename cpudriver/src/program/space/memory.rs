//! What address spaces need of the machine: access to frames by their physical address.

use super::frame::Frame;

/// Bytes of a page.
pub(super) const PAGE: usize = 4096;
/// Entries of a page table.
pub(super) const ENTRIES: usize = PAGE / 8;

/// Access to frames. Programs on other cores may write the same bytes at the same time: an access of up to
/// eight bytes is whole, and they happen in the order of the calls; copies are in pieces and may be torn.
/// Offsets are in bytes below 4,096 and multiples of the size of what is accessed.
pub trait Memory {
    /// Reads a u32.
    fn load_u32(&self, frame: Frame, offset: usize) -> u32;
    /// Reads a u64.
    fn load_u64(&self, frame: Frame, offset: usize) -> u64;
    /// Writes a u8.
    fn store_u8(&mut self, frame: Frame, offset: usize, value: u8);
    /// Writes a u16.
    fn store_u16(&mut self, frame: Frame, offset: usize, value: u16);
    /// Writes a u32.
    fn store_u32(&mut self, frame: Frame, offset: usize, value: u32);
    /// Writes a u64.
    fn store_u64(&mut self, frame: Frame, offset: usize, value: u64);
    /// All that was written is visible to programs before anything is read after this.
    fn fence(&self);
    /// Copies bytes from a frame; `offset` is any, `offset + to.len()` at most 4,096.
    fn copy_out(&self, frame: Frame, offset: usize, to: &mut [u8]);
    /// Copies bytes to a frame; `offset` is any, `offset + from.len()` at most 4,096.
    fn copy_in(&mut self, frame: Frame, offset: usize, from: &[u8]);
    /// Fills bytes of a frame with zeros; `start` and `end` are multiples of 8.
    fn clear(&mut self, frame: Frame, start: usize, end: usize);
    /// Copies the kernel's half into a top page table.
    fn copy_kernel_half(&mut self, root: Frame);
    /// Lends the bytes of a frame that no program can reach yet.
    fn with_bytes<R>(&mut self, frame: Frame, work: impl FnOnce(&mut [u8; PAGE]) -> R) -> R;
}
