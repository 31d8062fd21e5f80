//! What can be wrong with a statement.

use super::Spec;
use core::fmt::{self, Write};

/// Why a statement is not a command. Its `Display` says what is wrong, and the usage of the command on
/// a second line.
#[derive(Clone, Copy, Debug)]
pub struct UsageError<'a> {
    spec: Option<&'static Spec>,
    problem: Problem<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem<'a> {
    UnknownCommand {
        name: &'a str,
        nearest: Option<&'static str>,
    },
    /// An argument that is called so in the usage.
    Missing(&'static str),
    /// Not a number, or not one between the bounds.
    Number {
        what: &'static str,
        least: u64,
        most: u64,
        word: &'a str,
    },
    Malformed {
        what: &'static str,
        expected: &'static str,
        word: &'a str,
    },
    UnknownExperiment {
        name: &'a str,
        nearest: Option<&'static str>,
    },
    UnknownWay {
        name: &'a str,
        nearest: Option<&'static str>,
    },
    UnknownOption(&'a str),
    Unexpected(&'a str),
    /// `repeat` inside of `repeat`.
    Nested,
    /// A group without its `}`.
    Unclosed,
}

impl<'a> UsageError<'a> {
    pub(super) fn new(spec: Option<&'static Spec>, problem: Problem<'a>) -> Self {
        Self { spec, problem }
    }
}

impl core::error::Error for UsageError<'_> {}

impl fmt::Display for UsageError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(spec) = self.spec else { return self.problem.fmt(f) };
        write!(f, "{}: {}\nusage: {}", spec.name, self.problem, spec.usage())
    }
}

impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnknownCommand { name, nearest: Some(nearest) } => {
                write!(f, "unknown command {}; did you mean `{nearest}`?", Quoted(name))
            }
            Self::UnknownCommand { name, nearest: None } => {
                write!(f, "unknown command {}; `help` lists all", Quoted(name))
            }
            Self::Missing(what) => write!(f, "{what} is missing"),
            Self::Number { what, least, most, word } => {
                write!(f, "{what} must be a number from {least} to {most}, not {}", Quoted(word))
            }
            Self::Malformed { what, expected, word } => {
                write!(f, "{what} must be {expected}, not {}", Quoted(word))
            }
            Self::UnknownExperiment { name, nearest: Some(nearest) } => {
                write!(f, "unknown experiment {}; did you mean `{nearest}`?", Quoted(name))
            }
            Self::UnknownExperiment { name, nearest: None } => {
                write!(f, "unknown experiment {}; `help bench` lists all", Quoted(name))
            }
            Self::UnknownWay { name, nearest: Some(nearest) } => {
                write!(f, "unknown way {}; did you mean `{nearest}`?", Quoted(name))
            }
            Self::UnknownWay { name, nearest: None } => write!(f, "unknown way {}", Quoted(name)),
            Self::UnknownOption(word) => write!(f, "unknown option {}", Quoted(word)),
            Self::Unexpected(word) => write!(f, "{} is one argument too many", Quoted(word)),
            Self::Nested => f.write_str("a repeat cannot stand inside another"),
            Self::Unclosed => f.write_str("the closing } is missing"),
        }
    }
}

/// A word as it was typed, in backquotes, made harmless for a terminal and cut to a sensible length.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 40;
        f.write_char('`')?;
        for char in self.0.chars().take(MOST) {
            if char.is_control() {
                write!(f, "{}", char.escape_default())
            } else {
                f.write_char(char)
            }?;
        }
        f.write_str(if self.0.chars().nth(MOST).is_some() { "...`" } else { "`" })
    }
}
