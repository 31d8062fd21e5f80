//! What the kernel reads from a program's memory and writes to it: through the program's own addresses, with a page
//! fault that ends the copy. Its code is in `user.s`.

use super::machine;
use proto::program::context::{BYTES, WORDS};
use proto::program::{block, layout as places};

unsafe extern "C" {
    fn atoll_read_word(from: u64, zero: u64, none: u64, has_smap: u64) -> WordRead;
    fn atoll_copy_block(from: u64, to: *mut [u64; 8], done: u64, has_smap: u64) -> u64;
    fn atoll_copy_words(from: u64, to: *mut u64, words: usize, has_smap: u64) -> u64;
    fn atoll_write_word(to: u64, value: u64, zero: u64, has_smap: u64) -> u64;
    safe static atoll_copy_start: u8;
    safe static atoll_copy_end: u8;
    safe static atoll_copy_failed: u8;
}

/// What `atoll_read_word` returns.
#[repr(C)]
struct WordRead {
    failed: u64,
    word: u64,
}

/// A call's structure could not be read or written: there is nothing at its address, or not for the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallFault;

/// A word of the structure of the program's call. `at` is a multiple of a word's alignment.
///
/// # Errors
///
/// When the program could not read it.
#[inline]
pub fn word(at: u64) -> Result<u64, CallFault> {
    if at >= places::USER_END {
        return Err(CallFault);
    }
    let smap = u64::from(machine().has_smap);
    // SAFETY: the word lies in the half of programs. A page fault at it ends the read.
    let WordRead { failed, word } = unsafe { atoll_read_word(at, 0, 0, smap) };
    if failed == 0 { Ok(word) } else { Err(CallFault) }
}

/// Copies the structure of the program's call into `words`, once. `at` is a multiple of its alignment.
///
/// # Errors
///
/// When the program could not read and write it; then `words` means nothing.
#[inline(always)]
pub fn copy_block(at: u64, words: &mut [u64; 8]) -> Result<(), CallFault> {
    if at >= places::USER_END {
        return Err(CallFault);
    }
    let smap = u64::from(machine().has_smap);
    // SAFETY: the structure lies in the half of programs as a whole, because it is aligned. A page fault at
    // it ends the copy; the words are the caller's own.
    let failed = unsafe { atoll_copy_block(at, &raw mut *words, block::DONE as u64, smap) };
    if failed == 0 { Ok(()) } else { Err(CallFault) }
}

/// Copies a context in, once, from any address that a program has named.
///
/// # Errors
///
/// When the program could not read it.
pub fn copy_context(at: u64) -> Result<[u64; WORDS], CallFault> {
    if at > places::USER_END - BYTES as u64 || !at.is_multiple_of(8) {
        return Err(CallFault);
    }
    let mut words = [0; WORDS];
    let smap = u64::from(machine().has_smap);
    // SAFETY: it lies in the half of programs as a whole. A page fault at it ends the copy; the words are this
    // function's own.
    let failed = unsafe { atoll_copy_words(at, words.as_mut_ptr(), WORDS, smap) };
    if failed == 0 { Ok(words) } else { Err(CallFault) }
}

/// Writes a word to the memory of the program.
///
/// # Errors
///
/// When the program could not write it.
pub fn write_word(at: u64, value: u64) -> Result<(), CallFault> {
    if at >= places::USER_END || !at.is_multiple_of(8) {
        return Err(CallFault);
    }
    let smap = u64::from(machine().has_smap);
    // SAFETY: the word lies in the half of programs. A page fault at it ends the write.
    let failed = unsafe { atoll_write_word(at, value, 0, smap) };
    if failed == 0 { Ok(()) } else { Err(CallFault) }
}

/// Where the kernel goes on when a page fault came while it copied from a program: `None` elsewhere.
pub(in crate::arch) fn after_failed_copy(rip: u64) -> Option<u64> {
    let at = |label: *const u8| label.addr() as u64;
    let (start, end) = (at(&raw const atoll_copy_start), at(&raw const atoll_copy_end));
    (start..end).contains(&rip).then(|| at(&raw const atoll_copy_failed))
}
