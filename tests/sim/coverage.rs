//! The list of what the process model asks for names tests that exist, and leaves nothing out.

use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, iter};

#[derive(Deserialize)]
struct Coverage {
    item: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    #[serde(default)]
    rows: Vec<u32>,
    what: String,
    #[serde(rename = "akaros")]
    _akaros: String,
    #[serde(default)]
    tests: Vec<String>,
    pending: Option<String>,
    absent: Option<String>,
}

const ROWS: std::ops::RangeInclusive<u32> = 1..=104;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above this crate")
}

fn coverage() -> Coverage {
    let text = fs::read_to_string(root().join("tests/coverage.toml")).expect("the list is there");
    toml::from_str(&text).expect("the list is well formed")
}

/// The names of all test functions below a folder.
fn tests_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .filter(|entry| entry.file_name() != "target")
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => tests_in(&entry.path()),
            _ => tests_of(&fs::read_to_string(entry.path()).unwrap_or_default()),
        })
        .collect()
}

fn tests_of(source: &str) -> BTreeSet<String> {
    let lines = source.lines().map(str::trim);
    let after = lines.clone().skip(1).chain(iter::once(""));
    let name = |line: &str| line.strip_prefix("fn ")?.split('(').next().map(str::to_owned);
    lines
        .zip(after)
        .filter(|(line, _)| *line == "#[test]")
        .filter_map(|(_, fun)| name(fun))
        .collect()
}

fn all_tests() -> BTreeSet<String> {
    ["proto", "monitor", "cpudriver", "tests"]
        .iter()
        .flat_map(|it| tests_in(&root().join(it)))
        .collect()
}

#[test]
fn every_item_has_tests_that_exist_or_a_reason() {
    let existing = all_tests();
    for item in coverage().item {
        let ways = [!item.tests.is_empty(), item.pending.is_some(), item.absent.is_some()];
        assert_eq!(ways.iter().filter(|way| **way).count(), 1, "{}", item.what);
        for test in item.tests {
            assert!(existing.contains(&test), "{}: there is no test {test}", item.what);
        }
    }
}

#[test]
fn every_row_occurs_once() {
    let mut rows: Vec<u32> = coverage().item.iter().flat_map(|item| item.rows.clone()).collect();
    rows.sort_unstable();
    assert_eq!(rows, ROWS.collect::<Vec<_>>());
}

#[test]
fn every_crossing_order_and_defect_that_is_tested_is_listed() {
    let listed: BTreeSet<String> = coverage().item.into_iter().flat_map(|it| it.tests).collect();
    let named = |test: &String| {
        ["crossing_", "order_", "defect_"].iter().any(|kind| test.starts_with(kind))
    };
    let missing: Vec<_> =
        all_tests().into_iter().filter(named).filter(|it| !listed.contains(it)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
