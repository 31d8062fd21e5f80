//! What a core's messages and its program's deeds do to the world.

use super::action::Op;
use super::memory::{Context, FRAMES, VcoreMemory, is_in};
use super::queues::{BY_NAME, ModelQueue, TO_ANYBODY};
use super::world::{Happened, Violation, World, process_of, violation};
use cpudriver::driver::{Effect, Effects, Fate, Shootdown, Sink, Trap};
use cpudriver::node::TREE_SLOTS;
use monitor::{CoreSet, Input, Name, ProcessId};
use proto::call::{Call, KEEP, NICE, NO_HANG};
use proto::id::{CoreId, Lease, VcoreId};
use proto::memory::Rights;
use proto::message::{PageRange, Peer, ToCore, ToMonitor};

/// Keeps effects that a message to the coordinator may be among more than once.
struct Kept<'a>(&'a mut Vec<Effect>);

impl Sink for Kept<'_> {
    fn add(&mut self, effect: Effect) {
        self.0.push(effect);
    }
}

impl World {
    /// A core takes a message.
    pub(crate) fn handle(&mut self, core: CoreId, message: ToCore) -> Happened {
        match message {
            ToCore::Ping { nonce } => {
                self.cores[core.index()].send(ToMonitor::Pong { nonce });
                return Ok(());
            }
            ToCore::Stop => {
                let it = &mut self.cores[core.index()];
                it.send(ToMonitor::Stopped);
                it.health = super::Health::Stopped;
                return Ok(());
            }
            ToCore::Dump => {
                self.cores[core.index()].send(ToMonitor::Dumped { report: 0 });
                return Ok(());
            }
            _ => {}
        }
        self.cores[core.index()].history.taken(message);
        let before = self.cores[core.index()].driver.lease();
        let effects = self.cores[core.index()].driver.message(message);
        self.carry_out(core, before, effects)
    }

    /// Carries effects out; `before` is the lease that the core had.
    pub(crate) fn carry_out(
        &mut self,
        core: CoreId,
        before: Option<Lease>,
        effects: Effects,
    ) -> Happened {
        let mut answered = false;
        for effect in effects {
            match effect {
                Effect::Send(_) => answered = true,
                Effect::Resume { .. }
                | Effect::Repeat
                | Effect::HandOn(_)
                | Effect::Answer { .. } => {}
                _ if answered => {
                    return violation(format!("core {core} answers before it has done {effect:?}"));
                }
                _ => {}
            }
            self.carry_out_one(core, before, effect)?;
        }
        Ok(())
    }

    fn carry_out_one(&mut self, core: CoreId, before: Option<Lease>, effect: Effect) -> Happened {
        match effect {
            Effect::Load { identifier, .. } => self.load(core, identifier)?,
            Effect::Unload => self.cores[core.index()].unload(),
            Effect::Flush { range } => {
                self.cores[core.index()].forget_translations(|page| is_in(range, page));
            }
            Effect::Start { lease } => self.start(core, lease)?,
            Effect::Save { vcore, fate } => self.save(core, before, vcore, fate)?,
            Effect::Drop { vcore } => {
                let memory = self.leaves(core, before, vcore)?;
                memory.context = Context::Fresh;
                memory.in_vcore_context = false;
            }
            Effect::EnterVcoreContext { vcore } | Effect::Reflect { vcore } => {
                let process = self.cores[core.index()].driver.lease().map(process_of);
                if let Some(process) = process {
                    self.vcore(process, vcore)?.in_vcore_context = true;
                }
            }
            Effect::Send(message) => {
                self.cores[core.index()].send(message);
            }
            Effect::HandOn(shootdown) => self.hand_on(core, shootdown)?,
            Effect::Answer { to, ticket } => {
                if !self.tell_peer(core, to, Peer::ShootdownDone { ticket }) {
                    let cores = [core].into_iter().collect();
                    self.cores[core.index()].send(ToMonitor::Unreached { ticket, cores });
                }
            }
            Effect::Resume { .. } => {}
            Effect::Repeat => self.repeat(core)?,
        }
        Ok(())
    }

    /// A core hands a shootdown on, and its driver learns whom that has reached.
    fn hand_on(&mut self, core: CoreId, shootdown: Shootdown) -> Happened {
        let (mut told, mut unreached) = (CoreSet::EMPTY, CoreSet::EMPTY);
        for (to, message) in shootdown.parts() {
            if self.is_linked(core, to) && self.tell_peer(core, to, message) {
                told.insert(to);
            } else if let Peer::TlbShootdown { below, .. } = message {
                unreached = unreached.or(&below);
                unreached.insert(to);
            }
        }
        let mut effects = Vec::new();
        self.cores[core.index()].driver.handed_on(told, unreached, &mut Kept(&mut effects));
        effects.into_iter().try_for_each(|effect| self.carry_out_one(core, None, effect))
    }

    /// Puts a message for another core; false if its ring is full. What a stopped core has is thrown away when it starts.
    fn tell_peer(&mut self, core: CoreId, to: CoreId, message: Peer) -> bool {
        let it = &mut self.cores[to.index()];
        if it.health == super::Health::Stopped {
            return true;
        }
        let ring = it.peers.entry(core).or_default();
        let has_room = ring.len() < TREE_SLOTS;
        if has_room {
            ring.push_back(message);
        }
        has_room
    }

    /// Are there rings between two cores?
    fn is_linked(&self, one: CoreId, other: CoreId) -> bool {
        !(self.unlinked && (one.0 + other.0).is_multiple_of(5))
    }

    /// A core takes a message of another one.
    pub(crate) fn handle_peer(&mut self, core: CoreId, from: CoreId, message: Peer) -> Happened {
        let before = self.cores[core.index()].driver.lease();
        let effects = self.cores[core.index()].driver.peer(from, message);
        self.carry_out(core, before, effects)
    }

    pub(crate) fn vcore(
        &mut self,
        process: ProcessId,
        vcore: VcoreId,
    ) -> Result<&mut VcoreMemory, Violation> {
        match self.memory.get_mut(&process) {
            Some(memory) => Ok(&mut memory.vcores[usize::from(vcore.0)]),
            None => violation(format!("I8: a core uses the freed memory of {process:?}")),
        }
    }

    fn start(&mut self, core: CoreId, lease: Lease) -> Happened {
        let vcore = self.vcore(process_of(lease), lease.vcore)?;
        if let Context::On(other) = vcore.context {
            return violation(format!("I6: {lease:?} starts on core {core}, not saved on {other}"));
        }
        vcore.context = Context::On(core);
        // A single-core process goes on where it was.
        if core != CoreId::MANAGEMENT {
            vcore.in_vcore_context = true;
        }
        Ok(())
    }

    fn leaves(
        &mut self,
        core: CoreId,
        before: Option<Lease>,
        vcore: VcoreId,
    ) -> Result<&mut VcoreMemory, Violation> {
        let Some(lease) = before else {
            return violation(format!("core {core} saves what it does not run"));
        };
        self.cores[core.index()].stands_for = None;
        let memory = self.vcore(process_of(lease), vcore)?;
        if memory.context == Context::On(core) {
            Ok(memory)
        } else {
            violation(format!("I1: core {core} runs {lease:?}, whose context is elsewhere"))
        }
    }

    fn save(
        &mut self,
        core: CoreId,
        before: Option<Lease>,
        vcore: VcoreId,
        fate: Fate,
    ) -> Happened {
        let memory = self.leaves(core, before, vcore)?;
        memory.context = Context::Saved;
        if fate == Fate::FirstThread {
            memory.context = Context::Fresh;
            memory.in_vcore_context = false;
            if let Some(memory) = before.and_then(|it| self.memory.get_mut(&process_of(it))) {
                memory.many = true;
            }
        }
        Ok(())
    }

    /// The program on a core does something, if one runs.
    pub(crate) fn user(&mut self, core: CoreId, op: Op) -> Happened {
        let Some(lease) = self.cores[core.index()].driver.lease() else { return Ok(()) };
        if !self.cores[core.index()].can_run() {
            return Ok(());
        }
        let process = process_of(lease);
        match op {
            Op::Look => {
                let vcore = lease.vcore;
                self.vcore(process, vcore)?;
                if let Some(memory) = self.memory.get_mut(&process) {
                    memory.read(vcore);
                }
            }
            Op::RunThread => {
                let vcore = self.vcore(process, lease.vcore)?;
                vcore.in_vcore_context = vcore.pending;
            }
            Op::Touch(page) => return self.touch(core, page, Rights::WRITE),
            Op::Read(page) => return self.touch(core, page, Rights::READ),
            Op::Yield { .. }
            | Op::ChangeVcore { .. }
            | Op::ChangeToM
            | Op::Fault
            | Op::ReflectedFault
            | Op::Exit(_) => {
                return self.trap(core, lease, op);
            }
            _ => return self.ask(core, process, op),
        }
        Ok(())
    }

    fn trap(&mut self, core: CoreId, lease: Lease, op: Op) -> Happened {
        let pending = self.vcore(process_of(lease), lease.vcore)?.pending;
        let trap = match op {
            Op::Yield { wanted, nice } => {
                if let Some(memory) = self.memory.get_mut(&process_of(lease)).filter(|_| !pending) {
                    memory.has_asked = memory.many;
                }
                Trap::Yield { pending, wanted, flags: if nice { NICE } else { 0 } }
            }
            Op::ChangeVcore { to, keep } => {
                Trap::ChangeVcore { to, flags: if keep { KEEP } else { 0 } }
            }
            Op::ChangeToM => Trap::ChangeToM,
            Op::Exit(code) => Trap::Exit { code },
            _ => {
                let reflect = op == Op::ReflectedFault;
                let vector = if reflect { 14 } else { 6 };
                Trap::Fault { address: 0, vector, code: 0, at: 0, reflect }
            }
        };
        let effects = self.cores[core.index()].driver.trap(trap);
        self.carry_out(core, Some(lease), effects)
    }

    /// The program makes a request that it does not stand still for, or makes its last one again, with the
    /// same call structure.
    fn ask(&mut self, core: CoreId, process: ProcessId, op: Op) -> Happened {
        let last = self.cores[core.index()].last_request.filter(|&(whose, ..)| whose == process);
        let (at, op) = match (op, last) {
            (Op::Again, Some((_, at, last))) => (at, last),
            (Op::Again, None) => return Ok(()),
            _ => (self.new_call(), op),
        };
        let it = &mut self.cores[core.index()];
        let repeats = !matches!(
            op,
            Op::Spawn | Op::Map { .. } | Op::Unmap(..) | Op::Protect(..) | Op::Share(..)
        );
        it.last_request = repeats.then_some((process, at, op));
        // Each wants to be told by an event.
        let Some(call) = it.driver.call(at | 1) else { return Ok(()) };
        let changes = matches!(op, Op::Unmap(..) | Op::Protect(..));
        let stands = self.stands && core != CoreId::MANAGEMENT && changes;
        let call = if stands { call.standing() } else { call };
        if op == Op::Spawn {
            // The glue on core 0 copies the image in and hands it to the coordinator.
            self.calls.add(at, process);
            let (caller, name) = (Some(call), Name::new("child"));
            return self.step(Input::Spawn { caller, name, root: at, frames: FRAMES });
        }
        let Some(message) = request(op, call) else { return Ok(()) };
        // One for which there is no slot is refused on the spot.
        if it.ask(message) {
            if call.stands() {
                it.driver.stand();
                it.stands_for = Some(at);
            }
            self.calls.add(at, process);
            self.note_change(at, process, op);
            if let (Op::Poke(_), Some(memory)) = (op, self.memory.get_mut(&process)) {
                memory.has_asked = memory.many;
            }
        } else {
            self.refused += 1;
        }
        Ok(())
    }
}

/// The message of a request.
fn request(op: Op, call: Call) -> Option<ToMonitor> {
    let value = call.at;
    Some(match op {
        Op::Io(op) => op.message(call),
        Op::Poke(wanted) => ToMonitor::Poke { call, wanted },
        Op::Run(pid) => ToMonitor::Run { call, pid },
        Op::Destroy(pid, code) => ToMonitor::Destroy { call, pid, code },
        Op::Wait { pid, no_hang } => {
            ToMonitor::Wait { call, pid, flags: if no_hang { NO_HANG } else { 0 } }
        }
        Op::NotifyProcess(pid) => ToMonitor::NotifyProcess { call, pid, event: TO_ANYBODY, value },
        Op::NotifyVcore(vcore) => ToMonitor::NotifyVcore { call, vcore, event: BY_NAME, value },
        Op::Send(queue, vcore) => {
            let (event, queue) = (queue.kind(), queue.address());
            ToMonitor::SendEvent { call, queue, event, value, vcore }
        }
        Op::SetQueue(queue) => {
            let queue = queue.map_or(0, ModelQueue::address);
            ToMonitor::SetQueue { call, event: TO_ANYBODY, queue }
        }
        Op::Unmap(first, pages) => ToMonitor::Unmap { call, range: PageRange { first, pages } },
        Op::Map { first, pages, rights, flags } => {
            ToMonitor::Map { call, first, pages, rights, flags }
        }
        Op::Protect(first, pages, rights) => {
            ToMonitor::Protect { call, range: PageRange { first, pages }, rights }
        }
        Op::Share(pid, first) => ToMonitor::Share { call, pid, first },
        Op::Provision(pid, core) => ToMonitor::Provision { call, pid, core },
        _ => return None,
    })
}
