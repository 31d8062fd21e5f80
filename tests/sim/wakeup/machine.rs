//! The machine: memory, a store buffer per core, doorbells on their way. All of it is one small value.
//!
//! This is x86's memory as it was proved to be (total store order): a core's stores wait in a queue of its
//! own and reach memory one by one in that order, at any time; a load takes the newest store to that
//! place out of the core's own queue, or else what memory holds; a fence waits until the queue is
//! empty. An interrupt stays on its way for any time, and ringing one drains nothing, as the x2APIC's
//! register is written past the queue.

/// The most cores of a scenario.
pub(crate) const CORES: usize = 3;
/// The most places that cores share.
const PLACES: usize = 40;
/// The most stores that wait in one queue; a scenario that needs more is refused, not cut short.
const WAITING: usize = 14;

/// A place in memory that several cores reach: an index of a ring, a slot, a flag byte or a state byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place(pub(crate) u8);

/// A piece of text, by number: a line of the trace, or what a core knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Text(pub(crate) u32);

/// What a core does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Loads a place: the only act with an answer.
    Load(Place),
    /// Stores into a place.
    Store(Place, u8),
    /// Waits until its stores have reached memory.
    Fence,
    /// Sends a doorbell to a core.
    Ring(u8),
    /// Enables interrupts for a moment: what is pending is handled, and gone. No correct core does this.
    Open,
    /// Halts until an interrupt is pending, and handles it.
    Halt,
    /// Polls a place until it holds something else.
    Await(Place, u8),
    /// Does something that only the trace shows.
    Say(Text),
    /// Passes a point where all that it still knows is this.
    Here(Text),
    /// Has received what it should not have.
    Wrong(Text),
    /// Has ended.
    Done,
}

/// What happens next in the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A core does what it does next.
    Act(u8),
    /// The oldest store of a core reaches memory.
    Drain(u8),
    /// A doorbell arrives at a core.
    Arrive(u8),
}

/// How stores reach memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Through store buffers: x86.
    Buffered,
    /// At once: sequential consistency, which no x86 machine offers.
    Sequential,
}

/// Which runs are explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// One of those that differ in nothing that anybody could see, see `explore`.
    Reduced,
    /// All of them, to check the former.
    Full,
}

/// The stores of a core that have not reached memory, oldest first. Unused entries are zero, so that
/// equal queues are equal values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Queue {
    len: u8,
    stores: [(u8, u8); WAITING],
}

impl Queue {
    fn push(&mut self, place: Place, value: u8) {
        let free = self.stores.get_mut(usize::from(self.len));
        *free.expect("the scenario needs a longer store buffer") = (place.0, value);
        self.len += 1;
    }

    fn pop(&mut self) -> (u8, u8) {
        let oldest = self.stores[0];
        self.stores.copy_within(1.., 0);
        self.stores[WAITING - 1] = (0, 0);
        self.len -= 1;
        oldest
    }

    fn newest(&self, place: Place) -> Option<u8> {
        let stores = self.stores[..usize::from(self.len)].iter().rev();
        stores.copied().find(|(at, _)| *at == place.0).map(|(_, value)| value)
    }
}

/// A state of the machine and of all that run on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// Where each core is, as a number that its thread gives.
    pub(crate) at: [u32; CORES],
    memory: [u8; PLACES],
    queues: [Queue; CORES],
    /// Doorbells to each core that have not arrived.
    flying: [u8; CORES],
    /// Whether an interrupt is pending at each core; any number that arrive are one.
    pending: [bool; CORES],
}

impl World {
    /// The machine before anything happens: memory holds zeros but for `initial`.
    pub(crate) fn new(initial: &[(Place, u8)]) -> Self {
        let mut memory = [0; PLACES];
        for &(place, value) in initial {
            memory[usize::from(place.0)] = value;
        }
        Self {
            at: [0; CORES],
            memory,
            queues: [Queue::default(); CORES],
            flying: [0; CORES],
            pending: [false; CORES],
        }
    }

    /// What memory holds, whatever waits in queues.
    pub(crate) fn holds(&self, place: Place) -> u8 {
        self.memory[usize::from(place.0)]
    }

    /// What a core finds at a place.
    pub(crate) fn load(&self, core: u8, place: Place) -> u8 {
        self.queues[usize::from(core)].newest(place).unwrap_or_else(|| self.holds(place))
    }

    /// Whether stores of a core have not reached memory.
    pub(crate) fn has_queued(&self, core: u8) -> bool {
        self.queues[usize::from(core)].len > 0
    }

    /// The oldest store of a core that has not reached memory.
    pub(crate) fn oldest(&self, core: u8) -> (Place, u8) {
        let (place, value) = self.queues[usize::from(core)].stores[0];
        (Place(place), value)
    }

    /// Whether a doorbell is on its way to a core.
    pub(crate) fn is_rung(&self, core: u8) -> bool {
        self.flying[usize::from(core)] > 0
    }

    /// Whether a core can do this now.
    pub(crate) fn allows(&self, core: u8, op: Op) -> bool {
        match op {
            Op::Fence => !self.has_queued(core),
            Op::Halt => self.pending[usize::from(core)],
            Op::Await(place, old) => self.load(core, place) != old,
            Op::Done | Op::Wrong(_) => false,
            _ => true,
        }
    }

    /// Has a core do something that it can do now; gives the answer, 0 where there is none.
    pub(crate) fn act(&mut self, core: u8, op: Op, order: Order) -> u8 {
        match (op, order) {
            (Op::Load(place), _) => return self.load(core, place),
            (Op::Store(place, value), Order::Sequential) => {
                self.memory[usize::from(place.0)] = value;
            }
            (Op::Store(place, value), Order::Buffered) => {
                self.queues[usize::from(core)].push(place, value);
            }
            (Op::Ring(receiver), _) => self.flying[usize::from(receiver)] += 1,
            (Op::Open | Op::Halt, _) => self.pending[usize::from(core)] = false,
            _ => {}
        }
        0
    }

    /// The oldest store of a core reaches memory.
    pub(crate) fn drain(&mut self, core: u8) {
        let (place, value) = self.queues[usize::from(core)].pop();
        self.memory[usize::from(place)] = value;
    }

    /// A doorbell arrives at a core.
    pub(crate) fn arrive(&mut self, core: u8) {
        self.flying[usize::from(core)] -= 1;
        self.pending[usize::from(core)] = true;
    }
}
