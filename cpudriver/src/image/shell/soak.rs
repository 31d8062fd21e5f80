//! `soak`: many processes, and what can be done to them, at random; then rest, and a look whether all holds.

use super::processes::KILLED;
use super::random::Random;
use super::{Failed, Outcome, Shell, say};
use crate::arch::{cpu, smp};
use crate::console::command::{Extent, Soak};
use crate::console::output::Format;
use crate::image::clock;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use monitor::{Command, Control, CoreState, Event, FAULTED, Input, LOST_CORE, ProcessId};
use proto::call::Outcome as Code;
use proto::event;
use proto::id::{CoreId, Pid};

/// What is done between two rests.
const OPERATIONS: u32 = 40;
/// Processes of a soak that live at once, at most.
const AT_ONCE: usize = 12;
/// Microseconds between two operations, at most.
const PAUSE: u64 = 3_000;
/// Seconds in which all processes must have ended once nothing is done to them any more.
const PATIENCE: u64 = 60;
/// The kind of the events that nobody waits for.
const EVENT: u16 = 120;

/// Programs that end by themselves, with `{}` for a random number from 1 up to as many cores as can be leased; and what
/// they end with.
const PROGRAMS: [(&str, &str, Code); 21] = [
    ("threads", "8 500 {}", Code::OK),
    ("threads", "3 2000 {}", Code::OK),
    ("floats", "6 3000 {}", Code::OK),
    ("matmul", "4 48 {}", Code::OK),
    ("hash", "4 16 {}", Code::OK),
    ("search", "4 7 {}", Code::OK),
    ("blocked", "20 {}", Code::OK),
    ("listen", "4 8 {}", Code::OK),
    ("locals", "6 200 {}", Code::OK),
    ("sway", "10 {}", Code::OK),
    ("sway", "30 {}", Code::OK),
    ("contend", "2 3 200", Code::OK),
    ("hello", "", Code::OK),
    ("spawn", "2 2", Code::OK),
    ("stress", "5 2", Code::OK),
    ("pingpong", "20", Code::OK),
    ("memory", "8 5", Code::OK),
    ("limits", "blocks 1 {}", Code::OK),
    ("sleepers", "3 2", Code::OK),
    ("hostile", "300 {}", Code::OK),
    ("fault", "divide", FAULTED),
];

/// A process of a soak.
struct Member {
    process: ProcessId,
    program: String,
    /// What it ends with, unless it is killed or a core is lost.
    code: Code,
    killed: bool,
}

/// What a soak has done and seen.
#[derive(Default)]
struct Tally {
    operations: u64,
    started: u64,
    exact: u64,
    killed: u64,
    lost: u64,
    preempted: u64,
    stopped: u64,
    wrong: u64,
    broken: u64,
}

impl Shell<'_> {
    pub(super) fn soak(&mut self, soak: Soak) -> Outcome {
        let mut random = Random::new(soak.seed);
        let mut tally = Tally::default();
        let (mut rounds, began) = (0_u32, cpu::now());
        self.hub.capture_output(true);
        let goes_on = |rounds| match soak.extent {
            Extent::Rounds(most) => rounds < most,
            Extent::Time(span) => cpu::now() - began < clock::ticks(span.as_micros()),
        };
        while goes_on(rounds) && tally.wrong + tally.broken == 0 && !self.hub.interrupted() {
            rounds += 1;
            let mut members = Vec::with_capacity(AT_ONCE);
            for _ in 0..OPERATIONS {
                self.operate(&mut random, &mut members, &mut tally);
                let _ = self.sleep(random.below(PAUSE).into());
                self.reap(&mut members, &mut tally);
            }
            self.rest(&mut members, &mut tally);
            tally.broken += self.broken();
            self.hub.capture_output(true);
        }
        self.hub.capture_output(false);
        let Tally { operations, started, exact, killed, lost, preempted, stopped, wrong, broken } =
            tally;
        say!(
            "SOAK seed={} rounds={rounds} operations={operations} processes={started} exact={exact} \
             killed={killed} lost={lost} preempts={preempted} stops={stopped} wrong={wrong} \
             broken={broken}",
            soak.seed
        );
        if wrong + broken == 0 && exact > 0 { Ok(()) } else { Err(Failed) }
    }

    /// Does something at random. What cannot be done just now is not done.
    fn operate(&mut self, random: &mut Random, members: &mut Vec<Member>, tally: &mut Tally) {
        tally.operations += 1;
        let cores = smp::count() as u64;
        let core = CoreId(1 + random.below(cores.saturating_sub(1)) as u16);
        let chosen = random.below(members.len().max(1) as u64) as usize;
        let pid = members.get(chosen).map(|it| it.process.pid);
        match (random.below(20), pid) {
            (0..=7, _) if members.len() < AT_ONCE => self.start_one(random, members, tally),
            (8, Some(pid)) => {
                members[chosen].killed = true;
                self.tell(Control::Kill { pid, code: KILLED });
            }
            (9..=12, _) => {
                let warning = if random.below(3) == 0 { clock::ticks(500) } else { 0 };
                tally.preempted += 1;
                self.tell(Control::Preempt { core, warning });
            }
            (13, Some(pid)) => {
                let taken: Vec<_> = self.hub.coordinator().cores_of(pid).collect();
                tally.preempted += taken.len() as u64;
                taken.into_iter().for_each(|core| self.tell(Control::Preempt { core, warning: 0 }));
            }
            (14..=15, pid) => {
                let to = pid.filter(|_| random.below(4) > 0);
                self.tell(Control::Provision { core, to });
            }
            (16, Some(pid)) => {
                let event = event::Event { kind: EVENT, value: random.below(100) };
                self.tell(Control::Notify { pid, event });
            }
            (17..=18, _) if cores > 2 => self.stop_or_start(core, tally),
            _ => {}
        }
    }

    /// Tells the coordinator something that it may refuse.
    fn tell(&mut self, control: Control) {
        self.hub.tell(Input::Control(control), &mut self.cpu.node);
        self.hub.wait(self.cpu, None, |hub| match hub.next_event()? {
            Event::Controlled { outcome, .. } => Some(outcome),
            _ => None,
        });
    }

    fn start_one(&mut self, random: &mut Random, members: &mut Vec<Member>, tally: &mut Tally) {
        let (name, arguments, code) = PROGRAMS[random.below(PROGRAMS.len() as u64) as usize];
        let cores = 1 + random.below(smp::count().saturating_sub(1).max(1) as u64);
        let arguments = arguments.replace("{}", &format!("{cores}"));
        let Ok(process) = self.spawn(name, &arguments) else { return };
        self.tell(Control::Run { pid: process.pid });
        tally.started += 1;
        let program = format!("{name} {arguments}");
        members.push(Member { process, program, code, killed: false });
    }

    fn stop_or_start(&mut self, core: CoreId, tally: &mut Tally) {
        let state = |it: &Self, core| it.hub.coordinator().core(core).map(|core| core.state);
        match state(self, core) {
            Some(CoreState::Online) if self.hub.coordinator().online().len() > 2 => {
                tally.stopped += 1;
                let _ = self.ask(Command::Stop { core });
            }
            Some(CoreState::Stopped) => drop(self.ask(Command::Start { core })),
            _ => {}
        }
    }

    /// Counts how those came out that have ended.
    fn reap(&mut self, members: &mut Vec<Member>, tally: &mut Tally) {
        members.retain(|member| {
            let Some(code) = self.hub.take_ended(member.process) else { return true };
            if code == member.code {
                tally.exact += 1;
            } else if code == KILLED && member.killed {
                tally.killed += 1;
            } else if code == LOST_CORE && tally.stopped > 0 {
                tally.lost += 1;
            } else {
                tally.wrong += 1;
                say!("SOAK {} ended with {} instead of {}", member.program, code.0, member.code.0);
            }
            false
        });
    }

    /// Lets all that runs come to its end, with all cores.
    fn rest(&mut self, members: &mut Vec<Member>, tally: &mut Tally) {
        for core in self.all_cores().collect::<Vec<_>>() {
            let state = self.hub.coordinator().core(core).map(|core| core.state);
            if state == Some(CoreState::Stopped) {
                let _ = self.ask(Command::Start { core });
            }
            self.tell(Control::Provision { core, to: None });
        }
        let until = clock::in_seconds(PATIENCE);
        while !members.is_empty() && cpu::now() < until && !self.hub.interrupted() {
            let _ = self.sleep(1_000);
            self.reap(members, tally);
        }
        for Member { process, program, .. } in core::mem::take(members) {
            tally.wrong += 1;
            say!("SOAK {program} (process {}) does not end", process.pid);
            let _ = self.show_process(process.pid, true, Format::Text);
            self.tell(Control::Kill { pid: process.pid, code: KILLED });
        }
        // Orphans of processes that were killed.
        let orphans: Vec<Pid> = self.hub.coordinator().processes().map(|it| it.id.pid).collect();
        orphans.into_iter().for_each(|pid| self.tell(Control::Kill { pid, code: KILLED }));
        let until = clock::in_seconds(PATIENCE);
        self.hub.wait(self.cpu, Some(until), |hub| {
            let it = hub.coordinator();
            (it.process_count() == 0 && !it.has_work()).then_some(())
        });
        // What they came to is forgotten.
        self.hub.all_have_ended();
    }
}
