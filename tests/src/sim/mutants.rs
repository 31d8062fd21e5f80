//! Mutants: the protocol with one mistake each, to prove that the checks can fail.
//!
//! The plan must come through on the sources as they are, or a kill would mean nothing. Then every patch of
//! `tests/sim/mutants` is applied to a copy of them, the simulator is built from it, and runs until a rule
//! breaks. A mutant that survives, one that is killed by a rule which its mistake does not break, and a patch
//! that no longer applies are failures.

mod copy;
mod patch;

use copy::Copy;
use patch::Mutant;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// What the simulator is told to do, in turn, until it finds the mistake.
const PLAN: &[&str] = &[
    "--seeds 600 --cores 4 --faults",
    "--seeds 600 --cores 8",
    "--seeds 3000 --cores 2",
    "--seeds 1500 --cores 3",
    "--seeds 1500 --cores 5 --faults",
    "--seeds 100 --cores 100 --faults",
    "--explore 100000",
];

/// Hunts all mutants whose name contains `filter`, printing what kills each.
///
/// # Errors
/// No mutant has such a name; the sources as they are break a rule; or which mutants survived, died of something else, or could not be
/// made.
pub fn hunt_all(filter: &str) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
    let mutants = Mutant::all_in(&root.join("tests/sim/mutants"), filter)?;
    if mutants.is_empty() {
        return Err(format!("no mutant in tests/sim/mutants has `{filter}` in its name"));
    }
    let copy = Copy::lock(root)?;
    run_clean(&copy, &mutants)?;
    let mut bad = 0;
    for mutant in &mutants {
        let began = Instant::now();
        let (came_to, is_good) = match hunt(&copy, mutant) {
            Ok(Some(killer)) if mutant.breaks(&killer.rule) => {
                (format!("KILLED-BY {killer}"), true)
            }
            Ok(Some(killer)) => {
                (format!("KILLED-BY {killer}, NOT BY {}", mutant.rules.join(" OR ")), false)
            }
            Ok(None) => ("SURVIVES".into(), false),
            Err(error) => (format!("FAILS: {error}"), false),
        };
        println!("MUTANT {} {came_to} ({} s)", mutant.name, began.elapsed().as_secs());
        bad += usize::from(!is_good);
    }
    if bad == 0 { Ok(()) } else { Err(format!("{bad} of {} mutants", mutants.len())) }
}

/// Runs all that mutants are hunted with on the sources as they are.
fn run_clean(copy: &Copy, mutants: &[Mutant]) -> Result<(), String> {
    copy.refresh(None)?;
    copy.build()?;
    let mut all = PLAN.to_vec();
    for plan in mutants.iter().filter_map(|mutant| mutant.plan.as_deref()) {
        if !all.contains(&plan) {
            all.push(plan);
        }
    }
    for plan in all {
        match run(copy, plan)? {
            None => println!("CLEAN {plan}"),
            Some(killer) => return Err(format!("without any mutant: {killer}")),
        }
    }
    Ok(())
}

/// Says what killed the mutant, if anything did.
fn hunt(copy: &Copy, mutant: &Mutant) -> Result<Option<Killer>, String> {
    copy.refresh(Some(&mutant.patch))?;
    copy.build()?;
    let first = mutant.plan.as_deref();
    let rest = PLAN.iter().copied().filter(|&plan| Some(plan) != first);
    for plan in first.into_iter().chain(rest) {
        if let Some(killer) = run(copy, plan)? {
            return Ok(Some(killer));
        }
    }
    Ok(None)
}

fn run(copy: &Copy, plan: &str) -> Result<Option<Killer>, String> {
    let mut simulator = Command::new(copy.simulator());
    let ran = simulator.args(plan.split(' ')).env("RUST_BACKTRACE", "0").output();
    let ran = ran.map_err(|error| error.to_string())?;
    if ran.status.success() {
        return Ok(None);
    }
    Ok(Some(Killer::new(&String::from_utf8_lossy(&ran.stderr), plan)))
}

/// The rule that broke, and how to see it.
struct Killer {
    rule: String,
    /// What was run, and after how many actions.
    place: String,
}

impl Killer {
    fn new(said: &str, plan: &str) -> Self {
        let mut lines = said.lines();
        let first = lines.next().unwrap_or("a crash");
        let (place, rule) = first.split_once(": ").unwrap_or((first, "it crashed"));
        // A counterexample of the explorer lists its actions.
        let depth = lines.filter(|line| line.starts_with("  ")).count();
        let place = if depth > 0 { format!("{place}, depth {depth}") } else { place.into() };
        Self { rule: rule.into(), place: format!("{place}, {plan}") }
    }
}

impl std::fmt::Display for Killer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} | {}", self.rule, self.place)
    }
}
