//! The world: coordinator, cores, memory, clock; and how an action changes it.

use super::action::Action;
use super::core::{Health, SimCore};
use super::io::Chore;
use super::memory::{Frame, Memory};
use super::open_calls::OpenCalls;
use super::queues::Told;
use super::stays::Stays;
use monitor::{
    Config, Coordinator, CoreSet, Input, MOST_FLUSHED, MOST_RELEASED, Outbox, Output, ProcessId,
};
use proto::id::{CoreId, Lease, Pid};
use proto::message::{Lane, PageRange, ToMonitor};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one, in words, and where.
    pub rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rule)
    }
}

pub(crate) fn violation<T>(rule: impl Into<String>) -> Result<T, Violation> {
    Err(Violation { rule: rule.into() })
}

/// What happens when something does.
pub(crate) type Happened = Result<(), Violation>;

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// The real coordinator.
    pub coordinator: Coordinator,
    /// All cores; 0 is the management core.
    pub cores: Vec<SimCore>,
    /// The memory of every process that has not been freed.
    pub memory: BTreeMap<ProcessId, Memory>,
    /// Calls that have no outcome yet.
    pub calls: OpenCalls,
    /// Processes that were told to die.
    pub doomed: BTreeSet<ProcessId>,
    /// The clock.
    pub now: u64,
    /// When the coordinator wants to be told.
    pub armed: Option<u64>,
    /// The coordinator has unfinished work.
    pub again: bool,
    /// The number of the next call, which is its address.
    pub next_call: u64,
    /// Frames in use, and how many address spaces have each.
    pub frames: BTreeMap<Frame, u32>,
    /// Changes to memory that were asked for and not answered, by the address of the call.
    pub changes: BTreeMap<u64, (ProcessId, PageRange)>,
    /// Memory that was asked for and not answered, by the address of the call: whose, and how many pages.
    pub mappings: BTreeMap<u64, (ProcessId, u32)>,
    /// Some pairs of cores have no rings between them.
    pub unlinked: bool,
    /// Vcores stand still while their memory changes, as in the kernel those do that are not on the management core.
    pub stands: bool,
    /// What the image has to do on core 0.
    pub chores: VecDeque<Chore>,
    /// What came of events that were sent to queues, until the coordinator is told.
    pub(crate) enqueued: VecDeque<Told>,
    /// Requests that were refused because a ring was full of others.
    pub refused: u64,
    /// How long who has been on cores.
    pub stays: Stays,
    /// Messages sent to cores so far.
    pub sent: u64,
    out: Outbox,
}

impl World {
    /// A world of `cores` cores that have all joined.
    #[must_use]
    pub fn new(config: Config, cores: usize) -> Self {
        let coordinator = Coordinator::new(config, 0, &vec![true; cores]);
        let mut world = Self {
            coordinator,
            cores: (0..cores).map(|_| SimCore::new(Health::Starting, 0)).collect(),
            memory: BTreeMap::new(),
            calls: OpenCalls::default(),
            doomed: BTreeSet::new(),
            now: 0,
            armed: None,
            again: false,
            next_call: 8,
            frames: BTreeMap::new(),
            changes: BTreeMap::new(),
            mappings: BTreeMap::new(),
            unlinked: false,
            stands: false,
            chores: VecDeque::new(),
            enqueued: VecDeque::new(),
            refused: 0,
            stays: Stays::new(cores),
            sent: 0,
            out: Outbox::new(),
        };
        world.cores[0].health = Health::Well;
        for core in 1..cores {
            world.cores[core].join(core as u32);
            let joined = world.act(Action::Deliver(CoreId(core as u16), Lane::Routine));
            joined.expect("cores join an empty machine");
        }
        world
    }

    /// Makes one thing happen and checks all rules.
    ///
    /// # Errors
    /// The rule that does not hold.
    pub fn act(&mut self, action: Action) -> Happened {
        self.act_unchecked(action)?;
        self.check()
    }

    /// Makes one thing happen without checking the rules about the state as a whole.
    ///
    /// # Errors
    /// A rule about this very action.
    pub fn act_unchecked(&mut self, action: Action) -> Happened {
        match action {
            Action::Deliver(core, lane) => match self.cores[core.index()].next_answer(lane) {
                Some(message) => self.step(Input::Message { core, message }),
                None => Ok(()),
            },
            Action::Gather(ticket) => self.gather(ticket),
            Action::GatherReleased(pid) => self.gather_released(pid),
            Action::Handle(core) => match self.cores[core.index()].next_message() {
                Some(message) => self.handle(core, message),
                None => Ok(()),
            },
            Action::HandlePeer(core, peer) => match self.cores[core.index()].next_from_peer(peer) {
                Some(message) => self.handle_peer(core, peer, message),
                None => Ok(()),
            },
            Action::User(core, op) => self.user(core, op),
            Action::Pass(ticks) => {
                // What was due before stays due; the clock does not go back for it.
                let due = self.armed.unwrap_or(u64::MAX).max(self.now);
                self.now = due.min(self.now.saturating_add(ticks));
                Ok(())
            }
            Action::Tick => {
                self.now = self.now.max(self.armed.unwrap_or(self.now));
                self.step(Input::Tick)
            }
            Action::Continue => {
                self.again = false;
                self.step(Input::Continue)
            }
            Action::Tell(input) => self.step(input),
            Action::Serve => self.do_chore(),
            Action::Fail(core, mishap) => self.fail(core, mishap),
        }
    }

    /// The coordinator takes answers together.
    fn gather(&mut self, ticket: u32) -> Happened {
        let (lane, answer) = (Lane::Immediate, ToMonitor::ShootdownDone { ticket });
        let mut cores = CoreSet::EMPTY;
        for (core, it) in (0..).map(CoreId).zip(&mut self.cores) {
            if cores.len() < MOST_FLUSHED as usize && it.says_next(lane) == Some(&answer) {
                it.next_answer(lane);
                cores.insert(core);
            }
        }
        if cores.is_empty() { Ok(()) } else { self.step(Input::Flushed { cores, ticket }) }
    }

    /// The process that is destroyed and off which this core is, as its next message says.
    fn says_released(&self, core: CoreId) -> Option<Pid> {
        match self.cores[core.index()].says_next(Lane::Routine) {
            Some(&ToMonitor::Released { lease }) if self.coordinator.is_killed(core, lease) => {
                Some(lease.pid)
            }
            _ => None,
        }
    }

    /// The coordinator is told together who is off a process.
    fn gather_released(&mut self, pid: Pid) -> Happened {
        let all = (0..self.cores.len() as u16).map(CoreId);
        let said = all.filter(|&core| self.says_released(core) == Some(pid));
        let cores: CoreSet = said.take(MOST_RELEASED as usize).collect();
        for core in cores.iter() {
            self.cores[core.index()].next_answer(Lane::Routine);
        }
        if cores.is_empty() { Ok(()) } else { self.step(Input::Released { cores }) }
    }

    /// One step of the coordinator and the application of its outputs.
    pub(crate) fn step(&mut self, input: Input) -> Happened {
        self.step_once(input)?;
        self.tell_enqueued()
    }

    pub(crate) fn step_once(&mut self, input: Input) -> Happened {
        let mended = self.mended_at_once(&input)?;
        let mut out = std::mem::take(&mut self.out);
        self.coordinator.step(self.now, &input, &mut out);
        let outputs: Vec<Output> = out.drain().collect();
        self.out = out;
        self.check_mended(mended, &outputs)?;
        let spawning = match input {
            Input::Spawn { root, .. } => Some(root),
            _ => None,
        };
        for output in outputs {
            self.apply(output, spawning)?;
        }
        Ok(())
    }

    /// The address of a new call's structure.
    pub(crate) fn new_call(&mut self) -> u64 {
        let at = self.next_call;
        self.next_call += 8;
        at
    }

    /// That the coordinator takes answers together, if there is more than one to a shootdown.
    fn gathering(&self) -> Option<Action> {
        let mut tickets = BTreeSet::new();
        self.cores.iter().find_map(|it| match it.says_next(Lane::Immediate) {
            Some(&ToMonitor::ShootdownDone { ticket }) if !tickets.insert(ticket) => {
                Some(Action::Gather(ticket))
            }
            _ => None,
        })
    }

    /// That the coordinator is told together who is off a process, if there are several.
    fn gathering_released(&self) -> Option<Action> {
        let mut pids = BTreeSet::new();
        let mut all = (0..self.cores.len() as u16).map(CoreId);
        all.find_map(|core| {
            let pid = self.says_released(core)?;
            (!pids.insert(pid)).then_some(Action::GatherReleased(pid))
        })
    }

    /// Could this happen now? (What programs, the console and mishaps do always could.)
    #[must_use]
    pub fn deliveries(&self) -> Vec<Action> {
        let mut all = Vec::new();
        for (core, it) in (0..).map(CoreId).zip(&self.cores) {
            for lane in [Lane::Immediate, Lane::Routine] {
                if it.has_answer(lane) {
                    all.push(Action::Deliver(core, lane));
                }
            }
            if it.can_handle() {
                all.push(Action::Handle(core));
            }
            all.extend(it.talking_peers().map(|peer| Action::HandlePeer(core, peer)));
        }
        all.extend(self.gathering());
        all.extend(self.gathering_released());
        if !self.chores.is_empty() {
            all.push(Action::Serve);
        }
        if self.again {
            all.push(Action::Continue);
        }
        all
    }
}

/// The process that a lease is about.
pub(crate) fn process_of(lease: Lease) -> ProcessId {
    ProcessId { pid: lease.pid, generation: lease.generation }
}
