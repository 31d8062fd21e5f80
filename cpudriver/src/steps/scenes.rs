//! The scenes: each brings some kinds of steps about, and leaves everything as it was.

use super::stage::{BYTES, Meter, Stage};
use monitor::{Control, Input, Place, ProcessId, State};
use proto::call::NO_HANG;
use proto::id::{CoreId, Epoch, Lease, Pid, VcoreId};
use proto::message::{ToMonitor, tag};

/// A scene; [`super::OPERATIONS`] tells which steps are taken in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scene {
    Grant,
    Queue,
    Preempt,
    Warn,
    Share,
    Reclaim,
    Provision,
    Change,
    Notify,
    Single,
    Slice,
    Wait,
    Pipe,
    PipeAhead,
    Print,
    Keys,
    Alarm,
    Sleep,
    Await,
    Handle,
    Queues,
    Family,
    AbortHandle,
    AbortHandleOfMany,
    List,
    UnmapOne,
    UnmapMany,
    MapBehind,
    MapInFront,
    MapBetween,
    ProtectPart,
    UnmapPart,
    UnmapOneOfAll,
    UnmapAll,
    Miss,
    Reflect,
    Heartbeat,
    Stale,
    Create,
    OpenPipe,
    Kill,
}

/// A deadline that comes before all others, in ticks from now.
const SOON: u64 = 1_000;
/// Calls that read and wait, as many as one process may have.
const MOST_READS: usize = 12;
/// A long period.
const LONG: u64 = 1 << 45;

impl<M: Meter> Stage<'_, M> {
    pub(super) fn scene(&mut self, scene: Scene) {
        match scene {
            Scene::Grant => self.grant(),
            Scene::Queue => self.queue(),
            Scene::Preempt => self.preempt(),
            Scene::Warn => self.warn(),
            Scene::Share => self.share(),
            Scene::Reclaim => self.reclaim(),
            Scene::Provision => self.provision(),
            Scene::Change => self.change(),
            Scene::Notify => self.notify(),
            Scene::Single => self.single(),
            Scene::Slice => self.slice(),
            Scene::Wait => self.wait(),
            Scene::Pipe => self.pipe(),
            Scene::PipeAhead => self.pipe_ahead(),
            Scene::Print => self.print(),
            Scene::Keys => self.keys(),
            Scene::Alarm => self.alarm(),
            Scene::Sleep => self.sleep(),
            Scene::Await => self.await_event(),
            Scene::Handle => self.handle(),
            Scene::Queues => self.queues(),
            Scene::Family => self.family(),
            Scene::AbortHandle => self.abort_handle("abort-handle", 1),
            Scene::AbortHandleOfMany => self.abort_handle("abort-handle-of-many", MOST_READS),
            Scene::List => self.list(),
            Scene::UnmapOne => self.unmap_one(),
            Scene::UnmapMany => self.unmap_many(),
            Scene::MapBehind => self.map_behind(),
            Scene::MapInFront => self.map_in_front(),
            Scene::MapBetween => self.map_between(),
            Scene::ProtectPart => self.protect_part(),
            Scene::UnmapPart => self.unmap_part(),
            Scene::UnmapOneOfAll => self.unmap_one_of_all(),
            Scene::UnmapAll => self.unmap_all_at_once(),
            Scene::Miss => self.miss(),
            Scene::Reflect => self.reflect(),
            Scene::Heartbeat => self.heartbeat(),
            Scene::Stale => self.stale(),
            Scene::Create => self.create(),
            Scene::OpenPipe => self.open_pipe(),
            Scene::Kill => self.kill(),
        }
    }

    fn poke(&mut self, name: &'static str, process: ProcessId, wanted: u16) {
        self.ask(name, process, |call| ToMonitor::Poke { call, wanted });
        self.came_to(wanted.into());
    }

    fn yield_core(&mut self, name: &'static str, core: CoreId, wanted: u16) {
        let (lease, seen) = (self.lease(core), self.seen(core));
        self.say(name, core, ToMonitor::Yield { lease, seen, wanted, flags: 0 });
    }

    fn cores_of(&self, process: ProcessId) -> impl Iterator<Item = CoreId> + use<'_, M> {
        let holds = move |core: &CoreId| {
            let held = self.coordinator.core(*core).and_then(|core| core.held);
            held.is_some_and(|held| held.lease.pid == process.pid)
        };
        (1..self.size.cores).map(CoreId).filter(holds)
    }

    pub(super) fn core_of_small(&self) -> CoreId {
        self.cores_of(self.cast.small).next().expect("it has one")
    }

    /// A core that the large process has without a right to it.
    fn last_core_of_large(&self) -> CoreId {
        self.cores_of(self.cast.large).last().expect("it has cores")
    }

    fn wanted_by_large(&self) -> u16 {
        self.size.cores_of_large()
    }

    fn grant(&mut self) {
        let (large, wanted) = (self.cast.large, self.wanted_by_large());
        self.poke("poke-granted", large, wanted + 1);
        self.go_on("poke-continued");
        let core = self.asked();
        self.answer("started");
        self.yield_core("yield", core, wanted);
        self.answer("released");
    }

    /// The small process takes all cores that are idle.
    fn take_idle(&mut self) {
        let idle = u16::try_from(self.coordinator.idle_cores().len()).expect("few cores");
        self.poke("", self.cast.small, 1 + idle);
        self.settle();
        assert!(self.coordinator.idle_cores().is_empty());
    }

    /// And gives back all but one.
    fn give_back(&mut self) {
        let second = |it: &Self| it.cores_of(it.cast.small).nth(1);
        while let Some(core) = second(self) {
            self.yield_core("", core, 1);
            self.settle();
        }
    }

    fn queue(&mut self) {
        self.take_idle();
        let (large, wanted) = (self.cast.large, self.wanted_by_large());
        self.poke("poke-queued", large, wanted + 1);
        self.poke("poke-withdrawn", large, wanted);
        self.give_back();
    }

    fn preempt(&mut self) {
        self.take_idle();
        let core = self.last_core_of_large();
        self.control("preempt", Control::Preempt { core, warning: 0 });
        self.answer("preempted-regranted");
        self.go_on("preempted-continued");
        self.settle();
        self.give_back();
    }

    fn warn(&mut self) {
        let core = self.last_core_of_large();
        self.control("preempt-warned", Control::Preempt { core, warning: SOON });
        let over = self.now + SOON;
        self.settle();
        self.tick("tick-warning-over", over);
        self.go_on("warning-over-continued");
        self.settle();
    }

    fn share(&mut self) {
        // If nobody waits, nobody is looked for any more.
        self.tick("", self.now + 2 * self.config.share);
        self.settle();
        self.take_idle();
        let has = self.cores_of(self.cast.small).count() as u16;
        self.poke("", self.cast.small, has + 1);
        let mut turn = self.now;
        while self.is_settled() {
            turn += self.config.share;
            self.tick("tick-share", turn);
        }
        self.go_on("share-taken");
        self.go_on("share-handed-over");
        self.answer("started-regranted");
        self.go_on("started-continued");
        self.settle();
        self.give_back();
    }

    /// The small process gets the right to a core of the large one, and then asks for it.
    fn reclaim(&mut self) {
        self.take_idle();
        let core = self.last_core_of_large();
        self.control("", Control::Provision { core, to: Some(self.cast.small.pid) });
        let has = self.cores_of(self.cast.small).count() as u16;
        self.poke("poke-reclaims", self.cast.small, has + 1);
        self.go_on("reclaim-taken");
        self.go_on("reclaim-handed-over");
        self.settle();
        assert!(self.cores_of(self.cast.small).any(|it| it == core), "it has got its own core");
        self.control("", Control::Provision { core, to: None });
        self.give_back();
    }

    fn provision(&mut self) {
        let core = self.coordinator.idle_cores().at_or_after(CoreId(0)).expect("two are idle");
        let to = Some(self.cast.small.pid);
        self.control("provision", Control::Provision { core, to });
        self.came_to(0);
        self.control("", Control::Provision { core, to: None });
    }

    fn change(&mut self) {
        let core = self.last_core_of_large();
        let lease = self.lease(core);
        let rests = |vcore: &VcoreId| {
            let it = self.coordinator.vcore(lease.pid, *vcore);
            it.is_some_and(|it| it.place == Place::Inactive)
        };
        let to = (0..self.size.cores).map(VcoreId).find(rests).expect("it has not all cores");
        self.say("change-vcore", core, ToMonitor::ChangeVcore { lease, to, flags: 0 });
        self.answer("started-after-change");
        self.settle();
    }

    fn notify(&mut self) {
        let large = self.cast.large;
        let vcore = self.lease(self.last_core_of_large()).vcore;
        let request = |call| ToMonitor::NotifyVcore { call, vcore, event: 100, value: 7 };
        self.ask("notify-vcore", large, request);
        self.came_to(0);
        self.ask("notify-vcore-merged", large, request);
        self.answer("notified-again");
        self.answer("notified");
    }

    fn single(&mut self) {
        let (shell, pid) = (self.cast.shell, self.cast.waiter.pid);
        self.ask("notify-process-wakes", shell, |call| ToMonitor::NotifyProcess {
            call,
            pid,
            event: 100,
            value: 7,
        });
        self.came_to(0);
        self.give_way();
        self.yield_single("yield-switches", proto::call::NICE);
        self.yield_single("yield-single", 0);
        self.settle();
    }

    fn slice(&mut self) {
        self.yield_single("", proto::call::NICE);
        let over = self.now + self.config.slice;
        self.settle();
        self.tick("tick-slice-over", over);
        self.answer("preempted-next");
        self.answer("started-single");
        self.settle();
    }

    fn wait(&mut self) {
        let (shell, pid) = (self.cast.shell, Pid(0));
        self.ask("wait-no-hang", shell, |call| ToMonitor::Wait { call, pid, flags: NO_HANG });
        self.came_to(0);
        self.ask("wait", shell, |call| ToMonitor::Wait { call, pid, flags: 0 });
        let target = self.last_call();
        self.ask("abort-call", shell, |call| ToMonitor::AbortCall { call, target });
        self.came_to(1);
    }

    fn read(&mut self, name: &'static str, handle: u8) {
        let length = BYTES.len() as u32;
        let order = |call| ToMonitor::Read { call, handle, flags: 0, at: 0x1000, length };
        self.ask_for_event(name, self.cast.ready[0], order);
    }

    fn write(&mut self, name: &'static str, handle: u8) {
        let length = BYTES.len() as u32;
        let order = |call| ToMonitor::Write { call, handle, flags: 0, at: 0x2000, length };
        self.ask(name, self.cast.ready[0], order);
    }

    fn pipe(&mut self) {
        let (reader, writer) = self.cast.pipe;
        self.read("read", reader);
        self.write("write", writer);
        self.answer("copied-to-reader");
        self.came_to(BYTES.len() as i32);
        self.outcome = None;
        self.go_on("pipe-continued");
        self.came_to(BYTES.len() as i32);
        self.settle();
    }

    fn pipe_ahead(&mut self) {
        let (reader, writer) = self.cast.pipe;
        self.write("", writer);
        self.answer("copied");
        self.came_to(BYTES.len() as i32);
        self.read("read-at-once", reader);
        self.came_to(BYTES.len() as i32);
        self.settle();
    }

    fn print(&mut self) {
        self.write("print", 1);
        self.answer("copied-printed");
        self.came_to(BYTES.len() as i32);
    }

    fn keys(&mut self) {
        self.read("", 0);
        self.step("keys", Input::Keys { bytes: BYTES });
        self.go_on("keys-continued");
        self.came_to(BYTES.len() as i32);
        self.settle();
    }

    fn alarm(&mut self) {
        let large = self.cast.large;
        let deadline = self.now + SOON;
        let set =
            |deadline| move |call| ToMonitor::SetAlarm { call, alarm: 1, deadline, period: LONG };
        self.ask("set-alarm", large, set(deadline));
        self.came_to(0);
        self.tick("tick-alarm", deadline);
        self.settle();
        self.ask("cancel-alarm", large, set(0));
        self.came_to(0);
    }

    fn sleep(&mut self) {
        let large = self.cast.large;
        self.ask_for_event("sleep", large, |call| ToMonitor::Sleep { call, ticks: SOON });
        self.tick("tick-sleep", self.now + SOON);
        self.came_to(0);
        self.settle();
    }

    fn await_event(&mut self) {
        let (large, pid) = (self.cast.large, self.cast.large.pid);
        let signal = |call| ToMonitor::NotifyProcess { call, pid, event: 100, value: 7 };
        self.ask("", large, signal);
        self.settle();
        self.ask("", large, |call| ToMonitor::AwaitEvent { call, seen: 0 });
        let seen = u32::try_from(self.value).expect("it has been counted with 32 bits");
        self.ask("await-event", large, |call| ToMonitor::AwaitEvent { call, seen });
        self.ask("notify-process-answers", large, signal);
        self.came_to(0);
        self.settle();
    }

    fn handle(&mut self) {
        let flags = proto::call::CLOSE_ON_CREATE;
        let request = |call| ToMonitor::SetHandle { call, handle: 1, flags };
        self.ask("set-handle", self.cast.large, request);
        self.came_to(0);
    }

    fn heartbeat(&mut self) {
        let interval = self.config.heartbeat_interval;
        self.tick("", self.now + 2 * interval);
        self.settle();
        self.tick("tick-heartbeat", self.pinged + interval);
        assert!(self.pinged == self.now, "a core was pinged");
        self.answer("pong");
    }

    fn stale(&mut self) {
        let core = self.last_core_of_large();
        let now = self.lease(core);
        let lease = Lease { epoch: Epoch(now.epoch.0 - 1), ..now };
        self.say("stale", core, ToMonitor::Stale { kind: tag::NOTIFY, lease });
    }

    /// Lets processes run until all is as between two scenes.
    pub(super) fn calm(&mut self) {
        let [ready, other] = self.cast.ready.map(|it| it.pid);
        let waits = |it: &ProcessId| {
            self.coordinator.process(it.pid).is_some_and(|it| it.state == State::Waiting)
        };
        let calm = [self.cast.shell, self.cast.waiter].iter().all(waits);
        let runs = self.lease(CoreId::MANAGEMENT).pid;
        if calm && runs == ready {
            return;
        }
        if runs == ready || runs == other {
            self.give_way();
        } else {
            self.wait_for_event();
        }
        self.calm();
    }

    fn create(&mut self) {
        let shell = self.cast.shell;
        let pid = self.child("create", "spawn", shell).pid;
        self.ask("destroy", shell, |call| ToMonitor::Destroy { call, pid, code: 3 });
        self.came_to(0);
        self.ask("wait-reaps", shell, |call| ToMonitor::Wait { call, pid, flags: 0 });
        self.came_to(pid.0.into());
        self.settle();
        self.calm();
    }

    fn open_pipe(&mut self) {
        let (reader, writer) = self.pipe_of("open-pipe", self.cast.ready[0]);
        for handle in [reader, writer] {
            let request = |call| ToMonitor::Close { call, handle };
            self.ask("close", self.cast.ready[0], request);
            self.came_to(0);
        }
    }

    fn kill(&mut self) {
        let pid = self.cast.large.pid;
        let code = proto::call::Outcome(9);
        self.control("kill", Control::Kill { pid, code });
        // One at least says so by itself before the last does.
        self.say_released_together("released-together", 2);
        while !self.is_settled() {
            let name = match (self.is_to_continue(), self.is_last_answer()) {
                (true, _) => "kill-continued",
                (false, true) => "released-last",
                (false, false) => "released-dying",
            };
            self.answer(name);
        }
        assert_eq!(self.coordinator.process(pid), None, "it is gone");
        self.raise_large();
        self.calm();
    }
}
