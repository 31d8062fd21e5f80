//! Nodes that share a machine of the host's: flag bytes, states, doorbells and handoff cells are plain cells,
//! and whoever plays a part lets all others make a pass whenever it makes one.

use crate::driver::Effect;
use crate::node::jobs::{self, Outcome};
use crate::node::{Job, Node, Parcel, Platform, Star, Station, Tree, connect, connect_down};
use crate::post::lanes::SLOTS;
use crate::post::{Activity, Hardware, Inbox, Receiver, Sender, link};
use crate::trace::Trace;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use proto::id::CoreId;
use proto::message::{Lane, ToCore, ToMonitor};

/// Cores of the machine.
pub(super) const CORES: usize = 4;
/// Passes after which a part is endless.
const PATIENCE: u32 = 100_000;

/// What all cores see.
#[derive(Default)]
pub(super) struct Machine {
    flags: [[Cell<bool>; CORES]; CORES],
    states: [Cell<Activity>; CORES],
    /// How many flags each core looks at.
    heard: [Cell<usize>; CORES],
    /// Doorbells that were rung at each core.
    pub(super) bells: [Cell<u32>; CORES],
    clock: Cell<u64>,
    /// Each core's handoff cell.
    pub(super) cells: [RefCell<Option<Parcel>>; CORES],
    /// The number on the shared line, and each core's answer.
    pub(super) line: Cell<u64>,
    pub(super) answers: [Cell<u64>; CORES],
    /// Regions that were begun and not ended.
    pub(super) open: Cell<i32>,
    /// What drivers wanted done to their vcores, by core.
    pub(super) effects: RefCell<Vec<(CoreId, Effect)>>,
}

/// The machine as one core sees it.
#[derive(Clone, Copy)]
pub(super) struct Here {
    core: CoreId,
    machine: &'static Machine,
}

impl Hardware for Here {
    fn fence(&self) {}
    fn raise(&self, receiver: CoreId) {
        self.machine.flags[receiver.index()][self.core.index()].set(true);
    }
    fn activity_of(&self, receiver: CoreId) -> Activity {
        self.machine.states[receiver.index()].get()
    }
    fn ring(&self, receiver: CoreId) {
        let bells = &self.machine.bells[receiver.index()];
        bells.set(bells.get() + 1);
    }
    fn next_raised(&self, from: usize) -> Option<CoreId> {
        let flags = &self.machine.flags[self.core.index()];
        let heard = &flags[..self.machine.heard[self.core.index()].get()];
        let at = heard.iter().skip(from).position(Cell::get)?;
        u16::try_from(from + at).ok().map(CoreId)
    }
    fn hear_up_to(&mut self, last: CoreId) {
        self.machine.heard[self.core.index()].set(last.index() + 1);
    }
    fn lower(&self, sender: CoreId) {
        self.machine.flags[self.core.index()][sender.index()].set(false);
    }
    fn publish(&self, activity: Activity) {
        self.machine.states[self.core.index()].set(activity);
    }
    fn halt(&self) {
        panic!("nobody would wake it");
    }
}

impl Platform for Here {
    fn now(&self) -> u64 {
        self.machine.clock.replace(self.machine.clock.get() + 1)
    }
    fn pause(&self) {}
    fn mark_begin(&self) {
        self.machine.open.set(self.machine.open.get() + 1);
    }
    fn mark_end(&self) {
        self.machine.open.set(self.machine.open.get() - 1);
    }
    fn identifiers(&self) -> u8 {
        1
    }
    fn report(&self, trace: &Trace<'_>) -> u32 {
        u32::try_from(trace.recorded()).expect("few events")
    }
    fn look_at_trace(&self) {}
    fn line(&self) -> u64 {
        self.machine.line.get()
    }
    fn answered(&self) -> u64 {
        self.machine.answers[self.core.index()].get()
    }
    fn answer(&self, number: u64) {
        self.machine.answers[self.core.index()].set(number);
    }

    fn perform(&self, effect: Effect) {
        self.machine.effects.borrow_mut().push((self.core, effect));
    }
    fn take_ends(&self) -> Option<Parcel> {
        self.machine.cells[self.core.index()].take()
    }
    fn give_ends(&self, ends: Parcel) -> Result<(), Parcel> {
        let mut cell = self.machine.cells[self.core.index()].borrow_mut();
        match *cell {
            Some(_) => Err(ends),
            None => {
                *cell = Some(ends);
                Ok(())
            }
        }
    }
}

/// A core: its node and its inbox.
pub(super) struct Seat {
    pub(super) node: Node<Here>,
    inbox: Inbox,
}

impl Seat {
    /// One pass, as the kernel's loop makes it.
    pub(super) fn pass(&mut self) -> bool {
        let platform = *self.node.platform();
        let served = self.inbox.serve(&platform, &mut self.node);
        self.node.flush();
        served
    }
}

/// The coordinator's ends of a star.
struct Ends {
    sender: Sender<ToCore>,
    receiver: Receiver<ToMonitor>,
}

/// All cores. Core 0 has no star: it is where the test, as the coordinator, sits.
pub(super) struct Net {
    pub(super) machine: &'static Machine,
    /// A core is away while it plays a part.
    seats: Vec<Option<Seat>>,
    ends: Vec<Option<Ends>>,
    /// Cores that make no passes.
    pub(super) asleep: Vec<CoreId>,
}

impl Net {
    pub(super) fn new() -> Self {
        let machine: &Machine = Box::leak(Box::default());
        let (seats, ends) = (0..CORES as u16).map(|core| seat(CoreId(core), machine)).unzip();
        Self { machine, seats, ends, asleep: Vec::new() }
    }

    /// The machine as a core sees it.
    pub(super) fn here(&self, core: u16) -> Here {
        Here { core: CoreId(core), machine: self.machine }
    }

    /// Up to how many cores each core hears.
    pub(super) fn heard(&self) -> [usize; CORES] {
        self.machine.heard.each_ref().map(Cell::get)
    }

    pub(super) fn seat(&mut self, core: u16) -> &mut Seat {
        self.seats[usize::from(core)].as_mut().expect("it plays no part")
    }

    pub(super) fn node(&mut self, core: u16) -> &mut Node<Here> {
        &mut self.seat(core).node
    }

    /// Sends an order and lets the core know.
    pub(super) fn order(&mut self, core: u16, order: ToCore) {
        let ends = self.ends[usize::from(core)].as_mut().expect("core 0 is ordered nothing");
        let node = &mut self.seats[0].as_mut().expect("it plays no part").node;
        node.outbox().send(CoreId(core), &mut ends.sender, &order).expect("there is room");
        node.flush();
    }

    /// All answers of a core that are there: the immediate ones, then the others.
    pub(super) fn answers(&mut self, core: u16) -> Vec<ToMonitor> {
        let ends = self.ends[usize::from(core)].as_mut().expect("core 0 answers nothing");
        let lanes = [Lane::Immediate, Lane::Routine];
        let mut answers = Vec::new();
        for lane in lanes {
            while let Ok(answer) = ends.receiver.take(lane) {
                answers.push(answer);
            }
        }
        answers
    }

    /// Orders something, lets the core make passes until it has no more to do, and gives its answers.
    pub(super) fn ask(&mut self, core: u16, order: ToCore) -> Vec<ToMonitor> {
        self.order(core, order);
        while self.seat(core).pass() {}
        self.answers(core)
    }

    /// Links two cores, as the coordinator does.
    pub(super) fn link(&mut self, first: u16, second: u16, slots: usize) {
        let (one, other) = connect(slots);
        for (core, peer, ends) in [(first, second, one), (second, first, other)] {
            self.machine.cells[usize::from(core)].replace(Some(Parcel::Link(ends)));
            let peer = CoreId(peer);
            assert_eq!(self.ask(core, ToCore::Link { peer }), [ToMonitor::Linked { peer }]);
        }
    }

    /// Makes the ring through which the first core hands shootdowns down to the second, as core 0 does.
    pub(super) fn link_down(&mut self, above: u16, below: u16) {
        let (down, up) = connect_down();
        for (core, peer, end) in [(below, above, up), (above, below, down)] {
            self.machine.cells[usize::from(core)].replace(Some(Parcel::Tree(end)));
            let peer = CoreId(peer);
            assert_eq!(self.ask(core, ToCore::Link { peer }), [ToMonitor::Linked { peer }]);
        }
    }

    /// So many times, every core that is not away or asleep makes a pass.
    pub(super) fn passes(&mut self, times: usize) {
        (0..times).for_each(|_| self.pass());
    }

    /// Every core that is not away or asleep makes a pass.
    pub(super) fn pass(&mut self) {
        let asleep = &self.asleep;
        let awake = self.seats.iter_mut().flatten();
        for seat in awake.filter(|seat| !asleep.contains(&seat.node.core())) {
            seat.pass();
        }
    }

    /// Has a core play a part. Before each of its passes `meanwhile` is called with the pass's number,
    /// then all others make a pass.
    pub(super) fn play(
        &mut self,
        core: u16,
        job: &Job,
        samples: &mut Vec<u32>,
        meanwhile: impl FnMut(&mut Self, u32),
    ) -> Outcome {
        let mut seat = self.seats[usize::from(core)].take().expect("it plays no part");
        let mut player = Player { seat: &mut seat, net: self, meanwhile, passes: 0 };
        let outcome = jobs::play(job, &mut player, samples);
        self.seats[usize::from(core)] = Some(seat);
        outcome
    }
}

fn seat(core: CoreId, machine: &'static Machine) -> (Option<Seat>, Option<Ends>) {
    let (sender, from_monitor) = link(SLOTS);
    let (to_monitor, receiver) = link(SLOTS);
    let tree = Tree::new(CORES);
    let star = Star { sender: to_monitor, receiver: from_monitor, tree };
    let is_other = core != CoreId::MANAGEMENT;
    let star = is_other.then(|| Box::leak(Box::new(star)));
    let node = Node::new(core, CORES, Here { core, machine }, star);
    let seat = Seat { node, inbox: Inbox::new(CORES) };
    (Some(seat), is_other.then_some(Ends { sender, receiver }))
}

struct Player<'a, F> {
    seat: &'a mut Seat,
    net: &'a mut Net,
    meanwhile: F,
    passes: u32,
}

impl<F: FnMut(&mut Net, u32)> Station for Player<'_, F> {
    type Platform = Here;

    fn node(&mut self) -> &mut Node<Here> {
        &mut self.seat.node
    }

    fn pass(&mut self) -> bool {
        self.passes += 1;
        assert!(self.passes < PATIENCE, "the part has no end");
        (self.meanwhile)(self.net, self.passes);
        self.net.pass();
        self.seat.pass()
    }
}
