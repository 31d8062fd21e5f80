use super::{Region, parse, read, rows};
use crate::bench::row::{Counted, Line, Row};
use std::path::Path;

/// Recorded: two regions of message-cost with two phases, then one that was cut short.
const RECORDED: &str = r#"{"region":1,"ended":true,"laps":4,"markers":12,"total":{"instructions":400,"fences":4,"locked":0,"lines":24,"transfers":0},"vcpus":{"0":{"instructions":400,"fences":4,"locked":0,"lines":24,"transfers":0}},"phases":{"1":{"instructions":240,"fences":4,"locked":0,"lines":16,"transfers":0},"2":{"instructions":160,"fences":0,"locked":0,"lines":12,"transfers":0}}}
{"region":2,"ended":true,"laps":4,"markers":12,"total":{"instructions":440,"fences":4,"locked":0,"lines":24,"transfers":0},"vcpus":{"0":{"instructions":440,"fences":4,"locked":0,"lines":24,"transfers":0}},"phases":{"1":{"instructions":280,"fences":4,"locked":0,"lines":16,"transfers":0},"2":{"instructions":160,"fences":0,"locked":0,"lines":12,"transfers":0}}}
{"region":3,"ended":false,"laps":0,"markers":0,"total":{"instructions":2,"fences":0,"locked":0},"vcpus":{},"phases":{}}
"#;

fn counted(more: &str) -> Counted {
    let text =
        format!(r#"{{"experiment":"message-cost","params":{{"batch":1}},"operations":4,{more}}}"#);
    match Line::parse(&text).unwrap().unwrap() {
        Line::Counted(row) => row,
        other => panic!("{other:?}"),
    }
}

fn recorded() -> Vec<Region> {
    parse(RECORDED).unwrap()
}

fn filled(more: &str) -> Vec<Row> {
    rows(&counted(more), &recorded(), 2).unwrap()
}

fn error(more: &str) -> String {
    format!("{:#}", rows(&counted(more), &recorded(), 2).unwrap_err())
}

fn find<'a>(rows: &'a [Row], role: &str, metric: &str) -> &'a Row {
    rows.iter().find(|r| r.params["role"] == *role && r.metric == metric).unwrap()
}

#[test]
fn a_region_gives_instructions_fences_and_lines_per_operation() {
    let rows = filled(r#""region":1,"clock":412"#);
    let names: Vec<_> = rows.iter().map(|row| row.metric.as_str()).collect();
    assert_eq!(names, ["instructions", "fences", "lines", "transfers"]);
    let means: Vec<_> = rows.iter().map(|row| row.stats.mean).collect();
    assert_eq!(means, [100., 1., 6., 0.]);
    assert!(rows.iter().all(|row| row.params["batch"] == 1 && row.cores == 2));
}

#[test]
fn roles_are_shares_of_the_region() {
    let roles =
        r#""region":1,"roles":{"sender":{"phase":1},"receiver":{"phase":2},"other":{"vcpu":1}}"#;
    let rows = filled(roles);
    assert_eq!(find(&rows, "sender", "instructions").stats.mean, 60.);
    assert_eq!(find(&rows, "receiver", "instructions").stats.mean, 40.);
    assert_eq!(find(&rows, "receiver", "lines").stats.mean, 3.);
    assert_eq!(find(&rows, "other", "instructions").stats.mean, 0.);
    assert_eq!(find(&rows, "other", "lines").stats.mean, 0.);
    assert_eq!(find(&rows, "total", "instructions").stats.mean, 100.);
}

#[test]
fn several_regions_are_the_samples_of_one_row() {
    let rows = filled(r#""region":1,"regions":2,"clock":864"#);
    let stats = find(&rows, "total", "instructions").stats;
    assert_eq!((stats.n, stats.min, stats.max, stats.mean), (2, 100., 110., 105.));
}

#[test]
fn throughput_is_per_kiloinstruction() {
    let rows = filled(r#""region":1,"messages":1,"bytes":64"#);
    assert_eq!(find(&rows, "total", "messages").stats.mean, 10.);
    assert_eq!(find(&rows, "total", "bytes").stats.mean, 640.);
}

#[test]
fn clock_and_plugin_must_agree_to_the_instruction() {
    let message = error(r#""region":1,"clock":413"#);
    assert!(message.contains("clock says 413 instructions, the plugin counted 412"), "{message}");
}

#[test]
fn a_region_that_was_not_counted_is_an_error() {
    assert!(error(r#""region":4"#).contains("names regions 4 to 4, but the plugin counted 3"));
    assert!(error(r#""region":0"#).contains("the plugin counted 3"));
    assert!(error(r#""region":2,"regions":3"#).contains("names regions 2 to 4"));
    assert!(error(r#""region":3"#).contains("region 3 of message-cost did not end"));
}

#[test]
fn a_missing_or_broken_file_is_an_error() {
    let missing = format!("{:#}", read(Path::new("/nonexistent/counts")).unwrap_err());
    assert!(missing.contains("left no counts in /nonexistent/counts"), "{missing}");
    assert!(parse("{\"region\":1").is_err());
    let lost: String = RECORDED.lines().skip(1).collect();
    assert!(parse(&lost).is_err());
    assert_eq!(parse("").unwrap(), []);
}
