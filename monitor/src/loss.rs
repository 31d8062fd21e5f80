//! What becomes of a process when a core that ran one of its vcores is known to have stopped.
//!
//! A many-core process that has others goes on: one of these is told which vcore is lost, by
//! [`VCORE_LOST`](kind::VCORE_LOST), and may start it anew. A process that has none left is destroyed: there is
//! nobody to tell. So is one on a core that has only fallen silent, see [`crate::membership`].

use crate::coordinator::Coordinator;
use crate::death::LOST_CORE;
use crate::gang::Place;
use crate::output::Outbox;
use crate::seat::{Held, Leaving};
use proto::event::{Event, kind};
use proto::id::VcoreId;

impl Coordinator {
    /// What was `held` by a core is gone without having been saved, or without our knowing; the core has
    /// been vacated.
    pub(crate) fn after_loss(&mut self, held: Held, out: &mut Outbox) {
        let pid = held.lease.pid;
        if held.leaving == Some(Leaving::Yield) && !self.table.at(pid).is_dying() {
            // It had given its context up.
            self.after_leaving(pid, Leaving::Yield, out);
            return self.consider(pid);
        }
        let process = self.table.at(pid);
        if process.is_dying() {
            return;
        }
        let other = process.gang.as_ref().and_then(|gang| gang.first(Place::Online));
        let Some(other) = other else { return self.destroy(pid, LOST_CORE, out) };
        let mut tell = |vcore: VcoreId, kind| {
            let event = Event { kind, value: u64::from(vcore.0) };
            self.post(pid, other, event, out);
        };
        tell(held.lease.vcore, kind::VCORE_LOST);
        match held.from {
            Some((from, true)) => tell(from, kind::VCORE_LOST),
            Some((from, false)) => tell(from, kind::CHECK_MESSAGES),
            None => {}
        }
        self.consider(pid);
    }
}
