//! `user-ring`: messages through a ring in memory that two processes share, from the program's own side.
//!
//! A program of the boot archive measures, as in `process`; `user::ring` is what it measures. `put` and `take` are one side's
//! part, in a process that has both ends. `pass` (a batch, until the other side has taken it) and the round trips are between two
//! processes on cores of their own; both poll, and the polls are counted, but in `round-trip-asleep`, where both
//! sleep until they are rung for.
//!
//! The indices are `checked`, as a ring's must be whose other side may be hostile, or `trusted`: the same ring without
//! that.

use super::process::numbers;
use super::row::progress;
use super::{Measured, Plan, Result, Samples, Trouble};
use crate::image::shell::Shell;
use crate::stats::Summary;
use alloc::format;
use alloc::vec::Vec;
use proto::id::CoreId;

/// The program.
const PROGRAM: &str = "bench_user_ring";
/// Rounds that are measured, unless told otherwise.
const ROUNDS: u32 = 64;
/// Rounds before.
const WARMUP: u32 = 4;
/// The most rounds of the program.
const MOST: u32 = 256;
/// Bytes of a message.
const BYTES: u64 = 64;

/// What is measured.
#[derive(Clone, Copy, Debug)]
struct Operation {
    /// What rows call it.
    name: &'static str,
    /// What the program calls it.
    word: &'static str,
    /// Are the other side's indices checked?
    checked: bool,
    /// Processes that take part, with a core each.
    processes: usize,
    /// Messages in a batch.
    batches: &'static [u16],
}

const fn of_one(name: &'static str, word: &'static str, checked: bool) -> Operation {
    Operation { name, word, checked, processes: 1, batches: &[1, 8, 32] }
}

const fn of_two(name: &'static str, batches: &'static [u16]) -> Operation {
    Operation { name, word: name, checked: true, processes: 2, batches }
}

const OPERATIONS: [Operation; 7] = [
    of_one("put", "put", true),
    of_one("put", "put-trusting", false),
    of_one("take", "take", true),
    of_one("take", "take-trusting", false),
    of_two("pass", &[1, 8, 32]),
    of_two("round-trip", &[1]),
    of_two(ASLEEP, &[1]),
];

/// The one in which cores halt, where the clock jumps.
const ASLEEP: &str = "round-trip-asleep";

/// Who executes what when there are two processes.
const ROLES: [(&str, u16); 3] = [("coordinator", 0), ("sender", 1), ("receiver", 2)];

impl Shell<'_> {
    pub(super) fn user_ring_costs(&mut self, plan: Plan<'_>) -> Result {
        let programs = self.hub.programs().map(|programs| programs.archive());
        if programs.is_none_or(|archive| archive.find(PROGRAM).is_none()) {
            return Err(Trouble::Skipped("it needs the program bench_user_ring in the archive"));
        }
        let cores = self.participants(plan).into_iter();
        let cores: Vec<_> = cores.filter(|core| *core != CoreId::MANAGEMENT).collect();
        if cores.len() < 2 {
            return Err(Trouble::Skipped("it needs three cores"));
        }
        let all: Vec<_> = OPERATIONS
            .iter()
            .flat_map(|operation| operation.batches.iter().map(move |&batch| (operation, batch)))
            .collect();
        all.iter().enumerate().try_for_each(|(done, &(operation, batch))| {
            progress(done, all.len(), plan.format);
            self.of_user_ring(operation, batch, &cores[..operation.processes], plan)
        })
    }

    fn of_user_ring(
        &mut self,
        operation: &Operation,
        batch: u16,
        cores: &[CoreId],
        plan: Plan<'_>,
    ) -> Result {
        let warmup = plan.warmup(WARMUP).min(MOST - 1);
        let rounds = plan.rounds(ROUNDS).min(MOST - warmup);
        let region = self.bench.regions.begun() + 1 + warmup;
        let arguments = format!("{} {} {batch}", operation.word, warmup + rounds);
        let printed = self.captured(|it| it.run_with_rights(PROGRAM, &arguments, cores))?;
        let clocks = numbers(&printed);
        self.bench.regions.leave_to_another(clocks.len() as u32);
        let mut clocks: Vec<u64> = clocks.into_iter().skip(warmup as usize).collect();
        let Some(summary) = Summary::of(&mut clocks).filter(|_| clocks.len() == rounds as usize)
        else {
            return Err(Trouble::Program);
        };
        let regions = clocks.len() as u32;
        let clock = (operation.name != ASLEEP).then(|| clocks.iter().sum());
        let indices = if operation.checked { "checked" } else { "trusted" };
        Measured {
            experiment: "user-ring",
            params: &[
                ("operation", operation.name.into()),
                ("batch", u64::from(batch).into()),
                ("indices", indices.into()),
            ],
            operations: batch.into(),
            samples: Samples { region, regions, clock, summary },
            amounts: Some((1, BYTES)),
            roles: if operation.processes == 1 { &[] } else { &ROLES },
        }
        .print(plan);
        Ok(())
    }
}
