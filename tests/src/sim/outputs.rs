//! What the coordinator's outputs do to the world.

use super::core::Health;
use super::faults::lease_to;
use super::io::Chore;
use super::memory::Memory;
use super::world::{Happened, World, process_of, violation};
use monitor::{Event, Output, ProcessId};
use proto::call::Outcome;
use proto::id::{CoreId, Lease, Pid};
use proto::message::ToCore;

impl World {
    /// Applies one output of a step; `spawning` is the root table that the step's input brought.
    pub(crate) fn apply(&mut self, output: Output, spawning: Option<u64>) -> Happened {
        match output {
            Output::Send { core, message } => self.send(core, message),
            Output::SendAll { cores, message } => {
                cores.iter().try_for_each(|core| self.send(core, message))
            }
            Output::LetGo { cores } => cores.iter().try_for_each(|core| {
                let Some(lease) = self.coordinator.leased(core) else {
                    return violation(format!("core {core} is to let go of no lease"));
                };
                self.send(core, ToCore::Death { lease })
            }),
            Output::Restart { core } => {
                self.forget_contexts(core);
                self.cores[core.index()].restart();
                Ok(())
            }
            Output::Arm { deadline } => {
                self.armed = deadline;
                Ok(())
            }
            Output::Again => {
                self.again = true;
                Ok(())
            }
            Output::Post { process, vcore, event } => {
                self.written(process, "event")?.vcores[usize::from(vcore.0)].take(event);
                Ok(())
            }
            Output::PostFor { .. } | Output::Enqueue { .. } | Output::SetLast { .. } => {
                self.apply_to_queues(output)
            }
            Output::SetPending { process, vcore } => {
                self.written(process, "flag")?.vcores[usize::from(vcore.0)].pending = true;
                Ok(())
            }
            Output::Map { process, vcore, core } => {
                let vcore = &mut self.written(process, "map")?.vcores[usize::from(vcore.0)];
                (vcore.core, vcore.deadline) = (core, None);
                Ok(())
            }
            Output::Warn { process, vcore, deadline } => {
                let vcore = &mut self.written(process, "map")?.vcores[usize::from(vcore.0)];
                vcore.deadline = Some(deadline);
                Ok(())
            }
            Output::Complete { process, call, outcome, value } => {
                if let Some(root) = spawning.filter(|_| !outcome.is_error()) {
                    self.born(Pid(outcome.0 as u16), root)?;
                }
                self.complete(process, call, outcome)?;
                self.change_is_over(call, outcome, value)
            }
            Output::Tell(Event::Spawned { process }) => {
                self.born(process.pid, spawning.unwrap_or_default())
            }
            Output::AddVcores { process, .. } => self.written(process, "vcores").map(|_| ()),
            Output::Orphan { process } => self.written(process, "parent").map(|_| ()),
            Output::List { process, .. } => self.written(process, "list").map(|_| ()),
            Output::Populate { .. }
            | Output::Protect { .. }
            | Output::Unmap { .. }
            | Output::Release { .. }
            | Output::Share { .. } => self.apply_memory(output),
            Output::FreeSpace { process, root } => self.free(process, root),
            Output::LoadProgram { .. }
            | Output::CopyIn { .. }
            | Output::CopyOut { .. }
            | Output::Print { .. } => self.apply_io(output),
            Output::Nmi { core } => {
                self.chores.push_back(Chore::Report(core));
                Ok(())
            }
            Output::Discard { .. } | Output::Born { .. } | Output::Tell(_) => Ok(()),
        }
    }

    fn send(&mut self, core: CoreId, message: ToCore) -> Happened {
        self.sent += 1;
        let it = &self.cores[core.index()];
        let kind = std::mem::discriminant(&message);
        let replayed = it.replay;
        let same = |it: &&ToCore| std::mem::discriminant(*it) == kind && Some(**it) != replayed;
        let under_way = it.to.iter().flatten().filter(same);
        if it.health == Health::Well && under_way.count() > 0 && lease_to(&message).is_some() {
            return violation(format!("bounds: two {message:?} under way to core {core}"));
        }
        if let ToCore::StartCore { lease, .. }
        | ToCore::SetContext { lease, .. }
        | ToCore::Switch { to: lease, .. }
        | ToCore::Regrant { to: lease, .. } = message
            && self.doomed.contains(&process_of(lease))
        {
            return violation(format!("I7: {message:?} after the process was told to die"));
        }
        if let ToCore::StartCore { lease, .. } | ToCore::Regrant { to: lease, .. } = message
            && self.memory.get(&process_of(lease)).is_some_and(|it| !it.may_start(lease.vcore))
        {
            return violation(format!("{lease:?} starts before vcore 0 has made it ready"));
        }
        if let ToCore::StartCore { lease, .. } = message
            && it.health == Health::Well
            && it.driver.lease().is_some()
        {
            return violation(format!("{lease:?} starts on core {core} before it is free"));
        }
        if let ToCore::Switch { from, .. } | ToCore::Regrant { from, .. } = message
            && it.health == Health::Well
            && it.driver.lease() != Some(from)
        {
            return violation(format!(
                "core {core} is to switch from {from:?}, which is not there"
            ));
        }
        if it.health != Health::Stopped {
            self.cores[core.index()].receive(message);
        }
        match message {
            ToCore::Changed { lease, .. } => self.answer_standing(core, lease, Outcome::OK),
            ToCore::Done { lease, outcome } => self.answer_standing(core, lease, outcome),
            _ => Ok(()),
        }
    }

    /// A vcore is answered that stands still, maybe for a change to its memory; or it goes on while the call does.
    fn answer_standing(&mut self, core: CoreId, lease: Lease, outcome: Outcome) -> Happened {
        let it = &mut self.cores[core.index()];
        let call = it.stands_for.take_if(|_| it.driver.lease() == Some(lease));
        match call {
            Some(call) if outcome != Outcome::STARTED => {
                self.complete(process_of(lease), call, outcome)?;
                self.change_is_over(call, outcome, 0)
            }
            _ => Ok(()),
        }
    }

    fn born(&mut self, pid: Pid, root: u64) -> Happened {
        let Some(view) = self.coordinator.process(pid) else {
            return violation(format!("process {pid} was announced and does not exist"));
        };
        let vcores = usize::from(self.coordinator.max_vcores());
        self.memory.insert(view.id, Memory::new(view.id, root, vcores));
        Ok(())
    }

    /// The memory of a process that the coordinator writes to.
    pub(crate) fn written(
        &mut self,
        process: ProcessId,
        what: &str,
    ) -> Result<&mut Memory, super::Violation> {
        match self.memory.get_mut(&process) {
            Some(memory) => Ok(memory),
            None => violation(format!("I8: {what} written to the freed memory of {process:?}")),
        }
    }

    fn complete(&mut self, process: ProcessId, call: u64, outcome: Outcome) -> Happened {
        self.written(process, "outcome")?;
        if self.calls.answered(call, process) {
            Ok(())
        } else {
            violation(format!("call {call:#x} of {process:?} answered ({outcome:?}) out of turn"))
        }
    }

    fn free(&mut self, process: ProcessId, root: u64) -> Happened {
        let loaded =
            |it: &super::SimCore| it.loaded == Some(process) && it.health != Health::Stopped;
        if self.cores.iter().any(loaded) {
            return violation(format!("I8: the memory of {process:?} freed while a core has it"));
        }
        self.stays.forget(process);
        match self.memory.remove(&process) {
            Some(memory) if memory.frames_used() > 0 => {
                violation(format!("{process:?} is freed with {} frames", memory.frames_used()))
            }
            Some(memory) if memory.root == root => {
                self.changes.retain(|_, &mut (of, _)| of != process);
                self.mappings.retain(|_, &mut (of, _)| of != process);
                Ok(())
            }
            _ => violation(format!("the memory of {process:?} freed twice")),
        }
    }

    /// What a core held is gone: it has panicked, or INIT has stopped it.
    pub(crate) fn forget_contexts(&mut self, core: CoreId) {
        use super::memory::Context;
        for vcore in self.memory.values_mut().flat_map(|it| &mut it.vcores) {
            if vcore.context == Context::On(core) {
                vcore.context = Context::Fresh;
            }
        }
    }
}
