//! The search: every order of every step, breadth first, so the first loss that is found is a shortest.
//!
//! # What is left out, and why nothing is missed
//!
//! - A store into the own queue, a fence that finds the queue empty and a line for the trace are done at
//!   once with the step before them. No other core can tell when they happen, they neither need
//!   nor hinder any step of another core, and queueing a store commutes with the arrival of an
//!   older one in memory. Putting them first therefore leads to the same states. Loads, doorbells, halts
//!   and the arrival of each store and doorbell are steps of their own.
//! - A doorbell arrives when its receiver halts, no sooner: nothing else looks whether one is pending.
//! - A core that polls a full ring looks again only when the ring has changed: the looks in between
//!   leave it, and everything else, as it was.
//! - At the head of its loop a core that knows the same is at the same point, see `replay`. Between two heads
//!   it is told by the answers it has had, so a state may count twice there. That costs time only.
//!
//! A test explores small scenarios without all of this (but for the polling) and finds the same.
//!
//! Every scenario ends: messages are finite, so are flags raised and doorbells rung, and a receiver goes
//! round its loop again only for one of these. So there are no endless runs, and a run's last state
//! shows whether anything was lost.

use super::hardware::Plan;
use super::machine::{Op, Order, Place, Search as Kind, Step, World};
use super::replay::Thread;
use super::scenarios::{Scenario, Track};
use cpudriver::post::Activity;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// States after which a search gives up; no scenario comes near.
const MOST_STATES: usize = 4_000_000;

/// What a search came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What was explored.
    pub(crate) scenario: &'static str,
    /// How many states there are, or were met until the loss.
    pub(crate) states: usize,
    /// How many steps the longest of all shortest ways has.
    pub(crate) depth: u32,
    /// Points of all programs that were reached.
    pub(crate) points: usize,
    /// How a message gets lost, with a shortest way there; `None` if every state was seen and none is.
    pub(crate) loss: Option<Loss>,
    took: Duration,
}

/// A run that loses a message.
#[derive(Debug)]
pub(crate) struct Loss {
    /// What is lost.
    pub(crate) what: String,
    /// A line per act.
    pub(crate) trace: Vec<String>,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { scenario, states, depth, points, loss, took } = self;
        let exhausted = loss.is_none();
        write!(f, "{scenario}: states={states} depth={depth} points={points} ")?;
        write!(f, "exhausted={exhausted} in {} ms", took.as_millis())?;
        let Some(Loss { what, trace }) = loss else { return Ok(()) };
        trace.iter().try_for_each(|line| write!(f, "\n    {line}"))?;
        write!(f, "\n  BROKEN: {what}")
    }
}

/// How a state was first reached.
#[derive(Clone, Copy, Debug)]
struct Way {
    before: u32,
    step: Step,
    depth: u32,
}

/// Explores all runs of a scenario.
///
/// # Panics
/// When there are too many states.
pub(crate) fn explore(scenario: Scenario) -> Outcome {
    let begin = Instant::now();
    let name = scenario.name;
    let mut search = Search::new(scenario);
    let loss = search.run();
    Outcome {
        scenario: name,
        states: search.ways.len(),
        depth: search.ways.iter().map(|way| way.depth).max().unwrap_or(0),
        points: search.threads.iter().map(Thread::len).sum(),
        loss,
        took: begin.elapsed(),
    }
}

struct Search {
    plan: Rc<Plan>,
    threads: Vec<Thread>,
    tracks: Vec<Track>,
    first: World,
    known: HashMap<World, ()>,
    /// By state, in the order in which they were met.
    ways: Vec<Way>,
}

impl Search {
    fn new(scenario: Scenario) -> Self {
        let Scenario { plan, programs, tracks, initial, .. } = scenario;
        let threads = (0u8..).zip(programs);
        let threads = threads.map(|(core, program)| Thread::new(core, Rc::clone(&plan), program));
        Self {
            threads: threads.collect(),
            plan,
            tracks,
            first: World::new(&initial),
            known: HashMap::new(),
            ways: Vec::new(),
        }
    }

    fn run(&mut self) -> Option<Loss> {
        let mut first = self.first;
        self.cores().for_each(|core| self.settle(&mut first, core, &mut None));
        let mut open = VecDeque::new();
        self.meet(first, Way { before: 0, step: Step::Act(0), depth: 0 }, &mut open);
        while let Some((number, world)) = open.pop_front() {
            if let Some(what) = self.wrong(&world).or_else(|| self.lost(&world)) {
                return Some(Loss { what, trace: self.trace(number) });
            }
            let depth = self.ways[number as usize].depth + 1;
            for step in self.steps(&world) {
                let mut next = world;
                self.take(&mut next, step, &mut None);
                self.meet(next, Way { before: number, step, depth }, &mut open);
            }
        }
        None
    }

    fn meet(&mut self, world: World, way: Way, open: &mut VecDeque<(u32, World)>) {
        if let Entry::Vacant(place) = self.known.entry(world) {
            place.insert(());
            let number = u32::try_from(self.ways.len()).expect("there are fewer states");
            self.ways.push(way);
            open.push_back((number, world));
            assert!(self.ways.len() < MOST_STATES, "too many states");
        }
    }

    fn cores(&self) -> std::ops::Range<u8> {
        0..self.threads.len() as u8
    }

    fn op(&self, world: &World, core: u8) -> Op {
        self.threads[usize::from(core)].op(world.at[usize::from(core)])
    }

    /// All that can happen next.
    fn steps(&self, world: &World) -> Vec<Step> {
        let mut steps = Vec::new();
        for core in self.cores() {
            if world.allows(core, self.op(world, core)) {
                steps.push(Step::Act(core));
            }
            if world.has_queued(core) {
                steps.push(Step::Drain(core));
            }
            let full = self.plan.search == Kind::Full;
            let looks = matches!(self.op(world, core), Op::Halt | Op::Open | Op::Done);
            if (looks || full) && world.is_rung(core) {
                steps.push(Step::Arrive(core));
            }
        }
        steps
    }

    fn take(&mut self, world: &mut World, step: Step, trace: &mut Option<Vec<String>>) {
        match step {
            Step::Act(core) => self.act(world, core, trace),
            Step::Drain(core) => {
                let (place, value) = world.oldest(core);
                self.note(trace, || format!("{:20}{}", "", self.store_line(core, place, value)));
                world.drain(core);
            }
            Step::Arrive(core) => {
                self.note(trace, || format!("{:20}the doorbell arrives at core {core}", ""));
                world.arrive(core);
            }
        }
        let (Step::Act(core) | Step::Drain(core) | Step::Arrive(core)) = step;
        self.settle(world, core, trace);
    }

    /// Has a core do its next act, which it can.
    fn act(&mut self, world: &mut World, core: u8, trace: &mut Option<Vec<String>>) {
        let op = self.op(world, core);
        let answer = world.act(core, op, self.plan.order);
        if !matches!(op, Op::Here(_)) {
            self.note(trace, || format!("core {core} {}", self.act_line(op, answer)));
        }
        let at = &mut world.at[usize::from(core)];
        *at = self.threads[usize::from(core)].after(*at, answer);
    }

    /// Has a core do all that nobody else can tell the moment of.
    fn settle(&mut self, world: &mut World, core: u8, trace: &mut Option<Vec<String>>) {
        loop {
            let op = self.op(world, core);
            let buffered = self.plan.order == Order::Buffered;
            let unseen = match op {
                _ if self.plan.search == Kind::Full => false,
                Op::Store(..) => buffered,
                Op::Fence | Op::Say(_) | Op::Here(_) => world.allows(core, op),
                _ => false,
            };
            if !unseen {
                return;
            }
            self.act(world, core, trace);
        }
    }

    fn wrong(&self, world: &World) -> Option<String> {
        self.cores().find_map(|core| match self.op(world, core) {
            Op::Wrong(text) => Some(self.plan.texts.value(text.0)),
            _ => None,
        })
    }

    /// What is lost in a state after which nothing can happen.
    fn lost(&self, world: &World) -> Option<String> {
        if !self.steps(world).is_empty() {
            return None;
        }
        let mut what = String::new();
        for Track { name, receiver, ring, messages } in &self.tracks {
            let (put, taken) = (world.holds(ring.tail), world.holds(ring.head));
            if (put, taken) != (*messages, *messages) {
                let does = match self.op(world, *receiver) {
                    Op::Halt => "halts for good",
                    _ => "stands still",
                };
                let _ =
                    write!(what, "core {receiver} {does}, {taken} of {put} messages in the ring ");
                let _ = write!(what, "{name} taken, {messages} to come; ");
            }
        }
        (!what.is_empty()).then(|| what.trim_end_matches("; ").to_owned())
    }

    /// The way to a state, in words.
    fn trace(&mut self, mut number: u32) -> Vec<String> {
        let mut steps = Vec::new();
        while number > 0 {
            let Way { before, step, .. } = self.ways[number as usize];
            steps.push(step);
            number = before;
        }
        let mut world = self.first;
        let mut lines = Some(Vec::new());
        self.cores().for_each(|core| self.settle(&mut world, core, &mut lines));
        for step in steps.into_iter().rev() {
            self.take(&mut world, step, &mut lines);
        }
        lines.unwrap_or_default()
    }

    fn note(&self, trace: &mut Option<Vec<String>>, line: impl FnOnce() -> String) {
        if let Some(lines) = trace {
            lines.push(line());
        }
    }

    fn name(&self, place: Place) -> &str {
        &self.plan.names[usize::from(place.0)]
    }

    /// What a place holds, in words.
    fn shown(&self, place: Place, value: u8) -> String {
        if self.plan.states.contains(&place) {
            return format!("{:?}", Activity::from_byte(value)).to_uppercase();
        }
        value.to_string()
    }

    fn store_line(&self, core: u8, place: Place, value: u8) -> String {
        let value = self.shown(place, value);
        format!("{} = {value} of core {core} reaches memory", self.name(place))
    }

    fn act_line(&self, op: Op, answer: u8) -> String {
        match op {
            Op::Load(place) => {
                format!("reads {}: {}", self.name(place), self.shown(place, answer))
            }
            Op::Store(place, value) => {
                let waits = if self.plan.order == Order::Buffered { ", in its queue" } else { "" };
                format!("stores {} = {}{waits}", self.name(place), self.shown(place, value))
            }
            Op::Fence => "fences: its queue is empty".to_owned(),
            Op::Ring(receiver) => format!("rings core {receiver}"),
            Op::Open => "enables interrupts, and what is pending is handled".to_owned(),
            Op::Halt => "halts, and an interrupt that is pending wakes it".to_owned(),
            Op::Await(place, _) => format!("sees {} change", self.name(place)),
            Op::Say(text) | Op::Wrong(text) => self.plan.texts.value(text.0),
            Op::Here(_) => String::new(),
            Op::Done => "has ended".to_owned(),
        }
    }
}
