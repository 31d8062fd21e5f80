//! Shootdowns: a program stands still on each core that is told, so what mostly comes is done here with nothing beside it.
//!
//! That is one shootdown of the coordinator's, or of the core above in a tree, or an answer of a core below. A core that
//! was interrupted for it ([`Node::take_urgent`]) does nothing else, but to let go of a vcore that ends.

use super::{Node, Platform};
use crate::driver::{Effect, Shootdown, Sink};
use crate::post::Urgent;
use crate::trace::What;
use proto::core_set::CoreSet;
use proto::id::CoreId;
use proto::message::{Lane, Peer, ToCore, ToMonitor, tag};
use proto::slot::NoMessage;

/// Names the code that encodes the answer in a pass, see [`proto::slot::Slot::encode_for`].
struct InPass;

/// Names the one of a core that was interrupted.
struct Interrupted;

/// Names the one of a core whose answer stands for others.
struct Gathered;

/// Does what a shootdown that is not handed on has to effect, and keeps its answer.
struct Flusher<P> {
    platform: P,
    ticket: Option<u32>,
}

impl<P: Platform> Sink for Flusher<P> {
    #[inline(always)]
    fn add(&mut self, effect: Effect) {
        match effect {
            Effect::Flush { .. } => self.platform.perform(effect),
            Effect::Send(ToMonitor::ShootdownDone { ticket }) => self.ticket = Some(ticket),
            _ => {}
        }
    }
}

/// Does what a message in a tree has to effect, and keeps what is to be sent.
struct Spreader<P> {
    flusher: Flusher<P>,
    above: Option<(CoreId, u32)>,
    unreached: Option<ToMonitor>,
    hand_on: Option<Shootdown>,
}

impl<P: Platform> Spreader<P> {
    #[inline(always)]
    const fn new(platform: P) -> Self {
        let flusher = Flusher { platform, ticket: None };
        Self { flusher, above: None, unreached: None, hand_on: None }
    }
}

impl<P: Platform> Sink for Spreader<P> {
    #[inline(always)]
    fn add(&mut self, effect: Effect) {
        match effect {
            Effect::Answer { to, ticket } => self.above = Some((to, ticket)),
            Effect::HandOn(shootdown) => self.hand_on = Some(shootdown),
            Effect::Send(message @ ToMonitor::Unreached { .. }) => self.unreached = Some(message),
            effect => self.flusher.add(effect),
        }
    }
}

impl<P: Platform> Node<P> {
    /// Whether a sender may have something for a core that was interrupted which is done in passing: about a shootdown, or
    /// that its process ends.
    #[inline(always)]
    pub(super) fn has_urgent(&self, sender: CoreId) -> bool {
        if sender != CoreId::MANAGEMENT {
            return self.has_of_tree(sender);
        }
        self.star.as_ref().is_some_and(|star| !star.receiver.is_lane_empty(Lane::Immediate))
            || self.is_to_die()
    }

    /// Handles one such message. Whom an experiment has linked to this core may have more.
    #[inline(always)]
    pub(super) fn take_urgent(&mut self, sender: CoreId) -> Urgent {
        if sender != CoreId::MANAGEMENT {
            self.take_of_tree(sender);
            let more = self.peers.are_any() || self.has_of_tree(sender);
            return if more { Urgent::More } else { Urgent::All };
        }
        let Some(star) = self.star.as_deref_mut() else { return Urgent::More };
        let mut after = Urgent::All;
        // Nearly always it is this, and its kind is a constant in the code for it.
        match star.receiver.first(Lane::Immediate) {
            Some(slot) if slot.tag() == tag::TLB_SHOOTDOWN => {
                let (order, bytes) = slot.decode_known::<Interrupted, { tag::TLB_SHOOTDOWN }, _>();
                star.receiver.free(Lane::Immediate, bytes);
                match order {
                    Ok(order) => self.shoot_down::<Interrupted>(&order),
                    Err(_) => self.counts.stray += 1,
                }
            }
            Some(slot) if slot.tag() == tag::TLB_MULTICAST => {
                let (order, bytes) = slot.decode_known::<Interrupted, { tag::TLB_MULTICAST }, _>();
                star.receiver.free(Lane::Immediate, bytes);
                match order {
                    Ok(order) => self.follow(&order),
                    Err(_) => self.counts.stray += 1,
                }
            }
            Some(_) => {
                self.take_other_urgent();
                return Urgent::More;
            }
            None => {
                if self.dies_in_passing() {
                    after = Urgent::Leaves;
                }
            }
        }
        let has_more = self.star.as_ref().is_some_and(|star| !star.receiver.is_empty());
        if self.peers.are_any() || has_more { Urgent::More } else { after }
    }

    /// As [`Node::take_urgent`], of the coordinator's messages that are rare: a pass follows, in which more may be found.
    #[inline(never)]
    fn take_other_urgent(&mut self) {
        let Some(star) = &mut self.star else { return };
        match star.receiver.take(Lane::Immediate) {
            Ok(order) => self.follow(&order),
            Err(NoMessage::Malformed) => self.counts.stray += 1,
            Err(NoMessage::Empty) => {}
        }
    }

    /// Handles one message of the immediate lane from the coordinator; false if there was none.
    #[inline(never)]
    pub(super) fn take_immediate_order(&mut self) -> bool {
        let Some(star) = &mut self.star else { return false };
        match star.receiver.take(Lane::Immediate) {
            Ok(order @ ToCore::TlbShootdown { .. }) => self.shoot_down::<InPass>(&order),
            Ok(order) => self.follow(&order),
            Err(NoMessage::Malformed) => self.counts.stray += 1,
            Err(NoMessage::Empty) => return false,
        }
        true
    }

    #[inline(never)]
    fn follow(&mut self, order: &ToCore) {
        self.follow_here::<Self>(order, Lane::Immediate);
    }

    /// Flushes, and then acknowledges it.
    #[inline(always)]
    fn shoot_down<Caller>(&mut self, order: &ToCore) {
        self.platform.takes(order, &self.driver);
        let mut flusher = Flusher { platform: self.platform, ticket: None };
        self.driver.on_message(order, &mut flusher);
        if let Some(ticket) = flusher.ticket {
            self.acknowledge::<Caller>(ticket);
            self.note(What::Flushed { told_by: CoreId::MANAGEMENT });
        }
    }

    #[inline(always)]
    fn acknowledge<Caller>(&mut self, ticket: u32) {
        let Some(star) = &mut self.star else { return };
        let answer = ToMonitor::ShootdownDone { ticket };
        assert!(star.sender.answer_for::<Caller>(&answer), "a slot is reserved for every answer");
        self.outbox.knock_at_once(CoreId::MANAGEMENT, &self.platform);
    }

    /// Whether a core next to this one in a tree has sent something.
    #[inline(always)]
    pub(super) fn has_of_tree(&self, sender: CoreId) -> bool {
        self.star.as_ref().is_some_and(|star| star.tree.has_something(sender))
    }

    /// Handles one message of a core next to this one in a tree; false if there was none.
    #[inline(never)]
    pub(super) fn take_of_tree(&mut self, sender: CoreId) -> bool {
        let Some(star) = &mut self.star else { return false };
        let message = match star.tree.take(sender) {
            Ok(message) => message,
            Err(NoMessage::Malformed) => {
                self.counts.stray += 1;
                return true;
            }
            Err(NoMessage::Empty) => return false,
        };
        let mut spreader = Spreader::new(self.platform);
        self.driver.on_peer(sender, &message, &mut spreader);
        if let Peer::TlbShootdown { .. } = message {
            self.note(What::Flushed { told_by: sender });
        }
        match &spreader.hand_on {
            Some(shootdown) => self.hand_on(shootdown),
            None => self.answer_in_tree(&spreader),
        }
        true
    }

    /// Hands a shootdown on to the cores next below.
    #[inline(never)]
    pub(super) fn hand_on(&mut self, shootdown: &Shootdown) {
        let (mut told, mut unreached) = (CoreSet::EMPTY, CoreSet::EMPTY);
        for (to, message) in shootdown.parts() {
            let star = self.star.as_mut();
            if star.is_some_and(|star| star.tree.send(to, &message, &mut self.outbox)) {
                told.insert(to);
            } else if let Peer::TlbShootdown { below, .. } = message {
                unreached = unreached.or(&below);
                unreached.insert(to);
            }
        }
        let mut spreader = Spreader::new(self.platform);
        self.driver.handed_on(told, unreached, &mut spreader);
        self.answer_in_tree(&spreader);
    }

    /// Lets whoever has told this core know what is to be known, if anything is.
    #[inline(always)]
    fn answer_in_tree(&mut self, spreader: &Spreader<P>) {
        if let Some(unreached) = spreader.unreached {
            self.answer(unreached);
        }
        if let Some(ticket) = spreader.flusher.ticket {
            self.acknowledge::<Gathered>(ticket);
        }
        if let Some((to, ticket)) = spreader.above {
            self.answer_above(to, ticket);
        }
    }

    /// Answers the core above; when it is out of reach the coordinator learns of it.
    #[inline(always)]
    fn answer_above(&mut self, to: CoreId, ticket: u32) {
        let star = self.star.as_mut();
        if star.is_some_and(|star| star.tree.put(to, &Peer::ShootdownDone { ticket })) {
            self.outbox.knock_at_once(to, &self.platform);
        } else {
            let cores = [self.core].into_iter().collect();
            self.answer(ToMonitor::Unreached { ticket, cores });
        }
    }
}
