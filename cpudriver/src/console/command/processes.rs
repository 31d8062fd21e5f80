//! The arguments of commands about processes.

use super::args::Args;
use super::error::Problem;
use super::{Command, Extent, Soak, Storm, UsageError};
use core::ops::RangeInclusive;
use proto::id::Pid;

/// The pids that there are.
pub(super) const PIDS: RangeInclusive<u16> = 1..=32_767;

type Parsed<'a> = Result<Command<'a>, UsageError<'a>>;

pub(super) fn parse_run<'a>(args: &mut Args<'a>) -> Parsed<'a> {
    let name = args.required("NAME")?;
    let rest = args.rest();
    let (arguments, background) = match rest.strip_suffix('&') {
        Some(arguments) => (arguments.trim_end(), true),
        None => (rest, false),
    };
    // `run hello&` is how shells are used.
    match name.strip_suffix('&').filter(|_| rest.is_empty()) {
        Some("") => Err(args.error(Problem::Missing("NAME"))),
        Some(name) => Ok(Command::Run { name, arguments, background: true }),
        None => Ok(Command::Run { name, arguments, background }),
    }
}

pub(super) fn parse_storm<'a>(args: &mut Args<'a>) -> Parsed<'a> {
    let (mut seed, mut every, mut runs) = (1, 20_000, 1);
    let name = loop {
        match args.any_word().ok_or_else(|| args.error(Problem::Missing("NAME")))? {
            "--seed" => seed = args.number("N", 0..=u64::MAX)?,
            "--every" => every = args.number("TICKS", 1..=1_000_000_000_000)?,
            "--runs" => runs = args.number("N", 1..=1_000_000)?,
            option if option.starts_with("--") => {
                return Err(args.error(Problem::UnknownOption(option)));
            }
            name => break name,
        }
    };
    let arguments = args.rest();
    Ok(Command::Storm(Storm { name, arguments, seed, every, runs }))
}

pub(super) fn parse_soak<'a>(args: &mut Args<'a>) -> Parsed<'a> {
    let (mut seed, mut extent) = (1, Extent::Rounds(1));
    while let Some(word) = args.any_word() {
        match word {
            "--seed" => seed = args.number("N", 0..=u64::MAX)?,
            "--rounds" => extent = Extent::Rounds(args.number("N", 1..=1_000_000)?),
            "--seconds" => extent = Extent::Time(args.seconds()?),
            option if option.starts_with("--") => {
                return Err(args.error(Problem::UnknownOption(option)));
            }
            word => return Err(args.error(Problem::Unexpected(word))),
        }
    }
    Ok(Command::Soak(Soak { seed, extent }))
}

pub(super) fn parse_kill<'a>(args: &mut Args<'a>) -> Parsed<'a> {
    let first = args.required("PID")?;
    let Some(signal) = first.strip_prefix('-') else {
        let pid = args.to_number("PID", PIDS, first)?;
        return Ok(Command::Kill { pid: Pid(pid), signal: None });
    };
    let signal = args.to_number("N", 1..=64, signal)?;
    let pid = args.number("PID", PIDS)?;
    Ok(Command::Kill { pid: Pid(pid), signal: Some(signal) })
}

pub(super) fn parse_notify<'a>(args: &mut Args<'a>) -> Parsed<'a> {
    let pid = Pid(args.number("PID", PIDS)?);
    let kind = args.number("EVENT", 0..=u16::MAX)?;
    let value = args.optional_number("VALUE", 0..=u64::MAX)?.unwrap_or(0);
    Ok(Command::Notify { pid, kind, value })
}
