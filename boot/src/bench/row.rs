//! One line of results, and the lines that the guest prints (described in [`super`]).

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What tells one row of an experiment from another, by name, in the order of the names.
pub type Params = BTreeMap<String, Value>;

/// What a measurement was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// QEMU with `-icount` and the counting plugin: instructions, the same in every run.
    Count,
    /// QEMU with parallel cores: cycles, which under TCG say nothing about hardware.
    Time,
    /// Two threads of the host, without QEMU: the same ring and codec code.
    Host,
}

impl Mode {
    /// The mode as it is written in results and typed on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Time => "time",
            Self::Host => "host",
        }
    }
}

/// The distribution of a metric over its samples, each per operation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// Number of samples, at least 1.
    pub n: u64,
    /// Smallest sample.
    pub min: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Greatest sample.
    pub max: f64,
    /// Arithmetic mean.
    pub mean: f64,
}

impl Stats {
    /// Summarises samples; percentiles are the smallest sample that so many percent don't exceed.
    ///
    /// # Panics
    /// Without samples.
    #[must_use]
    pub fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let rank = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1];
        Self {
            n: sorted.len() as u64,
            min: rank(0),
            p50: rank(50),
            p90: rank(90),
            p99: rank(99),
            max: rank(100),
            mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
        }
    }

    /// Costs of one operation, from costs of so many.
    fn per(self, operations: f64) -> Self {
        Self {
            n: self.n,
            min: self.min / operations,
            p50: self.p50 / operations,
            p90: self.p90 / operations,
            p99: self.p99 / operations,
            max: self.max / operations,
            mean: self.mean / operations,
        }
    }

    /// The rates that go with these costs: `amount` over each. The least cost is the greatest rate; the
    /// percentiles stay those of the cost, the mean is the rate at the mean cost.
    fn rate(self, amount: f64) -> Self {
        Self {
            n: self.n,
            min: amount / self.max,
            p50: amount / self.p50,
            p90: amount / self.p90,
            p99: amount / self.p99,
            max: amount / self.min,
            mean: amount / self.mean,
        }
    }
}

/// One row of `results.json` and `results.csv`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Name of the experiment.
    pub experiment: String,
    /// How it was measured.
    pub mode: Mode,
    /// Cores of the machine, core 0 included (host mode: threads).
    pub cores: u32,
    /// What this row measured.
    pub params: Params,
    /// What was counted.
    pub metric: String,
    /// Unit of `min`…`mean`.
    pub unit: String,
    /// The numbers.
    #[serde(flatten)]
    pub stats: Stats,
}

/// Amounts of one operation, for rows of throughput.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
pub struct Amounts {
    /// Messages that one operation moves.
    pub messages: Option<f64>,
    /// Bytes that one operation moves.
    pub bytes: Option<f64>,
    /// Frequency of the clock that counted the cycles.
    pub hz: Option<f64>,
}

/// A row that the guest measured itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Sample {
    experiment: String,
    #[serde(default)]
    params: Params,
    metric: String,
    unit: String,
    n: u64,
    min: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
    mean: Option<f64>,
    sum: Option<f64>,
    #[serde(default = "one")]
    operations: u64,
    cores: Option<u32>,
    #[serde(flatten)]
    amounts: Amounts,
}

/// Whose share of a region a role is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What the vCPU with this index executed.
    Vcpu(u32),
    /// What was executed in this phase, by any vCPU.
    Phase(u32),
}

/// A row that the plugin measured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Counted {
    /// Name of the experiment.
    pub experiment: String,
    /// What this row measured.
    #[serde(default)]
    pub params: Params,
    /// Number of the first region, from 1.
    pub region: u64,
    /// How many regions are samples of this row.
    #[serde(default = "one")]
    pub regions: u64,
    /// Operations in each region.
    pub operations: u64,
    /// What the guest's clock counted in the regions, if it didn't jump.
    pub clock: Option<u64>,
    /// Shares to report besides the total.
    #[serde(default)]
    pub roles: BTreeMap<String, Part>,
    /// For rows of throughput.
    #[serde(flatten)]
    pub amounts: Amounts,
}

fn one() -> u64 {
    1
}

/// A line that the guest printed.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// Measured by the guest.
    Sample(Sample),
    /// To be filled in from the plugin.
    Counted(Counted),
    /// So many steps of so many are done.
    Progress {
        /// Steps done.
        done: u64,
        /// Steps in all.
        of: u64,
    },
    /// An experiment that this machine cannot run, and why.
    Skipped(String),
}

impl Line {
    /// Reads a line of the console; `None` for text.
    ///
    /// # Errors
    /// A line that starts like an object and is none of those described in [`super`], or the guest's own
    /// `error`.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        let text = text.trim();
        if !text.starts_with('{') {
            return Ok(None);
        }
        let value: Value =
            serde_json::from_str(text).with_context(|| format!("malformed row: {text}"))?;
        let line = Self::from_value(value).with_context(|| format!("in this row: {text}"))?;
        Ok(Some(line))
    }

    fn from_value(value: Value) -> Result<Self> {
        if let Some(error) = value.get("error") {
            bail!("the guest says: {}", error.as_str().unwrap_or("(no message)"));
        }
        if let Some(progress) = value.get("progress") {
            let field = |name| progress.get(name).and_then(Value::as_u64).context("progress");
            return Ok(Self::Progress { done: field("done")?, of: field("of")? });
        }
        if let Some(why) = value.get("skipped").and_then(Value::as_str) {
            return Ok(Self::Skipped(why.to_owned()));
        }
        if value.get("region").is_some() {
            let row: Counted = serde_json::from_value(value)?;
            ensure!(row.operations > 0 && row.regions > 0, "a row of no operations");
            return Ok(Self::Counted(row));
        }
        let row: Sample = serde_json::from_value(value)?;
        ensure!(row.operations > 0 && row.n > 0, "a row without samples");
        ensure!(row.mean.is_some() || row.sum.is_some(), "neither `mean` nor `sum`");
        Ok(Self::Sample(row))
    }
}

impl Sample {
    /// The rows that this one stands for, measured on so many cores unless it says otherwise itself.
    #[must_use]
    pub fn rows(&self, mode: Mode, cores: u32) -> Vec<Row> {
        let mean = self.mean.or_else(|| self.sum.map(|sum| sum / self.n as f64)).unwrap_or(0.0);
        let &Self { n, min, p50, p90, p99, max, .. } = self;
        let stats = Stats { n, min, p50, p90, p99, max, mean };
        let row = Row {
            experiment: self.experiment.clone(),
            mode,
            cores: self.cores.unwrap_or(cores),
            params: self.params.clone(),
            metric: self.metric.clone(),
            unit: self.unit.clone(),
            stats: stats.per(self.operations as f64),
        };
        with_throughput(row, self.amounts)
    }
}

/// Adds rows of throughput behind a row of costs.
pub(super) fn with_throughput(row: Row, amounts: Amounts) -> Vec<Row> {
    let scale = match (row.metric.as_str(), amounts.hz) {
        ("instructions", _) => Some((1000.0, "per kiloinstruction")),
        ("cycles", Some(hz)) => Some((hz, "per second")),
        _ => None,
    };
    let mut rows = vec![row];
    let Some((scale, unit)) = scale.filter(|_| rows[0].stats.min > 0.0) else { return rows };
    for (metric, amount) in [("messages", amounts.messages), ("bytes", amounts.bytes)] {
        let Some(amount) = amount else { continue };
        let stats = rows[0].stats.rate(amount * scale);
        let (metric, unit) = (metric.to_owned(), unit.to_owned());
        rows.push(Row { metric, unit, stats, ..rows[0].clone() });
    }
    rows
}

#[cfg(test)]
mod tests;
