//! Writes `results.json` and `results.csv`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;

use super::environment::Environment;
use super::profile::Profile;
use super::row::Row;

/// All that a run measured, and with what.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// What it was measured with.
    pub environment: Environment,
    /// The measurements.
    pub results: Vec<Row>,
    /// Where the instructions went, if that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Profile>,
}

impl Results {
    /// The text of `results.json`.
    ///
    /// # Errors
    /// A number is not finite.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The text of `results.csv`: a header, the rows in the same order as in the JSON, each parameter in a
    /// column `p_NAME` of its own, empty where a row doesn't have it.
    ///
    /// # Errors
    /// None that these rows can cause.
    pub fn csv(&self) -> Result<String> {
        let params: BTreeSet<&str> =
            self.results.iter().flat_map(|row| row.params.keys().map(String::as_str)).collect();
        let mut csv = csv::Writer::from_writer(Vec::new());
        let columns = params.iter().map(|name| format!("p_{name}"));
        let fixed = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let head = fixed(&["experiment", "mode", "cores"]).into_iter().chain(columns);
        csv.write_record(head.chain(fixed(&NUMBERS)))?;
        for row in &self.results {
            csv.write_record(record(row, &params))?;
        }
        Ok(String::from_utf8(csv.into_inner()?)?)
    }

    /// Writes both files into `dir`, which is made if it doesn't exist.
    ///
    /// # Errors
    /// The directory or a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        prepare(dir)?;
        for (name, text) in [("results.json", self.json()?), ("results.csv", self.csv()?)] {
            let path = dir.join(name);
            std::fs::write(&path, text)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

const NUMBERS: [&str; 9] = ["metric", "unit", "n", "min", "p50", "p90", "p99", "max", "mean"];

/// Makes the directory and sees that a file can be written there, before anything is measured.
///
/// # Errors
/// It can't.
pub fn prepare(dir: &Path) -> Result<()> {
    let probe = std::fs::create_dir_all(dir).and_then(|()| tempfile::tempfile_in(dir));
    probe.with_context(|| format!("cannot write to the output directory {}", dir.display()))?;
    Ok(())
}

fn record(row: &Row, params: &BTreeSet<&str>) -> Vec<String> {
    let stats = &row.stats;
    let mut fields =
        vec![row.experiment.clone(), row.mode.name().to_owned(), row.cores.to_string()];
    fields.extend(params.iter().map(|name| row.params.get(*name).map_or(String::new(), plain)));
    fields.extend([row.metric.clone(), row.unit.clone(), stats.n.to_string()]);
    let numbers = [stats.min, stats.p50, stats.p90, stats.p99, stats.max, stats.mean];
    fields.extend(numbers.map(|number| number.to_string()));
    fields
}

/// A parameter without the quotes of JSON.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
