//! A coordinator, what it has said, and cores that answer when they are asked to.

use super::cast::{Cast, Size};
use super::operations::Operation;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use monitor::{
    Config, Coordinator, Enqueued, Event, Found, Input, MOST_RELEASED, Outbox, Output, ProcessId,
    Put,
};
use proto::call::{Call, Outcome};
use proto::event::flag;
use proto::id::{ApicId, CoreId, Epoch, Lease, VcoreId};
use proto::message::{ToCore, ToMonitor};

/// What is copied in when bytes are asked for.
pub(super) const BYTES: &[u8] = b"sixteen bytes...";

/// What is found at a queue: the vcore that the event is about is asked for, and the next one is told in turn that the event
/// is there.
const FOUND: Found = Found {
    flags: flag::INDIR
        | flag::SPAM_INDIR
        | flag::IPI
        | flag::ROUNDROBIN
        | flag::VCORE_MUST_RUN
        | flag::WAKEUP,
    vcore: VcoreId(0),
    last: VcoreId(0),
    put: Put::InQueue,
};

/// Frames of a process, and those that there are beside, for the vcores and the memory of some.
pub(super) const FRAMES: u32 = 16;
const SPARE_FRAMES: u32 = 1 << 16;

/// Ticks of the clock in a second.
const SECOND: u64 = 1_000_000_000;

/// Takes the measure of a step.
pub trait Meter {
    /// Does the step, and measures it.
    fn measure(&mut self, step: impl FnOnce());
}

/// A coordinator under observation.
#[derive(Debug)]
pub struct Stage<'a, M> {
    pub(super) coordinator: Coordinator,
    out: Outbox,
    pub(super) now: u64,
    next_call: u64,
    /// What cores will answer, and the memory that was asked for, in order.
    answers: VecDeque<Input<'static>>,
    /// There is work to go on with when no answer is outstanding.
    again: bool,
    pub(super) outcome: Option<Outcome>,
    /// The last call's second result.
    pub(super) value: u64,
    pub(super) spawned: Option<ProcessId>,
    armed: Option<u64>,
    /// When a core was pinged last.
    pub(super) pinged: u64,
    /// The last count of notifies that each core was told.
    seen: Vec<u32>,
    pub(super) config: Config,
    pub(super) size: Size,
    pub(super) cast: Cast,
    /// The operation whose steps are measured.
    pub(super) watched: &'static str,
    meter: &'a mut M,
}

impl<'a, M: Meter> Stage<'a, M> {
    /// Makes a machine of that size, whose processes are as far as they will be between two scenes.
    pub fn new(size: Size, meter: &'a mut M) -> Self {
        let config = Config {
            max_processes: size.processes + 8,
            frames: u32::from(size.processes + 8) * FRAMES + SPARE_FRAMES,
            ..Config::with_ticks_per_second(SECOND)
        };
        let usable = alloc::vec![true; usize::from(size.cores)];
        let mut new = Self {
            coordinator: Coordinator::new(config, 0, &usable),
            out: Outbox::new(),
            now: 1,
            next_call: 0,
            answers: VecDeque::with_capacity(Outbox::CAPACITY),
            again: false,
            outcome: None,
            value: 0,
            spawned: None,
            armed: None,
            pinged: 0,
            seen: alloc::vec![0; usize::from(size.cores)],
            config,
            size,
            cast: Cast::default(),
            watched: "",
            meter,
        };
        for core in 1..size.cores {
            let message = ToMonitor::Join { apic: ApicId(core.into()) };
            new.step("", Input::Message { core: CoreId(core), message });
        }
        new.assemble();
        new
    }

    /// Plays the operation's scene so often, with all its steps of that name measured: none in a machine that
    /// is too small for it.
    pub fn play(&mut self, operation: &Operation, times: u32) {
        self.watched = operation.name;
        for _ in 0..times {
            self.scene(operation.scene);
            assert!(self.is_settled(), "{} leaves answers", operation.name);
        }
        self.watched = "";
    }

    /// What takes the measure.
    pub const fn meter(&mut self) -> &mut M {
        self.meter
    }

    /// The coordinator.
    pub const fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }

    /// Takes one step.
    pub(super) fn step(&mut self, name: &'static str, input: Input<'static>) {
        self.now += 1;
        let mut outputs = core::mem::take(&mut self.out);
        let out = &mut outputs;
        let Self { coordinator, now, .. } = self;
        if name == self.watched && !name.is_empty() {
            // In the way in which the kernel tells each of them.
            match input {
                Input::Continue => self.meter.measure(
                    #[inline(always)]
                    || coordinator.continue_work(*now, out),
                ),
                Input::Message { core, ref message } => self.meter.measure(
                    #[inline(always)]
                    || coordinator.hear(*now, core, message, out),
                ),
                Input::Released { ref cores } => self.meter.measure(
                    #[inline(always)]
                    || coordinator.hear_released(*now, cores, out),
                ),
                _ => self.meter.measure(
                    #[inline(always)]
                    || coordinator.step(*now, &input, out),
                ),
            }
        } else {
            coordinator.step(*now, &input, out);
        }
        for output in outputs.drain() {
            match output {
                Output::Send { core, message } => self.order(core, message),
                Output::SendAll { cores, message } => {
                    cores.iter().for_each(|core| self.order(core, message));
                }
                Output::LetGo { cores } => cores.iter().for_each(|core| {
                    self.order(core, ToCore::Death { lease: self.lease(core) });
                }),
                Output::CopyIn { process, ticket, length, .. } => {
                    let bytes = &BYTES[..length as usize];
                    self.answers.push_back(Input::Copied { process, ticket, bytes });
                }
                Output::Enqueue { process, sending } => {
                    let found = Found { vcore: sending.vcore, ..FOUND };
                    let what = Enqueued::Done(found);
                    self.answers.push_back(Input::Enqueued { process, sending, what });
                }
                Output::Again => self.again = true,
                Output::Arm { deadline } => self.armed = deadline,
                Output::Complete { outcome, value, .. } => {
                    (self.outcome, self.value) = (Some(outcome), value);
                }
                Output::Tell(Event::Spawned { process }) => self.spawned = Some(process),
                Output::Tell(Event::Controlled { outcome, .. }) => self.outcome = Some(outcome),
                _ => {}
            }
        }
        self.out = outputs;
    }

    /// A core is told something, and will answer.
    fn order(&mut self, core: CoreId, message: ToCore) {
        match message {
            ToCore::StartCore { notified, .. }
            | ToCore::SetContext { notified, .. }
            | ToCore::Switch { notified, .. }
            | ToCore::Regrant { notified, .. } => {
                self.seen[core.index()] = notified;
            }
            ToCore::Notify { count, .. } => self.seen[core.index()] = count,
            ToCore::Ping { .. } => self.pinged = self.now,
            _ => {}
        }
        self.answers.extend(answer(message).map(|message| Input::Message { core, message }));
    }

    /// A message of a core.
    pub(super) fn say(&mut self, name: &'static str, core: CoreId, message: ToMonitor) {
        self.step(name, Input::Message { core, message });
    }

    /// The first answer that is outstanding.
    pub(super) fn answer(&mut self, name: &'static str) {
        let input = self.next_answer();
        self.step(name, input.expect("the scene knows what it has asked for"));
    }

    /// Cores that are told to be free together, as many as one input may bring, but for the last so many.
    pub(super) fn say_released_together(&mut self, name: &'static str, but: usize) {
        let count = self.answers.len().saturating_sub(but).min(MOST_RELEASED as usize);
        let of_core = |input| match input {
            Input::Message { core, message: ToMonitor::Released { .. } } => core,
            other => panic!("it is asked to let go and nothing else: {other:?}"),
        };
        let cores = self.answers.drain(..count).map(of_core).collect();
        self.step(name, Input::Released { cores });
    }

    /// The work that the last step has left.
    pub(super) fn go_on(&mut self, name: &'static str) {
        assert!(self.is_to_continue(), "there is work, and no core was asked");
        self.answer(name);
    }

    /// All answers that are outstanding, and those to them.
    pub(super) fn settle(&mut self) {
        while let Some(input) = self.next_answer() {
            self.step("", input);
        }
    }

    fn next_answer(&mut self) -> Option<Input<'static>> {
        let more = || core::mem::take(&mut self.again).then_some(Input::Continue);
        self.answers.pop_front().or_else(more)
    }

    pub(super) fn is_settled(&self) -> bool {
        self.answers.is_empty() && !self.again
    }

    pub(super) fn is_last_answer(&self) -> bool {
        self.answers.len() == 1 && !self.again
    }

    /// Is the next answer none of a core, but work that goes on?
    pub(super) fn is_to_continue(&self) -> bool {
        self.answers.is_empty() && self.again
    }

    /// The core that will answer next.
    pub(super) fn asked(&self) -> CoreId {
        match self.answers.front() {
            Some(&Input::Message { core, .. }) => core,
            other => panic!("no core was asked: {other:?}"),
        }
    }

    pub(super) fn seen(&self, core: CoreId) -> u32 {
        self.seen[core.index()]
    }

    /// Time goes on until `moment`: all that comes due before it is done before.
    pub(super) fn tick(&mut self, name: &'static str, moment: u64) {
        while let Some(due) = self.armed.filter(|&due| due < moment) {
            self.now = self.now.max(due);
            self.step("", Input::Tick);
            self.settle();
        }
        self.now = self.now.max(moment);
        self.step(name, Input::Tick);
    }

    /// A request of a process, from wherever its first vcore last was.
    pub(super) fn ask(
        &mut self,
        name: &'static str,
        process: ProcessId,
        request: impl FnOnce(Call) -> ToMonitor,
    ) {
        let ProcessId { pid, generation } = process;
        let lease = Lease { pid, generation, vcore: VcoreId(0), epoch: Epoch(1) };
        self.next_call += 8;
        let at = self.next_call;
        self.outcome = None;
        self.say(name, CoreId::MANAGEMENT, request(Call { lease, at }));
    }

    /// As [`Stage::ask`], but with an event when it is done.
    pub(super) fn ask_for_event(
        &mut self,
        name: &'static str,
        process: ProcessId,
        request: impl FnOnce(Call) -> ToMonitor,
    ) {
        self.ask(name, process, |call| request(Call { at: call.at | 1, ..call }));
    }

    /// The last call's address.
    pub(super) const fn last_call(&self) -> u64 {
        self.next_call
    }

    /// Checks what the last call came to.
    pub(super) fn came_to(&self, outcome: i32) {
        assert_eq!(self.outcome, Some(Outcome(outcome)), "{}", self.watched);
    }

    /// The lease of a core that has one.
    pub(super) fn lease(&self, core: CoreId) -> Lease {
        let held = self.coordinator.core(core).and_then(|core| core.held);
        held.expect("the scene knows who runs where").lease
    }
}

/// What a core says to an order, if anything.
fn answer(order: ToCore) -> Option<ToMonitor> {
    match order {
        ToCore::StartCore { lease, .. }
        | ToCore::SetContext { lease, .. }
        | ToCore::Regrant { to: lease, .. } => Some(ToMonitor::Started { lease }),
        ToCore::Preempt { lease, .. } => Some(ToMonitor::Preempted { lease }),
        ToCore::Death { lease } => Some(ToMonitor::Released { lease }),
        ToCore::Notify { lease, count } => Some(ToMonitor::Notified { lease, count }),
        ToCore::TlbShootdown { ticket, .. } | ToCore::TlbMulticast { ticket, .. } => {
            Some(ToMonitor::ShootdownDone { ticket })
        }
        ToCore::Ping { nonce } => Some(ToMonitor::Pong { nonce }),
        _ => None,
    }
}
