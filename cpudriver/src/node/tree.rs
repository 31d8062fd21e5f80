//! The rings through which shootdowns are handed on, and answered: two, one each way, between a core and one below it in a
//! tree.
//!
//! They are made when a tree first needs them and then stay. The ends belong to a core's estate, so a core that
//! is started anew has them still.

use crate::post::{Outbox, Receiver, Sender};
use alloc::boxed::Box;
use alloc::vec::Vec;
use proto::id::CoreId;
use proto::message::{Lane, Peer};
use proto::slot::NoMessage;
use rtrb::RingBuffer;

/// Slots of such a ring. A core is handed the next shootdown of a process when it has answered the last, so there
/// is more than one at a time only if a core was lost in between.
pub const SLOTS: usize = 4;

/// Bytes that two such rings take with their ends, allocator's overhead included, at most.
pub const TREE_LINK_BYTES: usize = 2 * (SLOTS * 64 + 2 * 384) + 512;

/// One core's ends of the rings to and from another core.
#[derive(Debug)]
pub struct TreeEnd {
    sender: Sender<Peer>,
    receiver: Receiver<Peer>,
}

/// Makes such rings: the ends for the core above, and those for the core below. Both live for ever.
#[must_use]
pub fn connect_down() -> (&'static mut TreeEnd, &'static mut TreeEnd) {
    let (down, from_above) = immediate_link();
    let (up, from_below) = immediate_link();
    let above = TreeEnd { sender: down, receiver: from_below };
    let below = TreeEnd { sender: up, receiver: from_above };
    (Box::leak(Box::new(above)), Box::leak(Box::new(below)))
}

/// A link whose routine lane has no slots.
fn immediate_link() -> (Sender<Peer>, Receiver<Peer>) {
    let (immediate_in, immediate_out) = RingBuffer::new(SLOTS);
    let (routine_in, routine_out) = RingBuffer::new(0);
    (Sender::new(immediate_in, routine_in), Receiver::new(immediate_out, routine_out))
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

    /// The last core, by number, that there is one to or from.
    pub(super) fn last(&self) -> Option<CoreId> {
        self.ends.iter().rposition(Option::is_some).map(|at| CoreId(at as u16))
    }

    #[inline(always)]
    fn end(&self, peer: CoreId) -> Option<&TreeEnd> {
        self.ends.get(peer.index())?.as_deref()
    }

    #[inline(always)]
    fn end_mut(&mut self, peer: CoreId) -> Option<&mut TreeEnd> {
        self.ends.get_mut(peer.index())?.as_deref_mut()
    }

    /// Sends to a core next to this one in a tree, which learns of it at the next flush; false if there is no way to that
    /// core, or no room.
    #[inline(always)]
    pub(super) fn send(&mut self, to: CoreId, message: &Peer, outbox: &mut Outbox) -> bool {
        self.end_mut(to).is_some_and(|end| outbox.send(to, &mut end.sender, message).is_ok())
    }

    /// As [`Tree::send`], but the caller lets that core know.
    #[inline(always)]
    pub(super) fn put(&mut self, to: CoreId, message: &Peer) -> bool {
        self.end_mut(to).is_some_and(|end| end.sender.send(message).is_ok())
    }

    /// Whether there is something from that core.
    #[inline(always)]
    pub(super) fn has_something(&self, from: CoreId) -> bool {
        self.end(from).is_some_and(|end| !end.receiver.is_lane_empty(Lane::Immediate))
    }

    /// The oldest message from a core.
    ///
    /// # Errors
    /// [`NoMessage`], also where there is no ring from that core.
    #[inline(always)]
    pub(super) fn take(&mut self, from: CoreId) -> Result<Peer, NoMessage> {
        let Some(end) = self.end_mut(from) else { return Err(NoMessage::Empty) };
        end.receiver.take(Lane::Immediate)
    }

    /// Throws away what an earlier life of the core has left unread.
    pub(super) fn discard(&mut self) {
        for end in self.ends.iter_mut().flatten() {
            end.receiver.discard();
        }
    }

    /// Messages that were sent and received.
    #[must_use]
    pub fn traffic(&self) -> (u64, u64) {
        self.ends.iter().flatten().fold((0, 0), |(sent, received), end| {
            (sent + end.sender.traffic().messages, received + end.receiver.traffic().messages)
        })
    }
}
