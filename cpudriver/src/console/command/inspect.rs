//! The arguments of commands that look at processes, and of those about cores of many-core processes.

use super::super::core_list::MAX_CORE;
use super::args::Args;
use super::error::Problem;
use super::processes::PIDS;
use super::{Command, Measured, Traced, UsageError};
use proto::id::{CoreId, Pid};

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

pub(super) fn parse_strace<'a>(args: &mut Args<'a>) -> Parsed<'a> {
    let mut follow = false;
    let name = loop {
        match args.required("NAME")? {
            "-f" => follow = true,
            name => break name,
        }
    };
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        let traced = Traced::Process(Pid(args.to_number("PID", PIDS, name)?));
        return Ok(Command::Strace { traced, follow });
    }
    let traced = Traced::Program { name, arguments: args.rest() };
    Ok(Command::Strace { traced, follow })
}

pub(super) fn parse_prov<'a>(args: &mut Args<'a>) -> Parsed<'a> {
    let Some(first) = args.word()?.filter(|word| *word != "-s") else {
        return Ok(Command::Provisioned);
    };
    let pid = args.to_number("PID", 0..=*PIDS.end(), first)?;
    let cores = args.core_list("LIST")?;
    Ok(Command::Provision { pid: (pid != 0).then_some(Pid(pid)), cores })
}

pub(super) fn parse_preempt<'a>(args: &mut Args<'a>) -> Parsed<'a> {
    let pid = Pid(args.number("PID", PIDS)?);
    let (mut core, mut warning) = (None, None);
    while let Some(word) = args.any_word() {
        if word == "--warn" {
            warning = Some(args.seconds()?);
        } else if word.starts_with("--") {
            return Err(args.error(Problem::UnknownOption(word)));
        } else if core.is_some() {
            return Err(args.error(Problem::Unexpected(word)));
        } else {
            core = Some(CoreId(args.to_number("CORE", 1..=MAX_CORE, word)?));
        }
    }
    Ok(Command::Preempt { pid, core, warning })
}

pub(super) fn parse_measure<'a>(args: &mut Args<'a>) -> Parsed<'a> {
    let what = "OPERATION";
    let word = args.required(what)?;
    let Some(found) = Measured::ALL.into_iter().find(|it| it.name() == word) else {
        let expected = "kill, preempt or preempt-warn";
        return Err(args.error(Problem::Malformed { what, expected, word }));
    };
    Ok(Command::Measure { what: found, pid: Pid(args.number("PID", PIDS)?) })
}
