//! A core as a node of the network: what it does about the messages that reach it.
//!
//! A [`Node`] owns the core's ends of its rings and handles what comes in: orders of the coordinator
//! ([`ToCore`]) and messages of peers ([`Peer`](proto::message::Peer)). It never waits inside a handler; work that takes
//! long (a part in an experiment) is noted as a [`Job`] and done between two passes, see [`jobs`].
//!
//! All cores run the same node, core 0 too: there the coordinator is a local caller, and the star ring
//! is missing. What a node needs of the machine is the trait [`Platform`], so that nodes run on
//! the host as well.

pub mod jobs;
mod orders;
mod passing;
mod peers;
mod platform;
mod seen;
mod shootdown;
#[cfg(test)]
mod tests;
mod tree;

pub use jobs::{Job, Part, Station};
pub use peers::{PeerEnds, Peers, connect, take_apart};
pub use platform::{Parcel, Platform};
pub use tree::{SLOTS as TREE_SLOTS, TREE_LINK_BYTES, Tree, TreeEnd, connect_down};

use crate::driver::Driver;
use crate::post::{Outbox, Receiver, Sender, Taken, Urgent};
use crate::program::seen::Seen;
use crate::trace::{Event, Kind, Trace, What};
use proto::id::{ApicId, CoreId};
use proto::message::{Lane, ToCore, ToMonitor};
use seen::SeenCalls;

/// The ends of rings that a core keeps over its restarts: those to and from the coordinator, and those of trees.
#[derive(Debug)]
pub struct Star {
    /// To the coordinator.
    pub sender: Sender<ToMonitor>,
    /// From the coordinator.
    pub receiver: Receiver<ToCore>,
    /// To and from cores that hand shootdowns on.
    pub tree: Tree,
}

/// Counts that only the core itself knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Times that the core halted.
    pub halts: u32,
    /// Halts that a doorbell ended.
    pub heard: u32,
    /// Halts that the timer ended.
    pub timers: u32,
    /// Clock ticks that it was halted.
    pub asleep: u64,
    /// Messages that did not decode, or that nobody waited for.
    pub stray: u64,
}

/// Events that a core's trace keeps.
const TRACED: usize = 128;

/// What an order of the coordinator makes the core's loop do once the pass is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Go on.
    Serve,
    /// Do this job, then go on.
    Do(Job),
    /// Send what is waiting, then park for good.
    Park,
}

/// One core in the network.
#[derive(Debug)]
pub struct Node<P> {
    core: CoreId,
    platform: P,
    outbox: Outbox,
    star: Option<&'static mut Star>,
    peers: Peers,
    driver: Driver,
    counts: Counts,
    trace: Trace<'static>,
    seen: SeenCalls,
    next: Next,
    /// Poll instead of halting, see [`Part::Awake`].
    awake: bool,
    /// Another part, or to stop, was ordered while one is played: that one is to end.
    called_off: bool,
}

impl<P: Platform> Node<P> {
    /// Makes the node of one of `cores` cores; `star` is missing on core 0 alone. Allocates all that it
    /// will ever need.
    #[must_use]
    pub fn new(core: CoreId, cores: usize, platform: P, star: Option<&'static mut Star>) -> Self {
        let mut node = Self {
            core,
            platform,
            outbox: Outbox::new(cores),
            star,
            peers: Peers::new(cores),
            driver: Driver::with_identifiers(platform.identifiers()),
            counts: Counts::default(),
            trace: Trace::new(alloc::vec![Event::EMPTY; TRACED].leak()),
            seen: SeenCalls::new(core),
            next: Next::Serve,
            awake: false,
            called_off: false,
        };
        node.hear_all_that_send();
        node
    }

    /// Has the core look for flags of those alone that can send to it: on core 0 of all cores, elsewhere of core 0 and of those at
    /// the other ends of its rings. Who raises a flag before the core has its ends is found by the next look when it has.
    fn hear_all_that_send(&mut self) {
        let last = match &self.star {
            None => CoreId(self.outbox.receivers().saturating_sub(1) as u16),
            Some(star) => star.tree.last().max(self.peers.last()).unwrap_or(CoreId::MANAGEMENT),
        };
        self.platform.hear_up_to(last);
    }

    /// Which core this is.
    pub const fn core(&self) -> CoreId {
        self.core
    }

    /// The machine.
    pub const fn platform(&self) -> &P {
        &self.platform
    }

    /// What is to be made known to others at the end of the step.
    pub const fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// The links to other cores.
    pub const fn peers(&mut self) -> &mut Peers {
        &mut self.peers
    }

    /// Tells the coordinator that the core is up. What an earlier life of the core has left unread is
    /// thrown away: it was meant for that one.
    pub fn join(&mut self, apic: ApicId) {
        if let Some(star) = &mut self.star {
            star.receiver.discard();
            star.tree.discard();
        }
        self.answer(ToMonitor::Join { apic });
    }

    /// Tells the coordinator that the core has panicked, with a report of so many bytes. The caller
    /// flushes.
    pub fn fail(&mut self, report: u32) {
        self.answer(ToMonitor::CoreFailed { report });
    }

    /// Calls the part off that is played now, if there is one, as an order to play another would.
    pub const fn call_off(&mut self) {
        self.called_off = true;
    }

    /// Makes all that was sent in this step known to its receivers.
    #[inline(always)]
    pub fn flush(&mut self) {
        if self.peers.owes() || self.outbox.has_sent() {
            self.flush_all();
        }
    }

    #[inline(never)]
    fn flush_all(&mut self) {
        self.flush_here();
    }

    /// As [`Node::flush`], in code of the caller's own: for who nearly always has sent something, to one core.
    #[inline(always)]
    pub fn flush_here(&mut self) {
        if self.peers.owes() {
            self.pay();
        }
        self.outbox.flush(&self.platform);
    }

    /// The vcore that runs here stands still from now on, for a change to its memory that was requested.
    pub fn stand(&mut self) {
        self.driver.stand();
    }

    /// What this core knows of its lease.
    pub const fn driver(&self) -> &Driver {
        &self.driver
    }

    /// Sends a request of the vcore that runs here; false if there is no room for it. `Caller` names the place, see
    /// [`Sender::send_for`].
    #[inline(always)]
    pub fn request_for<Caller>(&mut self, request: &ToMonitor) -> bool {
        let (kind, lane) = (Kind::from(request), request.lane());
        let Some(star) = &mut self.star else { return false };
        let sent = star.sender.send_for::<Caller>(request);
        if sent {
            self.outbox.tell_at_once(CoreId::MANAGEMENT, &self.platform);
            self.note(What::Sent { kind, lane, to: CoreId::MANAGEMENT });
        }
        sent
    }

    /// Whether no order lies in this core's ring.
    #[cfg(feature = "probes")]
    #[must_use]
    pub fn has_read_all(&self) -> bool {
        self.star.as_ref().is_none_or(|star| star.receiver.is_empty())
    }

    /// Passes on what was seen of a call of the vcore that runs here. The caller flushes.
    pub fn saw(&mut self, what: Seen) {
        self.seen.pass_on(what, self.star.as_deref_mut(), &mut self.outbox);
    }

    /// On the management core: what was seen and has not been taken.
    pub fn take_seen(&mut self) -> Option<ToMonitor> {
        self.seen.take()
    }

    /// On the management core: how much there was no room for; asking forgets it.
    pub fn take_dropped(&mut self) -> u64 {
        self.seen.take_dropped()
    }

    /// Sends an answer, for which a slot is always kept.
    #[inline(never)]
    fn answer(&mut self, answer: ToMonitor) {
        let (kind, lane) = (Kind::from(&answer), answer.lane());
        self.note(What::Sent { kind, lane, to: CoreId::MANAGEMENT });
        self.put_answer::<Self>(&answer);
    }

    /// Puts an answer into its lane; `Caller` names the place, see [`Sender::answer_for`].
    #[inline(always)]
    fn put_answer<Caller>(&mut self, answer: &ToMonitor) {
        if let Some(star) = &mut self.star {
            orders::put_answer::<Caller>(answer, &mut star.sender, &mut self.outbox);
        }
    }

    /// Whether nothing is to be done between two passes.
    pub const fn has_nothing_next(&self) -> bool {
        matches!(self.next, Next::Serve)
    }

    /// What is to be done between two passes; asking forgets it.
    #[inline(always)]
    pub fn take_next(&mut self) -> Next {
        if self.has_nothing_next() {
            return Next::Serve;
        }
        core::mem::replace(&mut self.next, Next::Serve)
    }

    /// Whether the core is to poll rather than halt: it was told to, or nobody will ring when there is room
    /// for what it owes a peer.
    pub const fn stays_awake(&self) -> bool {
        self.awake || self.peers.owes()
    }

    /// Keeps an event in the core's trace. Messages of peers are not kept: a stream would leave nothing
    /// else in it.
    #[inline]
    fn note(&mut self, what: What) {
        self.trace.record(self.platform.now(), what);
    }

    /// Notes that the core halted from one time to another, and what ended it.
    pub fn slept(&mut self, (from, to): (u64, u64), heard: bool, timer: bool) {
        self.counts.halts = self.counts.halts.wrapping_add(1);
        self.counts.heard = self.counts.heard.wrapping_add(heard.into());
        self.counts.timers = self.counts.timers.wrapping_add(timer.into());
        self.counts.asleep = self.counts.asleep.wrapping_add(to.wrapping_sub(from));
        let what = match (heard, timer) {
            (true, _) => What::Heard,
            (false, true) => What::Timer,
            (false, false) => What::Wake,
        };
        self.trace.record(to, what);
    }

    /// Counts that only the core itself knows.
    pub const fn counts(&self) -> Counts {
        self.counts
    }
}

impl<P: Platform> crate::post::Handler for Node<P> {
    #[inline(always)]
    fn immediate(&mut self, sender: CoreId) -> bool {
        self.take(sender, Lane::Immediate)
    }

    #[inline(always)]
    fn is_urgent(&self, sender: CoreId) -> bool {
        self.has_urgent(sender)
    }

    #[inline(always)]
    fn urgent(&mut self, sender: CoreId) -> Urgent {
        self.take_urgent(sender)
    }

    #[inline(always)]
    fn awaited(&mut self, sender: CoreId) -> bool {
        sender != CoreId::MANAGEMENT || self.peers.are_any() || self.take_awaited()
    }

    #[inline(always)]
    fn routine(&mut self, sender: CoreId) -> bool {
        self.take(sender, Lane::Routine)
    }

    #[inline(always)]
    fn next(&mut self, sender: CoreId) -> Option<Taken> {
        if self.is_linked() {
            return self.next_of_linked(sender);
        }
        self.next_order(sender)
    }

    #[inline(always)]
    fn has_more(&self, sender: CoreId) -> bool {
        let star = self.star.as_deref();
        let from_star =
            sender == CoreId::MANAGEMENT && star.is_some_and(|it| !it.receiver.is_empty());
        from_star
            || self.is_linked()
                && (self.peers.has_more(sender)
                    || star.is_some_and(|it| it.tree.has_something(sender)))
    }
}
