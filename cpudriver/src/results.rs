//! The lines that experiments print: what the host tool collects into its results.
//!
//! In JSON these are the objects that the host tool's `bench` module describes: sample rows, region
//! rows, progress, and reasons why there are no rows. As text the same lines are for people.

use crate::console::output::{Format, Value, record};
use crate::stats::Summary;
use core::fmt::{self, Write};
use proto::boot::Clock;

/// Most roles that a measurement can tell apart.
pub const ROLES: usize = 4;

/// What the clock's ticks are.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    /// What it counts.
    pub clock: Clock,
    /// How many in a second.
    pub hz: u64,
}

impl Ticks {
    /// What a tick is, in the plural; also the name of what is measured with it.
    #[must_use]
    pub const fn unit(&self) -> &'static str {
        match self.clock {
            Clock::Time => "cycles",
            Clock::Count => "instructions",
        }
    }
}

/// The samples of a row.
#[derive(Clone, Copy, Debug)]
pub struct Samples {
    /// Number of the first region, from 1.
    pub region: u32,
    /// How many regions are samples of this row, at least 1.
    pub regions: u32,
    /// What the clock says that they took together, if no core's halt let it jump.
    pub clock: Option<u64>,
    /// What the clock says of each.
    pub summary: Summary<u64>,
}

/// A measurement.
#[derive(Clone, Copy, Debug)]
pub struct Measured<'a> {
    /// Name of the experiment.
    pub experiment: &'a str,
    /// What tells this row from the others of the experiment.
    pub params: &'a [(&'a str, Value<'a>)],
    /// Operations in each sample, at least 1.
    pub operations: u64,
    /// The samples.
    pub samples: Samples,
    /// Messages and bytes that an operation moves, where their rate is of interest.
    pub amounts: Option<(u64, u64)>,
    /// Cores whose shares are to be told apart, with what they did; at most [`ROLES`], the others are
    /// left out.
    pub roles: &'a [(&'a str, u16)],
}

impl Measured<'_> {
    /// Prints the row: one that the host fills in with what its plugin has counted where the clock
    /// counts instructions, one with the numbers of the clock where it counts cycles.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write, format: Format, ticks: Ticks) -> fmt::Result {
        match (format, ticks.clock) {
            (Format::Json, Clock::Count) => self.region_row(out),
            (Format::Json, Clock::Time) => self.sample_row(out, ticks),
            (Format::Text, _) => self.text(out, ticks),
        }
    }

    fn region_row(&self, out: &mut dyn Write) -> fmt::Result {
        let role = |at: usize| self.roles.get(at).copied().unwrap_or(("", 0));
        let shares: [_; ROLES] =
            core::array::from_fn(|at| [("vcpu", Value::U64(role(at).1.into()))]);
        let roles: [_; ROLES] = core::array::from_fn(|at| (role(at).0, Value::Map(&shares[at])));
        let fields = [
            ("experiment", self.experiment.into()),
            ("params", Value::Map(self.params)),
            ("region", self.samples.region.into()),
            ("regions", self.samples.regions.into()),
            ("operations", self.operations.into()),
            ("clock", self.samples.clock.into()),
            ("roles", Value::Map(&roles[..self.roles.len().min(ROLES)])),
            ("messages", self.amounts.map(|amounts| amounts.0).into()),
            ("bytes", self.amounts.map(|amounts| amounts.1).into()),
        ];
        record(out, Format::Json, &fields)
    }

    fn sample_row(&self, out: &mut dyn Write, ticks: Ticks) -> fmt::Result {
        let [n, min, p50, p90, p99, max, mean] = numbers(&self.samples.summary);
        let fields = [
            ("experiment", self.experiment.into()),
            ("params", Value::Map(self.params)),
            ("metric", ticks.unit().into()),
            ("unit", ticks.unit().into()),
            n,
            min,
            p50,
            p90,
            p99,
            max,
            mean,
            ("operations", self.operations.into()),
            ("messages", self.amounts.map(|amounts| amounts.0).into()),
            ("bytes", self.amounts.map(|amounts| amounts.1).into()),
            ("hz", self.amounts.map(|_| ticks.hz).into()),
        ];
        record(out, Format::Json, &fields)
    }

    /// The costs of one operation.
    fn text(&self, out: &mut dyn Write, ticks: Ticks) -> fmt::Result {
        let Summary { n, min, p50, p99, max, .. } = self.samples.summary;
        let each = |ticks: u64| {
            let scaled = u128::from(ticks) * 10 / u128::from(self.operations.max(1));
            Value::Fixed { scaled, decimals: 1 }
        };
        let numbers = [
            ("min", each(min)),
            ("p50", each(p50)),
            ("p99", each(p99)),
            ("max", each(max)),
            ("n", n.into()),
        ];
        let blank = if self.params.is_empty() { "" } else { " " };
        let (params, numbers) = (Value::Map(self.params), Value::Map(&numbers));
        writeln!(out, "{}{blank}{params}: {} {numbers}", self.experiment, ticks.unit())
    }
}

/// Samples of something that the clock does not count.
#[derive(Clone, Copy, Debug)]
pub struct Sampled<'a> {
    /// Name of the experiment.
    pub experiment: &'a str,
    /// What tells this row from the others of the experiment.
    pub params: &'a [(&'a str, Value<'a>)],
    /// What was sampled.
    pub metric: &'a str,
    /// In what, in the plural.
    pub unit: &'a str,
    /// The samples.
    pub summary: Summary<u64>,
}

impl Sampled<'_> {
    /// Prints the row.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write, format: Format) -> fmt::Result {
        let numbers = numbers(&self.summary);
        if format == Format::Text {
            let (params, numbers) = (Value::Map(self.params), Value::Map(&numbers));
            return writeln!(out, "{} {params}: {} {numbers}", self.experiment, self.metric);
        }
        let [n, min, p50, p90, p99, max, mean] = numbers;
        let fields = [
            ("experiment", self.experiment.into()),
            ("params", Value::Map(self.params)),
            ("metric", self.metric.into()),
            ("unit", self.unit.into()),
            n,
            min,
            p50,
            p90,
            p99,
            max,
            mean,
        ];
        record(out, format, &fields)
    }
}

/// What a summary consists of, as fields of a row.
fn numbers(summary: &Summary<u64>) -> [(&'static str, Value<'static>); 7] {
    let &Summary { n, min, p50, p90, p99, max, mean_thousandths } = summary;
    [
        ("n", n.into()),
        ("min", min.into()),
        ("p50", p50.into()),
        ("p90", p90.into()),
        ("p99", p99.into()),
        ("max", max.into()),
        ("mean", Value::Fixed { scaled: mean_thousandths.into(), decimals: 3 }),
    ]
}

/// Says how many steps of how many are done, for the host tool's progress bar; people see the rows
/// come.
///
/// # Errors
///
/// Those of `out`.
pub fn progress(out: &mut dyn Write, format: Format, done: u64, of: u64) -> fmt::Result {
    match format {
        Format::Text => Ok(()),
        Format::Json => {
            let counts = [("done", Value::U64(done)), ("of", Value::U64(of))];
            record(out, format, &[("progress", Value::Map(&counts))])
        }
    }
}

/// Says that this machine cannot run an experiment, and why.
///
/// # Errors
///
/// Those of `out`.
pub fn skipped(out: &mut dyn Write, format: Format, experiment: &str, why: &str) -> fmt::Result {
    match format {
        Format::Text => writeln!(out, "{experiment}: skipped, {why}"),
        Format::Json => {
            record(out, format, &[("experiment", experiment.into()), ("skipped", why.into())])
        }
    }
}

/// Says that an experiment went wrong, which makes the host tool's run fail.
///
/// # Errors
///
/// Those of `out`.
pub fn failed(
    out: &mut dyn Write,
    format: Format,
    experiment: &str,
    why: &dyn fmt::Display,
) -> fmt::Result {
    match format {
        Format::Text => writeln!(out, "{experiment}: {why}"),
        Format::Json => {
            let text = format_args!("{experiment}: {why}");
            record(out, format, &[("error", Value::Args(text))])
        }
    }
}
