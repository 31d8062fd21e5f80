//! The rings through which shootdowns are handed on: one way each, from a core to one below it in a tree.
//!
//! They are made when a tree first needs them and then stay. The ends belong to a core's estate, so a core that
//! is started anew has them still.

use crate::post::{Outbox, Receiver, Sender, link};
use alloc::boxed::Box;
use alloc::vec::Vec;
use proto::id::CoreId;
use proto::message::{Lane, Peer};
use proto::slot::NoMessage;

/// Slots of such a ring. A core is handed the next shootdown of a process when it has answered the last, so there
/// is more than one at a time only if a core was lost in between.
const SLOTS: usize = 4;

/// Bytes that a ring takes with its two ends, allocator's overhead included, at most.
pub const TREE_LINK_BYTES: usize = 2 * (SLOTS * 64 + 512) + 512;

/// One end of such a ring.
#[derive(Debug)]
pub enum TreeEnd {
    /// To a core below.
    Down(Sender<Peer>),
    /// From a core above.
    Up(Receiver<Peer>),
}

/// Makes such a ring: the end for the core above, and the one for the core below. Both live for ever.
#[must_use]
pub fn connect_down() -> (&'static mut TreeEnd, &'static mut TreeEnd) {
    let (sender, receiver) = link(SLOTS);
    (Box::leak(Box::new(TreeEnd::Down(sender))), Box::leak(Box::new(TreeEnd::Up(receiver))))
}

/// A core's ends of all such rings that it has, by the core at the other end.
#[derive(Debug)]
pub struct Tree {
    ends: Vec<Option<&'static mut TreeEnd>>,
    is_used: bool,
}

impl Tree {
    /// None yet; room for those to `cores` cores.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        Self { ends: (0..cores).map(|_| None).collect(), is_used: false }
    }

    /// Takes an end of the ring to or from `peer`; false, and it is forgotten, if there is one already or no such
    /// core.
    pub(super) fn insert(&mut self, peer: CoreId, end: &'static mut TreeEnd) -> bool {
        match self.ends.get_mut(peer.index()) {
            Some(place @ None) => {
                *place = Some(end);
                self.is_used = true;
                true
            }
            _ => false,
        }
    }

    /// Whether there is any.
    #[inline(always)]
    pub(super) const fn is_used(&self) -> bool {
        self.is_used
    }

    /// Hands a message down; false if there is no way to that core, or no room.
    pub(super) fn send(&mut self, to: CoreId, message: &Peer, outbox: &mut Outbox) -> bool {
        match self.ends.get_mut(to.index()).and_then(Option::as_deref_mut) {
            Some(TreeEnd::Down(sender)) => outbox.send(to, sender, message).is_ok(),
            _ => false,
        }
    }

    /// Whether there is something from that core, which is above.
    #[inline(always)]
    pub(super) fn has_something(&self, from: CoreId) -> bool {
        match self.ends.get(from.index()) {
            Some(Some(TreeEnd::Up(receiver))) => !receiver.is_lane_empty(Lane::Immediate),
            _ => false,
        }
    }

    /// The oldest message from a core above.
    ///
    /// # Errors
    /// [`NoMessage`], also where there is no ring from that core.
    #[inline]
    pub(super) fn take(&mut self, from: CoreId) -> Result<Peer, NoMessage> {
        match self.ends.get_mut(from.index()).and_then(Option::as_deref_mut) {
            Some(TreeEnd::Up(receiver)) => receiver.take(Lane::Immediate),
            _ => Err(NoMessage::Empty),
        }
    }

    /// Whether anything has come from a core above.
    pub(super) fn has_more(&self, from: CoreId) -> bool {
        match self.ends.get(from.index()).and_then(Option::as_deref) {
            Some(TreeEnd::Up(receiver)) => !receiver.is_empty(),
            _ => false,
        }
    }

    /// Throws away what an earlier life of the core has left unread.
    pub(super) fn discard(&mut self) {
        for end in self.ends.iter_mut().flatten() {
            if let TreeEnd::Up(receiver) = end {
                receiver.discard();
            }
        }
    }

    /// Messages that were sent and received.
    #[must_use]
    pub fn traffic(&self) -> (u64, u64) {
        self.ends.iter().flatten().fold((0, 0), |(sent, received), end| match end {
            TreeEnd::Down(sender) => (sent + sender.traffic().messages, received),
            TreeEnd::Up(receiver) => (sent, received + receiver.traffic().messages),
        })
    }
}
