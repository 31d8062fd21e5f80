//! Core 0: the coordinator's messages, actions and time, and the core's own node.
//!
//! The [`Coordinator`] is a function; the hub gives it what comes in and does what comes out. Core 0's
//! node and the coordinator exchange messages as values: [`Hub::deliver`] hands an order straight to
//! the node, and its answer comes back as a later input.
//!
//! The console runs commands one at a time and to their end. While one waits, [`Hub::wait`] makes passes,
//! so cores are served, deadlines kept and keys read at all times.

mod answers;
mod chores;
mod events;
mod family;
mod gathered;
mod keys;
mod links;
mod memory;
mod parts;
mod passes;
mod printed;
mod programs;
mod raw;
mod recording;
mod stars;
mod steps;
mod storm;
mod traces;
mod trees;
mod turns;
mod writes;

use answers::Answers;
use family::Family;
use gathered::Gathered;
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
use crate::arch::{BootInfo, cpu, time};
use crate::node::Station;
use crate::options::Options;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use monitor::record::Recorder;
use monitor::{Config, Coordinator, Event, Outbox};
use proto::id::CoreId;
use proto::message::{ToCore, ToMonitor};

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
/// Steps of work that the coordinator has left which one pass goes on with at most: time and keys have their turn then.
const STEPS_PER_PASS: u32 = 16;

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
    /// Answers of many cores of which the coordinator has not been told.
    gathered: Gathered,
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
    /// Ticks after which core 0 wakes again and again while it sleeps, and whether the timer does so.
    beat: Option<u64>,
    beats: bool,
    /// For when the timer of this core is set while a program runs.
    armed: Option<u64>,
    /// An event has come that a command may wait for, and may not have looked at.
    has_noted: bool,
    /// Something has been done since core 0 dozed off that a pass or a command has to look at.
    is_stirred: bool,
    /// A core that was sent an NMI, and how many reports it had completed before.
    interrupted_core: Option<(CoreId, u32)>,
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
            gathered: Gathered::NONE,
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
            beat: None,
            beats: false,
            armed: None,
            has_noted: false,
            is_stirred: false,
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

    /// Forgets events that nobody waits for any more, and an old Ctrl-C.
    pub(crate) fn begin_command(&mut self) {
        self.events.clear();
        self.interrupted = false;
    }
}
