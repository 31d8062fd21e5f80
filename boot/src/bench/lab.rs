//! The two places where experiments run: machines in QEMU, and threads of this host.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::plugin;
use super::region::{self, Region};
use super::runner::{Ended, Lab, Task};
use crate::machine::{Machine, Topology};
use crate::session::Session;
use crate::verdict::Verdict;

/// Lines that are shown of a guest that didn't end well.
const LAST_WORDS: usize = 20;

/// Boots a machine for each task.
pub struct Machines {
    machine: Machine,
    timeout: Duration,
    /// The plugin, in count mode.
    plugin: Option<PathBuf>,
    scratch: tempfile::TempDir,
}

impl Machines {
    /// Machines like this one, each with a time limit on the wall; with `plugin` they count.
    ///
    /// # Errors
    ///
    /// When there is no place for temporary files.
    pub fn new(machine: Machine, timeout: Duration, plugin: Option<PathBuf>) -> Result<Self> {
        Ok(Self { machine, timeout, plugin, scratch: tempfile::tempdir()? })
    }

    fn prepared(&self, task: &Task, counts: &Path) -> Machine {
        let mut machine = self.machine.clone();
        machine.topology = Topology::flat(task.cores);
        machine.script = Some(format!("bench {} --json; exit", task.experiment));
        if let Some(plugin) = &self.plugin {
            machine.extra.extend(plugin::arguments(plugin, counts, true));
        }
        machine
    }
}

impl Lab for Machines {
    fn run(&mut self, task: &Task, on_line: &mut dyn FnMut(&str)) -> Result<Vec<Region>> {
        let counts = self.scratch.path().join("counts");
        let machine = self.prepared(task, &counts);
        let mut last_words = VecDeque::new();
        let watched = |line: &str| {
            last_words.push_back(line.to_owned());
            if last_words.len() > LAST_WORDS {
                last_words.pop_front();
            }
            on_line(line);
        };
        let session = Session::new(&machine).timeout(Some(self.timeout)).forget_lines();
        let outcome = session.on_line(watched).run()?;
        if outcome.verdict != Verdict::Exited(0) {
            let lines = last_words.iter().map(String::as_str).chain(outcome.complaints.lines());
            let last_words = lines.collect::<Vec<_>>().join("\n");
            bail!(Ended { verdict: outcome.verdict, last_words });
        }
        if self.plugin.is_some() { region::read(&counts) } else { Ok(Vec::new()) }
    }
}

/// Runs the ring benchmark of the crate `tests`, whose rows need no plugin.
pub struct Host {
    /// The workspace.
    pub workspace: PathBuf,
}

impl Lab for Host {
    fn run(&mut self, task: &Task, on_line: &mut dyn FnMut(&str)) -> Result<Vec<Region>> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut child = Command::new(cargo)
            .args(["run", "--quiet", "--release", "--package", "tests", "--bin", "rings", "--"])
            .args(["--json", &task.experiment])
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
