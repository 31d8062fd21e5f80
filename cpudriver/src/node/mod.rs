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
mod peers;
mod seen;
mod shootdown;
#[cfg(test)]
mod tests;
mod tree;

pub use jobs::{Job, Part, Station};
pub use peers::{PeerEnds, Peers, connect, take_apart};
pub use tree::{SLOTS as TREE_SLOTS, TREE_LINK_BYTES, Tree, TreeEnd, connect_down};

use crate::driver::{Driver, Effect, Shootdown, Sink, Trap};
use crate::post::{Hardware, Outbox, Receiver, Sender};
use crate::program::seen::Seen;
use crate::trace::{Event, Kind, Trace, What};
use alloc::boxed::Box;
use proto::id::{ApicId, CoreId};
use proto::message::{Lane, ToCore, ToMonitor};
use proto::slot::NoMessage;
use seen::SeenCalls;

/// What a node needs of the machine beside the message path.
pub trait Platform: Hardware + Copy {
    /// The clock: cycles, or instructions of all cores under `-icount`.
    fn now(&self) -> u64;

    /// Waits a moment, to be called in every loop that polls.
    fn pause(&self);

    /// Marks the beginning of a measured region, for whoever counts instructions from outside.
    fn mark_begin(&self);

    /// Marks its end.
    fn mark_end(&self);

    /// Writes what this core is doing, and what it did last, into its report buffer; gives the length
    /// in bytes.
    fn report(&self, trace: &Trace<'_>) -> u32;

    /// Takes the ends of rings that the coordinator has put into this core's handoff cell.
    fn take_ends(&self) -> Option<Parcel>;

    /// Puts ends of rings into this core's handoff cell, for the coordinator to take.
    ///
    /// # Errors
    /// The ends, when the coordinator has not taken the last ones.
    fn give_ends(&self, ends: Parcel) -> Result<(), Parcel>;

    /// The number that core 0 has written last to the line that all cores share, for an experiment.
    fn line(&self) -> u64;

    /// The one that this core has answered last.
    fn answered(&self) -> u64;

    /// Answers one.
    fn answer(&self, number: u64);

    /// An order about the core's lease is taken, which the driver has not seen: for test builds.
    #[inline(always)]
    fn takes(&self, _: &ToCore, _: &Driver) {}

    /// Learns anew whether the calls of what runs on this core are traced.
    fn look_at_trace(&self);

    /// Does what the driver wants done to the vcore of this core, or to its translations. Messages
    /// ([`Effect::HandOn`], [`Effect::Answer`], [`Effect::Send`]) are not for this.
    fn perform(&self, effect: Effect);
}

/// What core 0 and another core hand to each other.
#[derive(Debug)]
pub enum Parcel {
    /// The ends of a link between two cores.
    Link(Box<PeerEnds>),
    /// The end of a ring through which shootdowns are handed on.
    Tree(&'static mut TreeEnd),
}

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
    /// Makes the node of one of `cores` cores; `star` is missing on core 0 alone. Allocates all that it
    /// will ever need.
    #[must_use]
    pub fn new(core: CoreId, cores: usize, platform: P, star: Option<&'static mut Star>) -> Self {
        Self {
            core,
            platform,
            outbox: Outbox::new(cores),
            star,
            peers: Peers::new(cores),
            driver: Driver::new(),
            counts: Counts::default(),
            trace: Trace::new(alloc::vec![Event::EMPTY; TRACED].leak()),
            seen: SeenCalls::new(core),
            next: Next::Serve,
            awake: false,
            called_off: false,
        }
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
        if self.peers.owes() {
            self.pay();
        }
        self.outbox.flush(&self.platform);
    }

    /// Handles one message from another core's lane; false if there was none. That there is none is seen in the
    /// caller's own code: a lane is looked at more often than something is taken from it.
    #[inline(always)]
    pub fn take(&mut self, sender: CoreId, lane: Lane) -> bool {
        self.has_order(sender, lane) && self.take_order(lane)
            || self.is_linked() && self.take_of_others(sender, lane)
    }

    /// Whether there is a link to any other core. Few cores ever have one, and the others need not look further.
    #[inline(always)]
    fn is_linked(&self) -> bool {
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
    fn follow_here(&mut self, order: &ToCore, lane: Lane) {
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

    /// What this core knows of its lease.
    pub const fn driver(&self) -> &Driver {
        &self.driver
    }

    /// Takes a request of the vcore that runs here, which it stands still for, and gives what the coordinator
    /// must be told.
    pub fn trap(&mut self, trap: Trap) -> Option<ToMonitor> {
        let mut doer = Doer::new(self.platform);
        self.driver.on_trap(trap, &mut doer);
        self.finish(&doer)
    }

    /// Sends a request of the vcore that runs here; false if there is no room for it.
    pub fn request(&mut self, request: &ToMonitor) -> bool {
        let (kind, lane) = (Kind::from(request), request.lane());
        let Some(star) = &mut self.star else { return false };
        let sent = self.outbox.send(CoreId::MANAGEMENT, &mut star.sender, request).is_ok();
        if sent {
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

    /// Sends an answer, for which a slot is always kept.
    #[inline(never)]
    fn answer(&mut self, answer: ToMonitor) {
        self.send_answer(&answer);
    }

    /// As [`Node::answer`], inlined into its caller.
    #[inline(always)]
    fn send_answer(&mut self, answer: &ToMonitor) {
        let (kind, lane) = (Kind::from(answer), answer.lane());
        self.note(What::Sent { kind, lane, to: CoreId::MANAGEMENT });
        let Some(star) = &mut self.star else { return };
        self.outbox
            .send(CoreId::MANAGEMENT, &mut star.sender, answer)
            .expect("a slot is reserved for every answer that can be under way");
    }

    /// Whether nothing is to be done between two passes.
    pub const fn has_nothing_next(&self) -> bool {
        matches!(self.next, Next::Serve)
    }

    /// What is to be done between two passes; asking forgets it.
    pub fn take_next(&mut self) -> Next {
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
    fn urgent(&mut self, sender: CoreId) -> bool {
        self.take_urgent(sender)
    }

    #[inline(always)]
    fn routine(&mut self, sender: CoreId) -> bool {
        self.take(sender, Lane::Routine)
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
