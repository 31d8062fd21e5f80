//! A core of the model: the real CPU driver between two pairs of model rings.

use super::action::Op;
use super::cached::Cached;
use super::faults::History;
use cpudriver::driver::{Driver, Request};
use cpudriver::post::bounds::{ANSWERS, outstanding_to_core, outstanding_to_monitor};
use cpudriver::post::lanes::SLOTS;
use monitor::ProcessId;
use proto::id::{ApicId, CoreId};
use proto::memory::Rights;
use proto::message::{Lane, Peer, ToCore, ToMonitor};
use std::collections::{BTreeMap, VecDeque};
use std::mem::discriminant;

/// How a core is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Health {
    /// Its start-up has begun.
    Starting,
    /// It takes messages.
    Well,
    /// It takes none; its program goes on.
    Silent,
    /// It has panicked or is parked.
    Stopped,
}

/// One core.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SimCore {
    /// How it is.
    pub health: Health,
    /// The real CPU driver.
    pub driver: Driver,
    /// Rings to the core, the immediate lane first.
    pub to: [VecDeque<ToCore>; 2],
    /// Rings from the core, the immediate lane first.
    pub from: [VecDeque<ToMonitor>; 2],
    /// What peers have sent to it, by sender.
    pub peers: BTreeMap<CoreId, VecDeque<Peer>>,
    /// Whose address space is loaded.
    pub loaded: Option<ProcessId>,
    /// How many address spaces it tells apart.
    pub identifiers: u8,
    /// Under which identifier that one is loaded.
    pub number: u16,
    /// What is cached of the loaded address space.
    pub cached: Cached,
    /// What is cached under other identifiers, if anything is.
    pub kept: BTreeMap<u16, Cached>,
    /// The call to change memory for which its vcore stands still and that has no answer.
    pub stands_for: Option<u64>,
    /// The use of a page that faulted.
    pub retry: Option<(u64, Rights)>,
    /// A message to the core that the fault plan sent once more.
    pub replay: Option<ToCore>,
    /// A message from the core that the fault plan sent once more.
    pub echo: Option<ToMonitor>,
    /// Messages that can be sent once more.
    pub history: History,
    /// The last request of a program that did not stand still for it: whose, the address of the call
    /// structure, and what.
    pub last_request: Option<(ProcessId, u64, Op)>,
}

fn lane(lane: Lane) -> usize {
    match lane {
        Lane::Immediate => 0,
        Lane::Routine => 1,
    }
}

impl SimCore {
    pub(crate) fn new(health: Health, identifiers: u8) -> Self {
        Self {
            health,
            driver: Driver::with_identifiers(identifiers),
            to: Default::default(),
            from: Default::default(),
            peers: BTreeMap::new(),
            loaded: None,
            identifiers,
            number: 0,
            cached: Cached::default(),
            kept: BTreeMap::new(),
            stands_for: None,
            retry: None,
            replay: None,
            echo: None,
            history: History::default(),
            last_request: None,
        }
    }

    pub(crate) fn join(&mut self, apic: u32) {
        self.health = Health::Well;
        self.send(ToMonitor::Join { apic: ApicId(apic) });
    }

    /// Sends an answer, for which a slot is kept.
    pub(crate) fn send(&mut self, message: ToMonitor) {
        self.history.sent(message);
        self.push(message);
    }

    /// Sends a request, unless only the slots are left that are kept for answers; says whether it did.
    pub(crate) fn ask(&mut self, message: ToMonitor) -> bool {
        let fits = self.from[lane(message.lane())].len() + ANSWERS < SLOTS;
        if fits {
            self.push(message);
        }
        fits
    }

    pub(crate) fn push(&mut self, message: ToMonitor) {
        self.from[lane(message.lane())].push_back(message);
    }

    pub(crate) fn receive(&mut self, message: ToCore) {
        self.to[lane(message.lane())].push_back(message);
    }

    pub(crate) fn next_message(&mut self) -> Option<ToCore> {
        let message = self.to[0].pop_front().or_else(|| self.to[1].pop_front());
        self.replay.take_if(|replay| message == Some(*replay));
        message
    }

    /// The next message to the coordinator in that lane.
    pub(crate) fn next_answer(&mut self, which: Lane) -> Option<ToMonitor> {
        let message = self.from[lane(which)].pop_front();
        self.echo.take_if(|echo| message == Some(*echo));
        message
    }

    /// What it says next to the coordinator in that lane.
    #[must_use]
    pub fn says_next(&self, which: Lane) -> Option<&ToMonitor> {
        self.from[lane(which)].front()
    }

    /// Has it something for the coordinator in that lane?
    #[must_use]
    pub fn has_answer(&self, which: Lane) -> bool {
        !self.from[lane(which)].is_empty()
    }

    /// Has it a message to take, and can it?
    #[must_use]
    pub fn can_handle(&self) -> bool {
        self.health == Health::Well && self.to.iter().any(|ring| !ring.is_empty())
    }

    /// The next message from that peer.
    pub(crate) fn next_from_peer(&mut self, peer: CoreId) -> Option<Peer> {
        let ring = self.peers.get_mut(&peer)?;
        let message = ring.pop_front();
        if ring.is_empty() {
            self.peers.remove(&peer);
        }
        message
    }

    /// The peers that have sent it something which it can take.
    pub fn talking_peers(&self) -> impl Iterator<Item = CoreId> + '_ {
        self.peers.keys().copied().filter(|_| self.health == Health::Well)
    }

    /// Does its vcore stand still until its core is told what to flush? It uses no translation before.
    #[must_use]
    pub fn is_to_flush(&self) -> bool {
        self.driver.request() == Some(Request::Change)
    }

    /// Is a program running that can do something?
    #[must_use]
    pub fn can_run(&self) -> bool {
        matches!(self.health, Health::Well | Health::Silent)
            && self.driver.lease().is_some()
            && self.driver.request().is_none()
    }

    /// Do the rings hold what is under way, and no kind of message more often than its bound says?
    /// (What the fault plan sends once more does not count.)
    #[must_use]
    pub fn keeps_bounds(&self) -> bool {
        let to = self.to.iter().all(|ring| {
            let times = |message: &ToCore| {
                let same = |it: &&ToCore| discriminant(*it) == discriminant(message);
                ring.iter().filter(same).filter(|it| Some(**it) != self.replay).count()
            };
            ring.len() <= SLOTS && ring.iter().all(|it| times(it) <= outstanding_to_core(it))
        });
        let from = self.from.iter().all(|ring| {
            let times = |message: &ToMonitor| {
                let same = |it: &&ToMonitor| discriminant(*it) == discriminant(message);
                ring.iter().filter(same).filter(|it| Some(**it) != self.echo).count()
            };
            let keeps =
                |it: &ToMonitor| outstanding_to_monitor(it).is_none_or(|most| times(it) <= most);
            ring.len() <= SLOTS && ring.iter().all(keeps)
        });
        to && from
    }
}
