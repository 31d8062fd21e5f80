//! `vcore`: what a many-core process asks for, from its own side.
//!
//! A program of the boot archive measures, as in `process`. Cores halt in most regions, where the clock jumps, so only the
//! plugin counts: all instructions of all cores, polls among them.

use super::process::numbers;
use super::row::progress;
use super::{Measured, Plan, Result, Samples, Trouble};
use crate::image::shell::Shell;
use crate::stats::Summary;
use alloc::format;
use alloc::vec::Vec;
use proto::id::CoreId;

/// The program.
const PROGRAM: &str = "bench_vcore";
/// Rounds that are measured, unless told otherwise.
const ROUNDS: u32 = 16;
/// Rounds before.
const WARMUP: u32 = 4;
/// The most rounds of the program.
const MOST: u32 = 256;

/// What the program calls an operation, how often a round does it, and with how many vcores.
const OPERATIONS: [(&str, u64, &[u16]); 7] = [
    ("thread-switch", 2, &[1]),
    ("thread-create-join", 1, &[1, 2]),
    ("grant", 1, &[2]),
    ("regrant", 1, &[2]),
    ("event", 1, &[2]),
    ("kill", 1, &[1, 2, 4, 8]),
    ("compute", 1, &[1, 2, 4, 8]),
];

/// Who executes what: core 0, and those that are leased first.
const ROLES: [(&str, u16); 3] = [("coordinator", 0), ("core-1", 1), ("core-2", 2)];

impl Shell<'_> {
    pub(super) fn vcore_costs(&mut self, plan: Plan<'_>) -> Result {
        let programs = self.hub.programs().map(|programs| programs.archive());
        if programs.is_none_or(|archive| archive.find(PROGRAM).is_none()) {
            return Err(Trouble::Skipped("it needs the program bench_vcore in the archive"));
        }
        // Core 0 is the coordinator's.
        let most = self.participants(plan).len().saturating_sub(1);
        if most == 0 {
            return Err(Trouble::Skipped("it needs two cores"));
        }
        let all = OPERATIONS.iter().flat_map(|&(name, times, vcores)| {
            vcores.iter().map(move |&vcores| (name, times, vcores))
        });
        let all: Vec<_> = all.filter(|it| usize::from(it.2) <= most).collect();
        all.iter().enumerate().try_for_each(|(done, &(name, times, vcores))| {
            progress(done, all.len(), plan.format);
            self.of_vcores(name, times, vcores, plan)
        })
    }

    fn of_vcores(&mut self, name: &str, operations: u64, vcores: u16, plan: Plan<'_>) -> Result {
        let warmup = plan.warmup(WARMUP).min(MOST - 1);
        let rounds = plan.rounds(ROUNDS).min(MOST - warmup);
        let region = self.bench.regions.begun() + 1 + warmup;
        let arguments = format!("{name} {} {vcores}", warmup + rounds);
        // Whatever another process has of these it has on loan.
        let cores: Vec<_> = self
            .participants(plan)
            .into_iter()
            .filter(|core| *core != CoreId::MANAGEMENT)
            .collect();
        let printed = self.captured(|it| it.run_with_rights(PROGRAM, &arguments, &cores))?;
        let clocks = numbers(&printed);
        self.bench.regions.leave_to_another(clocks.len() as u32);
        let mut clocks: Vec<u64> = clocks.into_iter().skip(warmup as usize).collect();
        if clocks.len() != rounds as usize {
            return Err(Trouble::Program);
        }
        let Some(summary) = Summary::of(&mut clocks) else { return Err(Trouble::Program) };
        Measured {
            experiment: "vcore",
            params: &[("operation", name.into()), ("vcores", u64::from(vcores).into())],
            operations,
            samples: Samples { region, regions: rounds, clock: None, summary },
            amounts: None,
            roles: &ROLES[..=usize::from(vcores).min(ROLES.len() - 1)],
        }
        .print(plan);
        Ok(())
    }
}
