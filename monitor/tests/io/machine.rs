//! A coordinator with a model image around it: memory of processes, what calls came to, what was printed.

use monitor::record::{Player, Recorder};
use monitor::{
    Config, Control, Coordinator, Event as Told, Input, Name, Outbox, Output, ProcessId, Program,
};
use proto::call::{Call, HandlePair, Outcome};
use proto::event::Event;
use proto::id::{CoreId, Epoch, Lease, Pid, VcoreId};
use proto::message::ToMonitor;
use std::collections::{BTreeMap, VecDeque};

/// Pipes of few bytes, so that they are soon full.
pub(crate) const CONFIG: Config = Config {
    max_processes: 8,
    max_children: 3,
    max_pipes: 20,
    pipe_bytes: 8,
    shortest_period: 10,
    ..Config::with_ticks_per_second(1_000)
};

/// Where tests put what is written.
pub(crate) const HERE: u64 = 0x10_0000;
/// Where no memory is.
pub(crate) const NOWHERE: u64 = 0xdead_0000;

pub(crate) struct Machine {
    pub(crate) coordinator: Coordinator,
    out: Outbox,
    recorder: Recorder<Vec<u8>>,
    pub(crate) now: u64,
    pub(crate) armed: Option<u64>,
    next_call: u64,
    memory: BTreeMap<(ProcessId, u64), u8>,
    done: BTreeMap<u64, (Outcome, u64)>,
    /// Calls in the order in which they were completed.
    pub(crate) order: Vec<u64>,
    pub(crate) printed: Vec<(Pid, bool, String)>,
    pub(crate) told: Vec<Told>,
    pub(crate) posted: Vec<(Pid, Event)>,
    /// Pages that were given frames, or new rights.
    pub(crate) populated: Vec<u64>,
    pub(crate) loads: Vec<(Call, Program)>,
    /// What the last list of processes held.
    pub(crate) listed: Vec<Pid>,
    /// Copies are held back until [`Machine::copy`].
    pub(crate) hold: bool,
    /// What steps leave for later ones is not gone on with.
    pub(crate) hold_work: bool,
    copies: VecDeque<(ProcessId, u32, u64, u32)>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self::with(CONFIG)
    }

    pub(crate) fn with(config: Config) -> Self {
        let mut new = Self {
            coordinator: Coordinator::new(config, 0, &[true]),
            out: Outbox::new(),
            recorder: Recorder::new(Vec::new(), config, 0, &[true]),
            now: 1,
            armed: None,
            next_call: 8,
            memory: BTreeMap::new(),
            done: BTreeMap::new(),
            order: Vec::new(),
            printed: Vec::new(),
            told: Vec::new(),
            posted: Vec::new(),
            populated: Vec::new(),
            loads: Vec::new(),
            listed: Vec::new(),
            hold: false,
            hold_work: false,
            copies: VecDeque::new(),
        };
        new.step(Input::Tick);
        new
    }

    pub(crate) fn step(&mut self, input: Input<'_>) {
        self.step_once(input);
        while !self.hold && !self.copies.is_empty() {
            self.copy();
        }
    }

    fn step_once(&mut self, input: Input<'_>) {
        self.recorder.before(self.now, &input);
        self.coordinator.step(self.now, &input, &mut self.out);
        self.recorder.after(&self.coordinator, self.out.outputs());
        let outputs: Vec<Output> = self.out.drain().collect();
        for output in outputs {
            self.apply(output, input);
        }
        let broken = self.coordinator.audit();
        assert_eq!(broken, Ok(()), "after {input:?}");
        if !matches!(input, Input::Continue) && !self.hold_work {
            self.go_on();
        }
    }

    /// Goes on with what steps have left for later ones.
    pub(crate) fn go_on(&mut self) {
        while self.coordinator.has_work() {
            self.step_once(Input::Continue);
        }
    }

    fn apply(&mut self, output: Output, input: Input<'_>) {
        match output {
            Output::Complete { call, outcome, value, .. } => {
                assert_eq!(self.done.insert(call, (outcome, value)), None, "answered twice");
                self.order.push(call);
            }
            Output::CopyIn { process, ticket, address, length } => {
                self.copies.push_back((process, ticket, address, length));
            }
            Output::CopyOut { process, address, bytes, .. } => {
                let bytes = self.coordinator.bytes(bytes).to_vec();
                assert!(!bytes.is_empty());
                self.write(process, address, &bytes);
            }
            Output::Print { process, error, length } => {
                let Input::Copied { bytes, .. } = input else { panic!("nothing was copied") };
                let text = String::from_utf8_lossy(&bytes[..length as usize]).into_owned();
                self.printed.push((process.pid, error, text));
            }
            Output::Populate { process, range, .. } => {
                let first = range.first << 12;
                self.write(process, first, &vec![0; range.pages as usize * 4096]);
                self.populated.push(range.first);
            }
            Output::LoadProgram { call, program } => self.loads.push((call, program)),
            Output::List { first, count, .. } => {
                let listed = self.coordinator.processes_from(first).take(count.into());
                self.listed = listed.map(|it| it.id.pid).collect();
            }
            Output::Tell(event) => self.told.push(event),
            Output::Post { process, event, .. } | Output::PostFor { process, event, .. } => {
                self.posted.push((process.pid, event));
            }
            Output::Arm { deadline } => self.armed = deadline,
            _ => {}
        }
    }

    /// Tells another coordinator all that this one was told, and asserts that it comes to the same.
    pub(crate) fn replay(self) {
        let recording = self.recorder.into_sink();
        let mut player = Player::new(&recording);
        while let Some(step) = player.read().expect("it is a recording") {
            assert_eq!(step.digest, Some(player.tell(&step)), "{step:?}: {:?}", player.outputs());
        }
        assert_eq!(player.coordinator(), Some(&self.coordinator));
    }

    /// Copies in what was asked for first.
    pub(crate) fn copy(&mut self) {
        let Some((process, ticket, address, length)) = self.copies.pop_front() else { return };
        let there = (address..address + u64::from(length))
            .map_while(|at| self.memory.get(&(process, at)).copied());
        let bytes: Vec<u8> = there.collect();
        self.step_once(Input::Copied { process, ticket, bytes: &bytes });
    }

    pub(crate) fn copies(&self) -> usize {
        self.copies.len()
    }

    pub(crate) fn write(&mut self, process: ProcessId, address: u64, bytes: &[u8]) {
        let all = (address..).zip(bytes);
        self.memory.extend(all.map(|(at, &byte)| ((process, at), byte)));
    }

    pub(crate) fn read(&self, process: ProcessId, address: u64, length: usize) -> Vec<u8> {
        let all = (address..).take(length);
        all.map_while(|at| self.memory.get(&(process, at)).copied()).collect()
    }

    /// A process without a parent that has been let run.
    pub(crate) fn program(&mut self) -> ProcessId {
        let process = self.created();
        self.step(Input::Control(Control::Run { pid: process.pid }));
        process
    }

    /// One that has not.
    pub(crate) fn created(&mut self) -> ProcessId {
        self.step(Input::Spawn {
            caller: None,
            name: Name::new("program"),
            root: 0x1000,
            frames: 9,
        });
        match self.told.last() {
            Some(&Told::Spawned { process }) => process,
            other => panic!("no process was made: {other:?}"),
        }
    }

    /// A child that has not run.
    pub(crate) fn child(&mut self, parent: ProcessId, flags: u8) -> ProcessId {
        self.call(parent, |call| create(call, flags));
        let (call, _) = self.loads.pop().expect("a program is to be loaded");
        self.step(Input::Spawn {
            caller: Some(call),
            name: Name::new("child"),
            root: 0x2000,
            frames: 9,
        });
        let pid = Pid(self.outcome(call.at).0 as u16);
        self.coordinator.process(pid).expect("the child exists").id
    }

    pub(crate) fn run(&mut self, process: ProcessId) {
        self.step(Input::Control(Control::Run { pid: process.pid }));
    }

    pub(crate) fn kill(&mut self, process: ProcessId) {
        let code = Outcome(9);
        self.step(Input::Control(Control::Kill { pid: process.pid, code }));
        self.step(Input::Message {
            core: CoreId(0),
            message: ToMonitor::Released { lease: self.lease_of_core().unwrap_or_default() },
        });
        // Whoever is started next says so.
        if let Some(lease) = self.lease_of_core() {
            let message = ToMonitor::Started { lease };
            self.step(Input::Message { core: CoreId(0), message });
        }
    }

    fn lease_of_core(&self) -> Option<Lease> {
        Some(self.coordinator.core(CoreId(0))?.held?.lease)
    }

    /// Makes a request; its address tells what becomes of it.
    pub(crate) fn call(
        &mut self,
        process: ProcessId,
        request: impl FnOnce(Call) -> ToMonitor,
    ) -> u64 {
        let ProcessId { pid, generation } = process;
        let lease = Lease { pid, generation, vcore: VcoreId(0), epoch: Epoch(1) };
        let at = self.next_call;
        self.next_call += 8;
        let message = request(Call { lease, at });
        self.step(Input::Message { core: CoreId(0), message });
        at
    }

    /// Makes a request that does not wait.
    pub(crate) fn ask(
        &mut self,
        process: ProcessId,
        request: impl FnOnce(Call) -> ToMonitor,
    ) -> Outcome {
        let at = self.call(process, request);
        self.outcome(at)
    }

    pub(crate) fn waits(&self, call: u64) -> bool {
        !self.done.contains_key(&call)
    }

    pub(crate) fn outcome(&self, call: u64) -> Outcome {
        self.result(call).0
    }

    pub(crate) fn result(&self, call: u64) -> (Outcome, u64) {
        *self.done.get(&call).unwrap_or_else(|| panic!("call {call} waits"))
    }

    /// A pipe: the handles to read and to write.
    pub(crate) fn pipe(&mut self, process: ProcessId) -> (u8, u8) {
        let call = self.call(process, |call| ToMonitor::OpenPipe { call, flags: 0 });
        let (reader, writer) = self.result(call);
        (u8::try_from(reader.0).expect("a handle"), writer as u8)
    }

    /// Time goes on, with a tick whenever one was asked for.
    pub(crate) fn pass(&mut self, ticks: u64) {
        let until = self.now + ticks;
        while let Some(deadline) = self.armed.filter(|&deadline| deadline <= until) {
            self.now = self.now.max(deadline);
            self.armed = None;
            self.step(Input::Tick);
        }
        self.now = until;
    }

    /// Lets calls be made at addresses at which there were some.
    pub(crate) fn forget_answers(&mut self) {
        self.done.clear();
    }

    /// The bytes that calls have moved at their addresses, in the order in which the calls ended.
    pub(crate) fn moved(&self, process: ProcessId, calls: &[(u64, u64)]) -> Vec<u8> {
        let ended =
            self.order.iter().filter_map(|done| calls.iter().find(|(_, call)| call == done));
        let bytes = |&(here, call): &(u64, u64)| {
            self.read(process, here, usize::try_from(self.outcome(call).0).unwrap_or(0))
        };
        ended.flat_map(bytes).collect()
    }

    pub(crate) fn events(&self, process: ProcessId, kind: u16) -> Vec<u64> {
        let of = |it: &&(Pid, Event)| it.0 == process.pid && it.1.kind == kind;
        self.posted.iter().filter(of).map(|(_, event)| event.value).collect()
    }
}

pub(crate) fn create(call: Call, flags: u8) -> ToMonitor {
    let (path, arguments) = (HERE, HERE);
    ToMonitor::Create { call, path, path_length: 4, arguments, arguments_length: 4, flags }
}

pub(crate) fn read(handle: u8, at: u64, length: u32) -> impl FnOnce(Call) -> ToMonitor {
    move |call| ToMonitor::Read { call, handle, flags: 0, at, length }
}

pub(crate) fn write(handle: u8, at: u64, length: u32) -> impl FnOnce(Call) -> ToMonitor {
    move |call| ToMonitor::Write { call, handle, flags: 0, at, length }
}

pub(crate) fn close(handle: u8) -> impl FnOnce(Call) -> ToMonitor {
    move |call| ToMonitor::Close { call, handle }
}

pub(crate) fn dup(pid: Pid, from_to: &[(u8, u8)]) -> impl FnOnce(Call) -> ToMonitor + use<> {
    let mut pairs = [HandlePair::NONE; HandlePair::MOST];
    for (pair, &(mine, theirs)) in pairs.iter_mut().zip(from_to) {
        *pair = HandlePair { mine, theirs };
    }
    move |call| ToMonitor::DupHandles { call, pid, pairs }
}
