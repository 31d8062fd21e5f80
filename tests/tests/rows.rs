//! What the guest prints is what the host tool reads.

use boot::bench::row::{Line, Mode};
use cpudriver::console::output::{Format, Value};
use cpudriver::results::{Amounts, Measured, Part, Regions, Subject, failure, progress};
use cpudriver::stats::Summary;

fn printed(print: impl FnOnce(&mut String) -> std::fmt::Result) -> String {
    let mut text = String::new();
    print(&mut text).expect("a String takes everything");
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    text
}

fn read(print: impl FnOnce(&mut String) -> std::fmt::Result) -> Line {
    Line::parse(&printed(print)).expect("a row").expect("an object")
}

const PARAMS: [(&str, Value<'_>); 2] = [("layout", Value::Str("plain")), ("batch", Value::U64(8))];
const SUBJECT: Subject<'_> = Subject { experiment: "message-cost", params: &PARAMS };

fn measured() -> Measured<'static, u32> {
    let summary = Summary::of(&mut [20_u32, 10, 31, 40]).expect("samples");
    Measured { metric: "cycles", unit: "cycles", summary, operations: 10 }
}

#[test]
fn a_sample_row_carries_its_numbers() {
    let amounts = Amounts { messages: Some(2), bytes: None, hz: Some(1_000_000) };
    let line = read(|out| SUBJECT.sample_row(out, Format::Json, &measured(), amounts));
    let Line::Sample(sample) = line else { panic!("{line:?}") };
    let rows = sample.rows(Mode::Time, 4);
    assert_eq!(rows.len(), 2, "costs, and the rate of messages");
    let row = &rows[0];
    assert_eq!((row.experiment.as_str(), row.metric.as_str()), ("message-cost", "cycles"));
    assert_eq!(
        (row.params["layout"].as_str(), row.params["batch"].as_u64()),
        (Some("plain"), Some(8))
    );
    assert_eq!((row.stats.n, row.stats.min, row.stats.p50, row.stats.max), (4, 1.0, 2.0, 4.0));
    assert_eq!((row.stats.p90, row.stats.p99, row.stats.mean), (4.0, 4.0, 2.525));
    assert_eq!((rows[1].metric.as_str(), rows[1].stats.max), ("messages", 2e6));
}

#[test]
fn a_region_row_names_its_regions_and_roles() {
    let roles = [("sender", Part::Phase(1)), ("core 1", Part::Vcpu(1))];
    let regions =
        Regions { first: 3, count: 2, operations: 8_000, clock: Some(720_045), roles: &roles };
    let line = read(|out| SUBJECT.region_row(out, Format::Json, &regions, Amounts::default()));
    let Line::Counted(row) = line else { panic!("{line:?}") };
    assert_eq!((row.region, row.regions, row.operations, row.clock), (3, 2, 8_000, Some(720_045)));
    assert_eq!(row.roles["sender"], boot::bench::row::Part::Phase(1));
    assert_eq!(row.roles["core 1"], boot::bench::row::Part::Vcpu(1));
}

#[test]
fn the_fullest_rows_fit() {
    let amounts = Amounts { messages: Some(1), bytes: Some(64), hz: Some(1) };
    let roles = [("a", Part::Phase(0)); cpudriver::results::ROLES];
    let regions = Regions { first: 1, count: 1, operations: 1, clock: Some(1), roles: &roles };
    printed(|out| SUBJECT.region_row(out, Format::Json, &regions, amounts));
    printed(|out| SUBJECT.sample_row(out, Format::Json, &measured(), amounts));
}

#[test]
fn progress_reasons_and_failures_are_read() {
    let line = read(|out| progress(out, Format::Json, 3, 56));
    assert_eq!(line, Line::Progress { done: 3, of: 56 });
    let line = read(|out| SUBJECT.skipped(out, Format::Json, "needs two cores"));
    assert_eq!(line, Line::Skipped("needs two cores".into()));
    let error = Line::parse(&printed(|out| failure(out, Format::Json, "a \"lost\" message")));
    assert!(format!("{:#}", error.unwrap_err()).contains("a \"lost\" message"));
}

#[test]
fn text_is_for_people() {
    let text =
        printed(|out| SUBJECT.sample_row(out, Format::Text, &measured(), Amounts::default()));
    let expected = "message-cost layout=plain batch=8: metric=cycles unit=cycles n=4 min=10 p50=20 \
                    p90=40 p99=40 max=40 mean=25.250 operations=10\n";
    assert_eq!(text, expected);
    assert!(Line::parse(&text).unwrap().is_none());
}
