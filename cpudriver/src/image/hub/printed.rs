//! What programs print.

use crate::arch::uart;
use alloc::vec::Vec;

/// Bytes of programs' output that are held back while a line is typed; more makes it go out all the same.
const HELD_BYTES: usize = 8192;

/// What programs print: it goes out at once, or is held back while a line is being typed.
#[derive(Debug, Default)]
pub(crate) struct Printed {
    held: Option<Vec<u8>>,
}

impl Printed {
    pub(super) fn print(&mut self, bytes: &[u8]) {
        match &mut self.held {
            Some(held) if held.len() + bytes.len() <= HELD_BYTES => held.extend_from_slice(bytes),
            Some(held) => {
                uart::write_bytes(held);
                held.clear();
                uart::write_bytes(bytes);
            }
            None => uart::write_bytes(bytes),
        }
    }

    /// Whether anything is held back.
    pub(crate) fn waits(&self) -> bool {
        self.held.as_ref().is_some_and(|held| !held.is_empty())
    }

    /// Prints what is held back; holds back what comes from now on, or not any more.
    pub(crate) fn release(&mut self, hold: bool) {
        if let Some(held) = &mut self.held {
            uart::write_bytes(held);
            held.clear();
        }
        match (hold, &self.held) {
            (true, None) => self.held = Some(Vec::with_capacity(HELD_BYTES)),
            (false, _) => self.held = None,
            (true, Some(_)) => {}
        }
    }
}
