//! The ring benchmark runs, and the host tool reads what it prints.

use std::process::{Command, Output};

use boot::bench::row::{Line, Mode, Row};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde_json::Value;

fn rings(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rings")).args(args).output().expect("the benchmark starts")
}

fn rows(output: &Output) -> Vec<Row> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |text| Line::parse(text).expect("a row, or progress");
    let row = |line| match line {
        Some(Line::Sample(sample)) => sample.rows(Mode::Host, 2),
        _ => vec![],
    };
    lines.lines().flat_map(|text| row(line(text))).collect()
}

/// Lists the layouts that have a positive number of a metric, whatever the regime.
fn layouts<'a>(
    rows: &'a [Row],
    experiment: &str,
    metric: &str,
    param: (&str, Value),
) -> Vec<&'a str> {
    let matches = |row: &&Row| {
        let same = row.params.get(param.0) == Some(&param.1);
        row.experiment == experiment && row.metric == metric && same && row.stats.min > 0.0
    };
    let name = |row: &'a Row| row.params["layout"].as_str().expect("a name");
    let mut names: Vec<_> = rows.iter().filter(matches).map(name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn every_layout_yields_rows_in_both_experiments() {
    let allowed = sched_getaffinity(Pid::from_raw(0)).expect("the system says");
    if (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false)).count() < 2 {
        eprintln!("skipped: it needs two CPUs");
        return;
    }
    let rows = rows(&rings(&["--quick", "--json"]));
    let queues = ["crossbeam", "mpsc", "mutex", "postcard", "rtrb-line", "rtrb-typed"];
    let all = [&queues[..4], &["raw-1", "raw-2"], &queues[4..]].concat();
    for poll in ["pause", "spin"] {
        assert_eq!(layouts(&rows, "ring-latency", "time", ("poll", poll.into())), all, "{poll}");
    }
    for batch in [1, 8, 32] {
        for metric in ["time", "messages"] {
            let found = layouts(&rows, "ring-throughput", metric, ("batch", batch.into()));
            assert_eq!(found, queues, "{metric} at {batch}");
        }
    }
}

#[test]
fn with_one_cpu_it_says_what_it_lacks() {
    // What this thread may use, the program that it starts may use.
    let mine = Pid::from_raw(0);
    let allowed = sched_getaffinity(mine).expect("the system says");
    let mut one = CpuSet::new();
    let first = (0..CpuSet::count()).find(|&cpu| allowed.is_set(cpu).unwrap_or(false));
    one.set(first.expect("this thread runs somewhere")).expect("a CPU");
    sched_setaffinity(mine, &one).expect("to do with less is allowed");
    let output = rings(&["--quick"]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("may use only one"), "{complaint}");
    assert!(output.stdout.is_empty());
}

#[test]
fn its_help_names_its_options() {
    let help = rings(&["--help"]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(["--rounds", "--quick", "--json"].iter().all(|option| help.contains(option)), "{help}");
}
