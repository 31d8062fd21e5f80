use super::{Line, Mode, Stats};

const SAMPLE: &str = r#"{"experiment":"ring-latency","params":{"from":0,"to":1},"metric":"cycles",
"unit":"cycles","n":10,"min":100,"p50":200,"p90":300,"p99":400,"max":500,"sum":2100,"operations":2"#;

fn sample(more: &str) -> super::Sample {
    match Line::parse(&format!("{SAMPLE}{more}}}")).unwrap().unwrap() {
        Line::Sample(row) => row,
        other => panic!("{other:?}"),
    }
}

fn error(text: &str) -> String {
    format!("{:#}", Line::parse(text).unwrap_err())
}

#[test]
fn text_is_not_a_row() {
    assert_eq!(Line::parse("atoll> bench").unwrap(), None);
    assert_eq!(Line::parse("").unwrap(), None);
}

#[test]
fn samples_are_divided_by_the_operations_that_they_cover() {
    let rows = sample("").rows(Mode::Time, 2);
    assert_eq!(rows.len(), 1);
    let stats = Stats { n: 10, min: 50., p50: 100., p90: 150., p99: 200., max: 250., mean: 105. };
    assert_eq!(rows[0].stats, stats);
    assert_eq!((rows[0].cores, rows[0].params["to"].as_u64()), (2, Some(1)));
}

#[test]
fn throughput_follows_from_cost_and_frequency() {
    let rows = sample(r#","messages":1,"bytes":64,"hz":1e9"#).rows(Mode::Time, 2);
    let names: Vec<_> = rows.iter().map(|r| (r.metric.as_str(), r.unit.as_str())).collect();
    let rates = [("messages", "per second"), ("bytes", "per second")];
    assert_eq!(names, [("cycles", "cycles"), rates[0], rates[1]]);
    assert!((rows[1].stats.max - 2e7).abs() < 1e-3, "the least cost is the greatest rate");
    assert!((rows[2].stats.p50 - 64e7).abs() < 1e-3);
}

#[test]
fn cycles_without_a_frequency_give_no_rate() {
    assert_eq!(sample(r#","messages":1"#).rows(Mode::Time, 2).len(), 1);
}

#[test]
fn broken_rows_are_named_in_the_error() {
    assert!(error(r#"{"experiment":"x""#).starts_with(r#"malformed row: {"experiment":"x""#));
    assert!(error(r#"{"experiment":"x","metric":"m"}"#).contains("missing field `unit`"));
    assert!(error(&format!("{}}}", SAMPLE.replace(r#""n":10"#, r#""n":0"#))).contains("samples"));
    let without_sum = SAMPLE.replace(r#""sum":2100,"#, "");
    assert!(error(&format!("{without_sum}}}")).contains("neither `mean` nor `sum`"));
    assert!(error(r#"{"experiment":"x","region":1,"operations":0}"#).contains("no operations"));
    assert!(error(r#"{"progress":{"done":1}}"#).contains("progress"));
}

#[test]
fn the_guests_own_errors_come_through() {
    assert!(
        error(r#"{"error":"no peer rings left"}"#).contains("the guest says: no peer rings left")
    );
}

#[test]
fn percentiles_are_samples() {
    let samples: Vec<f64> = (1..=200).rev().map(f64::from).collect();
    let stats = Stats::of(&samples);
    assert_eq!((stats.n, stats.min, stats.p50, stats.p90), (200, 1., 100., 180.));
    assert_eq!((stats.p99, stats.max, stats.mean), (198., 200., 100.5));
    let one = Stats::of(&[7.]);
    assert_eq!((one.min, one.p50, one.p99, one.max), (7., 7., 7., 7.));
}

#[test]
fn progress_and_skips_are_understood() {
    let progress = Line::parse(r#"{"progress":{"done":3,"of":56}}"#).unwrap();
    assert_eq!(progress, Some(Line::Progress { done: 3, of: 56 }));
    let skipped = Line::parse(r#"{"experiment":"ring-latency","skipped":"needs two cores"}"#);
    assert_eq!(skipped.unwrap(), Some(Line::Skipped("needs two cores".into())));
}
