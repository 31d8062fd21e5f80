//! Scenes about what processes ask for now and then: queues for events, and what a parent does for a child before it lets it run.

use super::stage::{BYTES, Meter, Stage};
use monitor::{Control, ProcessId};
use proto::call::HandlePair;
use proto::id::{CoreId, Pid, VcoreId};
use proto::memory::{Rights, SHARED};
use proto::message::{PageRange, ToMonitor};
use proto::program::number::QUEUES;
use proto::program::queue;

/// The first kind of event that has a queue; the others follow it.
const FIRST_KIND: u16 = 100;
/// Where the queue of that kind is, which is the first too.
const FIRST_QUEUE: u64 = 0x4000;

impl<M: Meter> Stage<'_, M> {
    /// The large process, which has no queue, gets as many as it may have, and then none again.
    pub(super) fn queues(&mut self) {
        let (large, pid, value) = (self.cast.large, self.cast.large.pid, 7);
        let kinds = FIRST_KIND..FIRST_KIND + QUEUES as u16;
        let (last, event) = (kinds.end - 1, kinds.end);
        for (kind, address) in kinds.clone().zip((FIRST_QUEUE..).step_by(queue::BYTES)) {
            self.set_queue(kind, address);
        }
        self.ask("send-event", large, |call| {
            let (queue, vcore) = (FIRST_QUEUE, VcoreId(1));
            ToMonitor::SendEvent { call, queue, event, value, vcore }
        });
        self.answer("enqueued");
        self.came_to(0);
        self.settle();
        self.ask("notify-process-to-queue", large, |call| ToMonitor::NotifyProcess {
            call,
            pid,
            event: last,
            value,
        });
        self.settle();
        self.came_to(0);
        kinds.for_each(|kind| self.set_queue(kind, 0));
    }

    fn set_queue(&mut self, event: u16, queue: u64) {
        let request = |call| ToMonitor::SetQueue { call, event, queue };
        self.ask("set-queue", self.cast.large, request);
        self.came_to(0);
    }

    /// The shell makes a child, does for it what must be done before it runs, and lets it run; it ends itself.
    pub(super) fn family(&mut self) {
        let shell = self.cast.shell;
        let child = self.child("", "", shell);
        let pid = child.pid;
        self.ask("set-user", shell, |call| {
            let (name, length) = (0x1000, BYTES.len() as u16);
            ToMonitor::SetUser { call, pid, name, length }
        });
        self.answer("copied-user");
        self.came_to(0);
        let pairs = core::array::from_fn(|at| HandlePair { mine: 0, theirs: at as u8 });
        // The second time it closes those that it has got.
        for _ in 0..2 {
            self.ask("dup-handles", shell, |call| ToMonitor::DupHandles { call, pid, pairs });
            self.settle();
            self.came_to(pairs.len() as i32);
        }
        self.share_memory(child);
        self.hand_on(child);
        self.ask("run", shell, |call| ToMonitor::Run { call, pid });
        self.came_to(0);
        self.settle();
        while self.lease(CoreId::MANAGEMENT).pid != pid {
            self.give_way();
        }
        let lease = self.lease(CoreId::MANAGEMENT);
        self.say("exit", CoreId::MANAGEMENT, ToMonitor::Exit { lease, code: 3 });
        self.settle();
        self.ask("", shell, |call| ToMonitor::Wait { call, pid, flags: 0 });
        self.came_to(pid.0.into());
        self.settle();
        self.calm();
    }

    /// The shell gives its child memory.
    fn share_memory(&mut self, child: ProcessId) {
        let (shell, pid) = (self.cast.shell, child.pid);
        let (pages, rights, flags) = (4, Rights::READ_WRITE, SHARED);
        self.ask("", shell, |call| ToMonitor::Map { call, first: 0, pages, rights, flags });
        self.settle();
        self.came_to(0);
        let first = self.value >> 12;
        self.outcome = None;
        self.ask("share", shell, |call| ToMonitor::Share { call, pid, first });
        while !self.is_settled() {
            self.answer("share-continued");
        }
        self.came_to(0);
        let range = PageRange { first, pages };
        self.ask("", shell, |call| ToMonitor::Unmap { call, range });
        self.settle();
        self.came_to(0);
    }

    /// The shell gives its child the right to a core that it has got, which then nobody has again.
    fn hand_on(&mut self, child: ProcessId) {
        let core = self.coordinator.idle_cores().at_or_after(CoreId(0)).expect("two are idle");
        let (shell, pid) = (self.cast.shell, child.pid);
        self.control("", Control::Provision { core, to: Some(shell.pid) });
        self.ask("hand-on", shell, |call| ToMonitor::Provision { call, pid, core });
        self.came_to(0);
        self.control("", Control::Provision { core, to: None });
        self.settle();
    }

    /// Calls that wait for bytes, so many, are cut short together, each with an event.
    pub(super) fn abort_handle(&mut self, name: &'static str, count: usize) {
        let (process, handle) = (self.cast.ready[0], self.cast.pipe.0);
        for _ in 0..count {
            self.ask_for_event("", process, |call| ToMonitor::Read {
                call,
                handle,
                flags: 0,
                at: 0x1000,
                length: 16,
            });
        }
        self.ask(name, process, |call| ToMonitor::AbortHandle { call, handle });
        self.came_to(count as i32);
        self.settle();
    }

    /// The shell asks which processes there are: as many as one call tells of.
    pub(super) fn list(&mut self) {
        let (at, length, first) = (0x1000, 1 << 20, Pid(0));
        self.ask("list", self.cast.shell, |call| ToMonitor::List { call, at, length, first });
        assert!(self.outcome.is_some_and(|count| count.0 > 0), "it is one itself");
    }
}
