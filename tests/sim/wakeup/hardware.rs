//! A core of the model as the message path sees it, and what can be wrong with it.

use super::machine::{CORES, Op, Order, Place, Search, Text};
use super::replay::{Numbered, Tape};
use cpudriver::post::{Activity, Hardware};
use proto::id::CoreId;
use proto::slot::Slot;
use std::cell::Cell;
use std::rc::Rc;

/// What is wrong with the hardware; the code under test is never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The fence between raising flags and reading states does nothing (`Outbox::flush`).
    NoFenceAfterRaise,
    /// The fence between lowering flags and reading rings does nothing (`Inbox::serve`).
    NoFenceAfterLower,
    /// The fence between publishing the state and the last look does nothing (`Inbox::leave`).
    NoFenceAfterPublish,
    /// No fence does anything.
    NoFence,
    /// A sender goes by the first state that it ever read.
    OldState,
    /// A sender rings each receiver once: it will come anyway.
    RingsOnce,
    /// A doorbell is thought to be needed in user mode alone.
    SleepersNotRung,
    /// The last look before leaving finds nothing, whatever is there.
    NoLastLook,
    /// The state is published after the last look.
    PublishesLate,
    /// `sti` lets a pending interrupt in before `hlt`.
    HaltsOpen,
    /// A ring publishes a message before it is in its slot.
    TailFirst,
    /// A ring frees a slot before its message was read.
    HeadFirst,
    /// A ring goes by an earlier look when it is asked for the last message.
    OldLook,
}

/// What the cores of a scenario agree on.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What is wrong.
    pub(crate) fault: Fault,
    /// How stores reach memory.
    pub(crate) order: Order,
    /// How much of what cannot matter is left out.
    pub(crate) search: Search,
    /// What places are called, by number.
    pub(crate) names: Vec<String>,
    /// Each core's state byte.
    pub(crate) states: [Place; CORES],
    /// The flag byte at a receiver's doorstep (first index) of a sender, where one may send.
    pub(crate) flags: [[Option<Place>; CORES]; CORES],
    /// The slots' contents, so that one byte stands for a slot.
    pub(crate) slots: Numbered<[u8; Slot::LEN]>,
    /// Lines of the trace, and what programs know.
    pub(crate) texts: Numbered<String>,
}

/// What this core stored last: which fence of the protocol the next one is.
#[derive(Clone, Copy, Debug, Default)]
enum Last {
    #[default]
    Other,
    Raise,
    Lower,
    Publish,
}

/// One core. All of its cells are forgotten when its program is left, so they are functions of
/// what it has loaded.
#[derive(Debug)]
pub(crate) struct Core {
    number: u8,
    plan: Rc<Plan>,
    tape: Rc<Tape>,
    last: Cell<Last>,
    /// Whether this core has published that it leaves, and not yet that it stays.
    leaves: Cell<bool>,
    /// What each receiver's state was when first read, for [`Fault::OldState`].
    first_seen: [Cell<Option<Activity>>; CORES],
    /// Whom it has rung, for [`Fault::RingsOnce`].
    rung: [Cell<bool>; CORES],
    /// The index of a ring that was found full, and its value.
    full: Cell<Option<(Place, u8)>>,
}

impl Core {
    /// A core at the beginning of its program.
    pub(crate) fn new(number: u8, plan: Rc<Plan>, tape: Rc<Tape>) -> Self {
        Self {
            number,
            plan,
            tape,
            last: Cell::default(),
            leaves: Cell::default(),
            first_seen: Default::default(),
            rung: Default::default(),
            full: Cell::default(),
        }
    }

    /// What the cores agree on.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Loads a place.
    pub(crate) fn load(&self, place: Place) -> u8 {
        self.tape.act(Op::Load(place))
    }

    /// Stores into a place.
    pub(crate) fn store(&self, place: Place, value: u8) {
        self.last.set(Last::Other);
        self.tape.act(Op::Store(place, value));
    }

    /// Writes something into the trace.
    pub(crate) fn say(&self, text: String) {
        self.tape.act(Op::Say(self.text(text)));
    }

    /// Tells all that the program knows, at a point where nothing else decides what it does later. What
    /// the core itself remembers is added.
    pub(crate) fn here(&self, knowledge: &str) {
        if self.plan.search == Search::Full {
            return;
        }
        let Self { last, leaves, first_seen, rung, full, .. } = self;
        let text = format!("{knowledge} {last:?} {leaves:?} {first_seen:?} {rung:?} {full:?}");
        self.tape.act(Op::Here(self.text(text)));
    }

    /// Says that something is wrong, which ends the search.
    pub(crate) fn wrong(&self, text: String) -> ! {
        self.tape.act(Op::Wrong(self.text(text)));
        unreachable!("nothing is answered to what is wrong")
    }

    fn text(&self, text: String) -> Text {
        Text(self.plan.texts.number(text))
    }

    /// Notes that a ring was full because this index had this value.
    pub(crate) fn note_full(&self, head: Place, value: u8) {
        self.full.set(Some((head, value)));
    }

    /// Polls until the ring that was found full last has moved. To look again before would change
    /// nothing about this core, so all looks that find the same are left out.
    pub(crate) fn wait_for_room(&self) {
        let (head, value) = self.full.take().expect("a ring was full");
        self.tape.act(Op::Await(head, value));
    }

    fn flag(&self, receiver: usize, sender: usize) -> Option<Place> {
        self.plan.flags[receiver][sender]
    }

    fn me(&self) -> usize {
        usize::from(self.number)
    }
}

impl Hardware for Core {
    fn fence(&self) {
        let missing = matches!(
            (self.plan.fault, self.last.get()),
            (Fault::NoFence, _)
                | (Fault::NoFenceAfterRaise, Last::Raise)
                | (Fault::NoFenceAfterLower, Last::Lower)
                | (Fault::NoFenceAfterPublish, Last::Publish)
        );
        if !missing {
            self.tape.act(Op::Fence);
        }
    }

    fn raise(&self, receiver: CoreId) {
        let flag = self.flag(receiver.index(), self.me()).expect("it may send to that core");
        self.store(flag, 1);
        self.last.set(Last::Raise);
    }

    fn activity_of(&self, receiver: CoreId) -> Activity {
        let first = &self.first_seen[receiver.index()];
        if let Some(first) = first.get() {
            return first;
        }
        let seen = Activity::from_byte(self.load(self.plan.states[receiver.index()]));
        match (self.plan.fault, seen) {
            (Fault::OldState, _) => first.set(Some(seen)),
            (Fault::SleepersNotRung, Activity::Asleep) => return Activity::Kernel,
            _ => {}
        }
        seen
    }

    fn ring(&self, receiver: CoreId) {
        if self.plan.fault == Fault::RingsOnce && self.rung[receiver.index()].replace(true) {
            return;
        }
        self.tape.act(Op::Ring(receiver.0 as u8));
    }

    /// The kernel first looks at eight flags at once and then finds the first by looking at each. Here
    /// each is a look of its own, with steps of others in between: all that the kernel can find, and more.
    fn next_raised(&self, from: usize) -> Option<CoreId> {
        if self.leaves.get() && self.plan.fault == Fault::NoLastLook {
            return None;
        }
        let flags = self.plan.flags[self.me()].iter().enumerate().skip(from);
        let mut flags = flags.filter_map(|(sender, flag)| Some((sender, (*flag)?)));
        let (sender, _) = flags.find(|(_, flag)| self.load(*flag) != 0)?;
        u16::try_from(sender).ok().map(CoreId)
    }

    fn lower(&self, sender: CoreId) {
        let flag = self.flag(self.me(), sender.index()).expect("it was raised");
        self.store(flag, 0);
        self.last.set(Last::Lower);
    }

    fn publish(&self, activity: Activity) {
        self.leaves.set(activity != Activity::Kernel);
        if self.leaves.get() && self.plan.fault == Fault::PublishesLate {
            return;
        }
        self.store(self.plan.states[self.me()], activity as u8);
        self.last.set(Last::Publish);
    }

    fn halt(&self) {
        match self.plan.fault {
            Fault::HaltsOpen => {
                self.tape.act(Op::Open);
            }
            Fault::PublishesLate => {
                self.store(self.plan.states[self.me()], Activity::Asleep as u8);
            }
            _ => {}
        }
        self.tape.act(Op::Halt);
    }
}
