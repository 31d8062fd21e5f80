//! Scenes about what processes ask for now and then: queues for events.

use super::stage::{Meter, Stage};
use proto::id::VcoreId;
use proto::message::ToMonitor;
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
}
