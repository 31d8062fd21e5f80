//! `atoll check-locks`: no lock, no atomic read-modify-write and no unpaused spin in the linked kernel.
//!
//! Cores share nothing but rings and flag bytes with one writer each, so the kernel needs none of these.
//! The source can't show that (a dependency, or a `SeqCst` store, brings them in unseen), the
//! instructions can. [`check`] decodes every executable section, function by function, and finds
//!
//! - instructions with a `lock` prefix, and `xchg` with memory, which locks without one;
//! - loops that do nothing but wait for another core to change memory, without `pause`;
//! - functions of spin locks, by name;
//! - bytes that are no instructions, behind which any of these could hide.
//!
//! `nolock/exceptions.toml` lists what is allowed nevertheless, by function, with the reason.

mod code;
mod spin;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use addr2line::Loader;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::image;
use code::{Function, functions};

const EXCEPTIONS: &str = include_str!("nolock/exceptions.toml");

/// Parts of names that only functions of locks have.
const LOCK_NAMES: [&str; 7] =
    ["spin::", "spinning_top::", "lock_api::", "SpinLock", "Spinlock", "spin_lock", "Mutex"];

/// The command's arguments.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// The ELF file to check; by default the kernel image, which is built for it.
    #[arg(long)]
    pub image: Option<PathBuf>,
}

/// What may be in the image although it is a lock, and what isn't 64-bit code.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    /// Functions that may hold what the check looks for.
    #[serde(default)]
    allow: Vec<Allowed>,
    /// What runs before long mode, or is data among code.
    #[serde(default)]
    decode: Vec<Decoding>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    function: String,
    reason: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decoding {
    symbol: String,
    #[serde(rename = "as")]
    kind: Kind,
}

/// What the bytes behind a symbol are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Code16,
    Code32,
    #[default]
    Code64,
    Data,
}

impl Exceptions {
    /// The list that belongs to the kernel.
    ///
    /// # Errors
    ///
    /// When the file that this was built with is malformed; a test sees to it that it isn't.
    pub fn of_the_kernel() -> Result<Self> {
        Self::parse(EXCEPTIONS).context("nolock/exceptions.toml")
    }

    fn parse(text: &str) -> Result<Self> {
        let exceptions: Self = toml::from_str(text)?;
        for allowed in &exceptions.allow {
            ensure!(!allowed.reason.trim().is_empty(), "{} has no reason", allowed.function);
        }
        Ok(exceptions)
    }

    fn allows(&self, function: &str) -> bool {
        self.allow.iter().any(|allowed| allowed.function == function)
    }

    /// The functions and symbols that the list names.
    fn entries(&self) -> impl Iterator<Item = &String> {
        let decode = self.decode.iter().map(|entry| &entry.symbol);
        self.allow.iter().map(|allowed| &allowed.function).chain(decode)
    }

    fn names(&self, symbol: &str) -> bool {
        self.decode.iter().any(|entry| entry.symbol == symbol)
    }

    fn kind(&self, symbol: &str) -> Kind {
        let entry = self.decode.iter().find(|entry| entry.symbol == symbol);
        entry.map_or(Kind::default(), |entry| entry.kind)
    }
}

/// Something that must not be in the image. Displays as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Demangled name of the function.
    pub function: String,
    /// Where it is in memory.
    pub address: u64,
    /// What it is.
    pub what: String,
    /// `file:line`, if the image has line tables.
    pub line: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, address, what, line } = self;
        write!(f, "{address:#018x}: {what} in {function}")?;
        line.as_ref().map_or(Ok(()), |line| write!(f, " at {line}"))
    }
}

/// What the check saw.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What must not be there, by address.
    pub findings: Vec<Finding>,
    /// Functions that were decoded.
    pub functions: usize,
    /// Instructions that were decoded.
    pub instructions: usize,
    /// Entries of the list that were of use: functions that were allowed something, symbols that were
    /// decoded otherwise.
    pub used: BTreeSet<String>,
}

/// Checks the ELF file at `path`.
///
/// # Errors
///
/// When it cannot be read, is no ELF file, or has no code or no function symbols.
pub fn check(path: &Path, exceptions: &Exceptions) -> Result<Report> {
    let data = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file = object::File::parse(&*data)
        .with_context(|| format!("{} is no object file", path.display()))?;
    let functions =
        functions(&file, exceptions).with_context(|| format!("in {}", path.display()))?;
    let mut report = Report::default();
    for function in &functions {
        report.functions += 1;
        report.instructions += function.instructions.len();
        report.used.extend(exceptions.names(&function.name).then(|| function.name.clone()));
        report.add(function, exceptions);
    }
    report.locate(path);
    Ok(report)
}

impl Report {
    fn add(&mut self, function: &Function, exceptions: &Exceptions) {
        let mut found = function.locked();
        found.extend(spin::unpaused(&function.instructions));
        if LOCK_NAMES.iter().any(|name| function.name.contains(name)) {
            found.push((function.address, "a function of a lock".to_owned()));
        }
        if found.is_empty() {
            return;
        }
        if exceptions.allows(&function.name) {
            self.used.insert(function.name.clone());
            return;
        }
        let name = &function.name;
        let finding =
            |(address, what)| Finding { function: name.clone(), address, what, line: None };
        self.findings.extend(found.into_iter().map(finding));
    }

    fn locate(&mut self, path: &Path) {
        let Ok(lines) = Loader::new(path) else { return };
        for finding in &mut self.findings {
            let place = lines.find_location(finding.address).ok().flatten();
            finding.line = place.and_then(|at| Some(format!("{}:{}", at.file?, at.line?)));
        }
    }

    fn summary(&self, path: &Path) -> String {
        let Self { instructions, functions, findings, .. } = self;
        let (verdict, path) = (if self.passes() { "PASS" } else { "FAIL" }, path.display());
        let findings = findings.len();
        format!(
            "{verdict}  no locks: {findings} of {instructions} instructions in {functions} functions of {path}"
        )
    }

    /// Whether the image is without locks.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Runs the command: prints what was found, and returns 0 if the image passes, else 1.
///
/// # Errors
///
/// When the image doesn't build or cannot be read.
pub fn run(args: &Args) -> Result<u8> {
    let path = args.image.clone().map_or_else(image::build, Ok)?;
    let exceptions = Exceptions::of_the_kernel()?;
    let report = check(&path, &exceptions)?;
    for finding in &report.findings {
        println!("{finding}");
    }
    for Allowed { function, reason } in &exceptions.allow {
        println!("allowed: {function} ({})", reason.trim());
    }
    for unused in exceptions.entries().filter(|entry| !report.used.contains(*entry)) {
        println!("not needed in the list of exceptions: {unused}");
    }
    println!("{}", report.summary(&path));
    Ok(u8::from(!report.passes()))
}

#[cfg(test)]
mod tests;
