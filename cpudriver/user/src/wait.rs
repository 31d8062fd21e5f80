//! Waiting, for a single-core process: it gives its core away until an event comes.

use crate::raw::call::Block;
use crate::raw::page;
use crate::{calls, event};
use core::sync::atomic::Ordering;
use proto::event::kind::CALL_DONE;
use proto::program::data;

/// Waits until something is there that an event tells of. `is_there` looks, and makes room in the mailbox by
/// [`event::collect`].
pub(crate) fn until(mut is_there: impl FnMut() -> bool) {
    while !is_there() {
        page::vcore(0).u8(data::PENDING).store(0, Ordering::Relaxed);
        page::fence();
        if is_there() {
            return;
        }
        // It returns at once when an event has come since; then that is looked for again.
        let _ = calls::wait_for_event().call();
    }
}

/// Waits until this call is over, and takes its event out, which would tell nobody anything. If that found
/// no room, the call's structure tells.
pub(crate) fn for_call(block: &Block) {
    if crate::threads::wait_for_call(block) {
        return;
    }
    let mut is_told = false;
    until(|| {
        let is_its_event =
            |event: event::Event| (event.kind, event.value) == (CALL_DONE, block.address());
        is_told |= event::collect(is_its_event);
        block.is_done() && (is_told || event::overflowed(CALL_DONE))
    });
}
