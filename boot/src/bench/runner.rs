//! Runs experiments one after the other and gathers their rows.

use std::fmt;

use anyhow::{Context, Result, ensure};

use super::region::{self, Region};
use super::row::{Counted, Line, Mode, Row};
use crate::verdict::Verdict;

/// An experiment on a number of cores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Name of the experiment.
    pub experiment: String,
    /// Cores of the machine.
    pub cores: u16,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.cores == 1 { "" } else { "s" };
        write!(f, "{} on {} core{plural}", self.experiment, self.cores)
    }
}

/// Where experiments run.
pub trait Lab {
    /// Runs one, hands over every line that it prints, and returns what the plugin counted; nothing where
    /// there is none.
    ///
    /// # Errors
    ///
    /// When it can't be run, or ends otherwise than well.
    fn run(&mut self, task: &Task, on_line: &mut dyn FnMut(&str)) -> Result<Vec<Region>>;
}

/// A guest that didn't end well.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub verdict: Verdict,
    /// The last lines that it printed.
    pub last_words: String,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.verdict)?;
        if self.last_words.is_empty() { Ok(()) } else { write!(f, "\n{}", self.last_words) }
    }
}

impl std::error::Error for Ended {}

/// Who is told how far the runs are.
pub trait Watcher {
    /// The task with this index begins.
    fn begin(&mut self, index: usize, task: &Task);
    /// So many steps of the task are done.
    fn step(&mut self, done: u64, of: u64);
    /// The task can't be run on this machine.
    fn skipped(&mut self, task: &Task, why: &str);
    /// The plugin has measured a row, in these regions.
    fn counted(&mut self, task: &Task, row: &Counted, samples: &[Region]) {
        let _ = (task, row, samples);
    }
}

/// Runs all tasks in order; the rows come in the same order.
///
/// # Errors
///
/// The first task that fails, prints a broken row, or none.
pub fn run_all(
    lab: &mut dyn Lab,
    tasks: &[Task],
    mode: Mode,
    watcher: &mut dyn Watcher,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (index, task) in tasks.iter().enumerate() {
        watcher.begin(index, task);
        rows.extend(run(lab, task, mode, watcher).with_context(|| task.to_string())?);
    }
    Ok(rows)
}

fn run(lab: &mut dyn Lab, task: &Task, mode: Mode, watcher: &mut dyn Watcher) -> Result<Vec<Row>> {
    let (mut lines, mut broken, mut skipped) = (Vec::new(), None, false);
    let ran = lab.run(task, &mut |text| match Line::parse(text) {
        Ok(Some(Line::Progress { done, of })) => watcher.step(done, of),
        Ok(Some(Line::Skipped(why))) => {
            skipped = true;
            watcher.skipped(task, &why);
        }
        Ok(Some(line)) => lines.push(line),
        Ok(None) => {}
        Err(error) => drop(broken.get_or_insert(error)),
    });
    // What the guest says of itself explains more than how it ended.
    if let Some(error) = broken {
        return Err(error);
    }
    let regions = ran?;
    ensure!(skipped || !lines.is_empty(), "it printed no rows");
    let mut all = Vec::new();
    for line in &lines {
        all.extend(rows(line, task, mode, &regions)?);
        if let Line::Counted(counted) = line
            && mode == Mode::Count
        {
            watcher.counted(task, counted, region::samples(counted, &regions)?);
        }
    }
    Ok(all)
}

fn rows(line: &Line, task: &Task, mode: Mode, regions: &[Region]) -> Result<Vec<Row>> {
    let cores = u32::from(task.cores);
    match line {
        Line::Sample(sample) => Ok(sample.rows(mode, cores)),
        Line::Counted(counted) if mode == Mode::Count => region::rows(counted, regions, cores),
        Line::Counted(_) | Line::Progress { .. } | Line::Skipped(_) => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests;
