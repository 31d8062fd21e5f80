//! Core 0: the coordinator's messages, actions and time, and the core's own node.
//!
//! The [`Coordinator`] is a function; the hub gives it what comes in and does what comes out. Core 0's
//! node and the coordinator exchange messages as values: [`Hub::deliver`] hands an order straight to
//! the node, and its answer comes back as a later input.
//!
//! The console runs commands one at a time and to their end. While one waits, [`Hub::wait`] makes passes,
//! so cores are served, deadlines kept and keys read at all times.

mod answers;
mod family;
mod keys;
mod links;
mod parts;
mod programs;
mod raw;
mod recording;
mod stars;
mod storm;
mod traces;
mod trees;
mod turns;

use answers::Answers;
use family::Family;
pub(crate) use links::LinkError;
pub(crate) use parts::Played;
use programs::Programs;
pub(crate) use programs::RunError;
pub(crate) use stars::Stars;
pub(crate) use storm::Seen;
use storm::Watch;
use traces::Trace;
use trees::Trees;

use super::cpu::Cpu;
use super::platform::Kernel;
use super::probes;
use crate::arch::interrupts::{self, Source};
use crate::arch::{BootInfo, cpu, heap, report, smp, time};
use crate::node::Station;
use crate::options::Options;
use crate::post::Handler;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use monitor::record::Recorder;
use monitor::{Config, Coordinator, Event, Input, Outbox, Output, Owed};
use proto::id::CoreId;
use proto::message::{Lane, ToCore, ToMonitor};
use proto::slot::NoMessage;

/// Events that wait for the command that asked for them, at most.
const EVENTS: usize = 64;
/// Notices that wait to be printed, at most: two of each core.
const NOTICES: usize = 512;
/// Answers of core 0's own node for which there is room from the start.
const LOCAL: usize = 8;
/// Keys that were typed while a command ran, at most.
const TYPED_AHEAD: usize = 256;
/// Passes after which core 0 looks for keys although it has heard of none, a power of two.
const PASSES_PER_LOOK: u32 = 1 << 14;

/// All that core 0 owns beside its own [`Cpu`].
#[derive(Debug)]
pub(crate) struct Hub {
    coordinator: Coordinator,
    outputs: Outbox,
    /// Takes down all that the coordinator is told.
    recorder: Option<Recorder<recording::Device>>,
    stars: Stars,
    answers: Answers,
    /// The rings of trees.
    trees: Trees,
    /// What core 0's own node has answered and the coordinator does not know, oldest first.
    local: VecDeque<ToMonitor>,
    /// What the own node was ordered while the test build held such orders up.
    held_up: VecDeque<ToCore>,
    events: VecDeque<Event>,
    notices: VecDeque<Event>,
    typed: VecDeque<u8>,
    /// The serial device may hold more keys.
    keys_wait: bool,
    interrupted: bool,
    /// When the coordinator wants its next tick.
    deadline: Option<u64>,
    /// Poll instead of halting, for experiments.
    awake: bool,
    /// Passes made, wrapping.
    passes: u32,
    /// When a part that core 0 plays is called off.
    patience: Option<u64>,
    /// The memory of processes, and the programs.
    programs: Option<Programs>,
    /// The processes of the console.
    family: Family,
    /// The process that is watched while cores are taken from it.
    watched: Option<Watch>,
    /// When each core was last sent a notify, and a shootdown.
    sent: Vec<[u64; 2]>,
    /// The calls that are traced, if any are.
    trace: Option<Trace>,
    /// What is typed is the input of a program.
    foreground: bool,
    /// The coordinator has work that one step could not finish.
    again: bool,
    /// Ticks after which core 0 wakes again and again while it sleeps, and whether the timer does so.
    beat: Option<u64>,
    beats: bool,
    /// For when the timer of this core is set while a program runs.
    armed: Option<u64>,
    /// An event has come that a command may wait for.
    has_noted: bool,
    /// A core that was sent an NMI, and how many reports it had completed before.
    interrupted_core: Option<(CoreId, u32)>,
}

/// The hub as the handler of core 0's inbox: messages wait in `outputs` and `local` until the pass is over.
struct Desk<'a> {
    hub: &'a mut Hub,
    cpu_node: &'a mut Node,
}

impl Handler for Desk<'_> {
    #[inline(always)]
    fn immediate(&mut self, sender: CoreId) -> bool {
        self.hub.take(sender, Lane::Immediate, self.cpu_node)
            || self.cpu_node.take(sender, Lane::Immediate)
    }

    #[inline(always)]
    fn routine(&mut self, sender: CoreId) -> bool {
        self.hub.take(sender, Lane::Routine, self.cpu_node)
            || self.cpu_node.take(sender, Lane::Routine)
    }

    #[inline(always)]
    fn has_more(&self, sender: CoreId) -> bool {
        self.hub.stars.has_any(sender) || self.cpu_node.has_more(sender)
    }
}

type Node = crate::node::Node<Kernel>;

/// Core 0 playing a part: all of the hub goes on meanwhile.
#[derive(Debug)]
pub(crate) struct HubStation<'a> {
    /// The hub.
    pub(crate) hub: &'a mut Hub,
    /// Core 0's own.
    pub(crate) cpu: &'a mut Cpu,
}

impl Station for HubStation<'_> {
    type Platform = Kernel;

    #[inline(always)]
    fn node(&mut self) -> &mut Node {
        &mut self.cpu.node
    }

    #[inline]
    fn pass(&mut self) -> bool {
        self.hub.pass(self.cpu)
    }
}

/// Two seconds, and some more for each core: all are started at once, and a virtual machine may have many
/// more cores than its host, which runs them in turn.
fn config(cores: usize) -> Config {
    let second = time::tsc_hz();
    let defaults = Config::with_ticks_per_second(second);
    let start_timeout = defaults.start_timeout + second / 40 * cores as u64;
    Config { start_timeout, ..defaults }
}

impl Hub {
    /// Makes the coordinator and room for its rings, from the coordinator's arena. `usable` has an entry
    /// per core that the firmware lists.
    pub(crate) fn new(usable: &[bool], info: &mut BootInfo) -> Self {
        let programs = Programs::new(info);
        let frames = programs.as_ref().map_or(0, |programs| programs.frames().0);
        let config = Config { frames, max_frames: frames / 2, ..config(usable.len()) };
        let (now, options) = (cpu::now(), Options::read(info.cmdline));
        Self {
            coordinator: Coordinator::new(config, now, usable),
            outputs: Outbox::new(),
            recorder: recording::begin(options, config, now, usable),
            stars: Stars::new(usable.len()),
            answers: Answers::new(),
            trees: Trees::new(usable.len()),
            local: VecDeque::with_capacity(LOCAL),
            held_up: VecDeque::new(),
            events: VecDeque::with_capacity(EVENTS),
            notices: VecDeque::with_capacity(NOTICES),
            typed: VecDeque::with_capacity(TYPED_AHEAD),
            keys_wait: false,
            interrupted: false,
            deadline: None,
            awake: false,
            passes: 0,
            patience: None,
            programs,
            family: Family::new(),
            watched: None,
            sent: alloc::vec![[0; 2]; usable.len()],
            trace: None,
            foreground: false,
            again: false,
            beat: None,
            beats: false,
            armed: None,
            has_noted: false,
            interrupted_core: None,
        }
    }

    /// Has core 0 poll instead of halting while it waits, or halt again.
    pub(crate) const fn stay_awake(&mut self, awake: bool) {
        self.awake = awake;
    }

    /// The coordinator, to look at.
    pub(crate) const fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }

    /// The coordinator's ends of the star rings.
    pub(crate) const fn stars(&mut self) -> &mut Stars {
        &mut self.stars
    }

    /// Tells the coordinator something, and then what came of events that it sent to queues.
    pub(crate) fn tell(&mut self, input: Input, node: &mut Node) {
        self.tell_one(&input, node);
        while let Some(input) = self.programs.as_mut().and_then(Programs::next_enqueued) {
            self.tell_one(&input, node);
        }
    }

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
        self.apply(copied, node);
    }

    /// Does what the last step asked for, in order.
    fn apply(&mut self, copied: &[u8], node: &mut Node) {
        let mut outputs = core::mem::take(&mut self.outputs);
        // They are large, so they are looked at where they are.
        for output in outputs.outputs() {
            if self.trace.is_some() {
                self.trace_output(output);
            }
            match *output {
                Output::Send { core, ref message } => self.deliver(core, message, node),
                Output::Restart { core } => self.restart(core),
                Output::Nmi { core } => {
                    self.interrupted_core = Some((core, report::count(core)));
                    // A core that is not in the kernel is silent; the coordinator waits for it in vain.
                    smp::ask_for_report(core);
                }
                Output::Arm { deadline } => self.deadline = deadline,
                Output::Tell(event) => self.note(event, node),
                Output::Again => self.again = true,
                _ => {
                    if let Some(programs) = &mut self.programs {
                        programs.apply(&self.coordinator, output, copied);
                    }
                }
            }
        }
        outputs.clear();
        self.outputs = outputs;
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
    #[inline(always)]
    pub(crate) fn deliver(&mut self, core: CoreId, message: &ToCore, node: &mut Node) {
        if core == CoreId::MANAGEMENT {
            self.order_own(message, node);
        } else {
            self.send(core, message, node);
        }
        let now = match *message {
            ToCore::Notify { .. } | ToCore::TlbShootdown { .. } | ToCore::TlbMulticast { .. } => {
                cpu::now()
            }
            _ => return,
        };
        if let Some(sent) = self.sent.get_mut(core.index()) {
            sent[usize::from(!matches!(message, ToCore::Notify { .. }))] = now;
        }
    }

    fn order_own(&mut self, order: &ToCore, node: &mut Node) {
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
    fn obey_held_up(&mut self, node: &mut Node) {
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

    #[inline(never)]
    fn send(&mut self, core: CoreId, message: &ToCore, node: &mut Node) {
        self.stars.send(core, message, node.outbox());
    }

    fn restart(&mut self, core: CoreId) {
        smp::stop(core);
        self.stars.empty(core);
        smp::start(&[core]);
    }

    fn note(&mut self, event: Event, node: &mut Node) {
        self.has_noted = true;
        match event {
            Event::Joined { core, .. } => {
                // When the machine has booted the shell counts those that have joined.
                return self.clear_handoff(core, node);
            }
            Event::Started { core, .. } => self.clear_handoff(core, node),
            Event::CoreLost { core, .. } => {
                self.answers.lose(core);
                // Core 0 may be waiting for it in a part of an experiment.
                node.call_off();
                self.continue_trees(node);
            }
            Event::DumpUnanswered { .. } => self.interrupted_core = None,
            Event::Ended { process, code } => return self.family.ended(process, code),
            Event::Spawned { process } => self.family.born(process),
            _ => {}
        }
        let unasked = matches!(
            event,
            Event::CoreLost { .. }
                | Event::CoreBack { .. }
                | Event::GivenToEve { .. }
                | Event::Faulted { .. }
        );
        let (queue, most) = match unasked {
            true => (&mut self.notices, NOTICES),
            false => (&mut self.events, EVENTS),
        };
        if queue.len() == most {
            queue.pop_front();
        }
        queue.push_back(event);
    }

    /// Handles one message of a core to the coordinator; false if there was none.
    #[inline(always)]
    fn take(&mut self, sender: CoreId, lane: Lane, node: &mut Node) -> bool {
        self.stars.has_something(sender, lane) && self.take_message(sender, lane, node)
    }

    #[inline(never)]
    fn take_message(&mut self, sender: CoreId, lane: Lane, node: &mut Node) -> bool {
        match self.stars.take(sender, lane) {
            Ok(message) => self.hear(sender, message, node),
            Err(NoMessage::Malformed) => {}
            Err(NoMessage::Empty) => return false,
        }
        true
    }

    #[inline(always)]
    fn hear(&mut self, core: CoreId, message: ToMonitor, node: &mut Node) {
        match message {
            ToMonitor::Traced { .. } => return self.saw(core, &message),
            ToMonitor::Preempted { lease } => self.look_at_preempted(lease),
            ToMonitor::Started { .. } if self.watched.is_some() => self.look_at_left(core),
            ToMonitor::Unreached { .. } => self.want_tree(core, node),
            ToMonitor::Linked { peer } if self.tree_linked(core, peer, node) => return,
            // Few kinds can be answers of that sort: the others are seen not to be in the same look.
            ToMonitor::Linked { .. }
            | ToMonitor::Unlinked { .. }
            | ToMonitor::ExperimentDone { .. }
            | ToMonitor::Samples { .. }
            | ToMonitor::Counters { .. }
            | ToMonitor::ShootdownDone { .. }
                if self.answers.keep(core, &message) =>
            {
                return;
            }
            _ => {}
        }
        self.tell(Input::Message { core, message }, node);
    }

    /// One pass over messages, time and keys; whether there was anything.
    pub(crate) fn pass(&mut self, cpu: &mut Cpu) -> bool {
        let Cpu { node, inbox, .. } = cpu;
        let platform = *node.platform();
        // What there is to do is nearly always none of these: that there is none is seen here. Long work is gone on with
        // before messages are looked for, so that whoever waits for what they bring has looked at that before.
        let mut any = self.has_work() && self.do_chore(node);
        any |= inbox.serve(&platform, &mut Desk { hub: self, cpu_node: node });
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

    /// Tells what the own node has answered; whether there was anything.
    #[inline(never)]
    fn hear_own(&mut self, node: &mut Node) -> bool {
        let any = !self.local.is_empty();
        if !self.held_up.is_empty() && !probes::own_orders_wait() {
            self.obey_held_up(node);
        }
        while let Some(answer) = self.local.pop_front() {
            self.hear(CoreId::MANAGEMENT, answer, node);
        }
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

    /// The next event that a command asked for.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next thing that the person at the console should know though nobody asked.
    pub(crate) fn next_notice(&mut self) -> Option<Event> {
        self.notices.pop_front()
    }

    /// Forgets such of these.
    pub(crate) fn forget_notices(&mut self, is_one: impl Fn(&Event) -> bool) {
        self.notices.retain(|notice| !is_one(notice));
    }

    /// Whether there is such a thing.
    pub(crate) fn has_notices(&self) -> bool {
        !self.notices.is_empty() || self.output_waits()
    }

    /// Forgets events that nobody waits for any more, and an old Ctrl-C.
    pub(crate) fn begin_command(&mut self) {
        self.events.clear();
        self.interrupted = false;
    }
}
