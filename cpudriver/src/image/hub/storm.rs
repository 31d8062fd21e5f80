//! Watching a process while cores are taken from it: where its vcores were stopped.

use super::Hub;
use crate::arch::space::{VcorePage, vcore_page};
use core::ops::Add;
use monitor::ProcessId;
use proto::id::{CoreId, Lease, VcoreId};
use proto::program::data;

/// A process that is watched, with all that come from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    process: ProcessId,
    seen: Seen,
}

/// Where vcores were stopped.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Preemptions.
    pub(crate) preempts: u64,
    /// Of them, in vcore context.
    pub(crate) in_context: u64,
    /// In a critical section of the scheduler.
    pub(crate) critical: u64,
    /// While something that ran on another vcore of the process had been stopped and not been recovered.
    pub(crate) nested: u64,
}

impl Add for Seen {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            preempts: self.preempts + other.preempts,
            in_context: self.in_context + other.in_context,
            critical: self.critical + other.critical,
            nested: self.nested + other.nested,
        }
    }
}

impl Hub {
    /// Watches a process from now on, and all that come from it.
    pub(crate) fn watch(&mut self, process: ProcessId) {
        self.watched = Some(Watch { process, seen: Seen::default() });
    }

    /// What was seen of the process that is watched, which is not watched any more.
    pub(crate) fn seen(&mut self) -> Seen {
        self.watched.take().map_or_else(Seen::default, |watch| watch.seen)
    }

    /// A core says that it has started a vcore, and with that that it has saved the one that it left for it, if there is one.
    #[cold]
    pub(super) fn look_at_left(&mut self, core: CoreId) {
        if let Some(left) = self.coordinator.core(core).and_then(|core| core.leaver) {
            self.look_at_preempted(left.lease);
        }
    }

    /// A core says that it has saved a vcore; nothing has been done about it yet.
    pub(super) fn look_at_preempted(&mut self, lease: Lease) {
        let Some(mut watch) = self.watched else { return };
        let Lease { pid, generation, .. } = lease;
        if !self.coordinator.comes_from(pid, watch.process) {
            return;
        }
        let Some(root) = self.coordinator.root(ProcessId { pid, generation }) else { return };
        let is = |page: VcorePage, at| page.load_u8(at) != 0;
        let Some(page) = vcore_page(root, lease.vcore) else { return };
        let others =
            (0..self.coordinator.max_vcores()).map(VcoreId).filter(|it| *it != lease.vcore);
        let mut others = others.filter_map(|other| vcore_page(root, other));
        let seen = &mut watch.seen;
        seen.preempts += 1;
        seen.in_context += u64::from(is(page, data::IN_VCORE_CONTEXT));
        seen.critical += u64::from(is(page, data::CRITICAL));
        let unrecovered = |it: VcorePage| is(it, data::PREEMPTED) && is(it, data::OCCUPIED);
        seen.nested += u64::from(others.any(unrecovered));
        self.watched = Some(watch);
    }
}
