//! Scenes: worlds that a test drives by hand.
//!
//! Messages wait in their rings until the test lets a core or the coordinator take them, so a test says
//! exactly what crosses what: `kill` before `take` means that the core had not seen it yet.

use monitor::{Control, Input, Leaving, Outbox, Place, ProcessId, State};
use proto::call::Outcome;
use proto::event::Event;
use proto::id::{CoreId, Pid, VcoreId};
use proto::message::{Lane, ToCore, ToMonitor};
use tests::sim::cases::Setup;
use tests::sim::{Action, Context, Mishap, Op, VcoreMemory};

pub(crate) const ZERO: CoreId = CoreId(0);
pub(crate) const ONE: CoreId = CoreId(1);
pub(crate) const TWO: CoreId = CoreId(2);
pub(crate) const YIELD: Op = Op::Yield { wanted: 0, nice: false };

/// A world driven by hand.
pub(crate) struct Scene {
    pub(crate) setup: Setup,
}

impl Scene {
    /// So many cores, no process.
    pub(crate) fn new(cores: usize) -> Self {
        Self { setup: Setup::new(cores) }
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.setup.act(action);
    }

    /// The program on a core does something.
    pub(crate) fn does(&mut self, core: CoreId, op: Op) {
        assert!(self.setup.world.cores[core.index()].can_run(), "nothing runs on core {core}");
        self.act(Action::User(core, op));
    }

    /// A core takes its next message.
    pub(crate) fn core_takes(&mut self, core: CoreId) -> ToCore {
        let rings = &self.setup.world.cores[core.index()].to;
        let next = rings.iter().flatten().next().copied().expect("the core has a message");
        self.act(Action::Handle(core));
        next
    }

    /// The coordinator takes the next message of a core.
    pub(crate) fn hears(&mut self, core: CoreId) -> ToMonitor {
        let rings = &self.setup.world.cores[core.index()].from;
        let lane = if rings[0].is_empty() { Lane::Routine } else { Lane::Immediate };
        let next = rings.iter().flatten().next().copied().expect("the core has said something");
        self.act(Action::Deliver(core, lane));
        next
    }

    pub(crate) fn cores(&self) -> impl Iterator<Item = CoreId> + use<> {
        (0..self.setup.world.cores.len()).map(|core| CoreId(core as u16))
    }

    /// The next message that a core has for the coordinator in that lane.
    pub(crate) fn says(&self, core: CoreId, lane: Lane) -> Option<ToMonitor> {
        self.setup.world.cores[core.index()].from[lane as usize].front().copied()
    }

    /// The coordinator takes one step more of the work that it has left.
    pub(crate) fn goes_on(&mut self) {
        assert!(self.setup.world.again, "it has left none");
        self.act(Action::Continue);
    }

    /// It does all of that work.
    pub(crate) fn works(&mut self) {
        while self.setup.world.again {
            self.goes_on();
        }
    }

    /// What waits for a core.
    pub(crate) fn waiting_for(&self, core: CoreId) -> Vec<ToCore> {
        self.setup.world.cores[core.index()].to.iter().flatten().copied().collect()
    }

    /// Lets all messages be delivered.
    pub(crate) fn settle(&mut self) {
        self.setup.settle();
    }

    /// The console asks for something about processes.
    pub(crate) fn console(&mut self, control: Control) {
        self.act(Action::Tell(Input::Control(control)));
    }

    pub(crate) fn kill(&mut self, process: ProcessId) {
        self.console(Control::Kill { pid: process.pid, code: Outcome(9) });
    }

    pub(crate) fn preempt(&mut self, core: CoreId) {
        self.console(Control::Preempt { core, warning: 0 });
    }

    pub(crate) fn notify(&mut self, process: ProcessId) {
        let event = Event { kind: 50, value: 7 };
        self.console(Control::Notify { pid: process.pid, event });
    }

    pub(crate) fn panics(&mut self, core: CoreId) {
        self.act(Action::Fail(core, Mishap::Panic));
    }

    pub(crate) fn state(&self, process: ProcessId) -> Option<State> {
        self.setup.state(process)
    }

    pub(crate) fn place(&self, process: ProcessId, vcore: u16) -> Place {
        let view = self.setup.world.coordinator.vcore(process.pid, VcoreId(vcore));
        view.expect("a many-core process").place
    }

    pub(crate) fn leaving(&self, core: CoreId) -> Option<Leaving> {
        self.setup.world.coordinator.core(core)?.held?.leaving
    }

    /// The vcore that a core runs.
    pub(crate) fn runs(&self, core: CoreId) -> Option<(Pid, u16)> {
        let lease = self.setup.world.cores[core.index()].driver.lease()?;
        Some((lease.pid, lease.vcore.0))
    }

    pub(crate) fn vcore(&self, process: ProcessId, vcore: u16) -> &VcoreMemory {
        &self.setup.world.memory[&process].vcores[usize::from(vcore)]
    }

    pub(crate) fn context(&self, process: ProcessId, vcore: u16) -> Context {
        self.vcore(process, vcore).context
    }

    pub(crate) fn kinds(&self, process: ProcessId, vcore: u16) -> Vec<u16> {
        self.vcore(process, vcore).mailbox.iter().map(|event| event.kind).collect()
    }

    pub(crate) fn is_idle(&self, core: CoreId) -> bool {
        self.setup.world.coordinator.idle_cores().contains(core)
    }

    pub(crate) fn stale(&self) -> u64 {
        self.setup.world.coordinator.counters().stale
    }

    /// Calls that have no outcome.
    pub(crate) fn open_calls(&self) -> usize {
        self.setup.world.calls.count(|_| true)
    }

    /// Everything comes to rest, is destroyed, and leaves nothing behind.
    pub(crate) fn ends_well(mut self) {
        self.setup.world.end(&mut |_, _| ()).expect("all rules hold to the end");
    }

    /// Feeds the coordinator a message that no core of the model sent.
    pub(crate) fn forge(&mut self, core: CoreId, message: ToMonitor) {
        self.act(Action::Tell(Input::Message { core, message }));
    }

    /// Outputs of one more input, without applying them.
    pub(crate) fn would(&self, input: Input) -> Vec<monitor::Output> {
        let mut coordinator = self.setup.world.coordinator.clone();
        let mut out = Outbox::new();
        coordinator.step(self.setup.world.now, &input, &mut out);
        out.drain().collect()
    }
}
