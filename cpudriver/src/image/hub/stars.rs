//! The coordinator's ends of the rings to and from every core.

use crate::arch::handoff;
use crate::node::{Star, Tree};
use crate::post::{Outbox, Receiver, Sender, Traffic, bounds::ORDERS, lanes::SLOTS, link};
use alloc::vec::Vec;
use proto::id::{CoreId, Lease};
use proto::message::{Lane, ToCore, ToMonitor};
use proto::slot::NoMessage;

/// Names the code that encodes a shootdown, see [`proto::slot::Slot::encode_for`].
struct AtOnce;

/// Names the code that encodes a death of many.
struct OfDeaths;

#[derive(Debug)]
struct Ends {
    sender: Sender<ToCore>,
    receiver: Receiver<ToMonitor>,
}

/// One pair of ends per core; none for core 0, and none for a core that was never started.
#[derive(Debug)]
pub(crate) struct Stars {
    ends: Vec<Option<Ends>>,
    malformed: u64,
}

impl Stars {
    /// Room for `cores` cores.
    pub(crate) fn new(cores: usize) -> Self {
        Self { ends: (0..cores).map(|_| None).collect(), malformed: 0 }
    }

    /// Makes rings to a core that has never run, and gives the core its ends as its estate.
    pub(crate) fn make(&mut self, core: CoreId) {
        let cores = self.ends.len();
        let Some(place) = self.ends.get_mut(core.index()) else { return };
        let (sender, from_monitor) = link(SLOTS);
        let (to_monitor, receiver) = link(SLOTS);
        let tree = Tree::new(cores);
        handoff::endow(core, Star { sender: to_monitor, receiver: from_monitor, tree });
        // The place is empty; dropping what was in it would be the only drop of a ring, by locked
        // instructions.
        core::mem::forget(place.replace(Ends { sender, receiver }));
    }

    /// Throws away what a core that has been stopped has left unread by core 0. What core 0 has left
    /// unread by it, the core throws away itself when it joins.
    pub(crate) fn empty(&mut self, core: CoreId) {
        if let Some(Some(ends)) = self.ends.get_mut(core.index()) {
            ends.receiver.discard();
        }
    }

    /// Whether a core's ring has room for an order that the coordinator does not count: so much that all
    /// that it may have outstanding still fits.
    pub(crate) fn has_room(&self, core: CoreId, lane: Lane) -> bool {
        let ends = self.ends.get(core.index()).and_then(Option::as_ref);
        ends.is_some_and(|ends| ends.sender.has_more_than(ORDERS, lane))
    }

    /// Whether a core has read all that it was sent, or has never been sent anything.
    pub(crate) fn has_read_all(&self, core: CoreId) -> bool {
        let ends = self.ends.get(core.index()).and_then(Option::as_ref);
        let is_empty = |ends: &Ends, lane| ends.sender.has_more_than(SLOTS - 1, lane);
        ends.is_none_or(|it| is_empty(it, Lane::Routine) && is_empty(it, Lane::Immediate))
    }

    /// Sends an order.
    ///
    /// # Panics
    /// When the ring is full: the coordinator keeps the bounds of what is outstanding on a core, and
    /// they fit.
    pub(crate) fn send(&mut self, core: CoreId, order: &ToCore, outbox: &mut Outbox) {
        if let Some(Some(ends)) = self.ends.get_mut(core.index()) {
            outbox
                .send(core, &mut ends.sender, order)
                .expect("all that may be outstanding on a core fits its ring");
        }
    }

    /// Puts a shootdown, which the coordinator keeps the bounds of as well. The caller lets the core know.
    ///
    /// # Panics
    /// As [`Stars::send`].
    #[inline(always)]
    pub(super) fn shoot_down(&mut self, core: CoreId, order: &ToCore) {
        if let Some(Some(ends)) = self.ends.get_mut(core.index()) {
            let fits = ends.sender.answer_for::<AtOnce>(order);
            assert!(fits, "all that may be outstanding on a core fits its ring");
        }
    }

    /// Puts a death, which the coordinator keeps the bounds of as well. The caller lets the core know.
    ///
    /// # Panics
    /// As [`Stars::send`].
    #[inline(always)]
    pub(super) fn let_go(&mut self, core: CoreId, lease: Lease) {
        if let Some(Some(ends)) = self.ends.get_mut(core.index()) {
            let fits = ends.sender.answer_for::<OfDeaths>(&ToCore::Death { lease });
            assert!(fits, "all that may be outstanding on a core fits its ring");
        }
    }

    /// As [`Stars::send`]; `Caller` names the place, see [`Sender::answer_for`].
    ///
    /// # Panics
    /// As [`Stars::send`].
    #[inline(always)]
    pub(crate) fn send_for<Caller>(&mut self, core: CoreId, order: &ToCore, outbox: &mut Outbox) {
        if let Some(Some(ends)) = self.ends.get_mut(core.index()) {
            let has_room = ends.sender.answer_for::<Caller>(order);
            assert!(has_room, "all that may be outstanding on a core fits its ring");
            outbox.note(core, order.lane());
        }
    }

    /// Whether there is a message in a lane from a core.
    #[inline(always)]
    pub(crate) fn has_something(&self, core: CoreId, lane: Lane) -> bool {
        let ends = self.ends.get(core.index()).and_then(Option::as_ref);
        ends.is_some_and(|ends| !ends.receiver.is_lane_empty(lane))
    }

    /// Whether there is a message from a core.
    #[inline(always)]
    pub(crate) fn has_any(&self, core: CoreId) -> bool {
        let ends = self.ends.get(core.index()).and_then(Option::as_ref);
        ends.is_some_and(|ends| !ends.receiver.is_empty())
    }

    /// The oldest message in a lane from a core.
    ///
    /// # Errors
    /// [`NoMessage`]; a malformed one is counted.
    #[inline(always)]
    pub(crate) fn take(&mut self, core: CoreId, lane: Lane) -> Result<ToMonitor, NoMessage> {
        let ends = self.ends.get_mut(core.index()).and_then(Option::as_mut);
        let message = ends.ok_or(NoMessage::Empty)?.receiver.take(lane);
        if let Err(NoMessage::Malformed) = message {
            self.malformed += 1;
        }
        message
    }

    /// The receiving end of the ring from a core.
    #[inline(always)]
    pub(crate) fn receiver(&mut self, core: CoreId) -> Option<&mut Receiver<ToMonitor>> {
        Some(&mut self.ends.get_mut(core.index())?.as_mut()?.receiver)
    }

    /// Counts a message that was taken from a [receiver](Stars::receiver) and had no meaning.
    pub(crate) const fn note_malformed(&mut self) {
        self.malformed += 1;
    }

    /// What was sent to a core and received from it since the machine started.
    pub(crate) fn traffic(&self, core: CoreId) -> (Traffic, Traffic) {
        let ends = self.ends.get(core.index()).and_then(Option::as_ref);
        ends.map(|ends| (ends.sender.traffic(), ends.receiver.traffic())).unwrap_or_default()
    }
}
