use super::{By, Profiler, listing};
use crate::bench::region::{Counts, Region};
use crate::bench::row::{Counted, Line};
use crate::bench::runner::Task;
use std::path::{Path, PathBuf};

/// Two operations in each region.
fn row(experiment: &str) -> Counted {
    let text = format!(
        r#"{{"experiment":"{experiment}","params":{{"batch":1}},"region":1,"operations":2}}"#
    );
    match Line::parse(&text).unwrap().unwrap() {
        Line::Counted(row) => row,
        other => panic!("{other:?}"),
    }
}

fn region(profile: &[(u32, u64, u64)]) -> Region {
    Region {
        region: 1,
        ended: true,
        laps: 0,
        markers: 0,
        total: Counts::default(),
        vcpus: [].into(),
        phases: [].into(),
        profile: profile.to_vec(),
    }
}

fn listed(by: By, programs: Vec<(String, PathBuf)>, samples: &[Region]) -> String {
    let task = Task { experiment: "process".into(), cores: 2 };
    let mut profiler = Profiler::new(by, Path::new("/nonexistent"), programs);
    profiler.take(&task, &row("process"), samples);
    listing(&profiler.profiles())
}

#[test]
fn instructions_are_per_operation_by_core_and_the_most_come_first() {
    let first = region(&[(0, 0x40, 4), (0, u64::MAX, 600), (1, 0x80, 2)]);
    let second = region(&[(0, 0x40, 8), (0, u64::MAX - 1, 400), (0, 0x10, 1)]);
    let text = listed(By::Functions, Vec::new(), &[first, second]);
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines[0], "process on 2 cores, batch=1: core 0 executed 253.2 instructions");
    assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["150.0", "0xffffffffffffffff"]);
    assert_eq!(lines[3].split_whitespace().collect::<Vec<_>>(), ["3.0", "0x40"]);
    assert_eq!(lines[4].split_whitespace().collect::<Vec<_>>(), ["0.2", "others"]);
    assert_eq!(lines[5], "process on 2 cores, batch=1: core 1 executed 0.5 instructions");
}

/// The test binary stands in for the program of the experiment.
#[test]
fn functions_of_the_experiments_program_are_named() {
    let image = std::env::current_exe().unwrap();
    let data = std::fs::read(&image).unwrap();
    let file = object::File::parse(&*data).unwrap();
    let entry = object::Object::symbols(&file)
        .find(|symbol| {
            let name = object::ObjectSymbol::name(symbol).unwrap_or_default();
            name.contains("profile") && name.contains("open_program")
        })
        .map(|symbol| object::ObjectSymbol::address(&symbol))
        .expect("`open_program` is a function of this binary");
    let samples = [region(&[(0, entry, 2)])];
    let named = |name: &str| listed(By::Functions, vec![(name.into(), image.clone())], &samples);
    let text = named("bench_process");
    assert!(text.contains("user: boot::bench::profile::Profiler::open_program"), "{text}");
    assert!(named("bench_vcore").contains(&format!("{entry:#x}")), "another's program");
}

#[test]
fn instructions_come_one_by_one_in_order_and_none_is_left_out() {
    let samples = [region(&[(0, 0x48, 2), (0, 0x40, 2_000_000)])];
    let text = listed(By::Instructions, Vec::new(), &samples);
    let lines: Vec<Vec<_>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[2], ["1000000.0", "0x0000000000000040"], "{text}");
    assert_eq!(lines[3], ["1.0", "0x0000000000000048"], "{text}");
}
