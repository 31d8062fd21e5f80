//! What a node does about the orders of the coordinator.

use super::{Counts, Job, Next, Node, Parcel, Part, Platform};
use crate::driver::{Effect, Shootdown, Sink, Trap};
use crate::post::{Outbox, Sender, Taken};
use crate::trace::{Kind, Trace, What};
use core::marker::PhantomData;
use proto::id::CoreId;
use proto::message::{Lane, ToCore, ToMonitor, tag};
use proto::slot::{Decoded, NoMessage, Slot};

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

/// Names the code of an order of any kind.
struct Routine;

/// Names the code of an order of one kind.
struct Known<const TAG: u8>;

/// Does what the driver wants done about an order that is not handed on, in order.
struct Teller<'a, P, Caller> {
    platform: P,
    sender: &'a mut Sender<ToMonitor>,
    outbox: &'a mut Outbox,
    trace: &'a mut Trace<'static>,
    caller: PhantomData<Caller>,
}

impl<P, Caller> Teller<'_, P, Caller> {
    #[cold]
    #[inline(never)]
    fn refuse(&mut self, answer: &ToMonitor) {
        self.trace.answered(Kind::from(answer));
        put_answer::<Routine>(answer, self.sender, self.outbox);
    }
}

impl<P: Platform, Caller> Sink for Teller<'_, P, Caller> {
    #[inline(always)]
    fn add(&mut self, effect: Effect) {
        match effect {
            Effect::Send(answer @ ToMonitor::Stale { .. }) => self.refuse(&answer),
            Effect::Send(answer) => {
                self.trace.answered(Kind::from(&answer));
                let has_room = self.sender.answer_for::<Caller>(&answer);
                assert!(has_room, "a slot is reserved for every answer that can be under way");
                self.outbox.tell_at_once(CoreId::MANAGEMENT, &self.platform);
            }
            effect => self.platform.perform(effect),
        }
    }
}

/// Puts an answer into its lane; `Caller` names the place, see [`Sender::answer_for`].
#[inline(always)]
pub(super) fn put_answer<Caller>(
    answer: &ToMonitor,
    sender: &mut Sender<ToMonitor>,
    outbox: &mut Outbox,
) {
    let has_room = sender.answer_for::<Caller>(answer);
    assert!(has_room, "a slot is reserved for every answer that can be under way");
    outbox.note(CoreId::MANAGEMENT, answer.lane());
}

/// Whether an order is about leases or translations. Of each kind it is said, for a new one to be one or the other.
#[inline(always)]
const fn is_for_driver(order: &ToCore) -> bool {
    match order {
        ToCore::StartCore { .. }
        | ToCore::Preempt { .. }
        | ToCore::Death { .. }
        | ToCore::Notify { .. }
        | ToCore::SetContext { .. }
        | ToCore::Switch { .. }
        | ToCore::Regrant { .. }
        | ToCore::Done { .. }
        | ToCore::Changed { .. }
        | ToCore::TlbShootdown { .. }
        | ToCore::TlbMulticast { .. } => true,
        ToCore::Ping { .. }
        | ToCore::Dump
        | ToCore::Stop
        | ToCore::Link { .. }
        | ToCore::Unlink { .. }
        | ToCore::Experiment { .. }
        | ToCore::Count
        | ToCore::Panic
        | ToCore::Hang => false,
    }
}

/// Decodes the order in a slot, of which the tag has told that it is of this kind.
#[inline(always)]
fn decode<const TAG: u8>(slot: &Slot) -> Decoded<ToCore> {
    slot.decode_known::<Known<TAG>, TAG, _>()
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
    pub fn is_linked(&self) -> bool {
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

    /// Handles one order of the coordinator on a core that has no links; from which lane.
    #[inline(always)]
    pub(super) fn next_order(&mut self, sender: CoreId) -> Option<Taken> {
        let star = self.star.as_ref().filter(|_| sender == CoreId::MANAGEMENT)?;
        if !star.receiver.is_lane_empty(Lane::Immediate) {
            return self.take_immediate_order().then_some(Taken::Immediate);
        }
        // Those that others wait for have code of their own, in which their kind is a constant.
        let slot = star.receiver.first(Lane::Routine)?;
        let mut is_last = star.receiver.is_last(Lane::Routine);
        match slot.tag() {
            tag::DEATH => self.follow_known::<{ tag::DEATH }>(decode::<{ tag::DEATH }>(slot)),
            tag::NOTIFY => self.follow_known::<{ tag::NOTIFY }>(decode::<{ tag::NOTIFY }>(slot)),
            tag::START_CORE => {
                self.follow_known::<{ tag::START_CORE }>(decode::<{ tag::START_CORE }>(slot));
            }
            _ => {
                self.take_routine_order();
                // A link that it has brought may have something from before.
                is_last &= !self.is_linked();
            }
        }
        Some(if is_last { Taken::Last } else { Taken::Routine })
    }

    /// Handles the order that is first in the routine lane and has been decoded there, of which is known that it is the driver's,
    /// of this kind, and is not handed on to other cores.
    #[inline(always)]
    fn follow_known<const TAG: u8>(&mut self, decoded: Decoded<ToCore>) {
        self.follow_known_for::<Known<TAG>, TAG>(decoded);
    }

    /// As [`Node::follow_known`]; `Caller` names the place.
    #[inline(always)]
    pub(super) fn follow_known_for<Caller, const TAG: u8>(
        &mut self,
        (order, bytes): Decoded<ToCore>,
    ) {
        let Some(star) = &mut self.star else { return };
        star.receiver.free(Lane::Routine, bytes);
        let Ok(order) = order else {
            self.counts.stray += 1;
            return;
        };
        let (kind, lane, from) = (Kind::ToCore(TAG), Lane::Routine, CoreId::MANAGEMENT);
        self.trace.record(self.platform.now(), What::Received { kind, lane, from, answer: None });
        self.platform.takes(&order, &self.driver);
        let Self { driver, outbox, trace, platform, .. } = self;
        let mut teller = Teller::<_, Caller> {
            platform: *platform,
            sender: &mut star.sender,
            outbox,
            trace,
            caller: PhantomData,
        };
        driver.on_message(&order, &mut teller);
    }

    /// Handles one message of a core that may have sent through another link as well; from which lane.
    #[inline(never)]
    pub(super) fn next_of_linked(&mut self, sender: CoreId) -> Option<Taken> {
        if self.take(sender, Lane::Immediate) {
            return Some(Taken::Immediate);
        }
        self.take(sender, Lane::Routine).then_some(Taken::Routine)
    }

    /// Handles the next order, unless one of the immediate lane is there; whether there may be more.
    #[inline(always)]
    pub(super) fn take_awaited(&mut self) -> bool {
        let Some(star) = self.star.as_deref() else { return true };
        if !star.receiver.is_lane_empty(Lane::Immediate) {
            return true;
        }
        let Some(slot) = star.receiver.first(Lane::Routine) else { return false };
        match slot.tag() {
            tag::CHANGED => self.follow_known::<{ tag::CHANGED }>(decode::<{ tag::CHANGED }>(slot)),
            tag::DONE => self.follow_known::<{ tag::DONE }>(decode::<{ tag::DONE }>(slot)),
            _ => {
                self.take_routine_order();
            }
        }
        // What is put into the other lane from now on raises the sender's flag anew.
        self.star.as_ref().is_some_and(|star| !star.receiver.is_lane_empty(Lane::Routine))
    }

    #[inline(never)]
    fn take_routine_order(&mut self) -> bool {
        let Some(star) = &mut self.star else { return false };
        match star.receiver.take(Lane::Routine) {
            Ok(order) => self.follow_here::<Routine>(&order, Lane::Routine),
            Err(NoMessage::Malformed) => self.counts.stray += 1,
            Err(NoMessage::Empty) => return false,
        }
        true
    }

    /// Does what the coordinator asks, and answers; `Caller` names the place, see [`Sender::answer_for`].
    #[inline(always)]
    pub(super) fn follow_here<Caller>(&mut self, order: &ToCore, lane: Lane) {
        let (kind, from) = (Kind::from(order), CoreId::MANAGEMENT);
        self.note(What::Received { kind, lane, from, answer: None });
        if is_for_driver(order) {
            // An answer is large, so it goes out from where it is.
            let mut doer = Doer::new(self.platform);
            self.drive(order, &mut doer);
            if let Some(answer) = &doer.told {
                self.trace.answered(Kind::from(answer));
                self.put_answer::<Caller>(answer);
            }
        } else if let Some(answer) = self.obey_own(order) {
            self.answer(answer);
        }
    }

    /// Does what the coordinator asks, as far as it can be done at once, and gives the answer.
    #[inline(never)]
    pub fn obey(&mut self, order: &ToCore) -> Option<ToMonitor> {
        if is_for_driver(order) { self.obey_driver(order) } else { self.obey_own(order) }
    }

    /// As [`Node::obey`], for the order that the management core gets most often: [`ToCore::Switch`].
    #[inline(never)]
    pub fn obey_switch(&mut self, order: &ToCore) -> Option<ToMonitor> {
        match order {
            ToCore::Switch { .. } => self.obey_driver(order),
            _ => None,
        }
    }

    /// As [`Node::obey`], of an order that is not the driver's.
    fn obey_own(&mut self, order: &ToCore) -> Option<ToMonitor> {
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
            // The driver's, see `is_for_driver`.
            _ => None,
        }
    }

    /// Does what the driver makes of an order about leases or translations, but for what it tells the coordinator.
    #[inline(always)]
    fn drive(&mut self, order: &ToCore, doer: &mut Doer<P>) {
        self.platform.takes(order, &self.driver);
        self.driver.on_message(order, doer);
        self.hand_on_for(doer);
    }

    /// As [`Node::drive`]; gives what the coordinator is told.
    #[inline(always)]
    fn obey_driver(&mut self, order: &ToCore) -> Option<ToMonitor> {
        let mut doer = Doer::new(self.platform);
        self.drive(order, &mut doer);
        doer.told
    }

    /// Takes a request of the vcore that runs here, which it stands still for, and gives what the coordinator
    /// must be told.
    pub fn trap(&mut self, trap: Trap) -> Option<ToMonitor> {
        let mut doer = Doer::new(self.platform);
        self.driver.on_trap(trap, &mut doer);
        self.hand_on_for(&doer);
        doer.told
    }

    #[inline(always)]
    fn hand_on_for(&mut self, doer: &Doer<P>) {
        if let Some(shootdown) = &doer.hand_on {
            self.hand_on(shootdown);
        }
    }

    fn link(&mut self, peer: CoreId) -> Option<ToMonitor> {
        let taken = match self.platform.take_ends() {
            Some(Parcel::Link(ends)) => self.peers.insert(peer, ends),
            Some(Parcel::Tree(end)) => {
                self.star.as_mut().is_some_and(|star| star.tree.insert(peer, end))
            }
            None => false,
        };
        self.hear_all_that_send();
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
            Ok(()) => {
                self.hear_all_that_send();
                return Some(ToMonitor::Unlinked { peer });
            }
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
