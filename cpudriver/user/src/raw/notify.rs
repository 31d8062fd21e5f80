//! Notifications on and off: whether the vcore that a thread runs on may be entered.

use super::call::Block;
use super::page;
use super::switch::local;
use super::vcore::{count, vcore};
use core::sync::atomic::{AtomicU8, Ordering};
use proto::program::{data, number};

/// Turns notifications off on this vcore, so that it is not entered: the thread stays here. True if they were on.
pub(crate) fn disable_notifications() -> bool {
    if count() == 0 {
        return false;
    }
    let local = local();
    if local.is_vcore() {
        return false;
    }
    local.stays.store(1, Ordering::Relaxed);
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    let page = page::vcore(local.number.load(Ordering::Relaxed));
    let was_on = page.u8(data::IN_VCORE_CONTEXT).swap(1, Ordering::Relaxed) == 0;
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    local.stays.store(0, Ordering::Relaxed);
    was_on
}

/// The byte that tells tools of a critical section on this vcore.
pub(crate) fn critical() -> Option<&'static AtomicU8> {
    if count() == 0 {
        return None;
    }
    Some(page::vcore(local().number.load(Ordering::Relaxed)).u8(data::CRITICAL))
}

/// Are notifications off, as in vcore context and in critical sections? Of a thread that could be moved the answer
/// may be wrong, towards yes.
pub(crate) fn is_critical() -> bool {
    let page = page::vcore(local().number.load(Ordering::Relaxed));
    page.u8(data::IN_VCORE_CONTEXT).load(Ordering::Relaxed) != 0
}

/// Turns them on again, and looks for what has come meanwhile.
pub(crate) fn enable_notifications() {
    let number = local().number.load(Ordering::Relaxed);
    let page = page::vcore(number);
    page.u8(data::IN_VCORE_CONTEXT).store(0, Ordering::Relaxed);
    page::fence();
    let owes = || vcore(number as u16).owes_recovery.load(Ordering::Relaxed);
    if page.u8(data::PENDING).load(Ordering::Relaxed) != 0 || owes() {
        let enter = Block::new(number::ENTER, [0; 5]);
        // SAFETY: the vcore is entered and resumes this thread.
        unsafe { enter.enter() };
    }
}
