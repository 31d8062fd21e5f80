//! Shows rows to people: a table per experiment, a line per setting, a column per metric.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::environment::Environment;
use super::output::plain;
use super::row::{Row, Stats};

/// More lines than this are left to the files.
const MOST_LINES: usize = 100;

/// Samples that differ by less than this factor are about the same.
const SAME: f64 = 1.01;

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

impl Line<'_> {
    fn cells(&self, params: &[&str], columns: &[Column]) -> Vec<String> {
        let first = self.rows[0];
        let value = |name: &&str| first.params.get(*name).map_or(String::new(), plain);
        let mut cells = vec![first.cores.to_string()];
        cells.extend(params.iter().map(value));
        cells.extend(columns.iter().map(|column| column.cell(&self.rows)));
        cells
    }
}

fn table(rows: &[&Row]) -> String {
    let mut lines = lines(rows);
    let all = lines.len();
    if all > MOST_LINES {
        lines.retain(|line| line.rows[0].params.get("role").is_none_or(|role| role == "total"));
        lines.truncate(MOST_LINES);
    }
    let shown: Vec<&Row> = lines.iter().flat_map(|line| line.rows.iter().copied()).collect();
    let (params, columns) = (params(&shown), columns(&shown));
    let names = std::iter::once("cores").chain(params.iter().copied()).map(str::to_owned);
    let mut cells = vec![names.chain(columns.iter().map(Column::head)).collect()];
    cells.extend(lines.iter().map(|line| line.cells(&params, &columns)));
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

/// A column: a metric, and which of its numbers.
#[derive(Clone, Copy, Debug)]
struct Column<'a> {
    metric: &'a str,
    unit: &'a str,
    /// How the number is called, if there is more than one.
    name: &'static str,
    of: fn(&Stats) -> f64,
}

impl Column<'_> {
    fn head(&self) -> String {
        let Self { metric, unit, name, .. } = self;
        match *unit {
            "per kiloinstruction" => format!("{metric}/kinsn{name}"),
            "per second" => format!("{metric}/s{name}"),
            "lines" => format!("{metric}{name}"),
            unit if unit == *metric => format!("{metric}{name}"),
            unit => format!("{metric}, {unit}{name}"),
        }
    }

    fn cell(&self, rows: &[&Row]) -> String {
        let here = |row: &&&Row| row.metric == self.metric && row.unit == self.unit;
        rows.iter().find(here).map_or(String::new(), |row| number((self.of)(&row.stats)))
    }
}

/// Of each metric the mean where samples are about the same, else more.
fn columns<'a>(rows: &[&'a Row]) -> Vec<Column<'a>> {
    let metrics = in_order(rows.iter().map(|row| (row.metric.as_str(), row.unit.as_str())));
    let mut columns = Vec::new();
    for (metric, unit) in metrics {
        let here = rows.iter().filter(|row| row.metric == metric && row.unit == unit);
        let spread = here.map(|row| row.stats).any(|s| s.max > s.min * SAME);
        let column = |name, of| Column { metric, unit, name, of };
        if spread {
            columns.push(column(" p50", |stats| stats.p50));
            columns.push(column(" p99", |stats| stats.p99));
            columns.push(column(" max", |stats| stats.max));
        } else {
            columns.push(column("", |stats| stats.mean));
        }
    }
    columns
}

/// The names of all parameters, the role behind the others.
fn params<'a>(rows: &[&'a Row]) -> Vec<&'a str> {
    let names: BTreeSet<&str> =
        rows.iter().flat_map(|row| row.params.keys().map(String::as_str)).collect();
    let role = names.contains("role").then_some("role");
    names.into_iter().filter(|name| *name != "role").chain(role).collect()
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
