//! What a node does about the orders of the coordinator.

use super::{Counts, Job, Next, Node, Parcel, Part, Platform};
use crate::driver::{Effect, Shootdown, Sink, Trap};
use crate::trace::{Kind, What};
use proto::id::CoreId;
use proto::message::{Lane, ToCore, ToMonitor};
use proto::slot::NoMessage;

/// Does what the driver wants done, in order, but for messages: those to others follow when all is done.
struct Doer<P> {
    platform: P,
    hand_on: Option<Shootdown>,
    told: Option<ToMonitor>,
}

impl<P: Platform> Doer<P> {
    fn new(platform: P) -> Self {
        Self { platform, hand_on: None, told: None }
    }
}

impl<P: Platform> Sink for Doer<P> {
    #[inline(always)]
    fn add(&mut self, effect: Effect) {
        match effect {
            Effect::Send(message) => self.told = Some(message),
            Effect::HandOn(shootdown) => self.hand_on = Some(shootdown),
            effect => self.platform.perform(effect),
        }
    }
}

impl<P: Platform> Node<P> {
    /// Handles one message from another core's lane; false if there was none. That there is none is seen in the
    /// caller's own code: a lane is looked at more often than something is taken from it.
    #[inline(always)]
    pub fn take(&mut self, sender: CoreId, lane: Lane) -> bool {
        self.has_order(sender, lane) && self.take_order(lane)
            || self.is_linked() && self.take_of_others(sender, lane)
    }

    /// Whether there is a link to any other core. Few cores ever have one, and the others need not look further.
    #[inline(always)]
    pub(super) fn is_linked(&self) -> bool {
        self.peers.are_any() || self.star.as_ref().is_some_and(|star| star.tree.is_used())
    }

    /// As [`Node::take`], through links to other cores.
    #[inline]
    fn take_of_others(&mut self, sender: CoreId, lane: Lane) -> bool {
        self.peers.has(sender) && self.take_peer(sender, lane)
            || lane == Lane::Immediate && self.has_of_tree(sender) && self.take_of_tree(sender)
    }

    #[inline(always)]
    fn has_order(&mut self, sender: CoreId, lane: Lane) -> bool {
        let star = self.star.as_ref().filter(|_| sender == CoreId::MANAGEMENT);
        star.is_some_and(|star| !star.receiver.is_lane_empty(lane))
    }

    #[inline(always)]
    fn take_order(&mut self, lane: Lane) -> bool {
        match lane {
            Lane::Immediate => self.take_immediate_order(),
            Lane::Routine => self.take_routine_order(),
        }
    }

    #[inline(never)]
    fn take_routine_order(&mut self) -> bool {
        let Some(star) = &mut self.star else { return false };
        match star.receiver.take(Lane::Routine) {
            Ok(order) => self.follow_here(&order, Lane::Routine),
            Err(NoMessage::Malformed) => self.counts.stray += 1,
            Err(NoMessage::Empty) => return false,
        }
        true
    }

    /// Does what the coordinator asks, and answers.
    #[inline(always)]
    pub(super) fn follow_here(&mut self, order: &ToCore, lane: Lane) {
        self.note(What::Received { kind: Kind::from(order), lane, from: CoreId::MANAGEMENT });
        if let Some(answer) = self.obey_here(order) {
            self.send_answer(&answer);
        }
    }

    /// Does what the coordinator asks, as far as it can be done at once, and gives the answer.
    #[inline(never)]
    pub fn obey(&mut self, order: &ToCore) -> Option<ToMonitor> {
        self.obey_here(order)
    }

    /// As [`Node::obey`], for the order that the management core gets most often: [`ToCore::Switch`].
    #[inline(never)]
    pub fn obey_switch(&mut self, order: &ToCore) -> Option<ToMonitor> {
        match order {
            ToCore::Switch { .. } => self.obey_driver(order),
            _ => None,
        }
    }

    /// As [`Node::obey`], inlined into its caller: an answer is large, and not moved about there.
    #[inline(always)]
    fn obey_here(&mut self, order: &ToCore) -> Option<ToMonitor> {
        match *order {
            ToCore::Ping { nonce } => Some(ToMonitor::Pong { nonce }),
            ToCore::Dump => Some(ToMonitor::Dumped { report: self.platform.report(&self.trace) }),
            ToCore::Stop => {
                self.called_off = true;
                self.next = Next::Park;
                Some(ToMonitor::Stopped)
            }
            ToCore::Link { peer } => self.link(peer),
            ToCore::Unlink { peer } => self.unlink(peer),
            ToCore::Experiment { .. } => self.take_part(order),
            ToCore::Count => {
                self.platform.look_at_trace();
                self.seen.tell_dropped(self.star.as_deref_mut(), &mut self.outbox);
                Some(self.counters())
            }
            ToCore::Panic => panic!("asked to by the console"),
            ToCore::Hang => loop {
                self.platform.pause();
            },
            ToCore::StartCore { .. }
            | ToCore::Preempt { .. }
            | ToCore::Death { .. }
            | ToCore::Notify { .. }
            | ToCore::SetContext { .. }
            | ToCore::Switch { .. }
            | ToCore::Regrant { .. }
            | ToCore::Done { .. }
            | ToCore::TlbShootdown { .. }
            | ToCore::TlbMulticast { .. } => self.obey_driver(order),
        }
    }

    /// Does what the driver makes of an order about leases or translations.
    #[inline(always)]
    fn obey_driver(&mut self, order: &ToCore) -> Option<ToMonitor> {
        self.platform.takes(order, &self.driver);
        let mut doer = Doer::new(self.platform);
        self.driver.on_message(order, &mut doer);
        self.finish(&doer)
    }

    /// Takes a request of the vcore that runs here, which it stands still for, and gives what the coordinator
    /// must be told.
    pub fn trap(&mut self, trap: Trap) -> Option<ToMonitor> {
        let mut doer = Doer::new(self.platform);
        self.driver.on_trap(trap, &mut doer);
        self.finish(&doer)
    }

    /// Hands on what has to be; gives the message to the coordinator.
    #[inline(always)]
    fn finish(&mut self, doer: &Doer<P>) -> Option<ToMonitor> {
        if let Some(shootdown) = &doer.hand_on {
            self.hand_on(shootdown);
        }
        doer.told
    }

    fn link(&mut self, peer: CoreId) -> Option<ToMonitor> {
        let taken = match self.platform.take_ends() {
            Some(Parcel::Link(ends)) => self.peers.insert(peer, ends),
            Some(Parcel::Tree(end)) => {
                self.star.as_mut().is_some_and(|star| star.tree.insert(peer, end))
            }
            None => false,
        };
        if !taken {
            self.counts.stray += 1;
        }
        taken.then_some(ToMonitor::Linked { peer })
    }

    fn unlink(&mut self, peer: CoreId) -> Option<ToMonitor> {
        let Some(ends) = self.peers.remove(peer) else {
            self.counts.stray += 1;
            return None;
        };
        match self.platform.give_ends(Parcel::Link(ends)) {
            Ok(()) => return Some(ToMonitor::Unlinked { peer }),
            Err(Parcel::Link(ends)) => {
                self.peers.insert(peer, ends);
            }
            Err(Parcel::Tree(_)) => {}
        }
        self.counts.stray += 1;
        None
    }

    fn take_part(&mut self, order: &ToCore) -> Option<ToMonitor> {
        self.call_off();
        match Job::read(order) {
            Some(Job { part: part @ (Part::Awake | Part::Asleep), .. }) => {
                self.awake = part == Part::Awake;
                if let Next::Do(unbegun) = &mut self.next {
                    unbegun.part = Part::Asleep;
                }
            }
            Some(job) => {
                self.next = Next::Do(job);
                return None;
            }
            None => self.counts.stray += 1,
        }
        let now = self.platform.now();
        Some(ToMonitor::ExperimentDone { begin: now, end: now, operations: 0 })
    }

    fn counters(&self) -> ToMonitor {
        let Counts { halts, heard, timers, asleep, .. } = self.counts;
        let (peer_sent, peer_received) = self.traffic();
        ToMonitor::Counters {
            doorbells: self.outbox.rung(),
            halts,
            heard,
            timers,
            peer_sent,
            peer_received,
            asleep,
        }
    }
}
