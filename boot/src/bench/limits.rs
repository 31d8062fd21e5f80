//! `bench --check`: compares rows with the limits of `tests/experiments/limits.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::output::plain;
use super::row::{Mode, Params, Row, Stats};

/// The file of limits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Its `[[limit]]` tables.
    #[serde(default, rename = "limit")]
    pub limits: Vec<Limit>,
}

/// One `[[limit]]`: all rows that it matches must keep it, and at least one must match.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Name of the experiment.
    pub experiment: String,
    /// The mode whose rows are meant.
    #[serde(default = "count")]
    pub mode: Mode,
    /// Cores of the machine, on which the experiment must have run for the limit to apply; any if absent.
    pub cores: Option<u32>,
    /// Rows match that have all these parameters, with these values.
    #[serde(default)]
    pub params: Params,
    /// The metric that is limited.
    pub metric: String,
    /// Which of a row's numbers.
    #[serde(default)]
    pub statistic: Statistic,
    /// If given, the number is divided by that of the row whose params differ in these.
    pub against: Option<Params>,
    /// The greatest number allowed.
    pub max: Option<f64>,
    /// The least number allowed.
    pub min: Option<f64>,
    /// Where the limit comes from, for people.
    #[serde(default)]
    pub note: String,
    /// Stands for many limits that differ in one param and in the greatest number allowed.
    pub each: Option<Each>,
}

/// One limit for each value of a param.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// The param.
    pub param: String,
    /// Its values, and the greatest number allowed for each. What reads as a number is one.
    pub max: BTreeMap<String, f64>,
}

/// A number of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    /// Smallest sample.
    Min,
    /// Median.
    #[default]
    P50,
    /// 90th percentile.
    P90,
    /// 99th percentile.
    P99,
    /// Greatest sample.
    Max,
    /// Arithmetic mean.
    Mean,
}

impl Statistic {
    fn of(self, stats: &Stats) -> f64 {
        match self {
            Self::Min => stats.min,
            Self::P50 => stats.p50,
            Self::P90 => stats.p90,
            Self::P99 => stats.p99,
            Self::Max => stats.max,
            Self::Mean => stats.mean,
        }
    }
}

fn count() -> Mode {
    Mode::Count
}

/// What became of a limit. Displays as `PASS|FAIL name: measured, limit`.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Whether all rows keep the limit, and there is one.
    pub pass: bool,
    name: String,
    measured: String,
    limit: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.pass { "PASS" } else { "FAIL" };
        write!(f, "{verdict}  {}: measured {}, limit {}", self.name, self.measured, self.limit)
    }
}

impl Limits {
    /// Reads the file.
    ///
    /// # Errors
    /// It is missing, isn't of this form, or has a limit without `min` and `max`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the limits {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let read: Self = toml::from_str(text)?;
        let limits = Self { limits: read.limits.into_iter().flat_map(Limit::expand).collect() };
        for limit in &limits.limits {
            let name = limit.name();
            ensure!(limit.max.is_some() || limit.min.is_some(), "{name}: neither `min` nor `max`");
        }
        Ok(limits)
    }

    /// Checks the limits of this mode and these experiments against the rows, in the file's order.
    #[must_use]
    pub fn check(&self, rows: &[Row], mode: Mode, experiments: &[String]) -> Vec<Finding> {
        let ran_on = |l: &Limit, cores| {
            rows.iter().any(|row| row.experiment == l.experiment && row.cores == cores)
        };
        let applies = |l: &&Limit| {
            l.mode == mode
                && experiments.contains(&l.experiment)
                && l.cores.is_none_or(|cores| ran_on(l, cores))
        };
        self.limits.iter().filter(applies).map(|limit| limit.check(rows)).collect()
    }
}

impl Limit {
    /// The limits that it stands for, itself if it is one.
    fn expand(mut self) -> Vec<Self> {
        let Some(each) = self.each.take() else { return vec![self] };
        let limit_of = |(value, max): (String, f64)| {
            let mut limit = self.clone();
            let value = value.parse::<u64>().map_or_else(|_| value.into(), Into::into);
            limit.params.insert(each.param.clone(), value);
            limit.max = Some(max);
            limit
        };
        each.max.into_iter().map(limit_of).collect()
    }

    fn check(&self, rows: &[Row]) -> Finding {
        let measured: Vec<(&Row, Option<f64>)> = rows
            .iter()
            .filter(|row| self.matches(row))
            .map(|r| (r, self.number(r, rows)))
            .collect();
        let worst = measured.iter().max_by(|a, b| self.excess(a.1).total_cmp(&self.excess(b.1)));
        let (pass, measured) = match worst {
            None => (false, "nothing: no row matches".to_owned()),
            Some((row, None)) => (false, format!("nothing to compare with{}", self.rest(row))),
            Some((row, Some(number))) => {
                (self.excess(Some(*number)) <= 0.0, format!("{}{}", round(*number), self.rest(row)))
            }
        };
        Finding { pass, name: self.name(), measured, limit: self.bounds() }
    }

    fn matches(&self, row: &Row) -> bool {
        row.experiment == self.experiment
            && row.metric == self.metric
            && self.cores.is_none_or(|cores| cores == row.cores)
            && self.params.iter().all(|(name, value)| row.params.get(name) == Some(value))
    }

    /// The number that is limited; `None` if there is no row to compare with.
    fn number(&self, row: &Row, rows: &[Row]) -> Option<f64> {
        let number = self.statistic.of(&row.stats);
        let Some(against) = &self.against else { return Some(number) };
        let mut params = row.params.clone();
        params.extend(against.clone());
        let same = |r: &&Row| {
            (&r.experiment, &r.metric, r.cores) == (&row.experiment, &row.metric, row.cores)
                && r.params == params
        };
        rows.iter().find(same).map(|base| number / self.statistic.of(&base.stats))
    }

    /// By how much a number breaks the limit; at most 0 if it keeps it.
    fn excess(&self, number: Option<f64>) -> f64 {
        let Some(number) = number.filter(|number| number.is_finite()) else { return f64::INFINITY };
        let above = self.max.map_or(f64::NEG_INFINITY, |max| number - max);
        let below = self.min.map_or(f64::NEG_INFINITY, |min| min - number);
        above.max(below)
    }

    fn name(&self) -> String {
        let statistic = format!("{:?}", self.statistic).to_lowercase();
        let cores = self.cores.map_or(String::new(), |cores| format!(" cores={cores}"));
        let against =
            self.against.as_ref().map_or(String::new(), |a| format!(" over{}", words(a.iter())));
        let params = words(self.params.iter());
        format!("{}{cores}{params}{against} {} {statistic}", self.experiment, self.metric)
    }

    fn bounds(&self) -> String {
        let bound = |sign: &str, bound: Option<f64>| bound.map(|b| format!("{sign} {}", round(b)));
        let bounds = [bound(">=", self.min), bound("<=", self.max)];
        bounds.into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }

    /// What tells the worst row from the others that the limit matches.
    fn rest(&self, row: &Row) -> String {
        let rest: BTreeMap<_, _> =
            row.params.iter().filter(|(name, _)| !self.params.contains_key(*name)).collect();
        let cores =
            if self.cores.is_none() { format!(" cores={}", row.cores) } else { String::new() };
        let words = cores + &words(rest.into_iter());
        if words.is_empty() { words } else { format!(" (at{words})") }
    }
}

fn words<'a>(params: impl Iterator<Item = (&'a String, &'a serde_json::Value)>) -> String {
    params.map(|(name, value)| format!(" {name}={}", plain(value))).collect()
}

fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests;
