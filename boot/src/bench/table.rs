//! Shows rows to people: a table per experiment, a line per setting, a column per metric.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::environment::Environment;
use super::output::plain;
use super::row::Row;

/// More lines than this are left to the files.
const MOST_LINES: usize = 60;

/// The tables of all experiments, each headed by what it was measured with.
#[must_use]
pub fn tables(environment: &Environment, rows: &[Row]) -> String {
    let mut text = String::new();
    for name in in_order(rows.iter().map(|row| row.experiment.as_str())) {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.experiment == name).collect();
        let _ = writeln!(text, "\n{name} · {}", environment.head());
        text += &table(&rows);
    }
    text
}

fn in_order<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

/// A line of the table: the rows that differ in nothing but their metric.
struct Line<'a> {
    rows: Vec<&'a Row>,
}

fn table(rows: &[&Row]) -> String {
    let mut lines = lines(rows);
    let all = lines.len();
    if all > MOST_LINES {
        lines.retain(|line| line.rows[0].params.get("role").is_none_or(|role| role == "total"));
        lines.truncate(MOST_LINES);
    }
    let shown: Vec<&Row> = lines.iter().flat_map(|line| line.rows.iter().copied()).collect();
    let mut cells = vec![head(&shown)];
    cells.extend(lines.iter().map(|line| line.cells(&shown)));
    let mut text = aligned(&cells);
    if lines.len() < all {
        let _ = writeln!(text, "  … and {} more in the files of --out", all - lines.len());
    }
    text
}

fn lines<'a>(rows: &[&'a Row]) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    for row in rows {
        let same = |line: &&mut Line| {
            let first = line.rows[0];
            (first.cores, &first.params) == (row.cores, &row.params)
        };
        // Rows of a line come one after the other, but for metrics that the host added: look back.
        match lines.iter_mut().rev().take(8).find(same) {
            Some(line) => line.rows.push(row),
            None => lines.push(Line { rows: vec![row] }),
        }
    }
    lines
}

fn params<'a>(rows: &[&'a Row]) -> BTreeSet<&'a str> {
    rows.iter().flat_map(|row| row.params.keys().map(String::as_str)).collect()
}

/// The metrics, and whether more than the mean is worth a column.
fn metrics<'a>(rows: &[&'a Row]) -> Vec<(&'a str, &'a str, bool)> {
    let names = in_order(rows.iter().map(|row| (row.metric.as_str(), row.unit.as_str())));
    let spread = |(metric, unit)| {
        let of = |row: &&&Row| row.metric == metric && row.unit == unit;
        let spread = rows.iter().filter(of).any(|row| row.stats.min < row.stats.max);
        (metric, unit, spread)
    };
    names.into_iter().map(spread).collect()
}

fn head(rows: &[&Row]) -> Vec<String> {
    let mut cells = vec!["cores".to_owned()];
    cells.extend(params(rows).into_iter().map(str::to_owned));
    for (metric, unit, spread) in metrics(rows) {
        let unit = if unit == metric { String::new() } else { format!(" {unit}") };
        let statistics: &[&str] = if spread { &[" p50", " p99", " max"] } else { &[""] };
        cells.extend(statistics.iter().map(|statistic| format!("{metric}{unit}{statistic}")));
    }
    cells
}

impl Line<'_> {
    fn cells(&self, shown: &[&Row]) -> Vec<String> {
        let first = self.rows[0];
        let mut cells = vec![first.cores.to_string()];
        let value = |name| first.params.get(name).map_or(String::new(), plain);
        cells.extend(params(shown).into_iter().map(value));
        for (metric, unit, spread) in metrics(shown) {
            let of = |row: &&&Row| row.metric == metric && row.unit == unit;
            let stats = self.rows.iter().find(of).map(|row| row.stats);
            let numbers =
                stats.map(|s| if spread { vec![s.p50, s.p99, s.max] } else { vec![s.mean] });
            let empty = vec![String::new(); if spread { 3 } else { 1 }];
            cells.extend(numbers.map_or(empty, |n| n.into_iter().map(number).collect()));
        }
        cells
    }
}

/// As many digits as say something.
fn number(value: f64) -> String {
    match value {
        whole if whole.fract() == 0.0 => format!("{whole:.0}"),
        large if large >= 1000.0 => format!("{large:.0}"),
        medium if medium >= 10.0 => format!("{medium:.1}"),
        small => format!("{small:.3}"),
    }
}

/// Lines up columns: text on the left, numbers on the right.
fn aligned(cells: &[Vec<String>]) -> String {
    let columns = cells[0].len();
    let width = |column: usize| cells.iter().map(|l| l[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let numeric = |column: usize| {
        cells[1..].iter().all(|line| line[column].is_empty() || line[column].parse::<f64>().is_ok())
    };
    let numeric: Vec<bool> = (0..columns).map(numeric).collect();
    let pad = |(column, cell): (usize, &String)| match numeric[column] {
        true => format!("{cell:>width$}", width = widths[column]),
        false => format!("{cell:<width$}", width = widths[column]),
    };
    let line = |line: &Vec<String>| line.iter().enumerate().map(pad).collect::<Vec<_>>().join("  ");
    cells.iter().map(|cells| format!("  {}\n", line(cells).trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::{MOST_LINES, number, tables};
    use crate::bench::environment::Environment;
    use crate::bench::row::{Mode, Row, Stats};

    fn row(metric: &str, layout: &str, role: &str, samples: &[f64]) -> Row {
        let params = [("layout", layout), ("role", role)];
        Row {
            experiment: "message-cost".into(),
            mode: Mode::Count,
            cores: 1,
            params: params.map(|(name, value)| (name.to_owned(), value.into())).into(),
            metric: metric.into(),
            unit: metric.into(),
            stats: Stats::of(samples),
        }
    }

    fn environment() -> Environment {
        let (mode, accelerator) = ("count".to_owned(), "tcg".to_owned());
        Environment { mode, accelerator, machine: "microvm".into(), ..Environment::default() }
    }

    #[test]
    fn a_line_has_all_metrics_of_a_setting() {
        let rows = [
            row("instructions", "hand", "total", &[76.0]),
            row("fences", "hand", "total", &[1.0]),
            row("instructions", "postcard", "total", &[110.0, 143.5]),
        ];
        let text = tables(&environment(), &rows);
        let lines: Vec<_> = text.lines().map(str::trim_end).collect();
        assert!(
            lines[1].starts_with("message-cost · mode count: tcg -icount on microvm"),
            "{text}"
        );
        let head = "  cores  layout    role   instructions p50  instructions p99  instructions max  fences";
        assert_eq!(lines[2], head);
        assert_eq!(
            lines[3].split_whitespace().collect::<Vec<_>>(),
            ["1", "hand", "total", "76", "76", "76", "1"]
        );
        assert_eq!(lines[4].split_whitespace().nth(4), Some("143.5"));
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn a_long_table_says_what_it_leaves_out() {
        let roles = |i: usize| [("total", i), ("sender", i)];
        let rows: Vec<Row> = (0..100)
            .flat_map(roles)
            .map(|(role, i)| row("instructions", &i.to_string(), role, &[1.0]))
            .collect();
        let text = tables(&environment(), &rows);
        assert!(!text.contains("sender"));
        assert!(text.contains(&format!("… and {} more", 200 - MOST_LINES)), "{text}");
    }

    #[test]
    fn no_rows_give_no_table() {
        assert_eq!(tables(&environment(), &[]), "");
    }

    #[test]
    fn numbers_have_the_digits_that_say_something() {
        assert_eq!([0.125, 3.0, 76.25, 12345.678].map(number), ["0.125", "3", "76.2", "12346"]);
    }
}
