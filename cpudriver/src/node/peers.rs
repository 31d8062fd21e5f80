//! Links to other cores, made when somebody asks for them, and what comes in through them.

use super::{Node, Platform};
use crate::post::{Receiver, Sender, link};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem::ManuallyDrop;
use proto::id::CoreId;
use proto::message::{Lane, Peer};
use proto::slot::NoMessage;

/// One core's ends of a link to another core. Freed by [`take_apart`] and not by being dropped.
#[derive(Debug)]
pub struct PeerEnds {
    /// To the other core.
    pub sender: ManuallyDrop<Sender<Peer>>,
    /// From the other core.
    pub receiver: ManuallyDrop<Receiver<Peer>>,
}

impl PeerEnds {
    const fn new(sender: Sender<Peer>, receiver: Receiver<Peer>) -> Self {
        Self { sender: ManuallyDrop::new(sender), receiver: ManuallyDrop::new(receiver) }
    }
}

/// Makes a link between two cores with `slots` slots in each ring, and gives both cores' ends.
#[must_use]
pub fn connect(slots: usize) -> (Box<PeerEnds>, Box<PeerEnds>) {
    let (to_second, from_first) = link(slots);
    let (to_first, from_second) = link(slots);
    (Box::new(PeerEnds::new(to_second, from_second)), Box::new(PeerEnds::new(to_first, from_first)))
}

/// Frees ends of a link, on the core that made it.
///
/// This is the one place where rings are dropped: the two ends of a ring settle by a locked instruction
/// which of them comes last and frees it. Both are this core's by then, so nobody waits. The list of
/// exceptions of `atoll check-locks` names this function; it must not be inlined.
#[inline(never)]
pub fn take_apart(ends: PeerEnds) {
    let PeerEnds { sender, receiver } = ends;
    drop((ManuallyDrop::into_inner(sender), ManuallyDrop::into_inner(receiver)));
}

/// What a stream from one peer has brought so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stream {
    /// Of the values, each weighed by how many have come behind it: two that change places make another sum.
    pub(super) sum: u64,
}

impl Stream {
    /// A value comes.
    #[inline(always)]
    const fn add(&mut self, value: u64) {
        // Any odd factor will do; of 32 bits it is part of the instruction.
        const FACTOR: u64 = 0x0100_0193;
        self.sum = self.sum.wrapping_mul(FACTOR).wrapping_add(value);
    }

    /// What the values from 1 to this one come to.
    pub(super) fn of_first(messages: u32) -> Self {
        let mut stream = Self::default();
        (1..=messages).for_each(|value| stream.add(value.into()));
        stream
    }
}

#[derive(Debug)]
struct Link {
    ends: Box<PeerEnds>,
    incoming: Stream,
    /// The sum of a stream of the peer's that found the ring full, with a stream of our own.
    owed: Option<u64>,
}

/// All links of a core, and what was last heard through them.
#[derive(Debug)]
pub struct Peers {
    links: Vec<Option<Link>>,
    /// The cores that there are links to, in the order in which they were made.
    linked: Vec<CoreId>,
    /// The number of the last [`Peer::Pong`].
    pub(super) pong: Option<u32>,
    /// Streams of ours that were summed up by their receivers since the count was last reset.
    pub(super) sums: u32,
    /// The sum of all these sums.
    pub(super) total: u64,
    /// Links through which a sum is owed.
    owing: u32,
    /// Messages through links that are gone, sent and received.
    past: (u64, u64),
}

impl Peers {
    /// Room for links to `cores` cores.
    pub(super) fn new(cores: usize) -> Self {
        let links = (0..cores).map(|_| None).collect();
        Self {
            links,
            linked: Vec::with_capacity(cores),
            pong: None,
            sums: 0,
            total: 0,
            owing: 0,
            past: (0, 0),
        }
    }

    /// Takes ends of a link to `peer`; false, and the ends are forgotten, if there is one already or no
    /// such core.
    pub fn insert(&mut self, peer: CoreId, ends: Box<PeerEnds>) -> bool {
        match self.links.get_mut(peer.index()) {
            Some(place @ None) => {
                *place = Some(Link { ends, incoming: Stream::default(), owed: None });
                self.linked.push(peer);
                true
            }
            _ => {
                // Freeing the box here would free another core's memory.
                core::mem::forget(ends);
                false
            }
        }
    }

    /// Gives the ends of the link to `peer` back.
    pub fn remove(&mut self, peer: CoreId) -> Option<Box<PeerEnds>> {
        let link = self.links.get_mut(peer.index())?.take()?;
        self.linked.retain(|&linked| linked != peer);
        self.owing -= u32::from(link.owed.is_some());
        self.past.0 += link.ends.sender.traffic().messages;
        self.past.1 += link.ends.receiver.traffic().messages;
        Some(link.ends)
    }

    /// Whether there is a link to any core.
    #[inline(always)]
    pub(super) const fn are_any(&self) -> bool {
        !self.linked.is_empty()
    }

    /// The last core, by number, that there is a link to.
    pub(super) fn last(&self) -> Option<CoreId> {
        self.linked.iter().copied().max()
    }

    /// Whether there is a link to that core.
    #[inline(always)]
    pub(super) fn has(&self, peer: CoreId) -> bool {
        matches!(self.links.get(peer.index()), Some(Some(_)))
    }

    /// The cores that there are links to.
    #[must_use]
    pub fn linked(&self) -> &[CoreId] {
        &self.linked
    }

    /// Whether anything has come from a peer.
    pub(super) fn has_more(&self, sender: CoreId) -> bool {
        let link = self.links.get(sender.index()).and_then(Option::as_ref);
        link.is_some_and(|link| !link.ends.receiver.is_empty())
    }

    /// Whether a sum is owed to any peer.
    #[inline]
    pub(super) const fn owes(&self) -> bool {
        self.owing > 0
    }

    /// Messages sent to and received from peers so far.
    #[must_use]
    pub fn traffic(&self) -> (u64, u64) {
        self.links.iter().flatten().fold(self.past, |(sent, received), link| {
            (
                sent + link.ends.sender.traffic().messages,
                received + link.ends.receiver.traffic().messages,
            )
        })
    }
}

impl<P: Platform> Node<P> {
    /// Sends to a peer; false if there is no link to it or its ring is full.
    #[inline]
    pub(super) fn tell(&mut self, peer: CoreId, message: &Peer) -> bool {
        let Some(Some(link)) = self.peers.links.get_mut(peer.index()) else { return false };
        self.outbox.send(peer, &mut link.ends.sender, message).is_ok()
    }

    /// Handles one message from a peer; false if there was none.
    #[inline(never)]
    pub(super) fn take_peer(&mut self, sender: CoreId, lane: Lane) -> bool {
        let Some(Some(link)) = self.peers.links.get_mut(sender.index()) else { return false };
        match link.ends.receiver.take(lane) {
            Ok(Peer::Data { value }) => link.incoming.add(value),
            Ok(message) => self.hear(sender, message),
            Err(NoMessage::Malformed) => self.counts.stray += 1,
            Err(NoMessage::Empty) => return false,
        }
        true
    }

    /// Messages sent to and received from other cores than core 0 so far.
    pub(super) fn traffic(&self) -> (u64, u64) {
        let (sent, received) = self.peers.traffic();
        let tree = self.star.as_ref().map_or((0, 0), |star| star.tree.traffic());
        (sent + tree.0, received + tree.1)
    }

    fn hear(&mut self, sender: CoreId, message: Peer) {
        let answered = match message {
            Peer::Ping { nonce, value } => self.tell(sender, &Peer::Pong { nonce, value }),
            Peer::Pong { nonce, .. } => {
                self.peers.pong = Some(nonce);
                true
            }
            Peer::Data { .. } => true,
            Peer::End => self.sum_up(sender),
            Peer::Sum { value } => {
                self.peers.sums += 1;
                self.peers.total = self.peers.total.wrapping_add(value);
                true
            }
            // These come through rings of their own.
            Peer::TlbShootdown { .. } | Peer::ShootdownDone { .. } => false,
        };
        // A pong that finds its ring full was not asked for one at a time: our own sender's bug.
        self.counts.stray += u64::from(!answered);
    }

    /// Answers the end of a peer's stream, now or when there is room; false if an older sum is still owed,
    /// for which the peer has not waited.
    fn sum_up(&mut self, peer: CoreId) -> bool {
        let Some(Some(link)) = self.peers.links.get_mut(peer.index()) else { return false };
        let Stream { sum } = core::mem::take(&mut link.incoming);
        if link.owed.replace(sum).is_some() {
            return false;
        }
        self.peers.owing += 1;
        self.pay_to(peer);
        true
    }

    /// Sends the sums that are owed, as far as there is room.
    #[cold]
    pub(super) fn pay(&mut self) {
        for at in 0..self.peers.linked.len() {
            self.pay_to(self.peers.linked[at]);
        }
    }

    fn pay_to(&mut self, peer: CoreId) {
        let Some(Some(Link { owed: Some(sum), .. })) = self.peers.links.get(peer.index()) else {
            return;
        };
        let value = *sum;
        if !self.tell(peer, &Peer::Sum { value }) {
            return;
        }
        if let Some(Some(link)) = self.peers.links.get_mut(peer.index()) {
            link.owed = None;
            self.peers.owing -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Stream;

    #[test]
    fn a_stream_in_which_any_two_change_places_has_another_sum() {
        const MESSAGES: u32 = 200;
        for (first, second) in (0..200).flat_map(|at| (0..at).map(move |other| (at, other))) {
            let mut values: [u64; MESSAGES as usize] = core::array::from_fn(|at| at as u64 + 1);
            values.swap(first, second);
            let mut stream = Stream::default();
            values.into_iter().for_each(|value| stream.add(value));
            assert_ne!(stream, Stream::of_first(MESSAGES), "{first} and {second}");
        }
    }
}
