//! `ring-latency`: round trips of all ordered pairs of cores, and of the coordinator with each core,
//! awake and asleep.

use super::row::progress;
use super::{Measured, Plan, Result, Samples, Trouble};
use crate::arch::{cpu, shared};
use crate::image::clock;
use crate::image::cpu::Cpu;
use crate::image::hub::{Hub, LinkError};
use crate::image::shell::Shell;
use crate::node::jobs::{Job, MAX_SAMPLES, Part};
use crate::post::lanes::SLOTS;
use crate::post::{Activity, Hardware};
use crate::stats::Summary;
use alloc::vec::Vec;
use monitor::Command;
use proto::id::CoreId;
use proto::message::ToMonitor;

/// Round trips that are measured, unless told otherwise.
const ROUNDS: u32 = 64;
/// Seconds that a core may take to fall asleep.
const PATIENCE: u64 = 2;
/// Round trips before.
const WARMUP: u32 = 16;

impl Shell<'_> {
    pub(super) fn ring_latency(&mut self, plan: Plan<'_>) -> Result {
        let cores = self.participants(plan);
        if cores.len() < 2 {
            return Err(Trouble::Skipped("it needs two cores"));
        }
        let pairs = ordered_pairs(&cores);
        for (done, &pair) in pairs.iter().enumerate() {
            progress(done, pairs.len() + cores.len(), plan.format);
            self.pair(pair, plan)?;
        }
        for &core in cores.iter().filter(|&&core| core != CoreId::MANAGEMENT) {
            for part in [Part::Awake, Part::Asleep] {
                self.coordinator_and(core, part, plan)?;
            }
        }
        Ok(())
    }

    /// Both cores poll: the receiver is kept awake.
    fn pair(&mut self, (from, to): (CoreId, CoreId), plan: Plan<'_>) -> Result {
        self.hub.link(self.cpu, (from, to), SLOTS)?;
        let rounds = plan.rounds(ROUNDS).min(MAX_SAMPLES as u32);
        let job = Job { part: Part::Ask, peer: to, rounds, warmup: plan.warmup(WARMUP), batch: 1 };
        let samples = self.keep(to, Part::Awake).and_then(|()| self.play_one(from, job));
        // Whatever came of it, no core goes on polling and no link stays.
        let asleep = self.keep(to, Part::Asleep);
        let unlinked = self.hub.unlink(self.cpu, (from, to));
        let samples = samples.and_then(|samples| asleep.and(unlinked).map(|()| samples))?;
        Measured {
            experiment: "ring-latency",
            params: &[
                ("from", u64::from(from.0).into()),
                ("to", u64::from(to.0).into()),
                ("receiver", "awake".into()),
                ("via", "peer".into()),
            ],
            operations: 1,
            samples,
            amounts: None,
            roles: &[("initiator", from.0), ("responder", to.0)],
        }
        .print(plan);
        Ok(())
    }

    /// Has a core poll instead of halting, or halt again. Core 0 is awake while it waits for its own part.
    pub(super) fn keep(&mut self, core: CoreId, part: Part) -> core::result::Result<(), LinkError> {
        let job = Job { part, peer: core, rounds: 0, warmup: 0, batch: 0 };
        if core == CoreId::MANAGEMENT {
            self.hub.stay_awake(part == Part::Awake);
            return Ok(());
        }
        self.hub.order(self.cpu, core, job.order()).map(|_| ())
    }

    /// Plays a part that takes samples, each in a region of its own.
    fn play_one(&mut self, core: CoreId, job: Job) -> core::result::Result<Samples, LinkError> {
        let region = self.bench.regions.begun() + 1;
        self.bench.regions.leave_to_another(job.rounds);
        let samples = if core == CoreId::MANAGEMENT {
            let mut samples = core::mem::take(&mut self.cpu.samples);
            let outcome = self.hub.play_here(self.cpu, &job, &mut samples);
            self.cpu.samples = samples;
            outcome?.samples
        } else {
            self.hub.play(self.cpu, &[(core, job)])?.first().and_then(|played| played.samples)
        };
        let summary = samples.and_then(wide).ok_or(LinkError::NoAnswer)?;
        Ok(Samples { region, regions: job.rounds, clock: None, summary })
    }

    /// The coordinator pings a core; in the meantime core 0 polls.
    fn coordinator_and(&mut self, core: CoreId, part: Part, plan: Plan<'_>) -> Result {
        let rounds = plan.rounds(ROUNDS).min(MAX_SAMPLES as u32);
        let region = self.bench.regions.begun() + 1 + plan.warmup(WARMUP);
        let samples = self.keep(core, part).and_then(|()| self.pings(core, part, rounds, plan));
        // Whatever came of it, no core goes on polling.
        let halts = self.keep(CoreId::MANAGEMENT, Part::Asleep);
        let asleep = self.keep(core, Part::Asleep);
        let mut samples = samples.and_then(|samples| halts.and(asleep).map(|()| samples))?;
        let clock = Some(samples.iter().sum());
        let summary = Summary::of(&mut samples).ok_or(LinkError::NoAnswer)?;
        let receiver = if part == Part::Awake { "awake" } else { "asleep" };
        Measured {
            experiment: "ring-latency",
            params: &[
                ("from", 0_u64.into()),
                ("to", u64::from(core.0).into()),
                ("receiver", receiver.into()),
                ("via", "coordinator".into()),
            ],
            operations: 1,
            samples: Samples { region, regions: rounds, clock, summary },
            amounts: None,
            roles: &[("coordinator", 0), ("core", core.0)],
        }
        .print(plan);
        Ok(())
    }

    /// Pings a core, each time in a region, and gives the clocks of those after the warm-up.
    fn pings(
        &mut self,
        core: CoreId,
        part: Part,
        rounds: u32,
        plan: Plan<'_>,
    ) -> core::result::Result<Vec<u64>, LinkError> {
        self.keep(CoreId::MANAGEMENT, Part::Awake)?;
        let warmup = plan.warmup(WARMUP);
        let mut samples = Vec::with_capacity(rounds as usize);
        for at in 0..warmup + rounds {
            let open = self.bench.regions.begin();
            let answered = ping(self.hub, self.cpu, core);
            let clock = open.end().clock;
            answered?;
            if part == Part::Asleep {
                until_asleep(core)?;
            }
            if at >= warmup {
                samples.push(clock);
            }
        }
        Ok(samples)
    }
}

/// A whole ping of the coordinator: a step that sends it, the rings, a step that takes the answer.
fn ping(hub: &mut Hub, cpu: &mut Cpu, core: CoreId) -> core::result::Result<(), LinkError> {
    hub.tell(monitor::Input::Console(Command::Ping { core }), &mut cpu.node);
    cpu.node.flush();
    match hub.wait(cpu, None, Hub::next_event) {
        Some(monitor::Event::Pong { .. }) if !hub.interrupted() => Ok(()),
        Some(monitor::Event::Pong { .. }) => Err(LinkError::Interrupted),
        _ => Err(LinkError::Lost(core)),
    }
}

/// Waits until a core has published that it is asleep, so that the next ping finds it so.
fn until_asleep(core: CoreId) -> core::result::Result<(), LinkError> {
    let until = clock::in_seconds(PATIENCE);
    while shared::this_core().activity_of(core) != Activity::Asleep {
        if cpu::now() > until {
            return Err(LinkError::NoAnswer);
        }
        cpu::pause();
    }
    // Between publishing and halting there are a few instructions.
    for _ in 0..64 {
        cpu::pause();
    }
    Ok(())
}

fn ordered_pairs(cores: &[CoreId]) -> Vec<(CoreId, CoreId)> {
    let with_all = |&from: &CoreId| cores.iter().map(move |&to| (from, to));
    cores.iter().flat_map(with_all).filter(|(from, to)| from != to).collect()
}

/// The summary in a message of samples.
fn wide(samples: ToMonitor) -> Option<Summary<u64>> {
    let ToMonitor::Samples { n, min, p50, p90, p99, max, mean_thousandths } = samples else {
        return None;
    };
    let [min, p50, p90, p99, max] = [min, p50, p90, p99, max].map(u64::from);
    Some(Summary { n, min, p50, p90, p99, max, mean_thousandths })
}
