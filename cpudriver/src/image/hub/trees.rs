//! Rings between cores for the trees by which shootdowns go, made when a core was first found to lack one.
//!
//! Until they are there the coordinator tells those cores itself, so nobody waits for this. The core below gets
//! its end first: whoever can send is then heard. One ring is made at a time, step by step, with each answer.

use super::{Hub, Node};
use crate::arch::{handoff, heap};
use crate::image::clock;
use crate::image::cpu::Cpu;
use crate::node::{Parcel, TREE_LINK_BYTES, TreeEnd, connect_down};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use monitor::{CoreSet, Edge, Strategy};
use proto::id::CoreId;
use proto::message::ToCore;

/// Bytes that the coordinator's arena must keep.
const RESERVE: usize = 256 * 1024;
/// Seconds that the rings of a tree may take.
const PATIENCE: u64 = 10;

/// A ring that is being made.
#[derive(Debug)]
struct Making {
    above: CoreId,
    below: CoreId,
    /// The ends that their cores do not have yet.
    down: Option<&'static mut TreeEnd>,
    up: Option<&'static mut TreeEnd>,
    is_begun: bool,
    /// Who was given its end and has not said that it has taken it.
    asked: Option<CoreId>,
}

impl Making {
    /// Who gets an end next, and the core at the other one.
    const fn next(&self) -> (CoreId, CoreId) {
        match self.up.is_some() || !self.is_begun {
            true => (self.below, self.above),
            false => (self.above, self.below),
        }
    }
}

/// The rings that were made, and those that will be.
#[derive(Debug)]
pub(super) struct Trees {
    /// By the core above: those to which there are rings, or will be.
    known: Vec<CoreSet>,
    waiting: VecDeque<Making>,
    /// Other links are being made, through the same cells.
    is_held: bool,
}

impl Trees {
    pub(super) fn new(cores: usize) -> Self {
        Self { known: alloc::vec![CoreSet::EMPTY; cores], waiting: VecDeque::new(), is_held: false }
    }

    fn want(&mut self, above: CoreId, below: CoreId) {
        let known = self.known.get_mut(above.index());
        if known.is_some_and(|known| known.insert(below)) {
            let making =
                Making { above, below, down: None, up: None, is_begun: false, asked: None };
            self.waiting.push_back(making);
        }
    }

    /// Whether one of these cores is to say that it has taken an end.
    fn are_asked(&self, online: &CoreSet) -> bool {
        self.waiting.iter().filter_map(|it| it.asked).any(|core| online.contains(core))
    }
}

impl Hub {
    /// A core had no way to hand a shootdown on: has the rings made of the tree that it is in.
    pub(super) fn want_tree(&mut self, core: CoreId, node: &mut Node) {
        let cores = self.coordinator.tree_of(core);
        let strategy = self.coordinator.strategy();
        self.want_edges(&strategy, &cores);
        self.continue_trees(node);
    }

    fn want_edges(&mut self, strategy: &Strategy, cores: &CoreSet) {
        let fan_out = self.coordinator.fan_out();
        strategy.plan(cores, fan_out, &mut |edge: Edge| {
            if let Some(above) = edge.from {
                self.trees.want(above, edge.to);
            }
        });
    }

    /// Has the rings made that shootdowns of these cores will need, and waits until they are there; false if some
    /// are not.
    pub(crate) fn prepare_tree(
        &mut self,
        cpu: &mut Cpu,
        strategy: &Strategy,
        cores: &CoreSet,
    ) -> bool {
        self.want_edges(strategy, cores);
        self.continue_trees(&mut cpu.node);
        cpu.node.flush();
        let until = Some(clock::in_seconds(PATIENCE));
        let made = |hub: &mut Self| hub.trees.waiting.is_empty().then_some(());
        self.wait(cpu, until, made).is_some()
    }

    /// Takes the next step with rings that are to be made. The caller flushes.
    pub(super) fn continue_trees(&mut self, node: &mut Node) {
        if self.trees.is_held || self.trees.are_asked(&self.coordinator.online()) {
            return;
        }
        for at in 0..self.trees.waiting.len() {
            let to = self.trees.waiting[at].next().0;
            if self.coordinator.online().contains(to) && self.give_end(at, node) {
                return;
            }
        }
    }

    /// Gives a core its end, if its cell is free and there is memory.
    fn give_end(&mut self, at: usize, node: &mut Node) -> bool {
        let Some(making) = self.trees.waiting.get_mut(at) else { return false };
        if !making.is_begun {
            let arena = heap::coordinator_stats();
            if arena.size.saturating_sub(arena.used) < TREE_LINK_BYTES + RESERVE {
                return false;
            }
            let (down, up) = heap::with_coordinator_arena(connect_down);
            (making.down, making.up, making.is_begun) = (Some(down), Some(up), true);
        }
        let (to, peer) = making.next();
        let order = ToCore::Link { peer };
        if !self.stars.has_room(to, order.lane()) {
            return false;
        }
        let end = if to == making.below { &mut making.up } else { &mut making.down };
        let Some(parcel) = end.take().map(Parcel::Tree) else { return false };
        if let Err(Parcel::Tree(back)) = handoff::put_for(to, parcel) {
            *end = Some(back);
            return false;
        }
        making.asked = Some(to);
        self.deliver(to, &order, node);
        true
    }

    /// A core says that it has taken its end of a link; false if it was not one of these.
    pub(super) fn tree_linked(&mut self, core: CoreId, peer: CoreId, node: &mut Node) -> bool {
        let is_theirs =
            |it: &Making| it.asked == Some(core) && (it.above == peer || it.below == peer);
        let Some(at) = self.trees.waiting.iter().position(is_theirs) else { return false };
        let making = &mut self.trees.waiting[at];
        making.asked = None;
        if making.down.is_none() {
            self.trees.waiting.remove(at);
        }
        self.continue_trees(node);
        true
    }

    /// A core has begun a new life: what its last one was given and did not take is its again.
    pub(super) fn tree_end_back(&mut self, core: CoreId, end: Option<&'static mut TreeEnd>) {
        let Some(at) = self.trees.waiting.iter().position(|it| it.asked == Some(core)) else {
            return;
        };
        let making = &mut self.trees.waiting[at];
        making.asked = None;
        match end {
            Some(end) if core == making.below => making.up = Some(end),
            Some(end) => making.down = Some(end),
            // It has taken it, and did not come to say so.
            None if making.down.is_none() => {
                self.trees.waiting.remove(at);
            }
            None => {}
        }
    }

    /// Keeps the cells of all cores free for other links; waits until they are.
    pub(super) fn hold_trees(&mut self, cpu: &mut Cpu) -> bool {
        self.trees.is_held = true;
        let until = Some(clock::in_seconds(PATIENCE));
        let is_free = |hub: &mut Self| !hub.trees.are_asked(&hub.coordinator.online());
        self.wait(cpu, until, |hub| is_free(hub).then_some(())).is_some()
    }

    /// Goes on with what was held.
    pub(super) fn release_trees(&mut self, node: &mut Node) {
        self.trees.is_held = false;
        self.continue_trees(node);
    }
}
