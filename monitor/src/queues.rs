//! Event queues: who is told of an event that was sent to one.
//!
//! A queue lies in the memory of its process, which the coordinator does not read. So it has an event put there
//! ([`Output::Enqueue`]); what was found there comes back at once as [`crate::Input::Enqueued`], and with that it
//! decides, as with every event, by what it knows of the process's vcores. Answers Akaros' `send_event`,
//! `send_indir` and `spam_public_msg`.

use crate::coordinator::Coordinator;
use crate::gang::{Gang, Place};
use crate::lifecycle::State;
use crate::output::{Mailbox, Outbox, Output};
use crate::process::{Process, ProcessId};
use crate::seat::Leaving;
use proto::call::{Call, Outcome};
use proto::event::{Event, flag, kind};
use proto::id::{CoreId, Pid, VcoreId};
use proto::message::ToMonitor;
use proto::program::layout::USER_END;
use proto::program::number::QUEUES;
use proto::program::queue;
use serde::{Deserialize, Serialize};

/// An event on its way to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sending {
    /// Address of the queue, an allegation.
    pub queue: u64,
    /// The event.
    pub event: Event,
    /// The vcore that it is about.
    pub vcore: VcoreId,
    /// The call that sends it. Without one it is the kernel's, and leaves a mark where there is no room for it.
    pub call: Option<Call>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Enqueued {
    /// Nothing: what lies there is no queue, or it is full.
    Refused(Outcome),
    /// Somebody is to be told, or not.
    Done(Found),
}

/// What was read of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Found {
    /// Its flags: [`flag`].
    pub flags: u16,
    /// Its vcore, or the one that the event is about. The process has it.
    pub vcore: VcoreId,
    /// The vcore that was told last, an allegation.
    pub last: VcoreId,
    /// Where the event is.
    pub put: Put,
}

/// Where an event is that was sent to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Put {
    /// Nowhere yet: it is for the mailbox of a vcore.
    Nowhere,
    /// In the queue's own mailbox.
    InQueue,
    /// There, and a vcore has been told of earlier ones and has not looked.
    Throttled,
    /// What is for the mailbox of a vcore, the event or word of it, is in that of [`Found::vcore`], which somebody looks at.
    AtVcore,
}

/// The kinds of events of a process that have a queue. Each process has room for as many as there may be, so that to have the
/// first allocates nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Queues {
    /// For each an address and above it the kind, in one word that is not 0; behind the last all are.
    words: [u64; QUEUES],
}

/// Where the kind is, above the address.
const KIND_AT: u32 = 48;

const _: () = assert!(USER_END <= 1 << KIND_AT);

impl Queues {
    pub(crate) const NONE: Self = Self { words: [0; QUEUES] };

    /// Has no kind a queue?
    #[inline(always)]
    pub(crate) const fn is_empty(&self) -> bool {
        self.words[0] == 0
    }

    const fn kind_in(word: u64) -> u16 {
        (word >> KIND_AT) as u16
    }

    fn of(&self, kind: u16) -> Option<u64> {
        // Where nothing is the address is 0, whatever kind that is taken for.
        let word = self.words.iter().find(|word| Self::kind_in(**word) == kind);
        word.map(|word| word & ((1 << KIND_AT) - 1)).filter(|address| *address != 0)
    }

    /// Gives a kind a queue, another one, or with 0 none any more; false when there are too many.
    fn set(&mut self, kind: u16, queue: u64) -> bool {
        let count = self.words.iter().position(|word| *word == 0).unwrap_or(QUEUES);
        let known = self.words[..count].iter().position(|word| Self::kind_in(*word) == kind);
        let word = u64::from(kind) << KIND_AT | queue;
        match (known, queue) {
            (None, 0) => {}
            (Some(at), 0) => {
                self.words[at] = self.words[count - 1];
                self.words[count - 1] = 0;
            }
            (Some(at), _) => self.words[at] = word,
            (None, _) if count == QUEUES => return false,
            (None, _) => self.words[count] = word,
        }
        true
    }
}

impl Found {
    const fn has(&self, flags: u16) -> bool {
        self.flags & flags == flags
    }

    /// Must whoever looks be told?
    const fn is_for_all(&self) -> bool {
        self.has(flag::SPAM_PUBLIC) || self.has(flag::INDIR | flag::SPAM_INDIR)
    }

    /// What a vcore finds in its mailbox.
    fn message(&self, it: &Sending) -> Option<Event> {
        match self.put {
            Put::Nowhere => Some(it.event),
            Put::InQueue if self.has(flag::INDIR) => {
                Some(Event { kind: kind::QUEUE, value: it.queue })
            }
            _ => None,
        }
    }
}

impl Coordinator {
    /// Sends an event of a kind that has a queue there; false if it has none.
    #[inline(never)]
    pub(crate) fn enqueue(
        &mut self,
        pid: Pid,
        about: VcoreId,
        event: Event,
        call: Option<Call>,
        out: &mut Outbox,
    ) -> bool {
        let process = self.table.at(pid);
        let Some(queue) = process.io.queues.of(event.kind) else { return false };
        let sending = Sending { queue, event, vcore: about, call };
        out.push(Output::Enqueue { process: process.id, sending });
        true
    }

    /// A process asks for something about its queues.
    #[inline(never)]
    pub(crate) fn on_queue_call(&mut self, core: CoreId, request: &ToMonitor, out: &mut Outbox) {
        match *request {
            ToMonitor::SendEvent { call, queue, event, value, vcore } => {
                let event = Event { kind: event, value };
                self.on_send(call, Sending { queue, event, vcore, call: Some(call) }, out);
            }
            ToMonitor::SetQueue { call, event, queue } => {
                self.answer(call, out, |it, pid, _| it.set_queue(pid, event, queue));
            }
            _ => self.count_unexpected(core),
        }
    }

    /// A process sends an event to a queue of its own.
    fn on_send(&mut self, call: Call, sending: Sending, out: &mut Outbox) {
        let Some(pid) = self.caller(&call) else { return };
        let process = self.table.at(pid);
        if sending.vcore.0 >= vcores(process) {
            return self.complete(pid, call, Outcome::INVALID, 0, out);
        }
        out.push(Output::Enqueue { process: process.id, sending });
    }

    fn set_queue(&mut self, pid: Pid, kind: u16, address: u64) -> Outcome {
        if !address.is_multiple_of(queue::ALIGN) || address >= USER_END {
            return Outcome::INVALID;
        }
        let done = self.table.at_mut(pid).io.queues.set(kind, address);
        if done { Outcome::OK } else { Outcome::AGAIN }
    }

    /// The event is where the queue says, or cannot be.
    pub(crate) fn on_enqueued(
        &mut self,
        process: ProcessId,
        it: &Sending,
        what: Enqueued,
        out: &mut Outbox,
    ) {
        let alive = self.table.get(process).is_some_and(|it| !it.is_dying());
        let outcome = match what {
            _ if !alive => Outcome::NO_PROCESS,
            Enqueued::Done(found) => {
                self.tell_of(process.pid, it, found, out);
                Outcome::OK
            }
            Enqueued::Refused(why) if it.call.is_some() => why,
            Enqueued::Refused(_) => {
                self.post_to_vcore(process.pid, it.vcore, it.event, out);
                Outcome::OK
            }
        };
        if let Some(call) = it.call
            && let Some(caller) = self.caller(&call)
        {
            self.complete(caller, call, outcome, 0, out);
        }
    }

    /// Chooses a vcore and tells it, as the flags say.
    fn tell_of(&mut self, pid: Pid, it: &Sending, found: Found, out: &mut Outbox) {
        let process = self.table.at_mut(pid);
        let (id, message) = (process.id, found.message(it));
        let is_message = message.is_some() || found.put == Put::AtVcore;
        let for_all = found.is_for_all() && is_message;
        let vcore = choose(process, found, for_all);
        if found.has(flag::ROUNDROBIN) {
            out.push(Output::SetLast { process: id, queue: it.queue, vcore });
        }
        if let Some(event) = message {
            let private = found.has(flag::VCORE_PRIVATE) && !for_all;
            let mailbox = if private { Mailbox::Private } else { Mailbox::Public };
            // Word of an event that lies in the queue is not the sender's concern.
            let sender = it.call.filter(|_| found.put == Put::Nowhere);
            let call = sender.map_or(0, |call| call.at & !7);
            out.push(Output::PostFor { process: id, vcore, mailbox, event, call });
        }
        let ipi = found.has(flag::IPI) && found.put != Put::Throttled;
        if message.is_none() && ipi {
            out.push(Output::SetPending { process: id, vcore });
        }
        if is_message || ipi {
            self.tell_vcore(pid, vcore, ipi, out);
        }
        if for_all || found.has(flag::WAKEUP) {
            self.wake_with(pid, vcore, out);
        }
        let process = self.table.at_mut(pid);
        if it.event.kind != kind::CALL_DONE {
            process.io.posted = process.io.posted.wrapping_add(1);
            self.end_await(pid, out);
        }
    }

    /// A vcore has something to look for: its core is told, or at least not given up before it has looked.
    fn tell_vcore(&mut self, pid: Pid, vcore: VcoreId, tell: bool, out: &mut Outbox) {
        let process = self.table.at_mut(pid);
        let (notified, quiet, core) = match &mut process.gang {
            None => (&mut process.notified, &mut process.quiet, CoreId::MANAGEMENT),
            Some(gang) => match gang.get_mut(vcore) {
                Some(it) => (&mut it.notified, &mut it.quiet, it.core),
                None => return,
            },
        };
        if !tell {
            *quiet = true;
            return;
        }
        *notified = notified.wrapping_add(1);
        let count = *notified;
        let is_there = self.cores[core.index()].seat.held.is_some_and(|held| {
            (held.lease.pid, held.lease.vcore) == (pid, vcore) && held.leaving.is_none()
        });
        if is_there {
            self.route(core, count, out);
        }
    }

    /// Wakes a process that waits, or is about to, so that this vcore runs first.
    fn wake_with(&mut self, pid: Pid, vcore: VcoreId, out: &mut Outbox) {
        let process = self.table.at_mut(pid);
        let waits = process.state() == State::Waiting;
        let Some(gang) = &mut process.gang else {
            let held = self.cores[0].seat.held.filter(|held| held.lease.pid == pid);
            if waits {
                self.wake_single(pid, out);
            } else if held.is_some_and(|held| held.leaving == Some(Leaving::Wait)) {
                process.woken = true;
            }
            return;
        };
        if gang.count(Place::Online) > 0 {
            return;
        }
        // A vcore that is not made ready yet cannot look.
        gang.urgent.get_or_insert(if gang.only_first { VcoreId(0) } else { vcore });
        if waits { self.wake_many(pid) } else { self.queue_for_cores(pid) }
    }
}

/// How many vcores a process has.
pub(crate) fn vcores(process: &Process) -> u16 {
    process.gang.as_ref().map_or(1, Gang::max)
}

/// The vcore that is told.
fn choose(process: &mut Process, found: Found, for_all: bool) -> VcoreId {
    let Some(gang) = &mut process.gang else { return VcoreId(0) };
    let in_turn = found.has(flag::ROUNDROBIN) && found.put != Put::AtVcore;
    let next = if in_turn { gang.after(found.last) } else { None };
    let chosen = next.unwrap_or(found.vcore);
    if gang.place(chosen) == Some(Place::Online) || found.put == Put::AtVcore {
        return chosen;
    }
    if for_all {
        return crate::events::target(gang, chosen);
    }
    let running = if found.has(flag::VCORE_MUST_RUN) { gang.soonest() } else { None };
    running.unwrap_or(chosen)
}

#[cfg(test)]
mod tests {
    use super::{QUEUES, Queues};

    #[test]
    fn a_kind_has_one_queue_and_there_is_a_bound() {
        let mut queues = Queues::NONE;
        for kind in 0..QUEUES as u16 {
            assert!(queues.set(kind, 64 * (u64::from(kind) + 1)));
        }
        assert!(!queues.set(500, 64) && queues.set(3, 6400) && queues.set(500, 0));
        assert_eq!((queues.of(3), queues.of(4), queues.of(500)), (Some(6400), Some(320), None));
        for kind in [0, QUEUES as u16 - 1, 7] {
            assert!(queues.set(kind, 0));
            assert_eq!(queues.of(kind), None);
        }
        assert_eq!((queues.of(3), queues.of(14)), (Some(6400), Some(960)));
        assert!(queues.set(500, 64));
        for kind in 0..=500 {
            assert!(queues.set(kind, 0));
        }
        assert_eq!(queues, Queues::NONE, "nothing is left of what was");
    }
}
