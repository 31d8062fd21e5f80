//! Who sends what to whom.
//!
//! Each core runs the loop that the kernel runs: serve, flush, and sleep when nothing was served. What
//! differs is what it sends, at the beginning or in answer to what it hears.

use super::hardware::{Core, Fault, Plan};
use super::machine::{CORES, Order, Place, Search};
use super::replay::{Numbered, Program};
use super::ring::{Consumer, Producer, Ring};
use cpudriver::post::bounds::Post;
use cpudriver::post::{Activity, Handler, Inbox, Outbox, Receiver, Sender, Taken, Urgent};
use proto::id::CoreId;
use proto::message::Lane;
use proto::slot::{NoMessage, Slot};
use std::fmt::Debug;
use std::rc::Rc;

/// A message that scenarios send.
pub(crate) trait Word: Post + Debug + PartialEq + 'static {}

impl<M: Post + Debug + PartialEq + 'static> Word for M {}

/// A ring and what must have gone through it when all is over.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) name: String,
    pub(crate) receiver: u8,
    pub(crate) ring: Ring,
    pub(crate) messages: u8,
}

/// Programs for some cores, and what they share.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) plan: Rc<Plan>,
    pub(crate) programs: Vec<Program>,
    pub(crate) tracks: Vec<Track>,
    pub(crate) initial: Vec<(Place, u8)>,
}

/// A link from one core to another and all that will be sent through it, a step at a time.
#[derive(Clone, Debug)]
pub(crate) struct Wire<M> {
    from: u8,
    to: u8,
    immediate: Option<Ring>,
    routine: Option<Ring>,
    /// Messages that lie there from the beginning.
    laid: Vec<M>,
    steps: Vec<Vec<M>>,
    /// A step's messages are published together.
    together: bool,
}

impl<M: Word> Wire<M> {
    /// The same link, with the messages of each step published together.
    pub(crate) fn in_batches(self) -> Self {
        Self { together: true, ..self }
    }

    fn sender<'a>(&'a self, core: &'a Core) -> Sender<M, Producer<'a>> {
        Sender::new(
            Producer::new(core, self.immediate.as_ref()),
            Producer::new(core, self.routine.as_ref()),
        )
    }

    fn receiver<'a>(&'a self, core: &'a Core) -> Receiver<M, Consumer<'a>> {
        Receiver::new(
            Consumer::new(core, self.immediate.as_ref()),
            Consumer::new(core, self.routine.as_ref()),
        )
    }

    /// All messages of a lane in the order in which they are sent.
    fn of_lane(&self, lane: Lane) -> impl Iterator<Item = &M> {
        let all = self.laid.iter().chain(self.steps.iter().flatten());
        all.filter(move |message| message.lane() == lane)
    }
}

/// Lays out a scenario.
pub(crate) struct Builder {
    plan: Plan,
    tracks: Vec<Track>,
    initial: Vec<(Place, u8)>,
}

impl Builder {
    /// A machine with no links.
    pub(crate) fn new(fault: Fault, order: Order) -> Self {
        let mut names = Vec::new();
        let states = [0, 1, 2].map(|core| place(&mut names, format!("state of core {core}")));
        let plan = Plan {
            fault,
            order,
            search: Search::Reduced,
            names,
            states,
            flags: [[None; CORES]; CORES],
            slots: Numbered::default(),
            texts: Numbered::default(),
        };
        // What memory holds at first is no message of a scenario's.
        plan.slots.number(*Slot::EMPTY.bytes());
        Self { plan, tracks: Vec::new(), initial: Vec::new() }
    }

    /// Leaves nothing out.
    pub(crate) fn in_full(mut self) -> Self {
        self.plan.search = Search::Full;
        self
    }

    /// Makes a link with so many slots in each lane that is used. `laid` is there from the beginning, in
    /// the routine lane, with its flag raised.
    pub(crate) fn wire<M: Word>(
        &mut self,
        (from, to): (u8, u8),
        slots: usize,
        laid: &[M],
        steps: &[&[M]],
    ) -> Wire<M> {
        let flag = place(&mut self.plan.names, format!("flag {from} at core {to}"));
        self.plan.flags[usize::from(to)][usize::from(from)] = Some(flag);
        let steps = steps.iter().map(|step| step.to_vec()).collect();
        let laid = laid.to_vec();
        let mut wire =
            Wire { from, to, immediate: None, routine: None, laid, steps, together: false };
        wire.immediate = self.ring(&wire, slots, Lane::Immediate);
        wire.routine = self.ring(&wire, slots, Lane::Routine);
        if let Some(ring) = wire.routine.as_mut().filter(|_| !wire.laid.is_empty()) {
            self.lay(ring, &wire.laid, flag);
        }
        wire
    }

    fn ring<M: Word>(&mut self, wire: &Wire<M>, slots: usize, lane: Lane) -> Option<Ring> {
        let messages = wire.of_lane(lane).count() as u8;
        if messages == 0 {
            return None;
        }
        let name = format!("{}->{} {lane:?}", wire.from, wire.to).to_lowercase();
        let mut place = |what: &str| place(&mut self.plan.names, format!("{what} of {name}"));
        let ring = Ring {
            head: place("head"),
            tail: place("tail"),
            slots: (0..slots).map(|slot| place(&format!("slot {slot}"))).collect(),
            laid: 0,
        };
        self.tracks.push(Track { name, receiver: wire.to, ring: ring.clone(), messages });
        Some(ring)
    }

    fn lay<M: Word>(&mut self, ring: &mut Ring, messages: &[M], flag: Place) {
        for (message, &slot) in messages.iter().zip(&ring.slots) {
            let mut content = Slot::EMPTY;
            content.encode(message);
            self.initial.push((slot, self.plan.slots.number(*content.bytes()) as u8));
        }
        ring.laid = messages.len() as u8;
        self.initial.extend([(ring.tail, ring.laid), (flag, 1)]);
    }

    /// Gives each core its program, in order.
    pub(crate) fn run(self, name: &'static str, programs: Vec<Program>) -> Scenario {
        let Self { plan, tracks, initial } = self;
        Scenario { name, plan: Rc::new(plan), programs, tracks, initial }
    }
}

fn place(names: &mut Vec<String>, name: String) -> Place {
    names.push(name);
    Place(u8::try_from(names.len() - 1).expect("a scenario has few places"))
}

/// A core that sends all steps of its wires, one of each in turn, a flush after each, and ends.
pub(crate) fn sends<M: Word>(wires: Vec<Wire<M>>) -> Program {
    Box::new(move |core| {
        let mut outbox = Outbox::new(CORES);
        let mut links: Vec<_> = wires.iter().map(|wire| wire.sender(core)).collect();
        let steps = wires.iter().map(|wire| wire.steps.len()).max().unwrap_or(0);
        for step in 0..steps {
            for (wire, link) in wires.iter().zip(&mut links) {
                put_step(core, &mut outbox, link, wire, step);
            }
            outbox.flush(core);
            core.here(&format!("{step} {links:?}"));
        }
    })
}

/// Puts one step's messages; while the ring is full it lets the receiver know and waits.
fn put_step<M: Word>(
    core: &Core,
    outbox: &mut Outbox,
    link: &mut Sender<M, Producer<'_>>,
    wire: &Wire<M>,
    step: usize,
) {
    let receiver = CoreId(wire.to.into());
    if let (true, Some(messages)) = (wire.together, wire.steps.get(step)) {
        core.say(format!("sends {messages:?} together"));
        assert_eq!(link.send_batch(messages), messages.len(), "there is room");
        outbox.note(receiver, Lane::Routine);
        return;
    }
    for message in wire.steps.get(step).into_iter().flatten() {
        core.say(format!("sends {message:?}"));
        while outbox.send(receiver, link, message).is_err() {
            outbox.flush(core);
            core.wait_for_room();
        }
    }
}

/// A core that only rings another one, for no reason.
pub(crate) fn rings(receiver: u8) -> Program {
    Box::new(move |core| cpudriver::post::Hardware::ring(core, CoreId(receiver.into())))
}

/// What a serving core sends.
#[derive(Clone, Debug)]
pub(crate) struct Answers<A> {
    /// The steps to send.
    pub(crate) wire: Wire<A>,
    /// How many of them before anything is heard. Each message that is heard is answered with one more.
    pub(crate) at_once: usize,
}

/// Where a core is while nothing comes for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rests {
    /// It halts.
    Asleep,
    /// In user mode.
    InUserMode,
    /// It halts, and is seen in user mode: its vcore stands still for an answer.
    Standing,
}

/// A core that serves its wires for ever.
pub(crate) fn serves<M: Word, A: Word>(
    incoming: Vec<Wire<M>>,
    answers: Option<Answers<A>>,
    rests: Rests,
) -> Program {
    Box::new(move |core| {
        let mut desk = Desk::new(core, &incoming, answers.as_ref());
        for _ in 0..answers.as_ref().map_or(0, |answers| answers.at_once) {
            desk.answer();
            desk.outbox.flush(core);
        }
        let mut inbox = Inbox::new(CORES);
        loop {
            core.here(&format!("{inbox:?} {desk:?}"));
            let served = inbox.serve(core, &mut desk);
            desk.outbox.flush(core);
            match (served, rests) {
                (true, _) => {}
                (false, Rests::Asleep) => _ = inbox.sleep(core),
                (false, _) => visit_user_mode(core, &mut inbox, &mut desk, rests),
            }
        }
    })
}

/// User mode is left when an interrupt comes, at once if one is pending: to others it looks like a halt. When the core has
/// handled all that it was interrupted for it goes back as it was. So does one that stands still, which looks first for what
/// it waits for.
fn visit_user_mode<M: Word, A: Word>(
    core: &Core,
    inbox: &mut Inbox,
    desk: &mut Desk<'_, M, A>,
    rests: Rests,
) {
    if inbox.leave(core, Activity::User) {
        loop {
            core.here(&format!("in user mode {inbox:?} {desk:?}"));
            cpudriver::post::Hardware::halt(core);
            let mut goes_back = if rests == Rests::Standing {
                inbox.serve_awaited(core, desk)
            } else {
                inbox.serve_urgent(core, desk)
            };
            desk.outbox.flush(core);
            if !goes_back {
                inbox.serve(core, desk);
                desk.outbox.flush(core);
                goes_back = inbox.is_calm();
            }
            if !goes_back {
                break;
            }
        }
    }
    inbox.enter(core);
}

/// A wire's receiving end, and what is still to come in each lane.
struct Incoming<'a, M> {
    sender: CoreId,
    link: Receiver<M, Consumer<'a>>,
    immediate: Vec<M>,
    routine: Vec<M>,
}

impl<M: Word> Incoming<'_, M> {
    /// Takes a message: the oldest that is still to come, or something is wrong.
    fn take(&mut self, core: &Core, lane: Lane) -> Option<M> {
        let message = match self.link.take(lane) {
            Ok(message) => message,
            Err(NoMessage::Empty) => return None,
            Err(NoMessage::Malformed) => core.wrong("a slot holds no message".to_owned()),
        };
        let to_come = match lane {
            Lane::Immediate => &mut self.immediate,
            Lane::Routine => &mut self.routine,
        };
        if to_come.pop() != Some(message) {
            core.wrong(format!("{message:?} from core {} was not the next", self.sender));
        }
        core.say(format!("takes {message:?}"));
        Some(message)
    }
}

struct Desk<'a, M, A> {
    core: &'a Core,
    incoming: Vec<Incoming<'a, M>>,
    outbox: Outbox,
    answers: Option<(Sender<A, Producer<'a>>, &'a Wire<A>)>,
    answered: usize,
}

impl<M: Debug, A: Debug> Debug for Desk<'_, M, A> {
    /// What it knows between two steps. The outbox is empty then, and its numbers only count.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let links = self.incoming.iter().map(|incoming| &incoming.link);
        let sender = self.answers.as_ref().map(|(sender, _)| sender);
        write!(f, "{:?} {sender:?} {}", links.collect::<Vec<_>>(), self.answered)
    }
}

impl<'a, M: Word, A: Word> Desk<'a, M, A> {
    fn new(core: &'a Core, wires: &'a [Wire<M>], answers: Option<&'a Answers<A>>) -> Self {
        let reversed = |wire: &Wire<M>, lane| {
            let mut messages: Vec<M> = wire.of_lane(lane).copied().collect();
            messages.reverse();
            messages
        };
        let incoming = wires.iter().map(|wire| Incoming {
            sender: CoreId(wire.from.into()),
            link: wire.receiver(core),
            immediate: reversed(wire, Lane::Immediate),
            routine: reversed(wire, Lane::Routine),
        });
        Self {
            core,
            incoming: incoming.collect(),
            outbox: Outbox::new(CORES),
            answers: answers.map(|answers| (answers.wire.sender(core), &answers.wire)),
            answered: 0,
        }
    }

    /// Sends the next step, if there is one left.
    fn answer(&mut self) {
        if let Some((link, wire)) = &mut self.answers {
            put_step(self.core, &mut self.outbox, link, wire, self.answered);
            self.answered += 1;
        }
    }

    fn take(&mut self, sender: CoreId, lane: Lane) -> bool {
        let incoming = self.incoming.iter_mut().find(|incoming| incoming.sender == sender);
        let some = incoming.and_then(|incoming| incoming.take(self.core, lane)).is_some();
        if some {
            self.answer();
        }
        some
    }
}

impl<M: Word, A: Word> Handler for Desk<'_, M, A> {
    fn immediate(&mut self, sender: CoreId) -> bool {
        self.take(sender, Lane::Immediate)
    }

    fn routine(&mut self, sender: CoreId) -> bool {
        self.take(sender, Lane::Routine)
    }

    /// As the kernel's own do: what was seen to be all that a lane holds is not looked for again.
    fn next(&mut self, sender: CoreId) -> Option<Taken> {
        if self.immediate(sender) {
            return Some(Taken::Immediate);
        }
        let incoming = self.incoming.iter().find(|incoming| incoming.sender == sender)?;
        if incoming.link.is_lane_empty(Lane::Routine) {
            return None;
        }
        let is_last = incoming.link.is_last(Lane::Routine);
        self.routine(sender).then_some(if is_last { Taken::Last } else { Taken::Routine })
    }

    /// As the kernel's own: it looks into the other lane too, for what can be done in passing as well. Here nothing can.
    fn is_urgent(&self, sender: CoreId) -> bool {
        let Some(incoming) = self.incoming.iter().find(|incoming| incoming.sender == sender) else {
            return false;
        };
        let is_immediate = !incoming.link.is_lane_empty(Lane::Immediate);
        if !is_immediate {
            let _ = incoming.link.is_lane_empty(Lane::Routine);
        }
        is_immediate
    }

    fn urgent(&mut self, sender: CoreId) -> Urgent {
        self.immediate(sender);
        if self.has_more(sender) { Urgent::More } else { Urgent::All }
    }

    /// As the kernel's own: the other lane, if there is anything in it, is for a pass.
    fn awaited(&mut self, sender: CoreId) -> bool {
        let link = |desk: &Self, lane| {
            let incoming = desk.incoming.iter().find(|incoming| incoming.sender == sender);
            incoming.is_some_and(|incoming| !incoming.link.is_lane_empty(lane))
        };
        link(self, Lane::Immediate) || self.routine(sender) && link(self, Lane::Routine)
    }

    fn has_more(&self, sender: CoreId) -> bool {
        let incoming = self.incoming.iter().find(|incoming| incoming.sender == sender);
        incoming.is_some_and(|incoming| !incoming.link.is_empty())
    }
}
