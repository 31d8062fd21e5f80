use super::{Results, prepare};
use crate::bench::environment::Environment;
use crate::bench::row::{Mode, Row, Stats};
use std::path::Path;

fn row(experiment: &str, param: (&str, serde_json::Value)) -> Row {
    Row {
        experiment: experiment.into(),
        mode: Mode::Count,
        cores: 2,
        params: [(param.0.to_owned(), param.1)].into(),
        metric: "instructions".into(),
        unit: "instructions".into(),
        stats: Stats::of(&[1.5, 2.0]),
    }
}

fn results(rows: Vec<Row>) -> Results {
    Results { environment: Environment::default(), results: rows, profiles: Vec::new() }
}

#[test]
fn the_csv_has_the_rows_of_the_json_with_a_column_per_parameter() {
    let results =
        results(vec![row("a", ("layout", "x,\"y\"".into())), row("b", ("rings", 8.into()))]);
    let csv = results.csv().unwrap();
    let lines: Vec<_> = csv.lines().collect();
    let head = "experiment,mode,cores,p_layout,p_rings,metric,unit,n,min,p50,p90,p99,max,mean";
    assert_eq!(lines[0], head);
    let numbers = "instructions,instructions,2,1.5,1.5,2,2,2,1.75";
    assert_eq!(lines[1], format!(r#"a,count,2,"x,""y""",,{numbers}"#));
    assert_eq!(lines[2], format!("b,count,2,,8,{numbers}"));
}

#[test]
fn the_json_has_environment_and_results() {
    let json = results(vec![row("a", ("batch", 8.into()))]).json().unwrap();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let keys: Vec<_> = value.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["environment", "results"]);
    let row = &value["results"][0];
    assert_eq!(
        (&row["experiment"], &row["mode"], &row["cores"]),
        (&"a".into(), &"count".into(), &2.into())
    );
    assert_eq!((&row["params"]["batch"], &row["mean"]), (&8.into(), &1.75.into()));
    assert_eq!(row.as_object().unwrap().len(), 13, "no field but the documented ones");
}

#[test]
fn a_run_without_rows_still_writes_both_files() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("deep/er");
    results(Vec::new()).write(&out).unwrap();
    let json = std::fs::read_to_string(out.join("results.json")).unwrap();
    assert!(json.contains("\"results\": []"));
    assert_eq!(std::fs::read_to_string(out.join("results.csv")).unwrap().lines().count(), 1);
}

#[test]
fn an_output_directory_that_cannot_be_written_is_named() {
    let error = format!("{:#}", prepare(Path::new("/proc/no/where")).unwrap_err());
    assert!(error.contains("cannot write to the output directory /proc/no/where"), "{error}");
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(prepare(file.path()).is_err(), "a file is not a directory");
}
