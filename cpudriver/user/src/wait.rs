//! Waiting: a single-core process gives its core away until an event comes, a thread lets others run.

use crate::raw::call::Block;
use crate::raw::page;
use crate::{Error, calls, event, threads};
use core::sync::atomic::Ordering;
use proto::event::kind::CALL_DONE;
use proto::program::data;

/// Waits until something is there that an event tells of. `is_there` looks, and makes room in the mailbox by
/// [`event::collect`].
pub(crate) fn until(mut is_there: impl FnMut() -> bool) {
    if threads::are_on() {
        return threads::until(is_there);
    }
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

/// Asks for something that may have to wait. A thread whose process waits for too much already waits until that is less,
/// and asks again.
pub(crate) fn patiently<T>(mut ask: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut refusals = 0;
    loop {
        match ask() {
            Err(Error::Again) if threads::are_on() => threads::wait_for_room(refusals),
            outcome => {
                if refusals > 0 {
                    threads::pass_room_on();
                }
                return outcome;
            }
        }
        refusals += 1;
    }
}

/// Waits until this call is over, and takes its event out, which would tell nobody anything. If that found
/// no room, the call's structure tells.
pub(crate) fn for_call(block: &Block) {
    if threads::wait_for_call(block) {
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
