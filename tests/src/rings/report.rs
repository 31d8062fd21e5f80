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
        match self.case.experiment {
            Experiment::Latency => params["poll"] = self.case.between.name().into(),
            Experiment::Throughput => {
                params["slots"] = self.case.slots.into();
                params["batch"] = self.case.batch.into();
            }
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
    let times = ("time", "ns", mine.iter().map(|sample| sample.ns).collect());
    let base = |sample: &Sample| {
        let base =
            |other: &&Sample| other.round == sample.round && case.is_base(&cases[other.case]);
        here.iter().find(base).map(|base| sample.ns / base.ns)
    };
    let ratios = mine.iter().filter_map(base);
    if case.experiment == Experiment::Latency {
        return vec![times, ("ratio", case.base(), ratios.collect())];
    }
    let rates = mine.iter().map(|sample| 1e9 / sample.ns).collect();
    let ratios = ratios.map(|times| 1.0 / times).collect();
    vec![times, ("messages", "per second", rates), ("ratio", case.base(), ratios)]
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
        text += "  regime  poll   layout      slots  batch  samples     ns p50     ns p90  ratio p50  ratio p90\n";
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
            let Case { experiment, layout, slots, batch, between, .. } = row.case;
            (experiment, layout, slots, batch, between, row.regime)
        };
        key(other) == key(row) && other.metric == "ratio"
    };
    let ratio = rows.iter().find(same).map_or((f64::NAN, f64::NAN), |r| (r.stats.p50, r.stats.p90));
    format!(
        "  {:<6}  {:<5}  {:<10}  {:>5}  {:>5}  {:>7}  {:>9.1}  {:>9.1}  {:>9.3}  {:>9.3}\n",
        row.regime.name(),
        row.case.between.name(),
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

#[cfg(test)]
mod tests {
    use super::{Case, Regime, Sample, rows, table};
    use crate::rings::cases::{Experiment, all};
    use crate::rings::layout::Between;

    fn case(cases: &[Case], experiment: Experiment, layout: &str, batch: u64) -> usize {
        let same = |case: &Case| {
            (case.experiment, case.layout, case.batch, case.between)
                == (experiment, layout, batch, Between::Pause)
        };
        cases.iter().rposition(same).expect("it is measured")
    }

    fn sample(round: usize, case: usize, regime: Regime, ns: f64) -> Sample {
        Sample { round, case, regime, ns }
    }

    fn median(rows: &[super::Row], regime: &str, metric: &str, layout: &str) -> Option<f64> {
        let json = rows.iter().map(super::Row::json).find(|row| {
            (&row["params"]["regime"], &row["metric"], &row["params"]["layout"])
                == (&regime.into(), &metric.into(), &layout.into())
        })?;
        json["p50"].as_f64()
    }

    #[test]
    fn ratios_are_taken_within_a_round_and_a_regime() {
        let cases = all();
        let ours = case(&cases, Experiment::Latency, "postcard", 1);
        let raw = case(&cases, Experiment::Latency, "raw-2", 1);
        let samples = [
            sample(0, ours, Regime::Near, 150.0),
            sample(0, raw, Regime::Near, 100.0),
            sample(1, ours, Regime::Near, 180.0),
            sample(1, raw, Regime::Far, 400.0),
            sample(2, ours, Regime::Far, 480.0),
        ];
        let rows = rows(&cases, &samples, 1);
        assert_eq!(median(&rows, "near", "ratio", "postcard"), Some(1.5));
        assert_eq!(median(&rows, "near", "time", "postcard"), Some(150.0));
        assert_eq!(median(&rows, "far", "ratio", "postcard"), None, "nothing to compare with");
        assert!(table(&rows).contains("1.500"), "{}", table(&rows));
    }

    #[test]
    fn a_higher_ratio_of_streams_is_faster() {
        let cases = all();
        let ours = case(&cases, Experiment::Throughput, "postcard", 32);
        let line = case(&cases, Experiment::Throughput, "rtrb-line", 32);
        let other = case(&cases, Experiment::Throughput, "rtrb-line", 8);
        let samples = [
            sample(0, other, Regime::Near, 1.0),
            sample(0, ours, Regime::Near, 10.0),
            sample(0, line, Regime::Near, 5.0),
        ];
        let some = rows(&cases, &samples, 1);
        assert_eq!(median(&some, "near", "ratio", "postcard"), Some(0.5));
        assert_eq!(median(&some, "near", "messages", "postcard"), Some(1e8));
        assert!(rows(&cases, &samples, 2).is_empty(), "too few samples");
    }
}
