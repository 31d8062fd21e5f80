//! What the kernel tells vcores: calls that are over, and cores that are taken away, will be, or have stopped.

use super::run::{self, ready_here};
use super::{calls, timers};
use crate::event::{
    Event, deliver, kind, lose, read, read_overflow, read_private, read_private_overflow,
};
use crate::raw::here::Here;
use crate::raw::list::Waiters;
use crate::raw::lock::Lock;
use crate::raw::page;
use crate::raw::thread::Parked;
use crate::raw::vcore::{self, LOOK, Vcore};
use proto::call::NICE;

/// Who is told of events that the scheduler does not know.
pub(super) static HANDLER: Lock<Option<fn(Event)>> = Lock::new(None);

/// Threads that wait for one event more than there were.
#[derive(Debug)]
struct Listening {
    events: u64,
    waiters: Waiters,
}

static LISTENING: Lock<Listening> = Lock::new(Listening { events: 0, waiters: Waiters::new() });

/// One vcore at a time reads a mailbox: mostly its own, but also others read for one that does not run.
static READING: [Lock<()>; 256] = [const { Lock::new(()) }; 256];

/// How often a vcore asks to leave: what it had not been told of it has been told when it is refused.
const ATTEMPTS: u32 = 3;

/// What events ask for beyond threads that go on.
#[derive(Clone, Copy, Debug, Default)]
struct Todo {
    /// Some vcore was preempted.
    recover: bool,
    /// This vcore's core will be taken.
    leave: bool,
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
pub(super) fn look(here: &Here, interrupted: Option<Parked>) -> Option<Parked> {
    let me = here.vcore();
    let mut thread = interrupted;
    let mut attempts = 0;
    loop {
        // Whoever owes a look may owe it to a vcore that was preempted.
        let owed = me.owes_look();
        here.begin_look();
        let todo = read_from(here, me);
        if owed || todo.recover {
            thread = recover(here, thread);
        }
        timers::set(here);
        if todo.leave {
            attempts = ATTEMPTS;
        }
        if attempts > 0 {
            attempts -= 1;
            leave_core(here, thread.take());
        } else if !me.is_pending() {
            break;
        }
    }
    if thread.is_some() && !me.is_without_ready() {
        // Something may have come for a vcore that halts, and found only this one, which has a thread to go on with.
        run::wake_vcore();
    }
    thread
}

/// Reads the mailbox of a vcore, and those of all that it tells to have given their cores away; of this one also that
/// which nobody else reads.
fn read_from(here: &Here, from: &Vcore) -> Todo {
    let mut todo = Todo::default();
    if from.number() == here.vcore().number() {
        read_private_one(here, &mut todo);
    }
    read_mailbox(here, from.number(), &mut todo);
    while let Some(other) = todo.next_unread() {
        if other < vcore::count() {
            read_mailbox(here, other, &mut todo);
        }
    }
    todo
}

fn read_mailbox(here: &Here, vcore: u16, todo: &mut Todo) {
    let mailbox = page::vcore(vcore.into());
    let reading = &READING[usize::from(vcore)];
    loop {
        // Marks are looked at when there is no event: in the same turn, as there is nearly never anything.
        let next =
            reading.with_here(here, |()| read(mailbox).ok_or_else(|| read_overflow(mailbox)));
        match next {
            Ok(event) => act(here, event, todo),
            Err(0) => break,
            Err(lost) => break act_on_lost(here, lost, todo),
        }
    }
}

fn read_private_one(here: &Here, todo: &mut Todo) {
    let mailbox = page::vcore(here.vcore().number().into());
    while let Some(event) = read_private(mailbox) {
        act(here, event, todo);
    }
    let lost = read_private_overflow(mailbox);
    if lost != 0 {
        act_on_lost(here, lost, todo);
    }
}

/// Events of these kinds found no room: what they would have told is looked for.
#[cold]
fn act_on_lost(here: &Here, lost: u64, todo: &mut Todo) {
    let is_lost = |kind: u16| lost & 1 << kind != 0;
    lose(lost);
    happened(here);
    if is_lost(kind::CALL_DONE) {
        calls::some_are_done(here);
    }
    if is_lost(kind::ALARM) {
        timers::rang(here);
    }
    if is_lost(kind::CHECK_MESSAGES) {
        (0..vcore::count()).for_each(|other| todo.read_soon(other.into()));
    }
    if is_lost(kind::VCORE_LOST) || is_lost(kind::VCORE_PREEMPTED) {
        // Any of them may have been.
        vcore::has_had_core(vcore::count() - 1);
    }
    if is_lost(kind::VCORE_LOST) {
        vcore::all().for_each(|other| mourn(here, other));
    }
    todo.recover |= is_lost(kind::VCORE_PREEMPTED);
    todo.leave |= is_lost(kind::PREEMPT_PENDING);
}

fn act(here: &Here, event: Event, todo: &mut Todo) {
    match event.kind {
        kind::CALL_DONE => calls::done(here, event.value),
        kind::VCORE_PREEMPTED => {
            vcore::has_had_core(event.value as u16);
            todo.recover = true;
        }
        kind::CHECK_MESSAGES => todo.read_soon(event.value),
        kind::PREEMPT_PENDING => todo.leave |= event.value == u64::from(here.vcore().number()),
        kind::ALARM if event.value == timers::ALARM => timers::rang(here),
        kind::VCORE_LOST => {
            vcore::has_had_core(event.value as u16);
            if let Some(other) = vcore::all().find(|it| u64::from(it.number()) == event.value) {
                mourn(here, other);
            }
            todo.recover = true;
            tell(here, event);
        }
        LOOK => {}
        _ => tell(here, event),
    }
}

/// An event is the program's.
fn tell(here: &Here, event: Event) {
    let is_queue = event.kind == kind::QUEUE;
    if let Some(handler) = HANDLER.with_here(here, |it| *it) {
        handler(event);
        if !is_queue {
            return;
        }
    } else if !is_queue {
        deliver(event);
    }
    // Who waits for a queue looks there.
    happened(here);
}

/// Sees to a vcore whose core has stopped.
fn mourn(here: &Here, other: &Vcore) {
    if let Some(joiner) = here.mourn(other) {
        ready_here(here, joiner);
    }
    run::take_over(here, other);
}

/// Events that threads may wait for, ever.
pub(super) fn count() -> u64 {
    LISTENING.with(|it| it.events)
}

/// Lets a thread wait until more has come than `known`; gives it back if that is so.
pub(super) fn listen(here: &Here, known: u64, thread: Parked) -> Option<Parked> {
    LISTENING.with_here(here, |it| {
        if it.events != known {
            return Some(thread);
        }
        it.waiters.push(thread);
        None
    })
}

/// Something has come that threads may wait for.
pub(super) fn happened(here: &Here) {
    let woken = LISTENING.with_here(here, |it| {
        it.events += 1;
        it.waiters.wake_all()
    });
    woken.for_each(|thread| ready_here(here, thread));
}

/// Sees to all vcores that were preempted.
pub(super) fn recover(here: &Here, interrupted: Option<Parked>) -> Option<Parked> {
    let mut thread = interrupted;
    let me = here.vcore().number();
    for other in vcore::all().filter(|it| it.number() != me && it.is_preempted()) {
        if other.must_run() {
            // It goes on here; this vcore begins anew when it is started. What is still to be done, the other one does.
            if let Some(thread) = thread.take() {
                ready_here(here, thread);
            }
            run::leave_threads(here);
            other.owe_look();
            here.give_core_to(other);
        } else if let Some(stolen) = here.steal_from(other) {
            ready_here(here, stolen);
        }
        run::take_over(here, other);
        // What was posted to it before nobody else would read.
        let todo = read_from(here, other);
        if todo.recover {
            here.vcore().owe_look();
        }
    }
    thread
}

/// The core will be taken: gives it back before, with its threads where others find them. Returns if the kernel refuses,
/// because the warning is an old one, or because something has come of which this core has not been told yet.
fn leave_core(here: &Here, thread: Option<Parked>) {
    if let Some(thread) = thread {
        ready_here(here, thread);
    }
    run::leave_threads(here);
    here.yield_core(NICE);
}
