//! `vcore`: what a many-core process asks for, from its own side.
//!
//! A program of the boot archive measures, as in `process`. Cores halt in most regions, where the clock jumps, so only the
//! plugin counts: all instructions of all cores, polls among them.

use super::process::numbers;
use super::row::progress;
use super::{Measured, Plan, Result, Samples, Trouble};
use crate::arch::cpu;
use crate::image::clock;
use crate::image::hub::Hub;
use crate::image::shell::Shell;
use crate::stats::Summary;
use alloc::format;
use alloc::vec::Vec;
use monitor::{Control, Input, ProcessId};
use proto::call::Outcome;
use proto::id::CoreId;

/// The program.
const PROGRAM: &str = "bench_vcore";
/// Rounds that are measured, unless told otherwise.
const ROUNDS: u32 = 16;
/// Rounds before.
const WARMUP: u32 = 4;
/// The most rounds of the program.
const MOST: u32 = 256;

/// The part of `kill` after which all cores are free, which core 0 itself measures, and the word by which the program
/// is the process that is killed.
const FREE: &str = "kill-until-free";
const RUNNER: &str = "as-runner";
/// Microseconds after which a process that has all its cores runs on them.
const SETTLING_US: u128 = 1000;

/// What the program calls an operation, how often a round does it, and with how many vcores: none are named where it is done
/// with 1, 2, 4 and so on, and with one on each core that there is.
const OPERATIONS: [(&str, u64, &[u16]); 8] = [
    ("thread-switch", 2, &[1]),
    ("thread-create-join", 1, &[1, 2]),
    ("grant", 1, &[2]),
    ("regrant", 1, &[2]),
    ("event", 1, &[2]),
    ("kill", 1, &[1, 2, 4, 8]),
    (FREE, 1, &[]),
    ("compute", 1, &[1, 2, 4, 8]),
];

/// Who executes what: core 0, and those that are leased first.
const ROLES: [(&str, u16); 3] = [("coordinator", 0), ("core-1", 1), ("core-2", 2)];

/// 1 and what comes of it by doubling, below `most`, and then that itself.
fn doubled(most: usize) -> impl Iterator<Item = u16> {
    let most = u16::try_from(most).unwrap_or(u16::MAX);
    let below = core::iter::successors(Some(1_u16), |vcores| vcores.checked_mul(2));
    below.take_while(move |vcores| *vcores < most).chain([most])
}

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
        let doubled: Vec<u16> = doubled(most).collect();
        let all = OPERATIONS.iter().flat_map(|&(name, times, vcores)| {
            let vcores = if vcores.is_empty() { &doubled } else { vcores };
            vcores.iter().map(move |&vcores| (name, times, vcores))
        });
        let all: Vec<_> = all.filter(|it| usize::from(it.2) <= most).collect();
        all.iter().enumerate().try_for_each(|(done, &(name, times, vcores))| {
            progress(done, all.len(), plan.format);
            match name {
                FREE => self.until_free(vcores, plan),
                _ => self.of_vcores(name, times, vcores, plan),
            }
        })
    }

    /// From the decision to end a process, all vcores of which run, until all its cores are free. What is left of it is
    /// given back later.
    fn until_free(&mut self, vcores: u16, plan: Plan<'_>) -> Result {
        let warmup = plan.warmup(WARMUP).min(MOST - 1);
        let rounds = plan.rounds(ROUNDS).min(MOST - warmup);
        let region = self.bench.regions.begun() + 1 + warmup;
        let cores: Vec<_> = self.cores_of_vcores(plan).into_iter().take(vcores.into()).collect();
        let arguments = format!("{RUNNER} 1 {vcores}");
        let mut clocks = Vec::new();
        for _ in 0..warmup + rounds {
            let process = self.run_on_all(PROGRAM, &arguments, &cores);
            let process = process.map_err(|_| Trouble::Program)?;
            // Until all of its threads spin.
            self.hub.wait(self.cpu, Some(cpu::now() + clock::ticks(SETTLING_US)), |_| None::<()>);
            let ProcessId { pid, .. } = process;
            let kill = Control::Kill { pid, code: Outcome::OK };
            let open = self.bench.regions.begin();
            self.hub.tell(Input::Control(kill), &mut self.cpu.node);
            let are_free = |hub: &mut Hub| hub.coordinator().cores_of(pid).next().is_none();
            self.hub.wait(self.cpu, None, |hub| are_free(hub).then_some(()));
            clocks.push(open.end().clock);
            self.forget_killed(process);
        }
        self.print_vcores(FREE, 1, vcores, region, &mut clocks[warmup as usize..], plan)
    }

    /// The cores that may take part, but core 0.
    fn cores_of_vcores(&self, plan: Plan<'_>) -> Vec<CoreId> {
        let all = self.participants(plan).into_iter();
        all.filter(|core| *core != CoreId::MANAGEMENT).collect()
    }

    fn of_vcores(&mut self, name: &str, operations: u64, vcores: u16, plan: Plan<'_>) -> Result {
        let warmup = plan.warmup(WARMUP).min(MOST - 1);
        let rounds = plan.rounds(ROUNDS).min(MOST - warmup);
        let region = self.bench.regions.begun() + 1 + warmup;
        let arguments = format!("{name} {} {vcores}", warmup + rounds);
        // Whatever another process has of these it has on loan.
        let cores = self.cores_of_vcores(plan);
        let printed = self.captured(|it| it.run_with_rights(PROGRAM, &arguments, &cores))?;
        let clocks = numbers(&printed);
        self.bench.regions.leave_to_another(clocks.len() as u32);
        let mut clocks: Vec<u64> = clocks.into_iter().skip(warmup as usize).collect();
        if clocks.len() != rounds as usize {
            return Err(Trouble::Program);
        }
        self.print_vcores(name, operations, vcores, region, &mut clocks, plan)
    }

    fn print_vcores(
        &self,
        name: &str,
        operations: u64,
        vcores: u16,
        region: u32,
        clocks: &mut [u64],
        plan: Plan<'_>,
    ) -> Result {
        let regions = clocks.len() as u32;
        let Some(summary) = Summary::of(clocks) else { return Err(Trouble::Program) };
        Measured {
            experiment: "vcore",
            params: &[("operation", name.into()), ("vcores", u64::from(vcores).into())],
            operations,
            samples: Samples { region, regions, clock: None, summary },
            amounts: None,
            roles: &ROLES[..=usize::from(vcores).min(ROLES.len() - 1)],
        }
        .print(plan);
        Ok(())
    }
}
