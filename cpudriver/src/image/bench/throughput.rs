//! `ring-throughput`: streams between cores, by ring size and batch, in the patterns that a multikernel
//! lives on: a pair, disjoint pairs at once, everyone to core 0, core 0 to everyone, all to all.

use super::row::progress;
use super::{Measured, Plan, Result, Samples, Trouble};
use crate::image::hub::{LinkError, Played};
use crate::image::shell::Shell;
use crate::node::jobs::{Job, Part};
use crate::stats::Summary;
use alloc::vec::Vec;
use proto::id::CoreId;
use proto::message::ToMonitor;
use proto::slot::Slot;

/// Messages from each sender to each receiver, unless told otherwise.
const ROUNDS: u32 = 1024;
/// Messages before.
const WARMUP: u32 = 256;
/// How often each stream is measured.
const REPEATS: u32 = 4;

const SLOTS: [u16; 5] = [4, 8, 16, 32, 64];
const BATCHES: [u16; 3] = [1, 8, 32];

/// Who sends to whom.
#[derive(Clone, Debug)]
struct Pattern {
    name: &'static str,
    links: Vec<(CoreId, CoreId)>,
    senders: Vec<CoreId>,
}

impl Pattern {
    /// All patterns that so many cores allow; `cores` begins with core 0 if it takes part.
    fn all(cores: &[CoreId]) -> Vec<Self> {
        let (first, rest) = (cores[0], &cores[1..]);
        let mut all = Vec::new();
        for pairs in 1..=cores.len() / 2 {
            let links: Vec<_> = cores.chunks_exact(2).take(pairs).map(|c| (c[0], c[1])).collect();
            let senders = links.iter().map(|link| link.0).collect();
            let name = if pairs == 1 { "pair" } else { "pairs" };
            all.push(Self { name, links, senders });
        }
        if rest.len() > 1 {
            let star: Vec<_> = rest.iter().map(|&core| (first, core)).collect();
            all.push(Self { name: "fan-in", links: star.clone(), senders: rest.to_vec() });
            all.push(Self { name: "fan-out", links: star, senders: alloc::vec![first] });
            let links = (0..cores.len())
                .flat_map(|at| cores[at + 1..].iter().map(move |&other| (cores[at], other)))
                .collect();
            all.push(Self { name: "all-to-all", links, senders: cores.to_vec() });
        }
        all
    }

    /// How many streams flow at once.
    fn streams(&self) -> u32 {
        let streams = match self.name {
            "all-to-all" => self.links.len() * 2,
            _ => self.links.len(),
        };
        streams as u32
    }

    /// Whether core 0 must serve while others stream.
    fn core_0_receives(&self) -> bool {
        matches!(self.name, "fan-in" | "all-to-all") && self.links[0].0 == CoreId::MANAGEMENT
    }

    fn receivers(&self) -> impl Iterator<Item = CoreId> + '_ {
        let mut ends: Vec<_> = self.links.iter().flat_map(|link| [link.0, link.1]).collect();
        ends.sort_unstable();
        ends.dedup();
        ends.into_iter().filter(|core| !self.senders.contains(core))
    }
}

impl Shell<'_> {
    pub(super) fn ring_throughput(&mut self, plan: Plan<'_>) -> Result {
        let cores = self.participants(plan);
        if cores.len() < 2 {
            return Err(Trouble::Skipped("it needs two cores"));
        }
        let patterns = Pattern::all(&cores);
        for (done, pattern) in patterns.iter().enumerate() {
            progress(done, patterns.len(), plan.format);
            // Ring sizes are told apart where nothing else moves; the others take the kernel's.
            let slots = if pattern.name == "pair" { &SLOTS[..] } else { &SLOTS[4..] };
            for &slots in slots {
                self.hub.link_all(self.cpu, &pattern.links, slots.into())?;
                let outcome = self.streams(pattern, slots, plan);
                let unlinked = self.hub.unlink_all(self.cpu, &pattern.links);
                outcome?;
                unlinked?;
            }
        }
        Ok(())
    }

    fn streams(&mut self, pattern: &Pattern, slots: u16, plan: Plan<'_>) -> Result {
        let receivers: Vec<_> = pattern.receivers().collect();
        let awake = self.keep_all(&receivers, Part::Awake).map_err(Trouble::from);
        let mut batches = BATCHES.iter().filter(|&&batch| batch <= slots);
        let outcome = awake
            .and_then(|()| batches.try_for_each(|&batch| self.stream(pattern, slots, batch, plan)));
        // Whatever came of it, no core goes on polling.
        let asleep = self.keep_all(&receivers, Part::Asleep);
        outcome?;
        Ok(asleep?)
    }

    /// Has cores poll instead of halting, or halt again: all of them, even if one does not answer.
    fn keep_all(&mut self, cores: &[CoreId], part: Part) -> core::result::Result<(), LinkError> {
        // Each is asked, also after one that could not be.
        let mut outcome = Ok(());
        for &core in cores {
            outcome = outcome.and(self.keep(core, part));
        }
        outcome
    }

    fn stream(&mut self, pattern: &Pattern, slots: u16, batch: u16, plan: Plan<'_>) -> Result {
        let part = Part::Stream;
        let job = |rounds| Job { part, peer: CoreId(0), rounds, warmup: 0, batch };
        let messages = plan.rounds(ROUNDS);
        self.play_together(pattern, job(plan.warmup(WARMUP).max(1)))?;
        let region = self.bench.regions.begun() + 1;
        let mut samples = Vec::with_capacity(REPEATS as usize);
        for _ in 0..REPEATS {
            let open = self.bench.regions.begin();
            let played = self.play_together(pattern, job(messages));
            let _ = open.end();
            samples.push(duration(&pattern.senders, &played?)?);
        }
        let summary = Summary::of(&mut samples).ok_or(LinkError::NoAnswer)?;
        Measured {
            experiment: "ring-throughput",
            params: &[
                ("pattern", pattern.name.into()),
                ("streams", pattern.streams().into()),
                ("slots", u64::from(slots).into()),
                ("batch", u64::from(batch).into()),
                ("warmup", plan.warmup(WARMUP).into()),
            ],
            operations: u64::from(messages) * u64::from(pattern.streams()),
            samples: Samples { region, regions: REPEATS, clock: None, summary },
            amounts: Some((1, Slot::LEN as u64)),
            roles: &[],
        }
        .print(plan);
        Ok(())
    }

    /// Has all senders play the same part at once; core 0, if it is one of them, here.
    fn play_together(
        &mut self,
        pattern: &Pattern,
        job: Job,
    ) -> core::result::Result<Vec<Played>, LinkError> {
        let with_core_0 = pattern.senders.contains(&CoreId::MANAGEMENT);
        let others = pattern.senders.iter().filter(|&&core| core != CoreId::MANAGEMENT);
        let others: Vec<_> = others.map(|&core| (core, job)).collect();
        self.hub.order_parts(self.cpu, &others)?;
        let mut played = Vec::with_capacity(pattern.senders.len());
        if with_core_0 {
            let outcome = self.hub.play_here(self.cpu, &job, &mut Vec::new());
            let done = outcome.map(|outcome| outcome.done);
            if let Ok(ToMonitor::ExperimentDone { begin, end, operations }) = done {
                played.push(Played { begin, end, operations, samples: None });
            } else if let Err(error) = done {
                self.hub.call_off_parts(self.cpu, &others);
                return Err(error);
            }
        }
        self.hub.stay_awake(pattern.core_0_receives());
        let rest = self.hub.collect_parts(self.cpu, &others);
        self.hub.stay_awake(false);
        played.extend(rest?);
        Ok(played)
    }
}

/// From the first sender's beginning to the last one's end.
fn duration(senders: &[CoreId], played: &[Played]) -> core::result::Result<u64, LinkError> {
    for (&core, played) in senders.iter().zip(played) {
        if played.operations == 0 {
            return Err(LinkError::WrongSum(core));
        }
    }
    let begin = played.iter().map(|played| played.begin).min().ok_or(LinkError::NoAnswer)?;
    let end = played.iter().map(|played| played.end).max().ok_or(LinkError::NoAnswer)?;
    Ok(end.saturating_sub(begin))
}
