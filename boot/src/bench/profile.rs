//! Where instructions go: the functions that executed what a region row counts.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;

use super::output::plain;
use super::region::Region;
use super::row::{Counted, Params};
use super::runner::Task;
use crate::symbols::Functions;

/// Functions that executed less than this of what a core did are shown as one.
const LEAST_SHARE: f64 = 0.004;

/// The kernel's half of the address space begins here.
const KERNEL: u64 = 1 << 63;

/// What instructions are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Functions as they were linked, with all that was inlined into them.
    Functions,
    /// Functions as they were written: one that was inlined counts by itself.
    Inlined,
    /// Each instruction by itself, in order of their addresses, with its line: to be held against a disassembly.
    Instructions,
}

/// What one function executed, per operation, on average.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// The function.
    pub function: String,
    /// Instructions.
    pub instructions: f64,
}

/// Where the instructions of a row went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// Name of the experiment.
    pub experiment: String,
    /// Cores of the machine.
    pub cores: u32,
    /// What the row measured.
    pub params: Params,
    /// By QEMU's index of the core, those that executed most first; instructions in order of their addresses.
    pub by_core: BTreeMap<u32, Vec<Share>>,
    /// Whether the smallest shares are left out when it is shown.
    #[serde(skip)]
    is_shortened: bool,
}

/// Makes profiles of what the plugin has counted.
pub struct Profiler {
    by: By,
    kernel: Option<Functions>,
    programs: Vec<(String, PathBuf)>,
    /// The functions of an experiment's program.
    program: Option<(String, Option<Functions>)>,
    profiles: Vec<Profile>,
}

impl Profiler {
    /// For this image and these programs. What isn't found in them is shown as addresses.
    #[must_use]
    pub fn new(by: By, image: &Path, programs: Vec<(String, PathBuf)>) -> Self {
        let kernel = Functions::of(image);
        Self { by, kernel, programs, program: None, profiles: Vec::new() }
    }

    /// Takes the samples of a row.
    pub fn take(&mut self, task: &Task, row: &Counted, samples: &[Region]) {
        self.open_program(&row.experiment);
        let operations = row.operations as f64 * samples.len() as f64;
        let mut times: BTreeMap<(u32, u64), u64> = BTreeMap::new();
        for &(vcpu, address, count) in samples.iter().flat_map(|sample| &sample.profile) {
            *times.entry((vcpu, address)).or_default() += count;
        }
        let mut named: BTreeMap<u32, BTreeMap<String, u64>> = BTreeMap::new();
        for ((vcpu, address), count) in times {
            *named.entry(vcpu).or_default().entry(self.name(address)).or_default() += count;
        }
        let shares = |functions: BTreeMap<String, u64>| {
            let share =
                |(function, count)| Share { function, instructions: count as f64 / operations };
            let mut shares: Vec<Share> = functions.into_iter().map(share).collect();
            // Names of instructions begin with their addresses.
            if self.by != By::Instructions {
                shares.sort_by_key(|share| Reverse((share.instructions * 1000.0) as u64));
            }
            shares
        };
        self.profiles.push(Profile {
            experiment: row.experiment.clone(),
            cores: task.cores.into(),
            params: row.params.clone(),
            by_core: named.into_iter().map(|(vcpu, it)| (vcpu, shares(it))).collect(),
            is_shortened: self.by != By::Instructions,
        });
    }

    /// All profiles, in order.
    #[must_use]
    pub fn profiles(self) -> Vec<Profile> {
        self.profiles
    }

    /// An experiment's program is called after it, if it has one.
    fn open_program(&mut self, experiment: &str) {
        if self.program.as_ref().is_some_and(|(name, _)| name == experiment) {
            return;
        }
        let called = format!("bench_{}", experiment.replace('-', "_"));
        let path = self.programs.iter().find(|(name, _)| *name == called).map(|(_, path)| path);
        let functions = path.and_then(|path| Functions::of(path));
        self.program = Some((experiment.to_owned(), functions));
    }

    fn name(&self, address: u64) -> String {
        let is_kernel = address >= KERNEL;
        let program = self.program.as_ref().and_then(|(_, functions)| functions.as_ref());
        let functions = if is_kernel { self.kernel.as_ref() } else { program };
        if self.by == By::Instructions {
            let line = functions.and_then(|it| it.line_at(address)).unwrap_or_default();
            return format!("{address:#018x} {line}").trim_end().to_owned();
        }
        let names = functions.map(|it| it.at(address)).unwrap_or_default();
        let name = if self.by == By::Inlined { names.first() } else { names.last() };
        match (name, is_kernel) {
            (Some(name), true) => name.clone(),
            (Some(name), false) => format!("user: {name}"),
            (None, _) => format!("{address:#x}"),
        }
    }
}

/// Shows profiles to people: for each row and core the functions, those that executed most first, or the instructions.
#[must_use]
pub fn listing(profiles: &[Profile]) -> String {
    let mut text = String::new();
    for profile in profiles {
        let params = profile.params.iter().map(|(name, value)| format!(" {name}={}", plain(value)));
        let Profile { experiment, cores, is_shortened, .. } = profile;
        let plural = if *cores == 1 { "" } else { "s" };
        let head = format!("{experiment} on {cores} core{plural},{}", params.collect::<String>());
        for (core, shares) in &profile.by_core {
            let total: f64 = shares.iter().map(|share| share.instructions).sum();
            let _ = writeln!(text, "\n{head}: core {core} executed {total:.1} instructions");
            let least = if *is_shortened { total * LEAST_SHARE } else { 0.0 };
            let is_large = |share: &&Share| share.instructions >= least;
            let large = shares.iter().take_while(is_large);
            let shown: f64 = large.clone().map(|share| share.instructions).sum();
            for Share { function, instructions } in large {
                let _ = writeln!(text, "  {instructions:>9.1}  {function}");
            }
            if total - shown > 0.05 {
                let _ = writeln!(text, "  {:>9.1}  others", total - shown);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests;
