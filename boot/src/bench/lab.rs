//! The two places where experiments run: machines in QEMU, and threads of this host.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::plugin::{self, Extra};
use super::region::{self, Region};
use super::row::Stats;
use super::runner::{Ended, Lab, Task};
use crate::machine::{Machine, Memory, Topology};
use crate::session::Session;
use crate::verdict::Verdict;

/// Lines that are shown of a guest that didn't end well.
const LAST_WORDS: usize = 20;

/// Boots that the clock on the wall watches.
const BOOTS: usize = 5;

/// Memory for an experiment that needs more than others: this one makes 30,000 processes.
fn memory_for(experiment: &str) -> Option<Memory> {
    (experiment == "coordinator").then(|| Memory::from_mebibytes(2_048))
}

/// Boots a machine for each task.
pub struct Machines {
    machine: Machine,
    timeout: Duration,
    /// The plugin, in count mode.
    plugin: Option<PathBuf>,
    extra: Extra,
    /// Options of the kernel's `bench`.
    options: String,
    scratch: tempfile::TempDir,
}

impl Machines {
    /// Machines like this one, each with a time limit on the wall; with `plugin` they count.
    ///
    /// # Errors
    ///
    /// When there is no place for temporary files.
    pub fn new(machine: Machine, timeout: Duration, plugin: Option<PathBuf>) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let options = String::new();
        Ok(Self { machine, timeout, plugin, extra: Extra::Lines, options, scratch })
    }

    /// These machines, with counts of each instruction instead of lines.
    #[must_use]
    pub fn profiled(self) -> Self {
        Self { extra: Extra::Profile, ..self }
    }

    /// These machines, where only these ways of telling cores of shootdowns are measured; all if there are none.
    #[must_use]
    pub fn telling(self, ways: &[String]) -> Self {
        let options = format!(" --strategy {}", ways.join(","));
        Self { options: if ways.is_empty() { String::new() } else { options }, ..self }
    }

    fn prepared(&self, task: &Task, counts: &Path) -> Machine {
        let mut machine = self.machine.clone();
        machine.topology = Topology::flat(task.cores);
        machine.memory = machine.memory.or_else(|| memory_for(&task.experiment));
        machine.script = Some(format!("bench {}{} --json; exit", task.experiment, self.options));
        if let Some(plugin) = &self.plugin {
            machine.extra.extend(plugin::arguments(plugin, counts, self.extra));
        }
        machine
    }
}

impl Lab for Machines {
    fn run(&mut self, task: &Task, on_line: &mut dyn FnMut(&str)) -> Result<Vec<Region>> {
        let counts = self.scratch.path().join("counts");
        let machine = self.prepared(task, &counts);
        if self.plugin.is_some() {
            self.boot(&machine, on_line)?;
            return region::read(&counts);
        }
        let first = self.boot(&machine, on_line)?;
        if task.experiment == "bring-up" {
            self.bring_up(&machine, first)?.iter().for_each(|row| on_line(row));
        }
        Ok(Vec::new())
    }
}

/// When a boot printed, from the start of QEMU, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Milestones {
    first_line: f64,
    first_row: f64,
}

impl Machines {
    fn boot(&self, machine: &Machine, on_line: &mut dyn FnMut(&str)) -> Result<Milestones> {
        let mut last_words = VecDeque::new();
        let (start, mut first_line, mut first_row) = (Instant::now(), None, None);
        let watched = |line: &str| {
            let now = start.elapsed().as_secs_f64() * 1000.0;
            first_line.get_or_insert(now);
            if line.starts_with('{') {
                first_row.get_or_insert(now);
            }
            last_words.push_back(line.to_owned());
            if last_words.len() > LAST_WORDS {
                last_words.pop_front();
            }
            on_line(line);
        };
        let session = Session::new(machine).timeout(Some(self.timeout)).forget_lines();
        let outcome = session.on_line(watched).run()?;
        if outcome.verdict != Verdict::Exited(0) {
            let lines = last_words.iter().map(String::as_str).chain(outcome.complaints.lines());
            let last_words = lines.collect::<Vec<_>>().join("\n");
            bail!(Ended { verdict: outcome.verdict, last_words });
        }
        let first_line = first_line.unwrap_or_default();
        Ok(Milestones { first_line, first_row: first_row.unwrap_or_default() })
    }

    /// Boots some more times, and gives rows of what the clock on the wall says.
    fn bring_up(&self, machine: &Machine, first: Milestones) -> Result<Vec<String>> {
        let mut boots = vec![first];
        while boots.len() < BOOTS {
            boots.push(self.boot(machine, &mut |_| ())?);
        }
        let row = |phase: &str, metric: &str, unit: &str, of: &dyn Fn(&Milestones) -> f64| {
            let stats = Stats::of(&boots.iter().map(of).collect::<Vec<f64>>());
            let mut row = serde_json::to_value(stats)?;
            row["experiment"] = "bring-up".into();
            row["params"] = serde_json::json!({ "phase": phase });
            row["metric"] = metric.into();
            row["unit"] = unit.into();
            anyhow::Ok(row.to_string())
        };
        Ok(vec![
            row("first-line", "wall", "ms", &|boot| boot.first_line)?,
            row("all-online", "wall", "ms", &|boot| boot.first_row)?,
            row("all-online", "ratio", "first line", &|boot| boot.first_row / boot.first_line)?,
        ])
    }
}

/// Runs the ring benchmark of the crate `tests`: whatever the task, all of it at once, so that its
/// measurements are interleaved. Its rows need no plugin.
pub struct Host {
    /// The workspace.
    pub workspace: PathBuf,
}

impl Lab for Host {
    fn run(&mut self, _: &Task, on_line: &mut dyn FnMut(&str)) -> Result<Vec<Region>> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut child = Command::new(cargo)
            .args([
                "run",
                "--quiet",
                "--release",
                "--package",
                "tests",
                "--bin",
                "rings",
                "--",
                "--json",
            ])
            .current_dir(&self.workspace)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cargo does not start")?;
        let output = child.stdout.take().context("the child has no output")?;
        for line in BufReader::new(output).lines() {
            on_line(&line?);
        }
        let status = child.wait()?;
        ensure!(status.success(), "the ring benchmark failed: {status}");
        Ok(Vec::new())
    }
}
