//! Immediate messages of the coordinator for a core that was interrupted in user mode: mostly one shootdown and nothing
//! else, for which a program stands still, so that is done here with nothing beside it.

use super::{Node, Platform};
use crate::driver::{Effect, Sink};
use crate::trace::What;
use proto::id::CoreId;
use proto::message::{Lane, ToCore, ToMonitor};
use proto::slot::NoMessage;

/// Names the code that encodes the answer in a pass, see [`proto::slot::Slot::encode_for`].
struct InPass;

/// Names the one of a core that was interrupted.
struct Interrupted;

/// Does what a lone shootdown has to effect, and keeps its answer.
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

impl<P: Platform> Node<P> {
    /// Whether a sender may have a shootdown for a core that was interrupted.
    #[inline(always)]
    pub(super) fn has_urgent(&self, sender: CoreId) -> bool {
        let star = self.star.as_ref().filter(|_| sender == CoreId::MANAGEMENT);
        star.is_some_and(|star| !star.receiver.is_lane_empty(Lane::Immediate))
    }

    /// Handles the shootdowns of the coordinator; whether it has more, or an experiment has linked the management core to
    /// this one, which has something then, perhaps.
    #[inline(always)]
    pub(super) fn take_urgent(&mut self, sender: CoreId) -> bool {
        let Some(star) = self.star.as_mut().filter(|_| sender == CoreId::MANAGEMENT) else {
            return true;
        };
        match star.receiver.take(Lane::Immediate) {
            Ok(order @ ToCore::TlbShootdown { .. }) => self.shoot_down::<Interrupted>(&order),
            Ok(order @ ToCore::TlbMulticast { .. }) => self.follow(&order),
            Ok(order) => {
                self.follow(&order);
                return true;
            }
            Err(NoMessage::Malformed) => self.counts.stray += 1,
            Err(NoMessage::Empty) => {}
        }
        self.peers.are_any() || self.star.as_ref().is_some_and(|star| !star.receiver.is_empty())
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
        self.follow_here(order, Lane::Immediate);
    }

    /// Flushes, and then acknowledges it.
    #[inline(always)]
    fn shoot_down<Caller>(&mut self, order: &ToCore) {
        self.platform.takes(order, &self.driver);
        let mut flusher = Flusher { platform: self.platform, ticket: None };
        self.driver.on_message(order, &mut flusher);
        let (Some(ticket), Some(star)) = (flusher.ticket, &mut self.star) else { return };
        let answer = ToMonitor::ShootdownDone { ticket };
        assert!(star.sender.answer_for::<Caller>(&answer), "a slot is reserved for every answer");
        self.outbox.knock_at_once(CoreId::MANAGEMENT, &self.platform);
        self.note(What::Flushed { told_by: CoreId::MANAGEMENT });
    }
}
