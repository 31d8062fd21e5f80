//! `coordinator`: what a step of the coordinator costs, by operation, processes and cores.
//!
//! The coordinator that is measured is not this machine's but one of the experiment's own
//! ([`crate::steps`]), with processes and cores that do not exist.

use super::row::progress;
use super::{Measured, Plan, Result, Samples, Trouble};
use crate::arch::heap;
use crate::arch::marker::Regions;
use crate::image::shell::Shell;
use crate::results::Sampled;
use crate::stats::Summary;
use crate::steps::{Meter, OPERATIONS, Operation, Size, Stage};
use alloc::vec::Vec;
use core::hint::black_box;

/// How often each scene is played, unless told otherwise.
const ROUNDS: u32 = 16;
/// The most steps of one operation that are measured.
const MOST_STEPS: usize = 4_096;

const PROCESSES: [u16; 3] = [10, 1_000, 30_000];
const CORES: [u16; 3] = [8, 64, 255];

/// Bytes that a process takes, with its share of all that has an entry per process, more than less.
const PROCESS_BYTES: usize = 6_144;

/// Counts the instructions of steps, and the bytes that they allocate.
struct Counter<'a> {
    regions: &'a mut Regions,
    clocks: Vec<u64>,
    allocated: Vec<u64>,
}

impl Meter for Counter<'_> {
    #[inline(always)]
    fn measure(&mut self, step: impl FnOnce()) {
        if self.clocks.len() == self.clocks.capacity() {
            return step();
        }
        let before = heap::coordinator_stats().allocated;
        let open = self.regions.begin();
        step();
        self.clocks.push(open.end().clock);
        self.allocated.push((heap::coordinator_stats().allocated - before) as u64);
    }
}

impl Shell<'_> {
    pub(super) fn coordinator_steps(&mut self, plan: Plan<'_>) -> Result {
        let arena = heap::coordinator_stats();
        let most = usize::from(PROCESSES[PROCESSES.len() - 1]) * PROCESS_BYTES;
        if arena.size - arena.used < most {
            return Err(Trouble::Skipped("needs more memory: 2 GiB is enough"));
        }
        let all = PROCESSES.len() * CORES.len();
        let sizes = PROCESSES
            .into_iter()
            .flat_map(|processes| CORES.into_iter().map(move |cores| Size { processes, cores }));
        for (done, size) in sizes.enumerate() {
            progress(done, all, plan.format);
            self.steps_of(size, plan);
        }
        Ok(())
    }

    fn steps_of(&mut self, size: Size, plan: Plan<'_>) {
        let mut counter = Counter {
            regions: &mut self.bench.regions,
            clocks: Vec::with_capacity(MOST_STEPS),
            allocated: Vec::with_capacity(MOST_STEPS),
        };
        let mut stage = Stage::new(size, &mut counter);
        for operation in OPERATIONS {
            let first = stage.meter().regions.begun() + 1;
            stage.play(operation, plan.rounds(ROUNDS));
            let Counter { clocks, allocated, .. } = stage.meter();
            print(operation, size, first, clocks, allocated, plan);
            clocks.clear();
            allocated.clear();
        }
        black_box(stage.coordinator().counters());
    }
}

/// Prints what was counted, if there was anything.
fn print(
    operation: &Operation,
    size: Size,
    region: u32,
    clocks: &mut [u64],
    allocated: &mut [u64],
    plan: Plan<'_>,
) {
    let clock = Some(clocks.iter().sum());
    let Some(summary) = Summary::of(clocks) else { return };
    // The role is the one that the host gives to what it fills in itself, so that all numbers of an
    // operation stand in one line.
    let params = [
        ("role", "total".into()),
        ("operation", operation.name.into()),
        ("class", operation.class.name().into()),
        ("processes", u64::from(size.processes).into()),
        ("cores", u64::from(size.cores).into()),
    ];
    Measured {
        experiment: "coordinator",
        params: &params,
        operations: 1,
        samples: Samples { region, regions: summary.n, clock, summary },
        amounts: None,
        roles: &[],
    }
    .print(plan);
    if let Some(summary) = Summary::of(allocated) {
        let (metric, unit) = ("allocated", "bytes");
        Sampled { experiment: "coordinator", params: &params, metric, unit, summary }.print(plan);
    }
}
