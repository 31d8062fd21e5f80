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

fn guest(dir: &tempfile::TempDir, source: &str) -> PathBuf {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/counting");
    let guest = dir.path().join("guest");
    let linker = ["-Ttext=0x100000", "-e,start", "-z,max-page-size=4096", "--build-id=none"];
    let mut cc = Command::new("cc");
    cc.args(["-nostdlib", "-static", "-no-pie", source, "-o"]).arg(&guest).current_dir(sources);
    cc.args(linker.map(|option| format!("-Wl,{option}")));
    assert!(cc.status().unwrap().success());
    guest
}

/// Runs the guest of this source on so many cores.
fn run(source: &str, cores: u16) -> Run {
    run_in(source, cores, |lab| lab)
}

fn run_in(source: &str, cores: u16, change: impl Fn(Machines) -> Machines) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let qemu = tools::qemu(None).unwrap();
    let plugin = plugin::build(dir.path(), &QemuVersion::ask(&qemu).unwrap()).unwrap();
    let machine = Machine { clock: Clock::Count, ..Machine::new(qemu, guest(&dir, source)) };
    let lab = Machines::new(machine, Duration::from_secs(60), Some(plugin)).unwrap();
    let mut lab = change(lab);
    let mut lines = Vec::new();
    let task = Task { experiment: "counting".into(), cores };
    let regions = lab.run(&task, &mut |line| lines.extend(Line::parse(line).unwrap())).unwrap();
    Run { regions, lines }
}

#[test]
fn counts_are_exact_and_agree_with_the_guests_clock() {
    let run = run("one.s", 1);
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
    let run = run("one.s", 1);
    let ended: Vec<bool> = run.regions.iter().map(|region| region.ended).collect();
    assert_eq!(ended, [true, true, true, false, false]);
    let nop = Counts {
        instructions: 1,
        kernel: Some(0),
        lines: Some(0),
        transfers: Some(0),
        ..Counts::default()
    };
    assert_eq!(run.regions[3].total, nop);
}

#[test]
fn cores_are_told_apart_and_lines_move_between_them() {
    let run = run("two.s", 2);
    // Four a round, but for the first touch.
    assert_eq!(run.mean("bounce", "total", "transfers"), 199.0 / 50.0);
    let other = run.mean("work", "other", "instructions");
    // Between its last look and the first loop lie a few instructions, depending on where it was.
    assert!((202.0..=212.0).contains(&other), "{other}");
    assert_eq!(run.mean("work", "other", "fences"), 1.0);
    assert_eq!(run.mean("work", "first", "fences"), 0.0);
    let first = run.mean("work", "first", "instructions");
    assert_eq!(run.mean("work", "total", "instructions"), first + other);
}

/// Region 2 of the guest is a loop of eight instructions and a lap.
#[test]
fn a_profile_has_every_instruction_that_was_counted() {
    let run = run_in("one.s", 1, Machines::profiled);
    for region in &run.regions {
        let executed: u64 = region.profile.iter().map(|&(_, _, times)| times).sum();
        assert_eq!(executed, region.total.instructions, "region {}", region.region);
    }
    let loops = &run.regions[1].profile;
    assert!(loops.iter().all(|&(vcpu, _, times)| (vcpu, times) == (0, 100)), "{loops:?}");
    assert_eq!((loops.len(), run.regions[1].total.lines), (8, None));
}

#[test]
fn two_runs_count_the_same() {
    assert_eq!(run("one.s", 1), run("one.s", 1));
    assert_eq!(run("two.s", 2), run("two.s", 2));
}
