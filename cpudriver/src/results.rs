//! The lines that experiments print: what the host tool collects into its results.
//!
//! In JSON these are the objects that the host tool's `bench` module describes: sample rows, region
//! rows, progress, and reasons why there are no rows. As text the same lines are for people.

use crate::console::output::{Format, Value, record};
use crate::stats::{Sample, Summary};
use core::fmt::{self, Write};

/// Most fields of a row.
const FIELDS: usize = 17;

/// Most shares that a region row can report.
pub const ROLES: usize = 8;

/// What an experiment measures: the part that its rows have in common.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Name of the experiment.
    pub experiment: &'a str,
    /// What tells this row from the others of the experiment.
    pub params: &'a [(&'a str, Value<'a>)],
}

/// What one operation carries, for rows of throughput; what is `None` is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Amounts {
    /// Messages.
    pub messages: Option<u64>,
    /// Bytes.
    pub bytes: Option<u64>,
    /// Frequency of the clock, in ticks per second, for rows of cycles.
    pub hz: Option<u64>,
}

/// Numbers that the guest's clock has measured.
#[derive(Clone, Copy, Debug)]
pub struct Measured<'a, T> {
    /// What was counted.
    pub metric: &'a str,
    /// Unit of the numbers.
    pub unit: &'a str,
    /// The samples.
    pub summary: Summary<T>,
    /// How many operations each sample covers, at least 1.
    pub operations: u64,
}

/// Whose share of a region a role is.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// What one virtual CPU executed, by the emulator's index.
    Vcpu(u32),
    /// What was executed in one phase.
    Phase(u32),
}

/// Regions that the counting plugin has measured.
#[derive(Clone, Copy, Debug)]
pub struct Regions<'a> {
    /// Number of the first, from 1.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// How many operations each covers, at least 1.
    pub operations: u64,
    /// What the clock counted in all of them, if no core halted meanwhile.
    pub clock: Option<u64>,
    /// Shares to report besides the total, at most [`ROLES`].
    pub roles: &'a [(&'a str, Part)],
}

impl Subject<'_> {
    /// Prints a row that the clock has measured.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn sample_row<T: Sample>(
        &self,
        out: &mut dyn Write,
        format: Format,
        measured: &Measured<'_, T>,
        amounts: Amounts,
    ) -> fmt::Result {
        let Measured { metric, unit, summary, operations } = measured;
        let mean = Value::Fixed { scaled: summary.mean_thousandths.into(), decimals: 3 };
        let mut fields = Fields::new();
        fields.add("metric", *metric);
        fields.add("unit", *unit);
        fields.add("n", summary.n);
        fields.add("min", summary.min.into());
        fields.add("p50", summary.p50.into());
        fields.add("p90", summary.p90.into());
        fields.add("p99", summary.p99.into());
        fields.add("max", summary.max.into());
        fields.add("mean", mean);
        fields.add("operations", *operations);
        fields.add_amounts(amounts);
        self.print(out, format, fields)
    }

    /// Prints a row for the host to fill in with what the plugin has counted.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn region_row(
        &self,
        out: &mut dyn Write,
        format: Format,
        regions: &Regions<'_>,
        amounts: Amounts,
    ) -> fmt::Result {
        let roles = regions.roles;
        let parts: [_; ROLES] = core::array::from_fn(|at| match roles.get(at) {
            Some(&(_, Part::Vcpu(index))) => [("vcpu", Value::from(index))],
            Some(&(_, Part::Phase(phase))) => [("phase", Value::from(phase))],
            None => [("", Value::None)],
        });
        let parts: [_; ROLES] = core::array::from_fn(|at| {
            (roles.get(at).map_or("", |&(name, _)| name), Value::Map(&parts[at]))
        });
        let mut fields = Fields::new();
        fields.add("region", regions.first);
        fields.add("regions", regions.count);
        fields.add("operations", regions.operations);
        if let Some(clock) = regions.clock {
            fields.add("clock", clock);
        }
        if !roles.is_empty() {
            fields.add("roles", Value::Map(&parts[..roles.len()]));
        }
        fields.add_amounts(amounts);
        self.print(out, format, fields)
    }

    /// Says why there are no rows.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn skipped(&self, out: &mut dyn Write, format: Format, why: &str) -> fmt::Result {
        let mut fields = Fields::new();
        fields.add("skipped", why);
        self.print(out, format, fields)
    }

    fn print(&self, out: &mut dyn Write, format: Format, fields: Fields<'_>) -> fmt::Result {
        if format == Format::Text {
            let (params, numbers) = (Value::Map(self.params), Value::Map(fields.as_slice()));
            let blank = if self.params.is_empty() { "" } else { " " };
            return writeln!(out, "{}{blank}{params}: {numbers}", self.experiment);
        }
        let mut row = Fields::new();
        row.add("experiment", self.experiment);
        row.add("params", Value::Map(self.params));
        fields.as_slice().iter().for_each(|&(name, value)| row.add(name, value));
        record(out, format, row.as_slice())
    }
}

/// Says how many steps of how many are done, for a progress bar.
///
/// # Errors
///
/// Those of `out`.
pub fn progress(out: &mut dyn Write, format: Format, done: u64, of: u64) -> fmt::Result {
    match format {
        Format::Text => writeln!(out, "{done} of {of}"),
        Format::Json => {
            let counts = [("done", Value::from(done)), ("of", Value::from(of))];
            record(out, format, &[("progress", Value::Map(&counts))])
        }
    }
}

/// Makes the run fail, and says why.
///
/// # Errors
///
/// Those of `out`.
pub fn failure(out: &mut dyn Write, format: Format, why: &str) -> fmt::Result {
    record(out, format, &[("error", Value::Str(why))])
}

/// A list of fields of bounded length.
struct Fields<'a> {
    list: [(&'a str, Value<'a>); FIELDS],
    len: usize,
}

impl<'a> Fields<'a> {
    const fn new() -> Self {
        Self { list: [("", Value::None); FIELDS], len: 0 }
    }

    fn add(&mut self, name: &'a str, value: impl Into<Value<'a>>) {
        self.list[self.len] = (name, value.into());
        self.len += 1;
    }

    fn add_amounts(&mut self, amounts: Amounts) {
        let Amounts { messages, bytes, hz } = amounts;
        for (name, amount) in [("messages", messages), ("bytes", bytes), ("hz", hz)] {
            if let Some(amount) = amount {
                self.add(name, amount);
            }
        }
    }

    fn as_slice(&self) -> &[(&'a str, Value<'a>)] {
        &self.list[..self.len]
    }
}
