//! Notifications on and off: whether the vcore that a thread runs on may be entered.

use super::here::Here;
use super::page;
use super::switch;
use super::vcore::{Vcore, count, current};
use core::sync::atomic::{AtomicU8, Ordering, compiler_fence};
use proto::program::data;

/// Turns notifications off on this vcore, so that it is not entered: the thread stays here. Gives the vcore, and whether
/// they were on; in vcore context they are off.
#[inline]
fn off() -> (&'static Vcore, bool) {
    switch::set_stays(1);
    compiler_fence(Ordering::SeqCst);
    let vcore = current();
    let byte = vcore.page().u8(data::IN_VCORE_CONTEXT);
    // Nobody else writes it meanwhile: the kernel does when it enters the vcore, which ends here again.
    let were_on = byte.load(Ordering::Relaxed) == 0;
    byte.store(1, Ordering::Relaxed);
    compiler_fence(Ordering::SeqCst);
    switch::set_stays(0);
    (vcore, were_on)
}

/// Turns them on again, and looks for what has come meanwhile.
#[inline]
fn on(vcore: &'static Vcore) {
    vcore.page().u8(data::IN_VCORE_CONTEXT).store(0, Ordering::Relaxed);
    page::fence();
    if vcore.is_pending() {
        super::vcore::enter();
    }
}

/// Does something with notifications off, in a process with threads. It must not [leave](super::thread::leave).
#[inline]
pub(crate) fn without<R>(work: impl FnOnce(&Here) -> R) -> R {
    let (vcore, were_on) = off();
    // SAFETY: the thread stays on this vcore until they are on again.
    let here = unsafe { Here::of(vcore) };
    let result = work(here);
    if were_on {
        on(vcore);
    }
    result
}

/// Turns them off for a lock; `None` in a process without threads.
#[inline]
pub(super) fn off_for_lock() -> Option<(&'static Vcore, bool)> {
    (count() != 0).then(off)
}

/// Turns them on after a lock, if they were.
#[inline]
pub(super) fn on_after_lock(before: Option<(&'static Vcore, bool)>) {
    if let Some((vcore, true)) = before {
        on(vcore);
    }
}

/// The byte that tells of a critical section on a vcore.
#[inline]
pub(super) fn critical(vcore: &Vcore) -> &'static AtomicU8 {
    vcore.page().u8(data::CRITICAL)
}

/// Are notifications off, as in vcore context and in critical sections? Of a thread that could be moved the answer
/// may be wrong, towards yes.
pub(crate) fn are_off() -> bool {
    count() != 0 && current().is_in_context()
}
