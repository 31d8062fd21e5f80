//! Parts of experiments: having them played by other cores or by core 0, and calling them off.

use super::{Hub, HubStation, LinkError};
use crate::arch::cpu::now;
use crate::image::clock;
use crate::image::cpu::Cpu;
use crate::node::jobs::{self, Job, Outcome, Part};
use alloc::vec::Vec;
use proto::id::CoreId;
use proto::message::ToMonitor;

/// Seconds that a part of an experiment may take.
const PATIENCE: u64 = 60;
/// Seconds that cores may take to end a part that is called off.
const CALL_OFF: u64 = 10;

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

/// What is known of a part that another core plays.
#[derive(Clone, Copy, Debug)]
struct Pending {
    core: CoreId,
    job: Job,
    samples: Option<ToMonitor>,
    played: Option<Played>,
    /// Times that the core will still say that it is done.
    awaited: u8,
}

impl Hub {
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

    /// Plays a part on core 0.
    ///
    /// # Errors
    /// [`LinkError`] if it was called off: by Ctrl-C, by the loss of a core or because it takes too long.
    pub(crate) fn play_here(
        &mut self,
        cpu: &mut Cpu,
        job: &Job,
        samples: &mut Vec<u32>,
    ) -> Result<Outcome, LinkError> {
        self.must_go_on()?;
        self.all_must_be_there()?;
        let until = clock::in_seconds(PATIENCE);
        self.patience = Some(until);
        let outcome = jobs::play(job, &mut HubStation { hub: self, cpu }, samples);
        self.patience = None;
        self.must_go_on()?;
        self.all_must_be_there()?;
        if until <= now() { Err(LinkError::NoAnswer) } else { Ok(outcome) }
    }

    /// Fails once a core was lost since orders were given: it may be the peer that a part waits for.
    fn all_must_be_there(&self) -> Result<(), LinkError> {
        self.answers.lost().map_or(Ok(()), |core| Err(LinkError::Lost(core)))
    }

    /// Orders parts of several cores, none of them core 0.
    ///
    /// # Errors
    /// [`LinkError::NotOnline`] or [`LinkError::Interrupted`]; then nothing is ordered.
    pub(crate) fn order_parts(
        &mut self,
        cpu: &mut Cpu,
        jobs: &[(CoreId, Job)],
    ) -> Result<(), LinkError> {
        self.must_go_on()?;
        jobs.iter().try_for_each(|&(core, _)| self.must_be_online(core))?;
        self.answers.clear();
        for &(core, job) in jobs {
            self.deliver(core, &job.order(), &mut cpu.node);
        }
        cpu.node.flush();
        Ok(())
    }

    /// Waits for parts that were ordered.
    ///
    /// # Errors
    /// [`LinkError`]; parts that are still played are called off, and have ended as far as cores answer.
    pub(crate) fn collect_parts(
        &mut self,
        cpu: &mut Cpu,
        jobs: &[(CoreId, Job)],
    ) -> Result<Vec<Played>, LinkError> {
        let mut parts = pending(jobs);
        let outcome = self.collect(cpu, &mut parts);
        if outcome.is_err() {
            self.call_off(cpu, &mut parts);
        }
        outcome.map(|()| parts.iter().filter_map(|part| part.played).collect())
    }

    /// Ends parts that were ordered.
    pub(crate) fn call_off_parts(&mut self, cpu: &mut Cpu, jobs: &[(CoreId, Job)]) {
        let mut parts = pending(jobs);
        self.hear_parts(&mut parts);
        self.call_off(cpu, &mut parts);
    }

    fn collect(&mut self, cpu: &mut Cpu, parts: &mut [Pending]) -> Result<(), LinkError> {
        let until = clock::in_seconds(PATIENCE);
        let collected = self.wait(cpu, Some(until), |hub| {
            hub.hear_parts(parts);
            if parts.iter().all(|part| part.awaited == 0) {
                return Some(Ok(()));
            }
            hub.all_must_be_there().and_then(|()| hub.must_go_on()).err().map(Err)
        });
        collected.unwrap_or(Err(LinkError::NoAnswer))
    }

    /// Takes in what cores have said about their parts.
    fn hear_parts(&mut self, parts: &mut [Pending]) {
        while let Some((core, answer)) = self.answers.next() {
            let Some(part) = parts.iter_mut().find(|part| part.core == core) else { continue };
            match answer {
                ToMonitor::Samples { .. } => part.samples = Some(answer),
                ToMonitor::ExperimentDone { begin, end, operations } => {
                    part.awaited = part.awaited.saturating_sub(1);
                    let samples = part.samples;
                    part.played = Some(Played { begin, end, operations, samples });
                }
                _ => {}
            }
        }
    }

    /// Ends the parts that have not ended and waits until they have: the order that ends one is answered like
    /// one, so a core says twice that it is done.
    fn call_off(&mut self, cpu: &mut Cpu, parts: &mut [Pending]) {
        for part in parts.iter_mut().filter(|part| part.awaited > 0) {
            let order = Job { part: Part::Asleep, ..part.job }.order();
            let told = self.must_be_online(part.core).is_ok()
                && self.offer(part.core, order, &mut cpu.node);
            part.awaited = if told { 2 } else { 0 };
        }
        cpu.node.flush();
        self.wait(cpu, Some(clock::in_seconds(CALL_OFF)), |hub| {
            hub.hear_parts(parts);
            let gone = |part: &Pending| part.awaited == 0 || hub.must_be_online(part.core).is_err();
            parts.iter().all(gone).then_some(())
        });
    }
}

fn pending(jobs: &[(CoreId, Job)]) -> Vec<Pending> {
    let pending = |&(core, job)| Pending { core, job, samples: None, played: None, awaited: 1 };
    jobs.iter().map(pending).collect()
}
