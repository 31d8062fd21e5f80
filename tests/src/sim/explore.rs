//! The exhaustive explorer: every order in which messages can be delivered and programs can act.
//!
//! A [`Case`] is a world made ready and, for every process and the console, a list of operations that
//! are done in order. From each state everything that can happen does, once: the next message of every
//! ring is taken, the next operation is done on every core where it can be. States are told apart by a
//! fingerprint of 128 bits. Where nothing more can happen the world must come to rest, and after
//! everything is destroyed nothing may be left over.
//!
//! All host cores search, each with a stack of its own; who has nothing left takes from what the
//! others have put into a common pool.

use super::action::{Action, Op};
use super::faults::History;
use super::fingerprint::fingerprint;
use super::frontier::{Frontier, Seen};
use super::panics::caught;
use super::world::{Violation, World};
use monitor::{Config, Policy, ProcessId, Strategy};
use proto::id::CoreId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Timers never run out in a world that is explored.
pub const CONFIG: Config = Config {
    start_timeout: 1 << 40,
    answer_timeout: 1 << 40,
    heartbeat_interval: 1 << 40,
    slice: 1 << 40,
    share: 1 << 40,
    max_processes: 4,
    max_children: 4,
    max_pipes: 1,
    pipe_bytes: 8,
    shortest_period: 1,
    policy: Policy::Descendants,
    frames: 4_096,
    max_frames: 1_024,
    max_regions: 8,
    flush_pages: 4,
    strategy: Strategy::Unicast,
    fan_out: 2,
};

/// What one process does.
#[derive(Clone, Debug)]
pub struct Program {
    /// Which process.
    pub process: ProcessId,
    /// What, in order; each on any of its vcores that runs.
    pub ops: Vec<Op>,
}

/// A world and what will happen in it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is called.
    pub name: &'static str,
    /// The world made ready.
    pub world: World,
    /// What the processes do.
    pub programs: Vec<Program>,
    /// What the console and the fault plan do, in order, at any time.
    pub outside: Vec<Action>,
}

/// What exploring a case came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Different states.
    pub states: usize,
    /// Actions on the longest way that was gone; with more than one host core it may differ from run to run.
    pub depth: usize,
    /// States where nothing more could happen.
    pub ends: usize,
    /// Was every state looked at?
    pub exhausted: bool,
}

/// A way to a state where a rule doesn't hold.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The actions.
    pub actions: Vec<Action>,
    /// The rule.
    pub violation: Violation,
}

/// A state: the world, and how far every list has come.
#[derive(Clone, Debug, Hash)]
struct State {
    world: World,
    done: Vec<usize>,
}

/// How a state was reached.
#[derive(Debug)]
struct Way {
    last: Action,
    before: Option<Arc<Way>>,
}

/// A state to be looked at.
struct Node {
    state: State,
    way: Option<Arc<Way>>,
    depth: usize,
}

/// Everything that can happen in a state, and the list from which it comes.
type Next = (Action, Option<usize>);

struct Search<'a> {
    case: &'a Case,
    limit: usize,
    seen: Seen,
    frontier: Frontier<Node>,
    depth: AtomicUsize,
    ends: AtomicUsize,
    cut: AtomicBool,
}

/// Explores a case with all host cores, up to about `limit` states.
///
/// # Errors
/// A way that was found to a state where a rule does not hold.
///
/// # Panics
/// When a search itself does.
pub fn explore(case: &Case, limit: usize) -> Result<Explored, Box<Counterexample>> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let search = Search {
        case,
        limit,
        seen: Seen::default(),
        frontier: Frontier::new(workers),
        depth: AtomicUsize::new(0),
        ends: AtomicUsize::new(0),
        cut: AtomicBool::new(false),
    };
    let mut world = case.world.clone();
    world.forget();
    let state = State { world, done: vec![0; case.programs.len() + 1] };
    search.seen.insert(fingerprint(&state));
    search.frontier.give(Node { state, way: None, depth: 0 });
    let found = std::thread::scope(|scope| {
        let all: Vec<_> = (0..workers).map(|_| scope.spawn(|| search.work())).collect();
        let results = all.into_iter().map(|it| it.join().expect("a search does not panic"));
        results.filter_map(Result::err).min_by_key(|it| it.actions.len())
    });
    match found {
        Some(counterexample) => Err(counterexample),
        None => Ok(Explored {
            states: search.seen.len(),
            depth: search.depth.into_inner(),
            ends: search.ends.into_inner(),
            exhausted: !search.cut.into_inner(),
        }),
    }
}

impl Search<'_> {
    /// Looks at states until none is left anywhere.
    fn work(&self) -> Result<(), Box<Counterexample>> {
        while let Some(first) = self.frontier.take() {
            let mut stack = vec![first];
            while let Some(node) = stack.pop() {
                if let Err(found) = self.visit(node, &mut stack) {
                    self.frontier.stop();
                    return Err(found);
                }
                if stack.len() > 1 && self.frontier.is_wanted() {
                    self.frontier.give(stack.swap_remove(0));
                }
            }
        }
        Ok(())
    }

    /// Finds what follows a state; what has not been seen before goes on the stack.
    fn visit(&self, node: Node, stack: &mut Vec<Node>) -> Result<(), Box<Counterexample>> {
        self.depth.fetch_max(node.depth, Ordering::Relaxed);
        let next = self.next_states(&node.state);
        let Some((&last, others)) = next.split_last() else {
            self.ends.fetch_add(1, Ordering::Relaxed);
            let mut world = node.state.world;
            let ended = caught(|| world.end(&mut |_, _| ()));
            return ended.map_err(|violation| found(&node.way, violation));
        };
        let Node { state, way, depth } = node;
        let follow =
            |state, step: Next, stack: &mut Vec<Node>| -> Result<(), Box<Counterexample>> {
                let way = Some(Arc::new(Way { last: step.0, before: way.clone() }));
                let state = advance(state, step).map_err(|violation| found(&way, violation))?;
                if self.seen.insert(fingerprint(&state)) {
                    if self.seen.len() > self.limit {
                        self.cut.store(true, Ordering::Relaxed);
                    } else {
                        stack.push(Node { state, way, depth: depth + 1 });
                    }
                }
                Ok(())
            };
        for &step in others {
            follow(state.clone(), step, stack)?;
        }
        follow(state, last, stack)
    }

    fn next_states(&self, state: &State) -> Vec<Next> {
        let mut all: Vec<_> = state.world.deliveries().into_iter().map(|it| (it, None)).collect();
        for (list, program) in self.case.programs.iter().enumerate() {
            let Some(&op) = program.ops.get(state.done[list]) else { continue };
            for (core, it) in (0..).map(CoreId).zip(&state.world.cores) {
                let lease = it.driver.lease().filter(|_| it.can_run());
                if lease.map(super::world::process_of) == Some(program.process) {
                    all.push((Action::User(core, op), Some(list)));
                }
            }
        }
        let outside = self.case.programs.len();
        let next = self.case.outside.get(state.done[outside]);
        all.extend(next.map(|&action| (action, Some(outside))));
        all
    }
}

/// The state after a step.
fn advance(mut state: State, (action, list): Next) -> Result<State, Violation> {
    if let Some(list) = list {
        // A call's address tells whose it is, not when it was made.
        state.world.next_call = 8 + 0x1000 * list as u64 + 8 * state.done[list] as u64;
        state.done[list] += 1;
    }
    caught(|| state.world.act(action))?;
    state.world.forget();
    Ok(state)
}

fn found(way: &Option<Arc<Way>>, violation: Violation) -> Box<Counterexample> {
    let ways = std::iter::successors(way.as_ref(), |way| way.before.as_ref());
    let mut actions: Vec<_> = ways.map(|way| way.last).collect();
    actions.reverse();
    Box::new(Counterexample { actions, violation })
}

impl World {
    /// Forgets what was only counted, so that states which differ in nothing else are the same.
    fn forget(&mut self) {
        self.coordinator.forget_counters();
        (self.sent, self.refused) = (0, 0);
        for core in &mut self.cores {
            core.driver.forget_counters();
            core.history = History::default();
            core.last_request = None;
        }
    }
}
