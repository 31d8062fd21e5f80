use super::Limits;
use crate::bench::row::{Mode, Row, Stats};

const LIMITS: &str = r#"
[[limit]]
experiment = "message-cost"
params = { layout = "postcard", batch = 1 }
metric = "instructions"
statistic = "max"
max = 150
note = "every message kind"

[[limit]]
experiment = "message-cost"
params = { layout = "postcard", batch = 1 }
against = { layout = "hand" }
metric = "instructions"
max = 1.25

[[limit]]
experiment = "rings"
mode = "host"
metric = "ratio"
min = 0.5
"#;

fn row(layout: &str, message: &str, instructions: f64) -> Row {
    let params = [("layout", layout.into()), ("message", message.into()), ("batch", 1.into())];
    Row {
        experiment: "message-cost".into(),
        mode: Mode::Count,
        cores: 1,
        params: params.map(|(name, value)| (name.to_owned(), value)).into(),
        metric: "instructions".into(),
        unit: "instructions".into(),
        stats: Stats::of(&[instructions]),
    }
}

fn findings(rows: &[Row]) -> Vec<String> {
    let limits = Limits::parse(LIMITS).unwrap();
    let all = ["message-cost".to_owned()];
    limits.check(rows, Mode::Count, &all).iter().map(ToString::to_string).collect()
}

#[test]
fn the_worst_row_decides() {
    let rows = [
        row("postcard", "Ping", 120.),
        row("postcard", "Start", 151.),
        row("hand", "Ping", 100.),
        row("hand", "Start", 148.),
    ];
    let findings = findings(&rows);
    assert_eq!(
        findings[0],
        "FAIL  message-cost batch=1 layout=postcard instructions max: measured 151 (at cores=1 \
         message=Start), limit <= 150"
    );
    assert_eq!(
        findings[1],
        "PASS  message-cost batch=1 layout=postcard over layout=hand instructions p50: measured 1.2 \
         (at cores=1 message=Ping), limit <= 1.25"
    );
    assert_eq!(findings.len(), 2, "limits of other modes don't apply");
}

#[test]
fn a_limit_is_kept_at_its_value() {
    let rows = [row("postcard", "Ping", 150.), row("hand", "Ping", 120.)];
    assert!(findings(&rows).iter().all(|finding| finding.starts_with("PASS")));
}

#[test]
fn a_limit_that_matches_no_row_fails() {
    let findings = findings(&[row("hand", "Ping", 100.)]);
    assert!(findings.iter().all(|f| f.starts_with("FAIL") && f.contains("no row matches")));
}

#[test]
fn a_ratio_without_its_other_row_fails() {
    let findings = findings(&[row("postcard", "Ping", 100.)]);
    assert!(findings[1].starts_with("FAIL") && findings[1].contains("nothing to compare with"));
}

#[test]
fn a_number_that_is_none_fails() {
    let findings = findings(&[row("postcard", "Ping", 0.), row("hand", "Ping", 0.)]);
    assert!(findings[1].starts_with("FAIL"), "{}", findings[1]);
}

#[test]
fn limits_of_experiments_that_did_not_run_do_not_apply() {
    let limits = Limits::parse(LIMITS).unwrap();
    assert!(limits.check(&[], Mode::Count, &["poll-cost".into()]).is_empty());
    let host = limits.check(&[], Mode::Host, &["rings".into(), "message-cost".into()]);
    assert_eq!(host.len(), 1);
    assert!(!host[0].pass);
}

#[test]
fn broken_limits_are_refused() {
    let error = |text: &str| format!("{:#}", Limits::parse(text).unwrap_err());
    let head = "[[limit]]\nexperiment = \"a\"\nmetric = \"m\"\n";
    assert!(error(head).contains("neither `min` nor `max`"));
    assert!(error(&format!("{head}maximum = 3")).contains("maximum"));
    assert!(error(&format!("{head}max = 3\nstatistic = \"p42\"")).contains("p42"));
    assert!(Limits::read(std::path::Path::new("/nonexistent.toml")).is_err());
}

#[test]
fn the_projects_limits_are_well_formed() {
    let path = crate::image::workspace().unwrap().join("tests/experiments/limits.toml");
    let limits = Limits::read(&path).unwrap();
    let known = crate::bench::EXPERIMENTS.map(|(name, _)| name);
    for limit in &limits.limits {
        assert!(known.contains(&limit.experiment.as_str()), "{}", limit.name());
        assert!(!limit.note.is_empty(), "{} has no note", limit.name());
    }
}

#[test]
fn a_table_of_maxima_stands_for_a_limit_each() {
    let limits = r#"
        [[limit]]
        experiment = "message-cost"
        params = { layout = "postcard" }
        metric = "instructions"
        each = { param = "message", max = { Ping = 120, Start = 150 } }
    "#;
    let rows = [row("postcard", "Ping", 121.), row("postcard", "Start", 150.)];
    let all = ["message-cost".to_owned()];
    let findings = Limits::parse(limits).unwrap().check(&rows, Mode::Count, &all);
    assert_eq!(findings.iter().map(|finding| finding.pass).collect::<Vec<_>>(), [false, true]);
    let name = "FAIL  message-cost layout=postcard message=Ping instructions p50: measured 121";
    assert!(findings[0].to_string().starts_with(name), "{}", findings[0]);
}

#[test]
fn a_limit_of_a_size_applies_where_the_experiment_ran_on_it_and_numbers_are_found_as_such() {
    let limits = r#"
        [[limit]]
        experiment = "message-cost"
        cores = 1
        params = { layout = "postcard" }
        metric = "instructions"
        each = { param = "batch", max = { 1 = 120, 8 = 70 } }
    "#;
    let limits = Limits::parse(limits).unwrap();
    let all = ["message-cost".to_owned()];
    let on = |cores| Row { cores, ..row("postcard", "Ping", 121.) };
    assert_eq!(limits.check(&[on(2)], Mode::Count, &all), []);
    let findings = limits.check(&[on(1), on(2)], Mode::Count, &all);
    let names = findings.iter().map(ToString::to_string).collect::<Vec<_>>();
    let [one, eight] = names.as_slice() else { panic!("{names:?}") };
    assert!(one.starts_with("FAIL  message-cost cores=1 batch=1 layout=postcard"), "{one}");
    assert!(one.contains("measured 121"), "{one}");
    assert!(eight.contains("no row matches"), "{eight}");
}
