//! The exhaustive explorer: every order in which messages can be delivered and programs can act.
//!
//! A [`Case`] is a world made ready and, for every process and the console, a list of operations that
//! are done in order. From each state everything that can happen does, once: the next message of every
//! ring is taken, the next operation is done on every core where it can be. States are told apart by a
//! hash of 128 bits. Where nothing more can happen the world must come to rest, and after everything is
//! destroyed nothing may be left over.

use super::action::{Action, Op};
use super::world::{Violation, World};
use monitor::{Config, Policy, ProcessId, Strategy};
use proto::id::CoreId;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

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
    /// Actions on the longest way.
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

struct Search<'a> {
    case: &'a Case,
    seen: HashSet<u128>,
    path: Vec<Action>,
    explored: Explored,
    limit: usize,
}

/// Explores a case, up to `limit` states.
///
/// # Errors
/// The first way that was found to a state where a rule does not hold.
pub fn explore(case: &Case, limit: usize) -> Result<Explored, Box<Counterexample>> {
    let mut search = Search {
        case,
        seen: HashSet::new(),
        path: Vec::new(),
        explored: Explored { exhausted: true, ..Explored::default() },
        limit,
    };
    let mut world = case.world.clone();
    world.forget();
    let done = vec![0; case.programs.len() + 1];
    search.visit(&State { world, done })?;
    search.explored.states = search.seen.len();
    Ok(search.explored)
}

impl Search<'_> {
    fn visit(&mut self, state: &State) -> Result<(), Box<Counterexample>> {
        if !self.seen.insert(fingerprint(state)) {
            return Ok(());
        }
        if self.seen.len() >= self.limit {
            self.explored.exhausted = false;
            return Ok(());
        }
        self.explored.depth = self.explored.depth.max(self.path.len());
        let next = self.next_states(state);
        if next.is_empty() {
            self.explored.ends += 1;
            let mut world = state.world.clone();
            return world.end(&mut |_, _| ()).map_err(|violation| self.found(violation));
        }
        for (action, list) in next {
            self.follow(state, action, list)?;
        }
        Ok(())
    }

    fn follow(
        &mut self,
        state: &State,
        action: Action,
        list: Option<usize>,
    ) -> Result<(), Box<Counterexample>> {
        let mut next = state.clone();
        if let Some(list) = list {
            // A call's address tells whose it is, not when it was made.
            next.world.next_call = 8 + 0x1000 * list as u64 + 8 * next.done[list] as u64;
            next.done[list] += 1;
        }
        self.path.push(action);
        next.world.act(action).map_err(|violation| self.found(violation))?;
        next.world.forget();
        self.visit(&next)?;
        self.path.pop();
        Ok(())
    }

    fn found(&self, violation: Violation) -> Box<Counterexample> {
        Box::new(Counterexample { actions: self.path.clone(), violation })
    }

    /// Everything that can happen, and the list from which it comes.
    fn next_states(&self, state: &State) -> Vec<(Action, Option<usize>)> {
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

fn fingerprint(state: &State) -> u128 {
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        state.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}

impl World {
    /// Forgets what was only counted, so that states which differ in nothing else are the same.
    fn forget(&mut self) {
        self.coordinator.forget_counters();
        self.sent = 0;
        for core in &mut self.cores {
            core.last_to = None;
            core.last_from = None;
        }
    }
}
