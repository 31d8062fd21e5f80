//! The counting plugin in QEMU, with a guest whose counts are known.

#![expect(clippy::unwrap_used, reason = "all of this is tests, also what no #[test] stands before")]

use boot::bench::lab::Machines;
use boot::bench::plugin::{self, QemuVersion};
use boot::bench::region::{self, Counts, Region};
use boot::bench::row::{Line, Row};
use boot::bench::runner::{Lab, Task};
use boot::machine::Machine;
use boot::tools;
use proto::boot::Clock;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// What a run of the guest gave.
#[derive(Debug, PartialEq)]
struct Run {
    regions: Vec<Region>,
    lines: Vec<Line>,
}

impl Run {
    fn rows(&self, of: &str) -> Vec<Row> {
        let row = self.lines.iter().find_map(|line| match line {
            Line::Counted(row) if row.experiment == of => Some(row),
            _ => None,
        });
        region::rows(row.unwrap(), &self.regions, 1).unwrap()
    }

    fn mean(&self, of: &str, role: &str, metric: &str) -> f64 {
        let rows = self.rows(of);
        let here = |row: &&Row| row.params["role"] == *role && row.metric == metric;
        rows.iter().find(here).unwrap().stats.mean
    }
}

fn guest(dir: &tempfile::TempDir) -> PathBuf {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/counting/guest.s");
    let guest = dir.path().join("guest");
    let linker = ["-Ttext=0x100000", "-e,start", "-z,max-page-size=4096", "--build-id=none"];
    let mut cc = Command::new("cc");
    cc.args(["-nostdlib", "-static", "-no-pie", source, "-o"]).arg(&guest);
    cc.args(linker.map(|option| format!("-Wl,{option}")));
    assert!(cc.status().unwrap().success());
    guest
}

fn run() -> Run {
    let dir = tempfile::tempdir().unwrap();
    let qemu = tools::qemu(None).unwrap();
    let plugin = plugin::build(dir.path(), &QemuVersion::ask(&qemu).unwrap()).unwrap();
    let machine = Machine { clock: Clock::Count, ..Machine::new(qemu, guest(&dir)) };
    let mut lab = Machines::new(machine, Duration::from_secs(60), Some(plugin)).unwrap();
    let mut lines = Vec::new();
    let task = Task { experiment: "counting".into(), cores: 1 };
    let regions = lab.run(&task, &mut |line| lines.extend(Line::parse(line).unwrap())).unwrap();
    Run { regions, lines }
}

#[test]
fn counts_are_exact_and_agree_with_the_guests_clock() {
    let run = run();
    assert_eq!(run.mean("nothing", "total", "instructions"), 0.0);
    assert_eq!(run.mean("operations", "total", "instructions"), 8.0);
    assert_eq!(run.mean("operations", "total", "fences"), 1.0);
    assert_eq!(run.mean("operations", "total", "lines"), 4.0);
    assert_eq!(run.mean("operations", "total", "transfers"), 0.0);
    assert_eq!(run.regions[1].total.locked, 200);
    let copied = run.mean("strings", "copy", "instructions");
    assert!((100.0..=103.0).contains(&copied), "{copied} instructions copy 100 bytes");
    assert_eq!(run.mean("strings", "copy", "lines"), 4.0);
    let filled = run.mean("strings", "fill", "instructions");
    assert_eq!(run.mean("strings", "total", "instructions"), copied + filled);
    assert_eq!(run.mean("strings", "other", "instructions"), 0.0);
}

#[test]
fn regions_that_do_not_end_are_marked() {
    let run = run();
    let ended: Vec<bool> = run.regions.iter().map(|region| region.ended).collect();
    assert_eq!(ended, [true, true, true, false, false]);
    let nop = Counts { instructions: 1, lines: Some(0), transfers: Some(0), ..Counts::default() };
    assert_eq!(run.regions[3].total, nop);
}

#[test]
fn two_runs_count_the_same() {
    assert_eq!(run(), run());
}
