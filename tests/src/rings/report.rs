//! Rows of results: JSON for the host tool, a table for people.

use boot::bench::row::Stats;
use serde_json::{Value, json};

use super::cases::{Case, Experiment};
use super::rounds::{Regime, Sample};

/// One line of results: a metric of a case in a regime.
#[derive(Clone, Debug)]
pub struct Row {
    case: Case,
    regime: Regime,
    metric: &'static str,
    unit: &'static str,
    stats: Stats,
}

impl Row {
    /// The object that the host tool reads.
    #[must_use]
    pub fn json(&self) -> Value {
        let Stats { n, min, p50, p90, p99, max, mean } = self.stats;
        let mut params = json!({ "layout": self.case.layout, "regime": self.regime.name() });
        if self.case.experiment == Experiment::Throughput {
            params["slots"] = self.case.slots.into();
            params["batch"] = self.case.batch.into();
        }
        json!({
            "experiment": self.case.experiment.name(), "params": params, "cores": 2,
            "metric": self.metric, "unit": self.unit,
            "n": n, "min": min, "p50": p50, "p90": p90, "p99": p99, "max": max, "mean": mean,
        })
    }
}

/// The rows of all cases, by regime; of a case with fewer than `least` samples in a regime there is none.
#[must_use]
pub fn rows(cases: &[Case], samples: &[Sample], least: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for regime in [Regime::Near, Regime::Far] {
        let here: Vec<Sample> =
            samples.iter().filter(|sample| sample.regime == regime).copied().collect();
        for (at, &case) in cases.iter().enumerate() {
            let mine: Vec<Sample> =
                here.iter().filter(|sample| sample.case == at).copied().collect();
            for (metric, unit, numbers) in metrics(case, &mine, cases, &here) {
                if numbers.len() >= least.max(1) {
                    rows.push(Row { case, regime, metric, unit, stats: Stats::of(&numbers) });
                }
            }
        }
    }
    rows
}

type Metric = (&'static str, &'static str, Vec<f64>);

/// What the samples of a case come to; `here` are those of all cases in the same regime.
fn metrics(case: Case, mine: &[Sample], cases: &[Case], here: &[Sample]) -> Vec<Metric> {
    let times = mine.iter().map(|sample| sample.ns).collect();
    if case.experiment == Experiment::Latency {
        let ratios = mine.iter().map(|sample| sample.ns / sample.probe).collect();
        return vec![("time", "ns", times), ("ratio", "raw-2", ratios)];
    }
    let rates = mine.iter().map(|sample| 1e9 / sample.ns).collect();
    let base = |sample: &Sample| {
        let base =
            |other: &&Sample| other.round == sample.round && case.has_base(&cases[other.case]);
        here.iter().find(base).map(|base| base.ns / sample.ns)
    };
    let ratios = mine.iter().filter_map(base).collect();
    vec![("time", "ns", times), ("messages", "per second", rates), ("ratio", "rtrb-line", ratios)]
}

/// A table of both experiments: medians, and how far they spread.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    for experiment in [Experiment::Latency, Experiment::Throughput] {
        let what = match experiment {
            Experiment::Latency => "round trip; ratio of times, to the bounce of two raw lines",
            Experiment::Throughput => {
                "a message in a stream; ratio of rates, to plain lines in rtrb"
            }
        };
        text += &format!("\n{}: {what}\n", experiment.name());
        text += "  regime  layout      slots  batch  samples     ns p50     ns p90  ratio p50  ratio p90\n";
        for row in
            rows.iter().filter(|row| row.case.experiment == experiment && row.metric == "time")
        {
            text += &line(row, rows);
        }
    }
    text
}

fn line(row: &Row, rows: &[Row]) -> String {
    let same = |other: &&Row| {
        let key = |row: &Row| {
            (row.case.experiment, row.case.layout, row.case.slots, row.case.batch, row.regime)
        };
        key(other) == key(row) && other.metric == "ratio"
    };
    let ratio = rows.iter().find(same).map_or((f64::NAN, f64::NAN), |r| (r.stats.p50, r.stats.p90));
    format!(
        "  {:<6}  {:<10}  {:>5}  {:>5}  {:>7}  {:>9.1}  {:>9.1}  {:>9.3}  {:>9.3}\n",
        row.regime.name(),
        row.case.layout,
        row.case.slots,
        row.case.batch,
        row.stats.n,
        row.stats.p50,
        row.stats.p90,
        ratio.0,
        ratio.1,
    )
}
