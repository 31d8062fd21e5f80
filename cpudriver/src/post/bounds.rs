//! How many messages of each kind may be outstanding on a link, and the proof that they fit.
//!
//! Nobody waits inside a handler and nothing is dropped, so a ring must hold whatever its sender is
//! allowed to have under way. The coordinator keeps the bounds of [`ToCore`]; the answers of a core
//! are bounded by what it was asked. Requests of a core are as many as its programs make, so they
//! leave a reserve for answers, and a request that finds only the reserve is refused.

use super::lanes::SLOTS;
use proto::message::{Lane, Peer, ToCore, ToMonitor};
use proto::sample::{Sample, TO_CORE, TO_MONITOR};
use proto::slot::Message;

/// What the message path must know of a message beside its encoding.
pub trait Post: Message {
    /// Slots that requests leave free in each lane.
    const RESERVED: usize = 0;

    /// The lane that this message travels in.
    fn lane(&self) -> Lane;

    /// Whether this is a request, which may be refused, rather than an answer, for which a slot is
    /// kept.
    #[inline(always)]
    fn is_request(&self) -> bool {
        false
    }
}

impl Post for ToCore {
    #[inline(always)]
    fn lane(&self) -> Lane {
        Self::lane(self)
    }
}

impl Post for ToMonitor {
    const RESERVED: usize = ANSWERS;

    #[inline(always)]
    fn lane(&self) -> Lane {
        Self::lane(self)
    }

    #[inline(always)]
    fn is_request(&self) -> bool {
        outstanding_to_monitor(self).is_none()
    }
}

impl Post for Peer {
    #[inline(always)]
    fn lane(&self) -> Lane {
        Self::lane(self)
    }
}

/// How many messages of this kind the coordinator has under way to one core at most.
#[must_use]
pub const fn outstanding_to_core(message: &ToCore) -> usize {
    match message {
        ToCore::Ping { .. } => 8,
        ToCore::Dump
        | ToCore::Stop
        | ToCore::TlbShootdown { .. }
        | ToCore::TlbMulticast { .. }
        | ToCore::Link { .. }
        | ToCore::Unlink { .. }
        | ToCore::Experiment { .. }
        | ToCore::Count
        | ToCore::StartCore { .. }
        | ToCore::Preempt { .. }
        | ToCore::Death { .. }
        | ToCore::Notify { .. }
        | ToCore::SetContext { .. }
        | ToCore::Switch { .. }
        | ToCore::Regrant { .. }
        | ToCore::Done { .. }
        | ToCore::Changed { .. }
        | ToCore::Panic
        | ToCore::Hang => 1,
    }
}

/// How many messages of this kind one core has under way to the coordinator at most; `None` for a
/// request, of which there are as many as fit beside the reserve.
#[must_use]
pub const fn outstanding_to_monitor(message: &ToMonitor) -> Option<usize> {
    match message {
        ToMonitor::Pong { .. } => Some(8),
        // One more when the core above was lost while it handed a shootdown on.
        ToMonitor::ShootdownDone { .. }
        | ToMonitor::Unreached { .. }
        // The vcore stands still until the answer, so it cannot ask twice, and a fault can't be refused. But its core may
        // have been regranted meanwhile, and then the next one asks, once, before the answer to `Regrant` is heard.
        | ToMonitor::Yield { .. }
        | ToMonitor::ChangeVcore { .. }
        | ToMonitor::ChangeToM { .. }
        | ToMonitor::Fault { .. }
        | ToMonitor::Reflect { .. }
        | ToMonitor::Exit { .. } => Some(2),
        ToMonitor::Join { .. }
        | ToMonitor::CoreFailed { .. }
        | ToMonitor::Dumped { .. }
        | ToMonitor::Stopped
        | ToMonitor::Stale { .. }
        | ToMonitor::Linked { .. }
        | ToMonitor::Unlinked { .. }
        | ToMonitor::ExperimentDone { .. }
        | ToMonitor::Samples { .. }
        | ToMonitor::Counters { .. }
        | ToMonitor::Started { .. }
        | ToMonitor::Preempted { .. }
        | ToMonitor::Released { .. }
        | ToMonitor::Notified { .. } => Some(1),
        ToMonitor::Poke { .. }
        | ToMonitor::Run { .. }
        | ToMonitor::Destroy { .. }
        | ToMonitor::Wait { .. }
        | ToMonitor::NotifyProcess { .. }
        | ToMonitor::NotifyVcore { .. }
        | ToMonitor::Provision { .. }
        | ToMonitor::Unmap { .. }
        | ToMonitor::SetAlarm { .. }
        | ToMonitor::Create { .. }
        | ToMonitor::OpenPipe { .. }
        | ToMonitor::Read { .. }
        | ToMonitor::Write { .. }
        | ToMonitor::Close { .. }
        | ToMonitor::SetHandle { .. }
        | ToMonitor::DupHandles { .. }
        | ToMonitor::SetUser { .. }
        | ToMonitor::Sleep { .. }
        | ToMonitor::AwaitEvent { .. }
        | ToMonitor::AbortCall { .. }
        | ToMonitor::AbortHandle { .. }
        | ToMonitor::Map { .. }
        | ToMonitor::Protect { .. }
        | ToMonitor::Share { .. }
        | ToMonitor::List { .. }
        | ToMonitor::Traced { .. }
        | ToMonitor::SendEvent { .. }
        | ToMonitor::SetQueue { .. } => None,
    }
}

/// Slots of each lane from a core to the coordinator that only answers may use: all answers that can
/// be under way at once.
pub const ANSWERS: usize = {
    let mut sum = 0;
    let mut at = 0;
    while at < TO_MONITOR.len() {
        if let Some(bound) = outstanding_to_monitor(&TO_MONITOR[at].message) {
            sum += bound;
        }
        at += 1;
    }
    sum
};

/// All that the coordinator can have under way to one core, if it were all in one lane.
pub const ORDERS: usize = {
    let samples: &[Sample<ToCore>] = TO_CORE;
    let mut sum = 0;
    let mut at = 0;
    while at < samples.len() {
        sum += outstanding_to_core(&samples[at].message);
        at += 1;
    }
    sum
};

const _: () = assert!(ORDERS <= SLOTS, "orders to a core do not fit its ring");
const _: () = assert!(ANSWERS < SLOTS, "answers of a core leave no slot for requests");
