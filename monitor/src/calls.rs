//! Requests of processes, taken apart: who asks, whether they may, and what comes of it.

use crate::coordinator::Coordinator;
use crate::input::Control;
use crate::lease::process_of;
use crate::lifecycle::State;
use crate::output::{Event as Told, Fault, Outbox};
use crate::queues::vcores;
use proto::call::{Call, Outcome};
use proto::event::{Event, kind};
use proto::id::{CoreId, Lease, Pid, VcoreId};
use proto::message::ToMonitor;

impl Coordinator {
    /// A message about a lease, or a request.
    #[inline(always)]
    pub(crate) fn on_process_message(
        &mut self,
        core: CoreId,
        message: &ToMonitor,
        out: &mut Outbox,
    ) {
        match *message {
            ToMonitor::Started { lease } => self.on_started(core, lease, out),
            ToMonitor::Preempted { lease } => self.on_let_go(core, lease, true, out),
            ToMonitor::Released { lease } => self.on_released(core, lease, out),
            ToMonitor::Notified { lease, count } => self.on_notified(core, lease, count, out),
            ToMonitor::Stale { kind, lease } => self.on_stale(core, kind, lease, out),
            ToMonitor::Yield { lease, seen, wanted, flags } => {
                self.on_yield(core, lease, seen, (wanted, flags), out);
            }
            ToMonitor::ChangeVcore { lease, to, flags } => {
                self.on_change_vcore(core, lease, to, flags, out);
            }
            ToMonitor::ChangeToM { lease } => self.on_change_to_many(core, lease, out),
            ToMonitor::ShootdownDone { ticket } => self.on_shootdown_done(core, ticket, out),
            ToMonitor::Unreached { ticket, cores } => self.on_unreached(core, ticket, cores, out),
            ToMonitor::Fault { lease, address, vector, code, at } => {
                self.on_fault(core, lease, Fault { vector, code, address, at }, out);
            }
            ToMonitor::Reflect { lease, address, vector, code, at } => {
                self.on_reflect(core, lease, Fault { vector, code, address, at }, out);
            }
            ToMonitor::Exit { lease, code } => self.on_end(core, lease, Outcome(code), out),
            _ => self.on_call(core, message, out),
        }
    }

    /// A vcore that cannot go on, or does not want to, ends its process.
    fn on_end(&mut self, core: CoreId, lease: Lease, code: Outcome, out: &mut Outbox) {
        if self.requester(core, lease).is_some() {
            self.destroy(lease.pid, code, out);
        }
    }

    #[inline(always)]
    fn on_call(&mut self, core: CoreId, request: &ToMonitor, out: &mut Outbox) {
        match *request {
            ToMonitor::Poke { call, wanted } => {
                self.answer(call, out, |it, pid, _| it.poke(pid, wanted));
            }
            ToMonitor::Run { call, pid } => {
                self.answer(call, out, |it, caller, out| it.run_process(Some(caller), pid, out));
            }
            ToMonitor::Destroy { call, pid, code } => {
                let code = Outcome(code);
                self.answer(call, out, |it, caller, out| it.kill(Some(caller), pid, code, out));
            }
            ToMonitor::NotifyProcess { call, pid, event, value } => {
                self.on_notify_process(call, pid, Event { kind: event, value }, out);
            }
            ToMonitor::NotifyVcore { call, vcore, event, value } => {
                let event = Event { kind: event, value };
                let at = call.at & !7;
                self.answer(call, out, |it, pid, out| it.notify_own(pid, vcore, event, at, out));
            }
            ToMonitor::Provision { call, pid, core } => {
                self.answer(call, out, |it, caller, _| it.hand_on(caller, pid, core));
            }
            ToMonitor::Unmap { .. } => self.on_unmap(core, request, out),
            ToMonitor::Protect { .. } => self.on_protect(core, request, out),
            ToMonitor::Map { .. } | ToMonitor::Share { .. } => self.on_memory_call(request, out),
            ToMonitor::Wait { call, pid, flags } => {
                if self.caller(&call).is_some() {
                    self.on_wait(call, pid, flags, out);
                }
            }
            _ => self.on_io_call(core, request, out),
        }
    }

    /// The process that made a call, if it lives.
    pub(crate) fn caller(&mut self, call: &Call) -> Option<Pid> {
        let id = process_of(call.lease);
        let alive = self.table.get(id).is_some_and(|it| !it.is_dying());
        if !alive {
            self.counters.stale += 1;
        }
        alive.then_some(id.pid)
    }

    /// Answers a call at once with what `serve` says.
    pub(crate) fn answer(
        &mut self,
        call: Call,
        out: &mut Outbox,
        serve: impl FnOnce(&mut Self, Pid, &mut Outbox) -> Outcome,
    ) {
        let Some(pid) = self.caller(&call) else { return };
        let outcome = serve(self, pid, out);
        self.complete(pid, call, outcome, 0, out);
    }

    /// The target of a request, if it lives and the actor may control it. The console may always.
    pub(crate) fn target(&self, actor: Option<Pid>, pid: Pid) -> Result<State, Outcome> {
        let target = self.table.by_pid(pid).filter(|it| !it.reaped).ok_or(Outcome::NO_PROCESS)?;
        let allowed = actor.is_none_or(|actor| self.controls(actor, target));
        if allowed { Ok(target.state()) } else { Err(Outcome::NOT_PERMITTED) }
    }

    /// A process wants another number of cores.
    #[inline(always)]
    fn poke(&mut self, pid: Pid, wanted: u16) -> Outcome {
        match self.target(Some(pid), pid) {
            Ok(_) => self.want(pid, wanted),
            Err(outcome) => outcome,
        }
    }

    fn run_process(&mut self, actor: Option<Pid>, pid: Pid, out: &mut Outbox) -> Outcome {
        match self.target(actor, pid) {
            Ok(State::Created) => {
                self.wake_single(pid, out);
                Outcome::OK
            }
            Ok(_) => Outcome::INVALID,
            Err(outcome) => outcome,
        }
    }

    fn kill(&mut self, actor: Option<Pid>, pid: Pid, code: Outcome, out: &mut Outbox) -> Outcome {
        match self.target(actor, pid) {
            Ok(_) => {
                self.destroy(pid, code, out);
                Outcome::OK
            }
            Err(outcome) => outcome,
        }
    }

    /// Posts an event for a process or (without a call) the console; `None` when the call is answered elsewhere.
    #[inline(always)]
    fn signal(
        &mut self,
        call: Option<Call>,
        pid: Pid,
        event: Event,
        out: &mut Outbox,
    ) -> Option<Outcome> {
        let actor = call.map(|call| call.lease.pid);
        let state = match self.target(actor, pid) {
            Err(Outcome::NOT_PERMITTED) if event.kind >= kind::OF_PROGRAMS => {
                self.state_of_sharer(actor, pid)
            }
            state => state,
        };
        match state {
            Ok(State::Created) => Some(Outcome::INVALID),
            Ok(_) => match call {
                Some(call) if self.post_for(pid, event, call, out) => None,
                Some(_) => Some(Outcome::OK),
                None => {
                    self.post(pid, VcoreId(0), event, out);
                    Some(Outcome::OK)
                }
            },
            Err(outcome) => Some(outcome),
        }
    }

    /// A process that shares memory with another may tell it that there is something to see.
    fn state_of_sharer(&self, actor: Option<Pid>, pid: Pid) -> Result<State, Outcome> {
        let allowed = actor.is_some_and(|actor| self.share_memory(actor, pid));
        if allowed { Ok(self.table.at(pid).state()) } else { Err(Outcome::NOT_PERMITTED) }
    }

    #[inline(never)]
    fn on_notify_process(&mut self, call: Call, pid: Pid, event: Event, out: &mut Outbox) {
        let Some(caller) = self.caller(&call) else { return };
        if let Some(outcome) = self.signal(Some(call), pid, event, out) {
            self.complete(caller, call, outcome, 0, out);
        }
    }

    #[inline(always)]
    fn notify_own(
        &mut self,
        pid: Pid,
        vcore: VcoreId,
        event: Event,
        call: u64,
        out: &mut Outbox,
    ) -> Outcome {
        let process = self.table.at(pid);
        if vcore.0 >= vcores(process) {
            return Outcome::INVALID;
        }
        self.post_from(pid, vcore, event, call, out);
        Outcome::OK
    }

    /// A process hands the right to one of its own cores on.
    fn hand_on(&mut self, actor: Pid, to: Pid, core: CoreId) -> Outcome {
        let target = if to == Pid(0) { actor } else { to };
        if let Err(outcome) = self.target(Some(actor), target) {
            return outcome;
        }
        let own = self.table.at(actor).provisioned.contains(core);
        if own || core == CoreId::MANAGEMENT || core.index() >= self.cores.len() {
            self.provision(core, (to != Pid(0)).then_some(to))
        } else {
            Outcome::NOT_PERMITTED
        }
    }

    /// The console asks for something about processes.
    pub(crate) fn on_control(&mut self, control: Control, out: &mut Outbox) {
        let outcome = match control {
            Control::Run { pid } => self.run_process(None, pid, out),
            Control::Kill { pid, code } => self.kill(None, pid, code, out),
            // Without a call it is always answered here.
            Control::Notify { pid, event } => {
                self.signal(None, pid, event, out).unwrap_or(Outcome::OK)
            }
            Control::Provision { core, to } => self.provision(core, to),
            Control::Preempt { core, warning } => {
                if self.preempt(core, warning, out) {
                    Outcome::OK
                } else {
                    Outcome::NO_CORE
                }
            }
        };
        out.tell(Told::Controlled { control, outcome });
    }
}
