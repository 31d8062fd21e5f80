//! What the console tells about its commands.

use super::super::output::{Format, Table, Value, text};
use super::{COMMANDS, EXPERIMENTS, Spec};
use core::fmt::{self, Write};

impl Spec {
    /// The usage of the command, to be displayed on one line.
    #[must_use]
    pub fn usage(&self) -> impl fmt::Display + '_ {
        Usage(self)
    }
}

struct Usage<'a>(&'a Spec);

impl fmt::Display for Usage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spec { name, arguments, .. } = self.0;
        let blank = if arguments.is_empty() { "" } else { " " };
        let json = if self.0.takes_json() { " [--json]" } else { "" };
        write!(f, "{name}{blank}{arguments}{json}")
    }
}

/// Explains the command of that name, or lists all.
///
/// # Errors
///
/// Those of `out`.
pub fn write_help(out: &mut dyn Write, topic: Option<&str>, format: Format) -> fmt::Result {
    match (topic.and_then(Spec::find), format) {
        (Some(spec), Format::Text) => explain(out, spec),
        (Some(spec), Format::Json) => list(out, core::slice::from_ref(spec), format),
        (None, _) => list(out, COMMANDS, format),
    }
}

fn explain(out: &mut dyn Write, spec: &Spec) -> fmt::Result {
    writeln!(out, "usage: {}", spec.usage())?;
    writeln!(out, "{} {}.", spec.name, spec.summary)?;
    if !spec.details.is_empty() {
        writeln!(out, "{}", spec.details)?;
    }
    if spec.name == "bench" {
        let table = Table::new(Format::Text, [text("experiment", 16), text("measures", 0)]);
        table.heading(out)?;
        for experiment in EXPERIMENTS {
            table.row(out, [experiment.name.into(), experiment.summary.into()])?;
        }
    }
    if spec.takes_json() {
        writeln!(out, "With --json it prints one JSON object a line.")?;
    }
    Ok(())
}

fn list(out: &mut dyn Write, specs: &[Spec], format: Format) -> fmt::Result {
    if format == Format::Text {
        for spec in specs {
            writeln!(out, "{:10}{:14}{}", spec.name, short(spec.arguments), spec.summary)?;
        }
        return writeln!(out, "`help COMMAND` tells more.");
    }
    let table = Table::new(format, ["command", "usage", "summary", "details"].map(|n| text(n, 0)));
    for spec in specs {
        let (name, summary) = (spec.name.into(), spec.summary.into());
        let usage = Value::Args(format_args!("{}", spec.usage()));
        table.row(out, [name, usage, summary, spec.details.into()])?;
    }
    Ok(())
}

/// Arguments too long for the list are only hinted at.
fn short(arguments: &str) -> &str {
    if arguments.len() < 14 { arguments } else { "[...]" }
}

/// Completes names of commands, and of experiments after `bench`: a [`Completer`] for the editor.
///
/// [`Completer`]: super::super::line::Completer
pub fn complete(before: &str, visit: &mut dyn FnMut(&str)) {
    let statement = before.rsplit([';', '{']).next().unwrap_or("");
    let typed = statement.rsplit_once(' ').map_or("", |(typed, _)| typed);
    let mut words = typed.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (None | Some("help"), None, _) | (Some("repeat"), Some(_), None) => {
            COMMANDS.iter().for_each(|spec| visit(spec.name));
        }
        (Some("bench"), ..) => {
            EXPERIMENTS.iter().for_each(|experiment| visit(experiment.name));
            ["--cores", "--rounds", "--warmup", "--strategy", "--json"]
                .iter()
                .for_each(|option| visit(option));
        }
        (Some(name), ..) if Spec::find(name).is_some_and(Spec::takes_json) => visit("--json"),
        _ => {}
    }
}
