//! `bring-up`: how long the cores took to start, by phase, when the machine booted.
//!
//! All were started at the same time, so the sum of the parts is no measure of the whole. Where
//! instructions are counted, the start of all cores is one region and the phases are left out: between
//! them cores wait, and the clock jumps over waits.

use super::row::skipped;
use super::{Measured, Plan, Result, Samples};
use crate::arch::smp::{self, PHASES};
use crate::image::shell::{PHASE_NAMES, Shell};
use crate::stats::Summary;
use alloc::vec::Vec;
use proto::boot::Clock;
use proto::id::CoreId;

impl Shell<'_> {
    pub(super) fn bring_up(&mut self, plan: Plan<'_>) -> Result {
        let cores: Vec<_> =
            self.participants(plan).into_iter().filter(|core| core.0 != 0).collect();
        let Some(start) = self.bench.start.filter(|_| !cores.is_empty()) else {
            skipped("bring-up", "it needs two cores", plan.format);
            return Ok(());
        };
        let total = Summary::of(&mut [start.clock]).expect("one sample");
        let samples = Samples { region: start.number, regions: 1, clock: None, summary: total };
        self.bring_up_row("all-online", 1, samples, plan);
        if plan.clock == Clock::Time {
            for (at, phase) in PHASE_NAMES.iter().enumerate().skip(1) {
                if let Some(summary) = since_init(&cores, at) {
                    let samples = Samples { region: 0, regions: 0, clock: None, summary };
                    self.bring_up_row(phase, 1, samples, plan);
                }
            }
        }
        Ok(())
    }

    fn bring_up_row(&self, phase: &str, operations: u64, samples: Samples, plan: Plan<'_>) {
        Measured {
            experiment: "bring-up",
            params: &[("phase", phase.into())],
            operations,
            samples,
            amounts: None,
            roles: &[],
        }
        .print(plan);
    }
}

/// From INIT to a phase, of each core that has come so far.
fn since_init(cores: &[CoreId], phase: usize) -> Option<Summary<u64>> {
    let stamps = cores.iter().map(|&core| smp::stamps(core));
    let reached = stamps.filter(|stamps: &[u64; PHASES.len()]| stamps[phase] != 0);
    let mut spans: Vec<u64> = reached.map(|s| s[phase].saturating_sub(s[0])).collect();
    Summary::of(&mut spans)
}
