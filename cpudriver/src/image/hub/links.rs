//! Links between cores for as long as an experiment needs them.
//!
//! Making and unmaking a link is never broken off: Ctrl-C is heard before and after, so that both ends
//! agree on whether there is a link.

use super::{Hub, Node};
use crate::arch::{handoff, heap};
use crate::image::clock;
use crate::image::cpu::Cpu;
use crate::node::{Parcel, PeerEnds, connect, take_apart};
use alloc::boxed::Box;
use core::fmt;
use monitor::CoreState;
use proto::id::CoreId;
use proto::message::{ToCore, ToMonitor};

/// Seconds that a core may take to answer an order that needs no time.
const PATIENCE: u64 = 10;

/// Bytes that the coordinator's arena must keep when links are made.
const RESERVE: usize = 64 * 1024;

/// Why an experiment cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkError {
    /// The core doesn't serve.
    NotOnline(CoreId),
    /// The core was lost meanwhile.
    Lost(CoreId),
    /// The coordinator's arena has no room for the rings of so many links.
    NoMemory,
    /// A core doesn't answer the order in time.
    NoAnswer,
    /// Ctrl-C.
    Interrupted,
    /// A stream's sum was wrong: messages were lost, or overtook others.
    WrongSum(CoreId),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOnline(core) => write!(f, "core {core} is not online; see `cores`"),
            Self::Lost(core) => write!(f, "core {core} was lost meanwhile"),
            Self::NoMemory => {
                f.write_str("no memory for so many links; use fewer cores or `--memory`")
            }
            Self::NoAnswer => f.write_str("a core did not answer in time"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::WrongSum(core) => {
                write!(f, "core {core}'s messages did not all arrive in their order")
            }
        }
    }
}

/// The bytes of a link with `slots` slots in each of its four rings, headers included.
const fn link_bytes(slots: usize) -> usize {
    4 * (slots * 64 + 512)
}

impl Hub {
    /// Makes a link between two cores.
    ///
    /// # Errors
    /// [`LinkError`]; then there is no link, but for the end of a core that did not answer.
    pub(crate) fn link(
        &mut self,
        cpu: &mut Cpu,
        cores: (CoreId, CoreId),
        slots: usize,
    ) -> Result<(), LinkError> {
        self.must_go_on()?;
        self.hold_trees(cpu);
        let linked = self.link_held(cpu, cores, slots);
        self.release_trees(&mut cpu.node);
        linked
    }

    fn link_held(
        &mut self,
        cpu: &mut Cpu,
        (first, second): (CoreId, CoreId),
        slots: usize,
    ) -> Result<(), LinkError> {
        [first, second].into_iter().try_for_each(|core| self.must_be_online(core))?;
        let arena = heap::coordinator_stats();
        let free = arena.size.saturating_sub(arena.used);
        if free < link_bytes(slots) + RESERVE {
            return Err(LinkError::NoMemory);
        }
        let (ends, other_ends) = heap::with_coordinator_arena(|| connect(slots));
        if let Err(error) = self.give(cpu, first, second, ends) {
            free_ends(other_ends);
            return Err(error);
        }
        let given = self.give(cpu, second, first, other_ends);
        if given.is_err()
            && let Ok(Some(ends)) = self.take_back(cpu, first, second)
        {
            free_ends(ends);
        }
        given
    }

    /// Fails once Ctrl-C has been typed.
    pub(super) fn must_go_on(&self) -> Result<(), LinkError> {
        if self.interrupted() { Err(LinkError::Interrupted) } else { Ok(()) }
    }

    pub(super) fn must_be_online(&self, core: CoreId) -> Result<(), LinkError> {
        let online =
            self.coordinator.core(core).is_some_and(|core| core.state == CoreState::Online);
        if online { Ok(()) } else { Err(LinkError::NotOnline(core)) }
    }

    fn give(
        &mut self,
        cpu: &mut Cpu,
        core: CoreId,
        peer: CoreId,
        ends: Box<PeerEnds>,
    ) -> Result<(), LinkError> {
        if core == CoreId::MANAGEMENT {
            cpu.node.peers().insert(peer, ends);
            return Ok(());
        }
        match handoff::put_for(core, Parcel::Link(ends)) {
            Ok(()) => {}
            Err(Parcel::Link(ends)) => {
                free_ends(ends);
                return Err(LinkError::NoAnswer);
            }
            Err(Parcel::Tree(_)) => return Err(LinkError::NoAnswer),
        }
        self.order(cpu, core, ToCore::Link { peer }).map(|_| ())
    }

    /// Takes a link apart and frees its rings. A core that is lost keeps its end, and with it the memory.
    ///
    /// # Errors
    /// [`LinkError`] if one of the cores doesn't answer.
    pub(crate) fn unlink(
        &mut self,
        cpu: &mut Cpu,
        (first, second): (CoreId, CoreId),
    ) -> Result<(), LinkError> {
        self.hold_trees(cpu);
        let one = self.take_back(cpu, first, second);
        let other = self.take_back(cpu, second, first);
        self.release_trees(&mut cpu.node);
        let freed = |ends: Option<Box<PeerEnds>>| ends.map_or((), free_ends);
        one.map(freed).and(other.map(freed))
    }

    fn take_back(
        &mut self,
        cpu: &mut Cpu,
        core: CoreId,
        peer: CoreId,
    ) -> Result<Option<Box<PeerEnds>>, LinkError> {
        if core == CoreId::MANAGEMENT {
            return Ok(cpu.node.peers().remove(peer));
        }
        self.order(cpu, core, ToCore::Unlink { peer })?;
        Ok(match handoff::take_from(core) {
            Some(Parcel::Link(ends)) => Some(ends),
            _ => None,
        })
    }

    /// Takes what a core's earlier life has left in its handoff cell, when the core has joined anew.
    pub(super) fn clear_handoff(&mut self, core: CoreId, node: &mut Node) {
        let tree_end = match handoff::take_from(core) {
            Some(Parcel::Link(ends)) => {
                free_ends(ends);
                None
            }
            Some(Parcel::Tree(end)) => Some(end),
            None => None,
        };
        self.tree_end_back(core, tree_end);
        self.continue_trees(node);
    }

    /// Gives a core an order and waits for its answer, whatever is typed meanwhile: a core answers at once.
    ///
    /// # Errors
    /// [`LinkError`] if the core isn't online, is lost meanwhile or doesn't answer.
    pub(crate) fn order(
        &mut self,
        cpu: &mut Cpu,
        core: CoreId,
        order: ToCore,
    ) -> Result<ToMonitor, LinkError> {
        self.must_be_online(core)?;
        self.answers.clear();
        if !self.offer(core, order, &mut cpu.node) {
            return Err(LinkError::NoAnswer);
        }
        cpu.node.flush();
        let until = clock::in_seconds(PATIENCE);
        let answer = self.wait(cpu, Some(until), |hub| {
            while let Some((from, answer)) = hub.answers.next() {
                if from == core && is_answer(&order, &answer) {
                    return Some(Ok(answer));
                }
            }
            hub.must_be_online(core).is_err().then_some(Err(LinkError::Lost(core)))
        });
        answer.unwrap_or(Err(LinkError::NoAnswer))
    }

    /// Makes several links.
    ///
    /// # Errors
    /// As [`Hub::link`]; links made before are taken apart.
    pub(crate) fn link_all(
        &mut self,
        cpu: &mut Cpu,
        links: &[(CoreId, CoreId)],
        slots: usize,
    ) -> Result<(), LinkError> {
        for (made, &link) in links.iter().enumerate() {
            if let Err(error) = self.link(cpu, link, slots) {
                // What cannot be taken apart says so when the cores are linked next.
                let _ = self.unlink_all(cpu, &links[..made]);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes several links apart.
    ///
    /// # Errors
    /// The first of [`Hub::unlink`]; the others are taken apart all the same.
    pub(crate) fn unlink_all(
        &mut self,
        cpu: &mut Cpu,
        links: &[(CoreId, CoreId)],
    ) -> Result<(), LinkError> {
        let mut outcome = Ok(());
        for &link in links {
            outcome = outcome.and(self.unlink(cpu, link));
        }
        outcome
    }
}

/// Frees ends of a link, with core 0 the only one to hold them.
fn free_ends(ends: Box<PeerEnds>) {
    heap::with_coordinator_arena(|| take_apart(*ends));
}

/// Whether this is what a core says when it has carried the order out. Anything else was meant for an order
/// that nobody waits for any more.
const fn is_answer(order: &ToCore, answer: &ToMonitor) -> bool {
    match (order, answer) {
        (ToCore::Link { peer }, ToMonitor::Linked { peer: said })
        | (ToCore::Unlink { peer }, ToMonitor::Unlinked { peer: said }) => peer.0 == said.0,
        (ToCore::Experiment { .. }, ToMonitor::ExperimentDone { .. })
        | (ToCore::Count, ToMonitor::Counters { .. }) => true,
        _ => false,
    }
}
