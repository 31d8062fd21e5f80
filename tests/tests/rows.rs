//! What the guest prints is what the host tool reads.

use boot::bench::row::{Line, Mode, Part};
use cpudriver::console::output::{Format, Value};
use cpudriver::results::{Measured, ROLES, Samples, Ticks, failed, progress, skipped};
use cpudriver::stats::Summary;
use proto::boot::Clock;

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
const COUNT: Ticks = Ticks { clock: Clock::Count, hz: 1_000_000_000 };
const TIME: Ticks = Ticks { clock: Clock::Time, hz: 1_000_000 };

fn measured() -> Measured<'static> {
    let summary = Summary::of(&mut [20, 10, 31, 40]).expect("samples");
    Measured {
        experiment: "message-cost",
        params: &PARAMS,
        operations: 10,
        samples: Samples { region: 3, regions: 4, clock: Some(101), summary },
        amounts: None,
        roles: &[],
    }
}

#[test]
fn the_clock_s_numbers_arrive() {
    let measured = Measured { amounts: Some((2, 128)), ..measured() };
    let line = read(|out| measured.write(out, Format::Json, TIME));
    let Line::Sample(sample) = line else { panic!("{line:?}") };
    let rows = sample.rows(Mode::Time, 4);
    assert_eq!(rows.len(), 3, "costs, and the rates of messages and bytes");
    let row = &rows[0];
    assert_eq!((row.experiment.as_str(), row.metric.as_str()), ("message-cost", "cycles"));
    assert_eq!(row.params["layout"].as_str(), Some("plain"));
    assert_eq!(row.params["batch"].as_u64(), Some(8));
    assert_eq!((row.stats.n, row.stats.min, row.stats.p50, row.stats.max), (4, 1.0, 2.0, 4.0));
    assert_eq!((row.stats.p90, row.stats.p99, row.stats.mean), (4.0, 4.0, 2.525));
    assert_eq!((rows[1].metric.as_str(), rows[1].stats.max), ("messages", 2e6));
    assert_eq!((rows[2].metric.as_str(), rows[2].stats.max), ("bytes", 128e6));
}

#[test]
fn regions_arrive_with_their_roles() {
    let measured = Measured { roles: &[("sender", 0), ("receiver", 1)], ..measured() };
    let line = read(|out| measured.write(out, Format::Json, COUNT));
    let Line::Counted(row) = line else { panic!("{line:?}") };
    assert_eq!((row.region, row.regions, row.operations, row.clock), (3, 4, 10, Some(101)));
    assert_eq!((row.amounts.messages, row.amounts.bytes, row.amounts.hz), (None, None, None));
    assert_eq!(row.roles.len(), 2);
    assert_eq!((row.roles["sender"], row.roles["receiver"]), (Part::Vcpu(0), Part::Vcpu(1)));
}

#[test]
fn what_is_not_known_is_left_to_the_host() {
    let samples = Samples { clock: None, ..measured().samples };
    let measured = Measured { samples, amounts: Some((1, 64)), params: &[], ..measured() };
    let line = read(|out| measured.write(out, Format::Json, COUNT));
    let Line::Counted(row) = line else { panic!("{line:?}") };
    assert_eq!((row.clock, row.amounts.bytes, row.params.len()), (None, Some(64.0), 0));
    let line = read(|out| Measured { amounts: None, ..measured }.write(out, Format::Json, TIME));
    let Line::Sample(sample) = line else { panic!("{line:?}") };
    assert_eq!(sample.rows(Mode::Time, 2).len(), 1);
}

#[test]
fn roles_beyond_the_bound_are_left_out() {
    let roles = ["a", "b", "c", "d", "e", "f"].map(|name| (name, 0));
    let measured = Measured { roles: &roles, ..measured() };
    let line = read(|out| measured.write(out, Format::Json, COUNT));
    let Line::Counted(row) = line else { panic!("{line:?}") };
    assert_eq!(row.roles.len(), ROLES);
}

#[test]
fn progress_reasons_and_failures_are_read() {
    let line = read(|out| progress(out, Format::Json, 3, 56));
    assert_eq!(line, Line::Progress { done: 3, of: 56 });
    let line = read(|out| skipped(out, Format::Json, "ring-latency", "needs two cores"));
    assert_eq!(line, Line::Skipped("needs two cores".into()));
    let text = printed(|out| failed(out, Format::Json, "ring-latency", &"a \"lost\" message"));
    let error = Line::parse(&text).expect_err("a failure");
    assert!(format!("{error:#}").contains("ring-latency: a \"lost\" message"));
}

#[test]
fn text_is_for_people() {
    let text = printed(|out| measured().write(out, Format::Text, COUNT));
    let expected = "message-cost layout=plain batch=8: instructions min=1.0 p50=2.0 p99=4.0 \
                    max=4.0 n=4\n";
    assert_eq!(text, expected);
    assert!(Line::parse(&text).expect("no row").is_none());
}
