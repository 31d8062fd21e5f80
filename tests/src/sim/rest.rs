//! Coming to rest: all messages are delivered, all programs look for events and then wait; and what must
//! be true then.

use super::action::{Action, Mishap, Op};
use super::core::{Health, SimCore};
use super::queues::BY_NAME;
use super::world::{Happened, World, violation};
use monitor::{Command, Control, CoreState, Input, State};
use proto::call::Outcome;
use proto::id::CoreId;

/// More rounds than any world takes to come to rest.
const ROUNDS: usize = 20_000;

impl World {
    /// Lets everything come to rest and checks what must be true then.
    ///
    /// # Errors
    /// A rule that does not hold.
    pub fn come_to_rest(&mut self, watch: &mut dyn FnMut(&Self, Action)) -> Happened {
        for _ in 0..ROUNDS {
            let Some(action) = self.next_towards_rest() else { return self.check_rest() };
            self.watched(action, watch)?;
        }
        violation("the world does not come to rest")
    }

    /// Destroys all processes, lets everything come to rest, and checks that nothing is left over.
    ///
    /// # Errors
    /// A rule that does not hold.
    pub fn end(&mut self, watch: &mut dyn FnMut(&Self, Action)) -> Happened {
        self.come_to_rest(watch)?;
        self.let_losses_be_known(watch)?;
        self.mend(watch)?;
        let pids: Vec<_> = self.coordinator.processes().map(|it| it.id.pid).collect();
        for pid in pids {
            let control = Control::Kill { pid, code: Outcome(9) };
            self.watched(Action::Tell(Input::Control(control)), watch)?;
        }
        self.come_to_rest(watch)?;
        self.check_nothing_left()
    }

    /// Lets deadlines pass until the coordinator knows of every core that is silent: others may wait for a
    /// shootdown that was to come through one.
    fn let_losses_be_known(&mut self, watch: &mut dyn FnMut(&Self, Action)) -> Happened {
        let unknown = |world: &Self| {
            (0..).map(CoreId).zip(&world.cores).any(|(core, it)| {
                let online = |view: monitor::CoreView| view.state == CoreState::Online;
                it.health == Health::Silent && world.coordinator.core(core).is_some_and(online)
            })
        };
        for _ in 0..ROUNDS {
            if !unknown(self) {
                return Ok(());
            }
            self.watched(Action::Tick, watch)?;
            self.come_to_rest(watch)?;
        }
        violation("a core that is silent is never found out")
    }

    /// Brings all cores back that were lost or parked: by themselves, or through INIT.
    fn mend(&mut self, watch: &mut dyn FnMut(&Self, Action)) -> Happened {
        for core in (1..self.cores.len()).map(|core| CoreId(core as u16)) {
            if self.cores[core.index()].health == Health::Silent {
                self.watched(Action::Fail(core, Mishap::Recover), watch)?;
            }
        }
        self.come_to_rest(watch)?;
        for core in (1..self.cores.len()).map(|core| CoreId(core as u16)) {
            let state = self.coordinator.core(core).map(|it| it.state);
            let well = self.cores[core.index()].health == Health::Well;
            if well && state != Some(CoreState::Online) {
                return violation(format!("core {core} was only late and does not serve again"));
            }
            let lost = [CoreState::Silent, CoreState::Failed, CoreState::Stopped];
            if state.is_some_and(|state| lost.contains(&state)) {
                self.watched(Action::Tell(Input::Console(Command::Start { core })), watch)?;
            }
        }
        self.come_to_rest(watch)
    }

    fn watched(&mut self, action: Action, watch: &mut dyn FnMut(&Self, Action)) -> Happened {
        watch(self, action);
        self.act(action)
    }

    fn next_towards_rest(&self) -> Option<Action> {
        if let Some(&first) = self.deliveries().first() {
            return Some(first);
        }
        let joining = self.cores.iter().position(|it| it.health == Health::Starting);
        if let Some(core) = joining {
            return Some(Action::Fail(CoreId(core as u16), Mishap::Join));
        }
        let running = |it: &SimCore| it.health == Health::Well && it.can_run();
        let core = CoreId(self.cores.iter().position(running)? as u16);
        Some(Action::User(core, self.next_step_of(core)))
    }

    /// A program that comes to rest: reads what there is, then yields for good.
    fn next_step_of(&self, core: CoreId) -> Op {
        let lease = self.cores[core.index()].driver.lease();
        let pending = lease.is_some_and(|lease| {
            let memory = self.memory.get(&super::world::process_of(lease));
            memory.is_some_and(|memory| memory.vcores[usize::from(lease.vcore.0)].pending)
        });
        if pending { Op::Look } else { Op::Yield { wanted: 0, nice: false } }
    }

    fn check_rest(&self) -> Happened {
        let some_are_lost = self.cores.iter().any(|it| it.health != Health::Well);
        for (core, it) in (0..).map(CoreId).zip(&self.cores) {
            // Its memory changes when a core has flushed that is silent.
            let stands = it.stands_for.is_some() && some_are_lost;
            if it.health == Health::Well && it.driver.request().is_some() && !stands {
                return violation(format!("the request on core {core} was never answered"));
            }
            // That a message which is there wakes a core that halts is shown elsewhere, on the real rings.
            if it.health == Health::Well && (it.can_handle() || it.talking_peers().count() > 0) {
                return violation(format!("I13: core {core} rests with a message not taken"));
            }
        }
        let unmaps: usize = self.coordinator.processes().map(|view| view.unmaps).sum();
        if unmaps > 0 && self.cores.iter().all(|it| it.health == Health::Well) {
            return violation(format!("{unmaps} calls to unmap were never answered"));
        }
        for view in self.coordinator.processes() {
            let waits = matches!(view.state, State::Created | State::Waiting);
            let stuck_on_lost = self.cores.iter().any(|it| it.health != Health::Well);
            if !waits && !view.ended && !stuck_on_lost {
                return violation(format!("at rest {} is {:?}", view.id.pid, view.state));
            }
            self.check_read(&view)?;
        }
        let waiting: usize = self.coordinator.processes().map(|it| it.waits + it.unmaps).sum();
        let alive = |id| self.coordinator.processes().any(|it| it.id == id && !it.state.is_dying());
        let open = self.calls.count(alive);
        if open != waiting {
            return violation(format!("{open} calls have no outcome, but {waiting} wait"));
        }
        Ok(())
    }

    /// I9: whatever was sent to whoever runs, was read. (Events to a vcore by name wait for that vcore.)
    fn check_read(&self, view: &monitor::ProcessView) -> Happened {
        let Some(memory) = self.memory.get(&view.id).filter(|_| view.state == State::Waiting)
        else {
            return Ok(());
        };
        let to_anybody =
            |vcore: &super::VcoreMemory| vcore.mailbox.iter().any(|event| event.kind != BY_NAME);
        match memory.vcores.iter().position(to_anybody) {
            None => Ok(()),
            Some(vcore) => {
                let pid = view.id.pid;
                violation(format!("I9: {pid} waits, and vcore {vcore} has not read its events"))
            }
        }
    }

    /// I12: all cores that the firmware lists serve, are free and idle, and all memory has come back.
    fn check_nothing_left(&self) -> Happened {
        let all = self.cores.len();
        for core in (0..all).map(|core| CoreId(core as u16)) {
            let Some(view) = self.coordinator.core(core) else { continue };
            if view.state != CoreState::Online || view.held.is_some() || view.shootdown_outstanding
            {
                return violation(format!("I12: at the end core {core} is not free: {view:?}"));
            }
        }
        if self.coordinator.idle_cores().len() != all - 1 {
            return violation("I12: not all cores are idle at the end");
        }
        self.check_pipes_left()?;
        let left = self.coordinator.process_count();
        if left > 0 || !self.memory.is_empty() {
            return violation(format!("{left} processes and {} memories left", self.memory.len()));
        }
        if !self.frames.is_empty() {
            return violation(format!("I8: {} frames are in use at the end", self.frames.len()));
        }
        Ok(())
    }
}
