//! What the kernel tells vcores, and the recovery of those that were preempted.

use super::queue::{STATE, State};
use crate::event::{Event, kind, read, read_overflow};
use crate::raw::page;
use crate::raw::thread::{self, Thread, Vcore};
use core::sync::atomic::Ordering;
use proto::program::data;

/// What events ask for beyond the scheduler's own lists.
#[derive(Clone, Copy, Debug, Default)]
struct Todo {
    /// Some vcore was preempted.
    recover: bool,
}

/// Reads what has come to this vcore, and does it; the thread that was interrupted comes back, unless this vcore had to
/// give its core to another one.
pub(super) fn handle(
    me: &'static Vcore,
    interrupted: Option<&'static Thread>,
) -> Option<&'static Thread> {
    let pending = me.page().u8(data::PENDING);
    let mut thread = interrupted;
    let mut first = true;
    while core::mem::take(&mut first) || pending.load(Ordering::Relaxed) != 0 {
        take_in(me);
        if me.owes_recovery.swap(false, Ordering::Relaxed) {
            thread = recover_with(me, thread);
        }
    }
    thread
}

/// Reads what has come to this vcore, and wakes threads; leaves a note if other vcores have to be recovered.
pub(super) fn take_in(me: &'static Vcore) {
    me.page().u8(data::PENDING).store(0, Ordering::Relaxed);
    page::fence();
    if STATE.with(|state| read_mailbox(me.number(), state)).recover {
        me.owes_recovery.store(true, Ordering::Relaxed);
    }
}

fn read_mailbox(vcore: u16, state: &mut State) -> Todo {
    let mailbox = page::vcore(vcore.into());
    let mut todo = Todo::default();
    while let Some(event) = read(mailbox) {
        act(event, state, &mut todo);
    }
    let lost = read_overflow(mailbox);
    if lost & 1 << kind::CALL_DONE != 0 {
        state.some_calls_done();
    }
    todo.recover |= lost & (1 << kind::VCORE_PREEMPTED | 1 << kind::CHECK_MESSAGES) != 0;
    todo
}

fn act(event: Event, state: &mut State, todo: &mut Todo) {
    match event.kind {
        kind::CALL_DONE => state.call_done(event.value),
        kind::VCORE_PREEMPTED => todo.recover = true,
        kind::CHECK_MESSAGES => {
            let other = u16::try_from(event.value).unwrap_or(u16::MAX);
            if other < thread::count() {
                let nested = read_nested(other, state);
                todo.recover |= nested;
            }
        }
        _ => {}
    }
}

/// Reads the mailbox of a vcore that has given its core away; does not go on to others from there.
fn read_nested(vcore: u16, state: &mut State) -> bool {
    let mailbox = page::vcore(vcore.into());
    let mut recover = false;
    while let Some(event) = read(mailbox) {
        match event.kind {
            kind::CALL_DONE => state.call_done(event.value),
            _ => recover = true,
        }
    }
    if read_overflow(mailbox) != 0 {
        state.some_calls_done();
        recover = true;
    }
    recover
}

/// Sees to all vcores that were preempted.
pub(super) fn recover_all(me: &'static Vcore) {
    recover_with(me, None);
}

fn recover_with(
    me: &'static Vcore,
    interrupted: Option<&'static Thread>,
) -> Option<&'static Thread> {
    let mut thread = interrupted;
    let others = (0..thread::count()).map(thread::vcore);
    for other in others.filter(|it| it.number() != me.number() && it.is_preempted()) {
        if other.must_run() {
            // It goes on here; this vcore begins anew when it is started.
            if let Some(thread) = thread.take() {
                super::ready(thread);
            }
            thread::change_vcore(other, false);
        } else if let Some(stolen) = me.steal_from(other) {
            super::ready(stolen);
        }
        // What was posted to it before nobody else would read.
        STATE.with(|state| read_nested(other.number(), state));
    }
    thread
}
