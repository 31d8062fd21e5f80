//! Core 0's passes: what comes in from rings, its own node, time and keys.

use super::gathered::Gathered;
use super::{Hub, Node, PASSES_PER_LOOK, STEPS_PER_PASS, probes};
use crate::arch::interrupts::{self, Source};
use crate::arch::{cpu, report};
use crate::image::cpu::Cpu;
use crate::post::{Handler, Hardware, Taken, each_immediate};
use monitor::Input;
use proto::id::CoreId;
use proto::message::{Lane, ToMonitor, said};
use proto::slot::{NoMessage, Slot};

/// The hub as the handler of core 0's inbox: messages wait in `outputs` and `local` until the pass is over.
pub(super) struct Desk<'a> {
    pub(super) hub: &'a mut Hub,
    pub(super) cpu_node: &'a mut Node,
}

impl Handler for Desk<'_> {
    #[inline(always)]
    fn immediate(&mut self, sender: CoreId) -> bool {
        let receiver = self.hub.stars.receiver(sender);
        let slot = receiver.and_then(|receiver| receiver.first(Lane::Immediate));
        let tag = slot.map(Slot::tag);
        tag.is_some_and(|tag| self.hub.take_immediate(sender, tag, self.cpu_node))
            || self.cpu_node.is_linked() && self.cpu_node.take(sender, Lane::Immediate)
    }

    #[inline(always)]
    fn all_immediate(&mut self, sender: CoreId) -> bool {
        if !self.cpu_node.is_linked() {
            let Some(receiver) = self.hub.stars.receiver(sender) else { return true };
            if receiver.is_lane_empty(Lane::Immediate) {
                // That many are off a process is seen in the same look.
                return !self.takes_only_released(sender);
            }
            // Mostly it is one answer to a shootdown of many.
            if self.hub.take_only_flushed(sender, self.cpu_node) {
                return false;
            }
        }
        each_immediate(self, sender)
    }

    #[inline(always)]
    fn routine(&mut self, sender: CoreId) -> bool {
        self.hub.stars.has_something(sender, Lane::Routine)
            && self.hub.take_message(sender, Lane::Routine, self.cpu_node)
            || self.cpu_node.take(sender, Lane::Routine)
    }

    #[inline(always)]
    fn next(&mut self, sender: CoreId) -> Option<Taken> {
        // Else all that the coordinator does with the number is reckoned out before it is known to be needed.
        let sender = core::hint::black_box(sender);
        // Other cores send to core 0 as one core to another only where an experiment has linked them.
        if self.cpu_node.is_linked() {
            return self.next_of_linked(sender);
        }
        let receiver = self.hub.stars.receiver(sender)?;
        if let Some(tag) = receiver.first(Lane::Immediate).map(Slot::tag) {
            self.hub.take_immediate(sender, tag, self.cpu_node);
            return Some(Taken::Immediate);
        }
        let slot = receiver.first(Lane::Routine)?;
        let mut is_last = receiver.is_last(Lane::Routine);
        // Those that a program waits for have code of their own, in which their kind is a constant.
        match slot.tag() {
            said::RELEASED => {
                let (message, bytes) = slot.decode_known::<Desk<'_>, { said::RELEASED }, _>();
                receiver.free(Lane::Routine, bytes);
                self.hear_known::<{ said::RELEASED }>(sender, message);
            }
            said::NOTIFY_VCORE => {
                let (message, bytes) = slot.decode_known::<Desk<'_>, { said::NOTIFY_VCORE }, _>();
                receiver.free(Lane::Routine, bytes);
                self.hear_known::<{ said::NOTIFY_VCORE }>(sender, message);
            }
            said::FAULT => self.hub.hear_of_fault(sender, self.cpu_node),
            said::UNMAP => self.hub.hear_of_memory::<{ said::UNMAP }>(sender, self.cpu_node),
            said::PROTECT => self.hub.hear_of_memory::<{ said::PROTECT }>(sender, self.cpu_node),
            _ => {
                self.hub.take_message(sender, Lane::Routine, self.cpu_node);
                // A link that it has brought may have something from before.
                is_last &= !self.cpu_node.is_linked();
            }
        }
        Some(if is_last { Taken::Last } else { Taken::Routine })
    }

    #[inline(always)]
    fn has_more(&self, sender: CoreId) -> bool {
        self.hub.stars.has_any(sender) || self.cpu_node.has_more(sender)
    }
}

impl Desk<'_> {
    /// Tells the coordinator a message of which is known that it is the coordinator's, and of which kind.
    #[inline(always)]
    fn hear_known<const TAG: u8>(&mut self, sender: CoreId, message: Result<ToMonitor, NoMessage>) {
        self.hub.tell_gathered(self.cpu_node);
        match message {
            Ok(message) => self.hub.tell_known::<TAG>(sender, &message, self.cpu_node),
            Err(_) => self.hub.stars.note_malformed(),
        }
    }

    /// Handles it if all that a core has sent is that it is off a process that is destroyed; whether it was.
    #[inline(always)]
    fn takes_only_released(&mut self, sender: CoreId) -> bool {
        let Some(receiver) = self.hub.stars.receiver(sender) else { return false };
        let Some(slot) = receiver.first(Lane::Routine) else { return false };
        if slot.tag() != said::RELEASED || !receiver.is_last(Lane::Routine) {
            return false;
        }
        let (message, bytes) = slot.decode_known::<Desk<'_>, { said::RELEASED }, _>();
        let Ok(ToMonitor::Released { lease }) = message else { return false };
        if !self.hub.coordinator.is_killed(sender, lease) {
            return false;
        }
        receiver.free(Lane::Routine, bytes);
        self.hub.hear_killed(sender, lease.pid, self.cpu_node);
        true
    }

    #[inline(never)]
    fn next_of_linked(&mut self, sender: CoreId) -> Option<Taken> {
        if self.immediate(sender) {
            return Some(Taken::Immediate);
        }
        self.routine(sender).then_some(Taken::Routine)
    }
}

impl Hub {
    /// Handles the message of a core's immediate lane to the coordinator that has this tag; whether there was one. Mostly it
    /// answers a shootdown.
    #[inline(always)]
    fn take_immediate(&mut self, sender: CoreId, tag: u8, node: &mut Node) -> bool {
        match tag {
            said::SHOOTDOWN_DONE => self.take_flushed(sender, node),
            _ => self.take_message(sender, Lane::Immediate, node),
        }
    }

    /// Handles an answer to a shootdown if that is all that a core has sent; whether it was.
    #[inline(always)]
    fn take_only_flushed(&mut self, sender: CoreId, node: &mut Node) -> bool {
        let Some(receiver) = self.stars.receiver(sender) else { return false };
        let slot = receiver.first(Lane::Immediate);
        let Some(slot) = slot.filter(|it| it.tag() == said::SHOOTDOWN_DONE) else { return false };
        let (message, bytes) = slot.decode_known::<Gathered, { said::SHOOTDOWN_DONE }, _>();
        receiver.free(Lane::Immediate, bytes);
        let is_all = receiver.is_empty();
        match message {
            Ok(ToMonitor::ShootdownDone { ticket }) => self.hear_flushed(sender, ticket, node),
            _ => self.stars.note_malformed(),
        }
        is_all
    }

    /// Handles an answer to a shootdown, in code in which its kind is a constant. Mostly it is the only one in this pass.
    #[inline(never)]
    fn take_flushed(&mut self, sender: CoreId, node: &mut Node) -> bool {
        let Some(receiver) = self.stars.receiver(sender) else { return false };
        let Some(slot) = receiver.first(Lane::Immediate) else { return false };
        let (message, bytes) = slot.decode_known::<Self, { said::SHOOTDOWN_DONE }, _>();
        receiver.free(Lane::Immediate, bytes);
        match message {
            Ok(ToMonitor::ShootdownDone { ticket }) => self.hear_answer(sender, ticket, node),
            _ => self.stars.note_malformed(),
        }
        true
    }

    /// Handles one message of a core to the coordinator; false if there was none.
    #[inline(never)]
    fn take_message(&mut self, sender: CoreId, lane: Lane, node: &mut Node) -> bool {
        match self.stars.take(sender, lane) {
            Ok(message) => {
                if self.keeps(sender, &message, node) {
                    self.is_stirred = true;
                } else {
                    self.tell_message(sender, &message, node);
                }
            }
            Err(NoMessage::Malformed) => {}
            Err(NoMessage::Empty) => return false,
        }
        true
    }

    /// Looks at a message of a core; whether it is not the coordinator's.
    #[inline(always)]
    fn keeps(&mut self, core: CoreId, message: &ToMonitor, node: &mut Node) -> bool {
        if let ToMonitor::ShootdownDone { ticket } = *message {
            self.hear_flushed(core, ticket, node);
            return true;
        }
        self.tell_gathered(node);
        match *message {
            ToMonitor::Traced { .. } => {
                self.saw(core, message);
                return true;
            }
            ToMonitor::Preempted { lease } => self.look_at_preempted(lease),
            ToMonitor::Started { .. } if self.watched.is_some() => self.look_at_left(core),
            ToMonitor::Unreached { .. } => self.want_tree(core, node),
            ToMonitor::Linked { peer } if self.tree_linked(core, peer, node) => return true,
            // Few kinds can be answers of that sort: the others are seen not to be in the same look.
            ToMonitor::Linked { .. }
            | ToMonitor::Unlinked { .. }
            | ToMonitor::ExperimentDone { .. }
            | ToMonitor::Samples { .. }
            | ToMonitor::Counters { .. }
                if self.answers.keep(core, message) =>
            {
                return true;
            }
            _ => {}
        }
        false
    }

    /// One pass over messages, time and keys; whether there was anything.
    #[inline(never)]
    pub(crate) fn pass(&mut self, cpu: &mut Cpu) -> bool {
        let Cpu { node, inbox, .. } = cpu;
        let platform = *node.platform();
        // What there is to do is nearly always none of these: that there is none is seen here. Long work is gone on with
        // before messages are looked for, so that whoever waits for what they bring has looked at that before.
        let mut any = self.has_work() && self.do_chore(node);
        any |= inbox.serve(&platform, &mut Desk { hub: self, cpu_node: node });
        self.tell_gathered(node);
        self.end_pass_here(cpu) | any
    }

    /// Makes the rest of a pass, when messages of other cores have been handled.
    #[inline(never)]
    pub(super) fn end_pass(&mut self, cpu: &mut Cpu) {
        self.end_pass_here(cpu);
    }

    /// As [`Hub::end_pass`], in code of the caller's own; whether there was anything.
    #[inline(always)]
    fn end_pass_here(&mut self, cpu: &mut Cpu) -> bool {
        let (node, mut any) = (&mut cpu.node, false);
        if !self.local.is_empty() || !self.held_up.is_empty() {
            any |= self.hear_own(node);
        }
        if self.interrupted_core.is_some() {
            any |= self.look_for_report(node);
        }
        if self.deadline.is_some_and(|deadline| deadline <= cpu::now()) {
            self.deadline = None;
            self.tell(Input::Tick, node);
            any = true;
        }
        node.flush();
        if self.may_go_on(cpu) {
            self.go_on(cpu);
        }
        let node = &mut cpu.node;
        self.passes = self.passes.wrapping_add(1);
        if self.passes.is_multiple_of(PASSES_PER_LOOK) {
            self.look_around(node);
        }
        self.keys_wait |= interrupts::take(Source::Serial);
        if self.keys_wait {
            any |= self.read_keys(node);
        }
        if self.foreground && !self.typed.is_empty() {
            self.hand_keys_on(node);
        }
        any
    }

    /// Is there work that the coordinator has left, and nothing else that waits? Whoever waits for what the last step has
    /// brought looks at that before more is done.
    #[inline(always)]
    pub(super) fn may_go_on(&mut self, cpu: &Cpu) -> bool {
        self.outputs.is_to_continue()
            && !cpu.has_vcore()
            && !core::mem::take(&mut self.has_noted)
            && self.local.is_empty()
            && cpu.inbox.is_calm()
            && cpu.node.platform().next_raised(0).is_none()
    }

    /// Goes on with it: a step more costs far less than a pass.
    #[inline(never)]
    pub(super) fn go_on(&mut self, cpu: &mut Cpu) {
        for _ in 0..STEPS_PER_PASS {
            self.tell_continue(&mut cpu.node);
            cpu.node.flush();
            if !self.may_go_on(cpu) {
                return;
            }
        }
    }

    /// Tells what the own node has answered; whether there was anything.
    #[inline(never)]
    pub(super) fn hear_own(&mut self, node: &mut Node) -> bool {
        let any = !self.local.is_empty();
        if !self.held_up.is_empty() && !probes::own_orders_wait() {
            self.obey_held_up(node);
        }
        while let Some(answer) = self.local.pop_front() {
            if !self.keeps(CoreId::MANAGEMENT, &answer, node) {
                self.tell(Input::Message { core: CoreId::MANAGEMENT, message: answer }, node);
            }
        }
        self.tell_gathered(node);
        any
    }

    /// For a core 0 that has no time to halt or is kept awake: interrupts, which keys come with, arrive at a
    /// halt alone, so it looks for them now and then.
    fn look_around(&mut self, node: &mut Node) {
        self.keys_wait = true;
        if self.patience.is_some_and(|until| until <= cpu::now()) {
            node.call_off();
        }
    }

    /// A pass for a command that never waits, which looks for keys.
    pub(crate) fn breathe(&mut self, cpu: &mut Cpu) {
        self.keys_wait = true;
        self.pass(cpu);
    }

    /// A core that answers an NMI cannot send messages: that its report is there shows in its count. The
    /// coordinator is told of it, and gives up when its own deadline passes.
    #[inline(never)]
    fn look_for_report(&mut self, node: &mut Node) -> bool {
        let Some((core, before)) = self.interrupted_core else { return false };
        if report::count(core) == before {
            return false;
        }
        self.interrupted_core = None;
        self.tell(Input::NmiAnswered { core, report: report::length(core) }, node);
        true
    }
}
