//! The coordinator's steps: it is told one thing at a time, and what it asks for is done, in order.

use super::programs::Programs;
use super::stars::Stars;
use super::{Hub, Node, probes};
use crate::arch::{cpu, heap, report, smp};
use monitor::{Coordinator, CoreSet, Input, Outbox, Output, Owed};
use proto::id::{CoreId, Lease};
use proto::message::{ToCore, ToMonitor};

/// Names the code that encodes a death of one core.
struct OfDeath;

/// Names the code that encodes a notify.
struct OfNotify;

impl Hub {
    /// Tells the coordinator something, and then what came of events that it sent to queues.
    pub(crate) fn tell(&mut self, input: Input, node: &mut Node) {
        self.tell_one(&input, node);
        self.tell_of_enqueued(node);
    }

    /// As [`Hub::tell`], of a message: in code of the caller's own.
    #[inline(always)]
    pub(super) fn tell_message(&mut self, core: CoreId, message: &ToMonitor, node: &mut Node) {
        if self.recorder.is_some() {
            return self.tell(Input::Message { core, message: *message }, node);
        }
        probes::heard(&self.coordinator, &Input::Message { core, message: *message });
        self.take_step(node, |it, now, out| it.hear(now, core, message, out));
    }

    /// Has the coordinator go on with what it has left to do.
    #[inline(always)]
    pub(super) fn tell_continue(&mut self, node: &mut Node) {
        if self.recorder.is_some() {
            return self.tell(Input::Continue, node);
        }
        probes::heard(&self.coordinator, &Input::Continue);
        self.take_step(node, Coordinator::continue_work);
    }

    /// Has the coordinator make a step that is not recorded, and does what it asks for.
    #[inline(always)]
    fn take_step(
        &mut self,
        node: &mut Node,
        step: impl FnOnce(&mut Coordinator, u64, &mut Outbox),
    ) {
        let now = self.make_step(step);
        if self.outputs.outputs().is_empty() {
            return;
        }
        let done = self.apply_frequent(now, node);
        if done == self.outputs.outputs().len() {
            return self.outputs.clear();
        }
        self.apply_rest(done, node);
    }

    /// Has the coordinator make a step; when that was.
    #[inline(always)]
    pub(super) fn make_step(
        &mut self,
        step: impl FnOnce(&mut Coordinator, u64, &mut Outbox),
    ) -> u64 {
        let now = cpu::now();
        let coordinating = heap::Coordinating::begin();
        step(&mut self.coordinator, now, &mut self.outputs);
        drop(coordinating);
        now
    }

    /// Does the rest of what the last step asked for.
    #[inline(never)]
    fn apply_rest(&mut self, done: usize, node: &mut Node) {
        // Nothing else comes when core 0 goes from one single-core process to the next.
        if let ([Output::Send { core: CoreId::MANAGEMENT, message }], None) =
            (self.outputs.outputs(), &self.trace)
            && let order @ ToCore::Switch { .. } = *message
        {
            self.outputs.clear();
            return self.order_own(&order, node);
        }
        self.apply_from(done, node);
    }

    /// Does what the last step, which was made at `now`, asked for, as long as it is only to send messages to other cores and
    /// to write to the memory of processes; how much was done.
    #[inline(always)]
    fn apply_frequent(&mut self, now: u64, node: &mut Node) -> usize {
        let Self { coordinator, outputs, programs, stars, sent, trace, .. } = self;
        let (Some(programs), None) = (programs, trace) else { return 0 };
        let mut done = 0;
        // They are large, so they are looked at where they are.
        for output in outputs.outputs() {
            let is_done = match *output {
                Output::Send { core, ref message } if core != CoreId::MANAGEMENT => {
                    send(stars, core, message, node);
                    note_sent(sent, core, message, now);
                    true
                }
                _ => programs.write(coordinator, output),
            };
            if !is_done {
                break;
            }
            done += 1;
        }
        done
    }

    /// As [`Hub::tell_message`], of one whose kind is known. It is made anew where it is told, for the compiler to see that.
    #[inline(always)]
    pub(super) fn tell_known<const TAG: u8>(
        &mut self,
        core: CoreId,
        message: &ToMonitor,
        node: &mut Node,
    ) {
        if self.recorder.is_some() {
            return self.tell(Input::Message { core, message: *message }, node);
        }
        probes::heard(&self.coordinator, &Input::Message { core, message: *message });
        match *message {
            ToMonitor::Released { lease } => self.take_step(node, |it, now, out| {
                it.hear_known(now, core, &ToMonitor::Released { lease }, out);
            }),
            ToMonitor::NotifyVcore { call, vcore, event, value } => {
                self.take_step(node, |it, now, out| {
                    let message = ToMonitor::NotifyVcore { call, vcore, event, value };
                    it.hear_known(now, core, &message, out);
                });
            }
            _ => self.tell(Input::Message { core, message: *message }, node),
        }
    }

    /// Tells the coordinator which cores have let go of a process that is destroyed.
    #[inline(always)]
    pub(super) fn tell_of_released(&mut self, cores: CoreSet, node: &mut Node) {
        let input = Input::Released { cores };
        if self.recorder.is_some() {
            return self.tell(input, node);
        }
        probes::heard(&self.coordinator, &input);
        self.take_step(node, |it, now, out| it.hear_released(now, &cores, out));
    }

    #[inline(always)]
    fn tell_of_enqueued(&mut self, node: &mut Node) {
        while let Some(input) = self.programs.as_mut().and_then(Programs::next_enqueued) {
            self.tell_one(&input, node);
        }
    }

    #[inline(never)]
    fn tell_one(&mut self, input: &Input<'_>, node: &mut Node) {
        let (coordinator, outputs) = (&mut self.coordinator, &mut self.outputs);
        let now = cpu::now();
        probes::heard(coordinator, input);
        if let Some(recorder) = &mut self.recorder {
            recorder.before(now, input);
        }
        heap::with_coordinator_arena(|| coordinator.step(now, input, outputs));
        if let Some(recorder) = &mut self.recorder {
            recorder.after(coordinator, outputs.outputs());
        }
        let copied = match *input {
            Input::Copied { bytes, .. } => bytes,
            _ => &[],
        };
        self.apply(0, copied, node);
    }

    /// Does what the last step asked for from this output on, and tells the coordinator what came of events.
    #[inline(never)]
    pub(super) fn apply_from(&mut self, first: usize, node: &mut Node) {
        self.apply(first, &[], node);
        self.tell_of_enqueued(node);
    }

    /// Does what the last step asked for from this output on, in order.
    #[inline(always)]
    fn apply(&mut self, first: usize, copied: &[u8], node: &mut Node) {
        let mut outputs = core::mem::take(&mut self.outputs);
        for output in outputs.outputs().get(first..).unwrap_or(&[]) {
            if self.trace.is_some() {
                self.trace_output(output);
            }
            match *output {
                Output::Send { core, ref message } if core != CoreId::MANAGEMENT => {
                    send(&mut self.stars, core, message, node);
                    note_sent(&mut self.sent, core, message, cpu::now());
                }
                Output::Send { core, ref message } => self.deliver(core, message, node),
                Output::SendAll { ref cores, ref message } => self.send_all(cores, message, node),
                Output::LetGo { ref cores } => self.let_go_all(cores, node),
                Output::Arm { deadline } => {
                    (self.deadline, self.is_stirred) = (deadline, true);
                }
                Output::Tell(ref event) => {
                    self.is_stirred = true;
                    self.note(event, node);
                }
                _ => {
                    let (programs, it) = (self.programs.as_mut(), &self.coordinator);
                    if !programs.is_some_and(|programs| programs.write(it, output)) {
                        self.apply_other(output, copied);
                    }
                }
            }
        }
        outputs.clear();
        self.outputs = outputs;
    }

    /// Does what is asked for seldom, and may be what a pass or a command looks at.
    #[inline(never)]
    fn apply_other(&mut self, output: &Output, copied: &[u8]) {
        self.is_stirred = true;
        match *output {
            Output::Restart { core } => self.restart(core),
            Output::Nmi { core } => {
                self.interrupted_core = Some((core, report::count(core)));
                // A core that is not in the kernel is silent; the coordinator waits for it in vain.
                smp::ask_for_report(core);
            }
            _ => {
                if let Some(programs) = &mut self.programs {
                    programs.apply(&self.coordinator, output, copied);
                }
            }
        }
    }

    /// Sends an order that the coordinator does not count; false if the core has not read so many others
    /// that this one might take the room of the coordinator's. The caller flushes.
    pub(crate) fn offer(&mut self, core: CoreId, order: ToCore, node: &mut Node) -> bool {
        let has_room = core == CoreId::MANAGEMENT || self.stars.has_room(core, order.lane());
        if has_room {
            self.deliver(core, &order, node);
        }
        has_room
    }

    /// Sends an order. Core 0's own node obeys at once, and its answer waits in the local queue: so it has obeyed all
    /// orders before the coordinator is told anything more.
    #[inline(never)]
    pub(crate) fn deliver(&mut self, core: CoreId, message: &ToCore, node: &mut Node) {
        match core {
            CoreId::MANAGEMENT => self.order_own(message, node),
            _ => send(&mut self.stars, core, message, node),
        }
        note_sent(&mut self.sent, core, message, cpu::now());
    }

    #[inline(always)]
    fn order_own(&mut self, order: &ToCore, node: &mut Node) {
        self.is_stirred = true;
        if probes::own_orders_wait() {
            return self.held_up.push_back(*order);
        }
        if !self.held_up.is_empty() {
            self.obey_held_up(node);
        }
        let answer = match order {
            ToCore::Switch { .. } => node.obey_switch(order),
            _ => node.obey(order),
        };
        if let Some(answer) = answer {
            self.local.push_back(answer);
        }
    }

    /// Orders that the test build has held up.
    #[cold]
    pub(super) fn obey_held_up(&mut self, node: &mut Node) {
        while let Some(order) = self.held_up.pop_front() {
            self.local.extend(node.obey(&order));
        }
    }

    /// When a core was last sent what it owes the answer to, for those that the coordinator keeps no time of.
    pub(crate) fn sent_at(&self, core: CoreId, owed: Owed) -> Option<u64> {
        let sent = self.sent.get(core.index())?;
        match owed {
            Owed::Notified => Some(sent[0]),
            Owed::Flushed => Some(sent[1]),
            _ => None,
        }
    }

    fn restart(&mut self, core: CoreId) {
        smp::stop(core);
        self.stars.empty(core);
        smp::start(&[core]);
    }
}

/// Sends an order to another core.
#[inline(always)]
fn send(stars: &mut Stars, core: CoreId, message: &ToCore, node: &mut Node) {
    match *message {
        // These have code of their own, in which their kind is a constant.
        ToCore::Death { lease } => send_death(stars, core, lease, node),
        ToCore::Notify { lease, count } => send_notify(stars, core, (lease, count), node),
        _ => send_any(stars, core, message, node),
    }
}

#[inline(never)]
fn send_any(stars: &mut Stars, core: CoreId, message: &ToCore, node: &mut Node) {
    stars.send(core, message, node.outbox());
}

#[inline(never)]
fn send_death(stars: &mut Stars, core: CoreId, lease: Lease, node: &mut Node) {
    stars.send_for::<OfDeath>(core, &ToCore::Death { lease }, node.outbox());
}

#[inline(never)]
fn send_notify(stars: &mut Stars, core: CoreId, (lease, count): (Lease, u32), node: &mut Node) {
    stars.send_for::<OfNotify>(core, &ToCore::Notify { lease, count }, node.outbox());
}

/// Notes when a core was sent something of which the coordinator keeps no time.
#[inline(always)]
fn note_sent(sent: &mut [[u64; 2]], core: CoreId, message: &ToCore, now: u64) {
    let at = match *message {
        ToCore::Notify { .. } => 0,
        ToCore::TlbShootdown { .. } | ToCore::TlbMulticast { .. } => 1,
        _ => return,
    };
    if let Some(sent) = sent.get_mut(core.index()) {
        sent[at] = now;
    }
}
