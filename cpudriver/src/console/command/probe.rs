//! The arguments of `probe`, which the test build has.

use super::args::Args;
use super::error::Problem;
use super::{Command, UsageError};
use crate::probe::Point;
use proto::id::CoreId;

/// What `probe` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A core is to stand still when it next comes to a point.
    Delay {
        /// Where.
        point: Point,
        /// Which core.
        core: CoreId,
    },
    /// Wait until all cores that were told to stand still do.
    Await,
    /// Let those go on that stand still.
    Go,
    /// Forget which crossings were met.
    Clear,
    /// Show how often each crossing was met since.
    Show,
}

pub(super) fn parse<'a>(args: &mut Args<'a>) -> Result<Command<'a>, UsageError<'a>> {
    let probe = match args.required("delay")? {
        "await" => Probe::Await,
        "go" => Probe::Go,
        "clear" => Probe::Clear,
        "show" => Probe::Show,
        "delay" => {
            let word = args.required("POINT")?;
            let found = Point::ALL.into_iter().find(|point| point.name() == word);
            let expected = "a point such as yield, change, orders or answers";
            let point = found
                .ok_or_else(|| args.error(Problem::Malformed { what: "POINT", expected, word }))?;
            Probe::Delay { point, core: args.core()? }
        }
        word => return Err(args.error(Problem::Unexpected(word))),
    };
    Ok(Command::Probe(probe))
}
