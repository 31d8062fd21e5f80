//! What the counting plugin wrote, and the rows that it fills.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::row::{Counted, Mode, Part, Row, Stats, with_throughput};

/// Counts of one region, or of one vCPU's or one phase's part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Counts {
    /// Instructions executed, markers not among them.
    pub instructions: u64,
    /// Those of them at addresses of the kernel; absent if all are.
    pub kernel: Option<u64>,
    /// `mfence` executed.
    pub fences: u64,
    /// Instructions executed that lock the bus: a `lock` prefix, or `xchg` with memory.
    pub locked: u64,
    /// Lines touched, summed over the laps; absent if memory was not followed.
    pub lines: Option<u64>,
    /// Lines that moved between cores; absent if memory was not followed.
    pub transfers: Option<u64>,
}

/// What was executed between two markers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Region {
    /// Counted from 1 in the order of the begin markers.
    pub region: u64,
    /// False if there was no end marker before the next begin, or the end of the run.
    pub ended: bool,
    /// Lap markers executed.
    pub laps: u64,
    /// Lap and phase markers executed.
    pub markers: u64,
    /// By all vCPUs.
    pub total: Counts,
    /// By vCPU, those left out that executed nothing.
    pub vcpus: BTreeMap<u32, Counts>,
    /// By phase, those left out in which nothing was executed.
    pub phases: BTreeMap<u32, Counts>,
    /// How often each instruction was executed: vCPU, address, times; empty if that was not counted.
    #[serde(default)]
    pub profile: Vec<(u32, u64, u64)>,
}

impl Region {
    fn part(&self, part: Option<Part>) -> Counts {
        let nothing = Counts {
            lines: self.total.lines.map(|_| 0),
            transfers: self.total.transfers.map(|_| 0),
            ..Counts::default()
        };
        match part {
            None => self.total,
            Some(Part::Vcpu(index)) => self.vcpus.get(&index).copied().unwrap_or(nothing),
            Some(Part::Phase(phase)) => self.phases.get(&phase).copied().unwrap_or(nothing),
        }
    }
}

/// Reads the plugin's file.
///
/// # Errors
/// The file is missing (QEMU didn't load the plugin) or isn't the plugin's.
pub fn read(path: &Path) -> Result<Vec<Region>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the counting plugin left no counts in {}", path.display()))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Vec<Region>> {
    let lines = text.lines().enumerate();
    lines
        .map(|(i, line)| {
            let region: Region = serde_json::from_str(line)
                .with_context(|| format!("malformed line of the counting plugin: {line}"))?;
            ensure!(region.region == i as u64 + 1, "the counting plugin lost region {}", i + 1);
            Ok(region)
        })
        .collect()
}

/// The rows that a region row stands for: total and roles, times the metrics.
///
/// # Errors
/// The regions weren't counted, didn't end, or the guest's clock and the plugin disagree.
pub fn rows(row: &Counted, regions: &[Region], cores: u32) -> Result<Vec<Row>> {
    let samples = samples(row, regions)?;
    check_clock(row, samples)?;
    let roles = row.roles.iter().map(|(name, &part)| (name.as_str(), Some(part)));
    let all = std::iter::once(("total", None)).chain(roles);
    Ok(all.flat_map(|(role, part)| role_rows(row, samples, cores, role, part)).collect())
}

pub(super) fn samples<'a>(row: &Counted, regions: &'a [Region]) -> Result<&'a [Region]> {
    let first = usize::try_from(row.region.saturating_sub(1))?;
    let last = first.saturating_add(usize::try_from(row.regions)?);
    let samples = regions.get(first..last).filter(|_| row.region > 0).with_context(|| {
        format!(
            "a row of {} names regions {} to {last}, but the plugin counted {}",
            row.experiment,
            row.region,
            regions.len()
        )
    })?;
    for sample in samples {
        ensure!(sample.ended, "region {} of {} did not end", sample.region, row.experiment);
    }
    Ok(samples)
}

fn check_clock(row: &Counted, samples: &[Region]) -> Result<()> {
    let counted: u64 = samples.iter().map(|s| s.total.instructions + s.markers).sum();
    let agrees = row.clock.is_none_or(|clock| clock == counted);
    ensure!(
        agrees,
        "{} {}: the guest's clock says {} instructions, the plugin counted {counted}",
        row.experiment,
        Value::from_iter(row.params.clone()),
        row.clock.unwrap_or(0)
    );
    Ok(())
}

type Metric = (&'static str, &'static str, fn(&Counts) -> Option<u64>);

const METRICS: [Metric; 5] = [
    ("instructions", "instructions", |counts| Some(counts.instructions)),
    ("kernel", "instructions", |counts| counts.kernel),
    ("fences", "fences", |counts| Some(counts.fences)),
    ("lines", "lines", |counts| counts.lines),
    ("transfers", "lines", |counts| counts.transfers),
];

fn role_rows(
    row: &Counted,
    samples: &[Region],
    cores: u32,
    role: &str,
    part: Option<Part>,
) -> Vec<Row> {
    let parts: Vec<Counts> = samples.iter().map(|sample| sample.part(part)).collect();
    let mut params = row.params.clone();
    let role = Value::from(role);
    params.entry("role".into()).and_modify(|r| qualify(r, &role)).or_insert(role.clone());
    METRICS.iter().flat_map(|metric| metric_rows(row, &params, &parts, cores, metric)).collect()
}

/// A row that names a role itself keeps it for its total.
fn qualify(role: &mut Value, part: &Value) {
    if *part != "total" {
        *role = part.clone();
    }
}

fn metric_rows(
    row: &Counted,
    params: &super::row::Params,
    parts: &[Counts],
    cores: u32,
    &(metric, unit, count): &Metric,
) -> Vec<Row> {
    let per_operation = |counts: &Counts| count(counts).map(|c| c as f64 / row.operations as f64);
    let Some(samples) = parts.iter().map(per_operation).collect::<Option<Vec<f64>>>() else {
        return Vec::new();
    };
    let row_of_metric = Row {
        experiment: row.experiment.clone(),
        mode: Mode::Count,
        cores,
        params: params.clone(),
        metric: metric.to_owned(),
        unit: unit.to_owned(),
        stats: Stats::of(&samples),
    };
    with_throughput(row_of_metric, row.amounts)
}

#[cfg(test)]
mod tests;
