//! `process`: what a single-core process asks for, from its own side in user mode.
//!
//! A program of the boot archive measures: it executes the markers, and prints what the clock says. See there what
//! each operation is.

use super::row::progress;
use super::{Measured, Plan, Result, Samples, Trouble};
use crate::arch::space::Kept;
use crate::arch::user;
use crate::image::shell::{Outcome, Shell};
use crate::stats::Summary;
use alloc::format;
use alloc::vec::Vec;

/// The program.
const PROGRAM: &str = "bench_process";
/// Rounds that are measured, unless told otherwise.
const ROUNDS: u32 = 32;
/// Rounds before.
const WARMUP: u32 = 4;
/// The most rounds of the program.
const MOST: u32 = 256;

/// The operation that faults.
const FAULTING: &str = "page-fault";

/// What the program calls an operation, and how often a round does it.
const OPERATIONS: [(&str, u64); 10] = [
    ("null-syscall", 1),
    ("switch", 2),
    ("event-wake", 1),
    ("pipe-round-trip", 1),
    ("sleep-0", 1),
    ("console-write", 1),
    (FAULTING, 1),
    ("create", 1),
    ("exit-wait", 1),
    ("spawn-exit-wait", 1),
];

impl Shell<'_> {
    pub(super) fn process_costs(&mut self, plan: Plan<'_>) -> Result {
        let programs = self.hub.programs().map(|programs| programs.archive());
        if programs.is_none_or(|archive| archive.find(PROGRAM).is_none()) {
            return Err(Trouble::Skipped("it needs the program bench_process in the archive"));
        }
        self.state_save(plan);
        // A halt would let the clock jump.
        self.hub.stay_awake(true);
        let outcome = OPERATIONS.iter().enumerate().try_for_each(|(done, &(name, times))| {
            progress(done, OPERATIONS.len(), plan.format);
            self.operation(name, times, plan)
        });
        self.hub.stay_awake(false);
        outcome
    }

    fn operation(&mut self, name: &str, operations: u64, plan: Plan<'_>) -> Result {
        let warmup = plan.warmup(WARMUP).min(MOST - 1);
        let rounds = plan.rounds(ROUNDS).min(MOST - warmup);
        let region = self.bench.regions.begun() + 1 + warmup;
        let arguments = format!("{name} {}", warmup + rounds);
        let printed = self.captured(|it| it.run(PROGRAM, &arguments, false))?;
        let clocks = numbers(&printed);
        self.bench.regions.leave_to_another(clocks.len() as u32);
        let mut clocks: Vec<u64> = clocks.into_iter().skip(warmup as usize).collect();
        if clocks.len() != rounds as usize {
            return Err(Trouble::Program);
        }
        print(name, operations, region, &mut clocks, plan);
        Ok(())
    }

    /// What of a switch is to save the state of a program (registers, bases, extended state) and to load that of
    /// another, and what the extended state is of that. XSAVE and XRSTOR are one instruction each here, however many
    /// bytes they move.
    ///
    /// The extended state is saved and loaded each time. To do it when a program first uses it would take a fault (CR0.TS,
    /// #NM) each time that a program is switched to which does: more than `null-syscall`, the way into the kernel and out
    /// again, beside the same XSAVE and XRSTOR. All programs that compilers make for this target do, if only to clear or
    /// copy memory; that of a yield does when it writes down the call.
    fn state_save(&mut self, plan: Plan<'_>) {
        self.saving("state-save", user::save_and_load, plan);
        self.saving("extended-save", user::save_and_load_extended, plan);
    }

    fn saving(&mut self, operation: &str, work: impl Fn(&mut Kept), plan: Plan<'_>) {
        let rounds = plan.rounds(ROUNDS).min(MOST);
        let region = self.bench.regions.begun() + 1;
        let mut kept = alloc::boxed::Box::new(Kept::EMPTY);
        let mut clocks: Vec<u64> = (0..rounds)
            .map(|_| {
                let open = self.bench.regions.begin();
                work(&mut kept);
                open.end().clock
            })
            .collect();
        print(operation, 1, region, &mut clocks, plan);
    }

    /// What a program prints.
    pub(super) fn captured(
        &mut self,
        run: impl FnOnce(&mut Self) -> Outcome,
    ) -> core::result::Result<Vec<u8>, Trouble> {
        self.hub.capture_output(true);
        let ran = run(self);
        let printed = self.hub.capture_output(false);
        ran.map(|()| printed).map_err(|_| Trouble::Program)
    }
}

fn print(operation: &str, operations: u64, region: u32, clocks: &mut [u64], plan: Plan<'_>) {
    // An instruction that faults counts once for the clock, but for the plugin each time that it is begun.
    let clock = (operation != FAULTING).then(|| clocks.iter().sum());
    let regions = clocks.len() as u32;
    let Some(summary) = Summary::of(clocks) else { return };
    Measured {
        experiment: "process",
        params: &[("operation", operation.into())],
        operations,
        samples: Samples { region, regions, clock, summary },
        amounts: None,
        roles: &[],
    }
    .print(plan);
}

/// A number a line.
pub(super) fn numbers(printed: &[u8]) -> Vec<u64> {
    let text = core::str::from_utf8(printed).unwrap_or_default();
    text.lines().map_while(|line| line.parse().ok()).collect()
}
