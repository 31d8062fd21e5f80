//! What the coordinator wants written to the memory of processes most often: what comes of calls, and events.

use super::programs::Programs;
use crate::program::space::{PRIVATE, PUBLIC};
use monitor::{Coordinator, Enqueued, Input, Mailbox, Output, ProcessId};
use proto::call::Outcome;
use proto::event::Event;
use proto::id::VcoreId;

impl Programs {
    /// Applies an output that does nothing but write to the memory of a process; false if it is not one of those that are
    /// frequent, see [`Programs::apply`].
    #[inline(always)]
    pub(super) fn write(&mut self, it: &Coordinator, output: &Output) -> bool {
        match *output {
            // These have code of their own: there are few calls on the way of an event.
            Output::Complete { process, call, outcome, value } => {
                self.complete(it, (process, call), outcome, value);
            }
            Output::PostFor { process, vcore, mailbox, ref event, call } => {
                self.post_for(it, (process, vcore), (mailbox, event), call);
            }
            Output::Post { .. }
            | Output::Map { .. }
            | Output::Populate { .. }
            | Output::Protect { .. }
            | Output::Unmap { .. }
            | Output::Release { .. } => self.apply_to(it, output),
            _ => return false,
        }
        true
    }

    /// Says in the structure of a call what came of it.
    #[inline(never)]
    fn complete(
        &mut self,
        it: &Coordinator,
        (process, call): (ProcessId, u64),
        outcome: Outcome,
        value: u64,
    ) {
        let failed = self.failed.take_if(|it| it.0 == call);
        let outcome = failed.map_or(outcome, |it| it.1);
        if let Some(root) = it.root(process) {
            self.spaces.complete(root, call, outcome, value);
        }
    }

    /// Posts an event of a program, or says that there was no room for it.
    #[inline(never)]
    fn post_for(
        &mut self,
        it: &Coordinator,
        (process, vcore): (ProcessId, VcoreId),
        (mailbox, event): (Mailbox, &Event),
        call: u64,
    ) {
        let Some(root) = it.root(process) else { return };
        let mailbox = match mailbox {
            Mailbox::Public => PUBLIC,
            Mailbox::Private => PRIVATE,
        };
        if self.spaces.try_post(root, vcore, mailbox, *event) {
            return;
        }
        match call {
            0 => self.spaces.note_lost(root, vcore, mailbox, *event),
            _ => self.failed = Some((call, Outcome::AGAIN)),
        }
    }

    /// Those that are about events for programs.
    pub(super) fn apply_to_queues(&mut self, it: &Coordinator, output: &Output) {
        match *output {
            Output::Enqueue { process, sending } => {
                let refused = Enqueued::Refused(Outcome::NO_PROCESS);
                let what =
                    it.root(process).map_or(refused, |root| self.spaces.enqueue(root, &sending));
                self.enqueued.push_back(Input::Enqueued { process, sending, what });
            }
            Output::SetLast { process, queue, vcore } => {
                if let Some(root) = it.root(process) {
                    self.spaces.set_last(root, queue, vcore);
                }
            }
            _ => {}
        }
    }
}
