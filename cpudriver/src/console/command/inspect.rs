//! The arguments of commands that look at processes.

use super::args::Args;
use super::error::Problem;
use super::processes::PIDS;
use super::{Command, UsageError};
use proto::id::Pid;

type Parsed<'a> = Result<Command<'a>, UsageError<'a>>;

pub(super) fn parse_pip<'a>(args: &mut Args<'a>) -> Parsed<'a> {
    let pid = Pid(args.number("PID", PIDS)?);
    let verbose = match args.word()? {
        None => false,
        Some("v") => true,
        Some(word) => {
            let problem = Problem::Malformed { what: "v", expected: "`v`", word };
            return Err(args.error(problem));
        }
    };
    Ok(Command::Process { pid, verbose })
}
