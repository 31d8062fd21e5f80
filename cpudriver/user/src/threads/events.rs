//! What the kernel tells vcores, and the recovery of those that were preempted.

use super::queue::{STATE, State};
use crate::event::{Event, deliver, kind, lose, read, read_overflow};
use crate::raw::page;
use crate::raw::thread::Thread;
use crate::raw::vcore::{self, Vcore};
use core::sync::atomic::Ordering;
use proto::program::data;

/// What events ask for beyond the scheduler's own lists.
#[derive(Clone, Copy, Debug, Default)]
struct Todo {
    /// Some vcore was preempted.
    recover: bool,
    /// Vcores whose mailboxes nobody else may read, a bit each.
    unread: [u64; 4],
}

impl Todo {
    fn read_soon(&mut self, vcore: u64) {
        if let Some(word) = self.unread.get_mut((vcore / 64) as usize) {
            *word |= 1 << (vcore % 64);
        }
    }

    fn next_unread(&mut self) -> Option<u16> {
        let at = self.unread.iter().position(|word| *word != 0)?;
        let bit = self.unread[at].trailing_zeros();
        self.unread[at] &= !(1 << bit);
        Some((at * 64) as u16 + bit as u16)
    }
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
        while me.owes_recovery.swap(false, Ordering::Relaxed) {
            thread = recover_with(me, thread);
        }
    }
    if thread.is_some() {
        pass_on();
    }
    thread
}

/// Something may have come for a vcore that rests, and found only this one, which has a thread to go on with: another
/// one that rests is woken for the thread that waits.
fn pass_on() {
    if let Some(sleeper) = STATE.with(State::sleeper_if_ready) {
        vcore::ring(vcore::vcore(sleeper));
    }
}

/// Reads what has come to this vcore, and wakes threads; leaves a note if other vcores have to be recovered.
pub(super) fn take_in(me: &'static Vcore) {
    me.page().u8(data::PENDING).store(0, Ordering::Relaxed);
    page::fence();
    read_from(me, me.number());
}

/// Reads the mailbox of a vcore, and those of all that it tells to have given their cores away.
fn read_from(me: &'static Vcore, vcore: u16) {
    let todo = STATE.with(|state| {
        let mut todo = Todo::default();
        read_mailbox(vcore, state, &mut todo);
        while let Some(other) = todo.next_unread() {
            if other < vcore::count() {
                read_mailbox(other, state, &mut todo);
            }
        }
        todo
    });
    if todo.recover {
        me.owes_recovery.store(true, Ordering::Relaxed);
    }
}

fn read_mailbox(vcore: u16, state: &mut State, todo: &mut Todo) {
    let mailbox = page::vcore(vcore.into());
    while let Some(event) = read(mailbox) {
        act(event, state, todo);
    }
    let lost = read_overflow(mailbox);
    if lost != 0 {
        lose(lost);
        state.happened();
    }
    let is_lost = |kind: u16| lost & 1 << kind != 0;
    if is_lost(kind::CALL_DONE) {
        state.some_calls_done();
    }
    if is_lost(kind::CHECK_MESSAGES) {
        (0..vcore::count()).for_each(|other| todo.read_soon(other.into()));
    }
    todo.recover |= is_lost(kind::VCORE_PREEMPTED);
}

fn act(event: Event, state: &mut State, todo: &mut Todo) {
    match event.kind {
        kind::CALL_DONE => state.call_done(event.value),
        kind::VCORE_PREEMPTED => todo.recover = true,
        kind::CHECK_MESSAGES => todo.read_soon(event.value),
        super::LOOK => {}
        _ => match state.handler {
            Some(handler) => handler(event),
            None => {
                deliver(event);
                state.happened();
            }
        },
    }
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
    let others = (0..vcore::count()).map(vcore::vcore);
    for other in others.filter(|it| it.number() != me.number() && it.is_preempted()) {
        if other.must_run() {
            // It goes on here; this vcore begins anew when it is started. What is still to be done, the other one does.
            if let Some(thread) = thread.take() {
                super::ready(thread);
            }
            other.owes_recovery.store(true, Ordering::Relaxed);
            vcore::change_vcore(other, false);
        } else if let Some(stolen) = me.steal_from(other) {
            super::ready(stolen);
        }
        // What was posted to it before nobody else would read.
        read_from(me, other.number());
    }
    thread
}
