//! I14: time on cores, counted a second time.

use super::world::{Happened, process_of, violation};
use monitor::{Coordinator, ProcessId};
use proto::id::{CoreId, Lease, VcoreId};
use std::collections::BTreeMap;

/// Who has been on cores for how long, as seen from outside: by when leases came and went.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stays {
    /// The lease of each core, and since when it has had it.
    now: Vec<Option<(Lease, u64)>>,
    /// Ticks of stays that are over; a single-core process has no vcore.
    over: BTreeMap<(ProcessId, Option<VcoreId>), u64>,
}

impl Stays {
    pub(crate) fn new(cores: usize) -> Self {
        Self { now: vec![None; cores], over: BTreeMap::new() }
    }

    /// A process is gone.
    pub(crate) fn forget(&mut self, process: ProcessId) {
        self.over.retain(|(it, _), _| *it != process);
    }

    /// Notes which leases came and went by `now`, and checks that the coordinator counted the same.
    pub(crate) fn check(&mut self, coordinator: &Coordinator, now: u64) -> Happened {
        for (core, stay) in (0..).map(CoreId).zip(&mut self.now) {
            let held = coordinator.core(core).and_then(|it| it.held).map(|held| held.lease);
            if stay.map(|(lease, _)| lease) == held {
                continue;
            }
            let before = std::mem::replace(stay, held.map(|lease| (lease, now)));
            let Some((lease, since)) = before else { continue };
            let (process, vcore) = (process_of(lease), lease.vcore);
            let Some(view) = coordinator.process(lease.pid).filter(|it| it.id == process) else {
                continue;
            };
            let vcore = (core != CoreId::MANAGEMENT).then_some(vcore);
            let ticks = self.over.entry((process, vcore)).or_default();
            *ticks += now - since;
            let counted = match vcore {
                None => Some(view.ticks),
                Some(vcore) => coordinator.vcore(lease.pid, vcore).map(|it| it.ticks),
            };
            if counted != Some(*ticks) {
                return violation(format!("I14: {lease:?} has had {ticks} ticks, not {counted:?}"));
            }
        }
        Ok(())
    }
}
