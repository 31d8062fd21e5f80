//! Links between cores for as long as an experiment needs them, and parts played on cores.

use super::{Hub, Lost, Node};
use crate::arch::{handoff, heap};
use crate::image::clock;
use crate::image::cpu::Cpu;
use crate::node::jobs::{Job, Part};
use crate::node::{PeerEnds, connect, take_apart};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use monitor::CoreState;
use proto::id::CoreId;
use proto::message::{ToCore, ToMonitor};

/// Seconds that a part of an experiment may take.
const PATIENCE: u64 = 60;

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
    /// A stream's sum was wrong: messages were lost.
    WrongSum(CoreId),
}

impl From<Lost> for LinkError {
    fn from(Lost(core): Lost) -> Self {
        Self::Lost(core)
    }
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
            Self::WrongSum(core) => write!(f, "core {core}'s messages did not all arrive"),
        }
    }
}

/// What a part came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Played {
    /// Clock when measuring began on the core.
    pub(crate) begin: u64,
    /// Clock when it ended.
    pub(crate) end: u64,
    /// Operations that lay between.
    pub(crate) operations: u32,
    /// The summary of its samples, if it took any.
    pub(crate) samples: Option<ToMonitor>,
}

/// The bytes of a link with `slots` slots in each of its four rings, headers included.
const fn link_bytes(slots: usize) -> usize {
    4 * (slots * 64 + 512)
}

impl Hub {
    /// Makes a link between two cores.
    ///
    /// # Errors
    /// [`LinkError`]; then there is no link.
    pub(crate) fn link(
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
        self.give(cpu, first, second, ends)?;
        self.give(cpu, second, first, other_ends)
    }

    fn must_be_online(&self, core: CoreId) -> Result<(), LinkError> {
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
        if let Err(ends) = handoff::put_for(core, ends) {
            heap::with_coordinator_arena(|| take_apart(*ends));
            return Err(LinkError::NoAnswer);
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
        let one = self.take_back(cpu, first, second);
        let other = self.take_back(cpu, second, first);
        let free = |ends: Box<PeerEnds>| heap::with_coordinator_arena(|| take_apart(*ends));
        let freed = |ends: Option<Box<PeerEnds>>| ends.map_or((), free);
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
        Ok(handoff::take_from(core))
    }

    /// Gives a core an order and waits for its answer.
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
        self.deliver(core, order, &mut cpu.node);
        cpu.node.flush();
        self.await_answer(cpu).map(|(_, answer)| answer)
    }

    fn await_answer(&mut self, cpu: &mut Cpu) -> Result<(CoreId, ToMonitor), LinkError> {
        let until = clock::in_seconds(PATIENCE);
        let answer = self.wait(cpu, Some(until), |hub| match hub.answers.next().transpose() {
            Some(answer) => Some(answer.map_err(LinkError::from)),
            None if hub.interrupted() => Some(Err(LinkError::Interrupted)),
            None => None,
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
                self.unlink_all(cpu, &links[..made])?;
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

    /// Has parts played by several cores at once, none of them core 0, and waits for all of them. Gives
    /// what they came to in the order of `jobs`.
    ///
    /// # Errors
    /// [`LinkError`]; parts that are still played are called off.
    pub(crate) fn play(
        &mut self,
        cpu: &mut Cpu,
        jobs: &[(CoreId, Job)],
    ) -> Result<Vec<Played>, LinkError> {
        self.order_parts(cpu, jobs)?;
        self.collect_parts(cpu, jobs)
    }

    /// Orders parts of several cores, none of them core 0.
    ///
    /// # Errors
    /// [`LinkError::NotOnline`]; then nothing is ordered.
    pub(crate) fn order_parts(
        &mut self,
        cpu: &mut Cpu,
        jobs: &[(CoreId, Job)],
    ) -> Result<(), LinkError> {
        jobs.iter().try_for_each(|&(core, _)| self.must_be_online(core))?;
        self.answers.clear();
        for &(core, job) in jobs {
            self.deliver(core, job.order(), &mut cpu.node);
        }
        cpu.node.flush();
        Ok(())
    }

    /// Waits for parts that were ordered.
    ///
    /// # Errors
    /// [`LinkError`]; parts that are still played are called off.
    pub(crate) fn collect_parts(
        &mut self,
        cpu: &mut Cpu,
        jobs: &[(CoreId, Job)],
    ) -> Result<Vec<Played>, LinkError> {
        let outcome = self.collect(cpu, jobs);
        if outcome.is_err() {
            self.call_off(jobs, &mut cpu.node);
        }
        outcome
    }

    fn collect(&mut self, cpu: &mut Cpu, jobs: &[(CoreId, Job)]) -> Result<Vec<Played>, LinkError> {
        let mut played: Vec<Option<Played>> = alloc::vec![None; jobs.len()];
        let mut samples = alloc::vec![None; jobs.len()];
        let mut left = jobs.len();
        while left > 0 {
            let (core, answer) = self.await_answer(cpu)?;
            let Some(at) = jobs.iter().position(|&(player, _)| player == core) else { continue };
            match answer {
                ToMonitor::Samples { .. } => samples[at] = Some(answer),
                ToMonitor::ExperimentDone { begin, end, operations } => {
                    played[at] = Some(Played { begin, end, operations, samples: samples[at] });
                    left -= 1;
                }
                _ => {}
            }
        }
        Ok(played.into_iter().flatten().collect())
    }

    fn call_off(&mut self, jobs: &[(CoreId, Job)], node: &mut Node) {
        for &(core, job) in jobs {
            if self.must_be_online(core).is_ok() {
                self.deliver(core, Job { part: Part::Asleep, ..job }.order(), node);
            }
        }
        node.flush();
    }
}
