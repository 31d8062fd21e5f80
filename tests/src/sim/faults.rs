//! What goes wrong with cores and with messages: silence, panics, restarts, and messages that arrive once
//! more when what they speak of is long over.

use super::action::Mishap;
use super::core::{Health, SimCore};
use super::world::{Happened, World};
use proto::id::{CoreId, Lease};
use proto::message::{ToCore, ToMonitor};
use std::collections::VecDeque;

/// Messages that are kept in each direction.
const KEPT: usize = 6;

/// The last messages about leases, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct History {
    /// Those that the core has taken.
    pub to: VecDeque<ToCore>,
    /// Those that it has sent.
    pub from: VecDeque<ToMonitor>,
}

fn keep<T>(list: &mut VecDeque<T>, message: T) {
    list.truncate(KEPT - 1);
    list.push_front(message);
}

/// The lease that a message to a core names.
pub(crate) fn lease_to(message: &ToCore) -> Option<Lease> {
    match *message {
        ToCore::StartCore { lease, .. }
        | ToCore::Preempt { lease, .. }
        | ToCore::Death { lease }
        | ToCore::Notify { lease, .. }
        | ToCore::SetContext { lease, .. }
        | ToCore::Switch { to: lease, .. }
        | ToCore::Regrant { to: lease, .. }
        | ToCore::Done { lease, .. }
        | ToCore::Changed { lease, .. } => Some(lease),
        _ => None,
    }
}

/// The lease under which a core speaks. (Calls belong to processes, not to leases.)
fn lease_from(message: &ToMonitor) -> Option<Lease> {
    match *message {
        ToMonitor::Started { lease }
        | ToMonitor::Preempted { lease }
        | ToMonitor::Released { lease }
        | ToMonitor::Notified { lease, .. }
        | ToMonitor::Yield { lease, .. }
        | ToMonitor::ChangeVcore { lease, .. }
        | ToMonitor::ChangeToM { lease }
        | ToMonitor::Fault { lease, .. }
        | ToMonitor::Exit { lease, .. } => Some(lease),
        _ => None,
    }
}

impl History {
    pub(crate) fn taken(&mut self, message: ToCore) {
        if lease_to(&message).is_some() {
            keep(&mut self.to, message);
        }
    }

    pub(crate) fn sent(&mut self, message: ToMonitor) {
        if lease_from(&message).is_some() || matches!(message, ToMonitor::ShootdownDone { .. }) {
            keep(&mut self.from, message);
        }
    }
}

impl SimCore {
    /// Has the core had a later lease, or is it free?
    fn is_over(&self, lease: Option<Lease>) -> bool {
        lease.is_none() || self.driver.lease() != lease
    }

    fn replay_to_core(&mut self, back: u8) {
        let Some(&message) = self.history.to.get(usize::from(back)) else { return };
        // Each is answered as stale, and there is room for one such answer.
        let answers = self.from.iter().flatten();
        let answered = answers.filter(|it| matches!(it, ToMonitor::Stale { .. })).count() > 0;
        if self.is_over(lease_to(&message)) && !answered {
            self.replay = Some(message);
            self.receive(message);
        }
    }

    fn replay_to_monitor(&mut self, back: u8) {
        let Some(&message) = self.history.from.get(usize::from(back)) else { return };
        // An answer about translations could still be under way, and be the one that counts.
        let under_way = self.from.iter().flatten().any(|it| *it == message);
        if self.is_over(lease_from(&message)) && !under_way {
            self.echo = Some(message);
            self.push(message);
        }
    }
}

impl World {
    pub(crate) fn fail(&mut self, core: CoreId, mishap: Mishap) -> Happened {
        let it = &mut self.cores[core.index()];
        match (mishap, it.health) {
            (Mishap::FallSilent, Health::Well) => it.health = Health::Silent,
            (Mishap::Recover, Health::Silent) => it.health = Health::Well,
            (Mishap::Panic, Health::Well | Health::Silent) => {
                it.health = Health::Stopped;
                it.send(ToMonitor::CoreFailed { report: 0 });
                self.forget_contexts(core);
            }
            (Mishap::Join, Health::Starting) => it.join(u32::from(core.0)),
            (Mishap::ReplayToCore(back), Health::Well) if it.replay.is_none() => {
                it.replay_to_core(back);
            }
            (Mishap::ReplayToMonitor(back), Health::Well) if it.echo.is_none() => {
                it.replay_to_monitor(back);
            }
            _ => {}
        }
        Ok(())
    }
}
