//! Who is on its way off a core: it is so for the coordinator exactly as long as the core was told so and its answer is
//! not known. (That it stands on the list of those that leave then is a rule of the coordinator's own.)

use super::core::{Health, SimCore};
use super::world::{Happened, World, violation};
use monitor::CoreView;
use proto::id::{CoreId, Lease};
use proto::message::{ToCore, ToMonitor};

/// The lease that a core is to let go of when it takes this message.
fn ends(message: &ToCore) -> Option<Lease> {
    match *message {
        ToCore::Preempt { lease, .. } | ToCore::Death { lease } => Some(lease),
        ToCore::Regrant { from, .. } => Some(from),
        _ => None,
    }
}

/// Does the message show, from a core that was to let go of `lease`, perhaps for `next`, that it has?
fn answers(message: &ToMonitor, lease: Lease, next: Option<Lease>) -> bool {
    match *message {
        ToMonitor::Preempted { lease: it } | ToMonitor::Released { lease: it } => it == lease,
        ToMonitor::Started { lease: it } => Some(it) == next,
        ToMonitor::Stale { lease: it, .. } => it == next.unwrap_or(lease),
        _ => false,
    }
}

impl SimCore {
    /// The leases that it has been told to let go of, and has not yet taken the message. What the fault plan sends once
    /// more does not count.
    fn is_told_to_end(&self) -> impl Iterator<Item = Lease> + '_ {
        self.to.iter().flatten().filter(|it| Some(**it) != self.replay).filter_map(ends)
    }

    fn has_answered(&self, lease: Lease, next: Option<Lease>) -> bool {
        self.from.iter().flatten().any(|it| answers(it, lease, next))
    }
}

impl World {
    /// Checks that a core was told to let go of what leaves it, and of nothing else.
    pub(crate) fn check_leaving(&self, core: CoreId, it: &SimCore) -> Happened {
        // What is under way to and from a core that has stopped is lost.
        let Some(CoreView { held, leaver, .. }) = self.coordinator.core(core) else {
            return Ok(());
        };
        if !matches!(it.health, Health::Well | Health::Silent) {
            return Ok(());
        }
        // Who is claimed leaves, and its core is told in a step that is still to come.
        let told = held.filter(|held| held.leaving.is_some() && !held.claimed);
        let told = told.map(|held| (held.lease, None));
        let left = leaver.map(|left| (left.lease, held.map(|held| held.lease)));
        for (lease, next) in told.into_iter().chain(left) {
            let under_way = it.is_told_to_end().any(|ends| ends == lease);
            if !under_way && !it.has_answered(lease, next) {
                return violation(format!("{lease:?} leaves core {core}, which was not told so"));
            }
        }
        let leaves = |lease| [told, left].into_iter().flatten().any(|(it, _)| it == lease);
        match it.is_told_to_end().find(|&lease| !leaves(lease)) {
            Some(lease) => violation(format!("core {core} was told that {lease:?} leaves it")),
            None => Ok(()),
        }
    }
}
