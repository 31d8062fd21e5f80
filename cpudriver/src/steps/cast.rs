//! Who is on the stage: the processes of a machine that has been busy for a while.

use super::stage::{FRAMES, Meter, Stage};
use monitor::{Control, Input, Name, ProcessId};
use proto::id::{CoreId, Pid};
use proto::message::ToMonitor;

/// How large a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Processes, at least 10 and at most 32,000.
    pub processes: u16,
    /// Cores, core 0 included, at least 8.
    pub cores: u16,
}

impl Size {
    /// How many cores the large process wants, and has.
    pub(super) const fn cores_of_large(self) -> u16 {
        self.cores - 1 - 1 - IDLE
    }
}

/// Cores that nobody has, between two scenes.
const IDLE: u16 = 2;
/// When the alarms of those go off that have no part: not while anybody plays.
const FAR: u64 = 1 << 50;
/// Generations between the shell and its youngest descendant.
const GENERATIONS: usize = 4;

/// Those that have a part.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cast {
    /// A many-core process with all cores but those of the two below, a quarter of them by right.
    pub(super) large: ProcessId,
    /// One with one core.
    pub(super) small: ProcessId,
    /// A single-core process: the ancestor of the three below.
    pub(super) shell: ProcessId,
    /// Waits.
    pub(super) waiter: ProcessId,
    /// Two that want to run, in turn.
    pub(super) ready: [ProcessId; 2],
    /// The ends of a pipe of the first of these, to read and to write.
    pub(super) pipe: (u8, u8),
}

impl<M: Meter> Stage<'_, M> {
    /// Brings all on the stage.
    pub(super) fn assemble(&mut self) {
        self.raise_large();
        self.cast.small = self.many(1);
        let fillers = usize::from(self.size.processes) - GENERATIONS - 3;
        while self.coordinator.process_count() < fillers {
            self.filler();
        }
        self.cast.shell = self.program();
        let mut parent = self.cast.shell;
        for _ in 0..GENERATIONS {
            parent = self.child("", "", parent);
            self.control("", Control::Run { pid: parent.pid });
        }
        self.cast.waiter = parent;
        self.cast.ready = [self.program(), self.program()];
        // All but the two of the run queue wait.
        self.settle();
        for _ in 0..GENERATIONS + 3 {
            let lease = self.lease(CoreId::MANAGEMENT);
            if self.cast.ready.iter().any(|ready| ready.pid == lease.pid) {
                self.give_way();
            } else {
                self.wait_for_event();
            }
        }
        self.cast.pipe = self.pipe_of("", self.cast.ready[0]);
        self.tick("", self.now + 1);
        self.settle();
        let idle = usize::from(IDLE);
        assert_eq!(self.coordinator.idle_cores().len(), idle, "all others have a part");
    }

    /// The single-core process that runs waits.
    pub(super) fn wait_for_event(&mut self) {
        self.yield_single("", 0);
        self.settle();
    }

    /// The single-core process that runs lets others run.
    pub(super) fn give_way(&mut self) {
        self.yield_single("", proto::call::NICE);
        self.settle();
    }

    pub(super) fn yield_single(&mut self, name: &'static str, flags: u8) {
        let lease = self.lease(CoreId::MANAGEMENT);
        let seen = self.seen(CoreId::MANAGEMENT);
        self.say(name, CoreId(0), ToMonitor::Yield { lease, seen, wanted: 0, flags });
    }

    pub(super) fn control(&mut self, name: &'static str, control: Control) {
        self.step(name, Input::Control(control));
    }

    /// A process of the console that has been let run.
    fn program(&mut self) -> ProcessId {
        self.step(
            "",
            Input::Spawn { caller: None, name: Name::new("program"), root: 0x1000, frames: FRAMES },
        );
        let made = self.spawned.take().expect("there is room for it");
        self.control("", Control::Run { pid: made.pid });
        made
    }

    /// One that is there and waits for an alarm.
    fn filler(&mut self) {
        let made = self.program();
        self.settle();
        let deadline = FAR + u64::from(made.pid.0).wrapping_mul(0x9e37_79b9) % (1 << 20);
        self.ask("", made, |call| ToMonitor::SetAlarm { call, alarm: 0, deadline, period: 0 });
        self.wait_for_event();
    }

    /// The large process.
    pub(super) fn raise_large(&mut self) {
        self.cast.large = self.many(self.size.cores_of_large());
        for core in 1..self.size.cores / 4 {
            let to = Some(self.cast.large.pid);
            self.control("", Control::Provision { core: CoreId(core), to });
        }
        self.settle();
    }

    /// A many-core process with so many cores.
    fn many(&mut self, wanted: u16) -> ProcessId {
        let made = self.program();
        self.settle();
        while self.lease(CoreId::MANAGEMENT).pid != made.pid {
            self.give_way();
        }
        let lease = self.lease(CoreId::MANAGEMENT);
        self.say("become-many", CoreId(0), ToMonitor::ChangeToM { lease });
        self.answer("preempted-becomes-many");
        self.settle();
        self.ask("", made, |call| ToMonitor::Poke { call, wanted });
        self.came_to(wanted.into());
        self.settle();
        made
    }

    /// A pipe of a process.
    pub(super) fn pipe_of(&mut self, name: &'static str, process: ProcessId) -> (u8, u8) {
        self.ask(name, process, |call| ToMonitor::OpenPipe { call, flags: 0 });
        let reader = self.outcome.map_or(-1, |reader| reader.0);
        let ends = u8::try_from(reader).ok().zip(u8::try_from(self.value).ok());
        ends.expect("there is room for it")
    }

    /// A child of a process.
    pub(super) fn child(
        &mut self,
        create: &'static str,
        spawn: &'static str,
        parent: ProcessId,
    ) -> ProcessId {
        let mut made = None;
        self.ask(create, parent, |call| {
            made = Some(call);
            let (path, arguments) = (0x1000, 0x2000);
            ToMonitor::Create {
                call,
                path,
                path_length: 4,
                arguments,
                arguments_length: 64,
                flags: 0,
            }
        });
        self.step(
            spawn,
            Input::Spawn { caller: made, name: Name::new("child"), root: 0x2000, frames: FRAMES },
        );
        let pid = self.outcome.and_then(|pid| u16::try_from(pid.0).ok()).map(Pid);
        let child = pid.and_then(|pid| self.coordinator.process(pid));
        child.expect("there is room for it").id
    }
}
