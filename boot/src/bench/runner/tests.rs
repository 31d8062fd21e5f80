use super::{Ended, Lab, Task, Watcher, run_all};
use crate::bench::region::Region;
use crate::bench::row::{Mode, Row};
use crate::verdict::Verdict;
use anyhow::Result;

const SAMPLE: &str = r#"{"experiment":"poll-cost","params":{"rings":8},"metric":"instructions",
"unit":"instructions","n":1,"min":9,"p50":9,"p90":9,"p99":9,"max":9,"mean":9}"#;
const COUNTED: &str =
    r#"{"experiment":"poll-cost","params":{"rings":8},"region":1,"operations":10}"#;

/// Prints what it was given for each task, then ends with its verdict.
struct Recorded {
    printed: Vec<Vec<String>>,
    verdict: Verdict,
    counts: Vec<Region>,
}

impl Lab for Recorded {
    fn run(&mut self, _: &Task, on_line: &mut dyn FnMut(&str)) -> Result<Vec<Region>> {
        self.printed.remove(0).iter().for_each(|line| on_line(line));
        let verdict = self.verdict.clone();
        if verdict != Verdict::Exited(0) {
            return Err(Ended { verdict, last_words: "the last line".into() }.into());
        }
        Ok(self.counts.clone())
    }
}

#[derive(Default)]
struct Notes(Vec<String>);

impl Watcher for Notes {
    fn begin(&mut self, index: usize, task: &Task) {
        self.0.push(format!("{index} {task}"));
    }

    fn step(&mut self, done: u64, of: u64) {
        self.0.push(format!("{done}/{of}"));
    }

    fn skipped(&mut self, _: &Task, why: &str) {
        self.0.push(why.to_owned());
    }
}

fn region() -> Region {
    let text = r#"{"region":1,"ended":true,"laps":0,"markers":0,"vcpus":{},"phases":{},
        "total":{"instructions":90,"fences":0,"locked":0}}"#;
    serde_json::from_str(text).unwrap()
}

fn run(printed: &[&[&str]], mode: Mode, verdict: Verdict) -> (Result<Vec<Row>>, Vec<String>) {
    let lines = |lines: &&[&str]| lines.iter().map(|line| line.replace('\n', "")).collect();
    let printed: Vec<Vec<String>> = printed.iter().map(lines).collect();
    let tasks: Vec<Task> = (1..).zip(&printed).map(|(cores, _)| task(cores)).collect();
    let mut lab = Recorded { printed, verdict, counts: vec![region()] };
    let mut notes = Notes::default();
    (run_all(&mut lab, &tasks, mode, &mut notes), notes.0)
}

fn task(cores: u16) -> Task {
    Task { experiment: "poll-cost".into(), cores }
}

fn error(printed: &[&str], verdict: Verdict) -> String {
    format!("{:#}", run(&[printed], Mode::Count, verdict).0.unwrap_err())
}

#[test]
fn rows_of_all_tasks_come_in_order_among_other_output() {
    let first = ["Atoll 0.1.0: 1 core", r#"{"progress":{"done":1,"of":2}}"#, SAMPLE, "bye"];
    let (rows, notes) = run(&[&first, &[SAMPLE]], Mode::Time, Verdict::Exited(0));
    let rows = rows.unwrap();
    assert_eq!(rows.iter().map(|row| row.cores).collect::<Vec<_>>(), [1, 2]);
    assert!(rows.iter().all(|row| row.mode == Mode::Time));
    assert_eq!(notes, ["0 poll-cost on 1 core", "1/2", "1 poll-cost on 2 cores"]);
}

#[test]
fn region_rows_are_filled_in_count_mode_alone() {
    let (rows, _) = run(&[&[COUNTED]], Mode::Count, Verdict::Exited(0));
    let rows = rows.unwrap();
    assert_eq!(rows.len(), 2, "without lines: instructions and fences");
    assert_eq!((rows[0].metric.as_str(), rows[0].stats.mean), ("instructions", 9.0));
    let (rows, _) = run(&[&[COUNTED, SAMPLE]], Mode::Time, Verdict::Exited(0));
    assert_eq!(rows.unwrap().len(), 1);
}

#[test]
fn a_broken_row_fails_the_run_with_task_and_line() {
    let error = error(&[SAMPLE, r#"{"experiment":"poll-cost","#], Verdict::Exited(0));
    assert!(error.starts_with("poll-cost on 1 core: malformed row: {"), "{error}");
}

#[test]
fn no_rows_are_an_error_unless_the_guest_says_why() {
    assert!(error(&["nothing"], Verdict::Exited(0)).contains("it printed no rows"));
    let skipped = r#"{"experiment":"poll-cost","skipped":"needs two cores"}"#;
    let (rows, notes) = run(&[&[skipped]], Mode::Count, Verdict::Exited(0));
    assert!(rows.unwrap().is_empty());
    assert_eq!(notes[1], "needs two cores");
}

#[test]
fn a_guest_that_ends_badly_fails_the_run_even_after_rows() {
    let error = error(&[SAMPLE], Verdict::Panicked);
    assert!(error.contains("kernel panic") && error.ends_with("the last line"), "{error}");
}

#[test]
fn the_guests_own_error_comes_before_how_it_ended() {
    let error = error(&[r#"{"error":"unknown experiment"}"#], Verdict::Exited(1));
    assert!(error.contains("the guest says: unknown experiment"), "{error}");
}
