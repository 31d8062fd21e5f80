//! The command line: `atoll [OPTIONS]` boots, subcommands do the rest.

use crate::{bench, image, nolock, run, say, sim, terminal, tools, trace};
use clap::Parser;
use proto::exit::HOST_ERROR;
use std::panic;
use std::process::ExitCode;

/// Boots Atoll, a multikernel for x86_64, in QEMU, with its console on this terminal
///
/// Without a subcommand: builds the kernel image in release mode, boots it and relays the console until
/// the guest leaves.
#[derive(Debug, Parser)]
#[command(
    name = "atoll",
    version,
    args_conflicts_with_subcommands = true,
    args_override_self = true
)]
#[command(after_help = EXIT_STATUS)]
struct Cli {
    #[command(flatten)]
    run: run::Args,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What the tool does besides booting. Each has options of its own and returns the exit status.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Finds or installs what is needed, the Rust target and QEMU, and does nothing else
    Setup,
    /// Runs experiments, prints tables, writes results.json and results.csv
    Bench(Box<bench::Args>),
    /// Looks for locks and unpaused spins in the linked kernel, and fails if there are any
    CheckLocks(nolock::Args),
    /// Runs the protocol on the host: random seeds, every order of small cases, mutants
    #[command(disable_help_flag = true)]
    Sim(sim::Args),
    /// Records what the coordinator of a run is told, or tells it again on the host
    Trace(Box<trace::Args>),
}

const EXIT_STATUS: &str = "\
Exit status: 0-99 the guest's own (`exit CODE`), 101 kernel panic, 102 triple fault, 124 timeout,
125 host-side error (also wrong options), 130 interrupted.";

/// The whole program: parses the arguments, does what they say, returns the exit status.
#[must_use]
pub fn main() -> ExitCode {
    panic::set_hook(Box::new(|info| {
        terminal::restore();
        say(&format!("this is a bug of the host tool: {info}"));
        std::process::exit(HOST_ERROR.into());
    }));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let status = crate::session::catch_signals().and_then(|()| dispatch(&cli));
    ExitCode::from(status.unwrap_or_else(|error| {
        say(&format!("{error:#}"));
        HOST_ERROR
    }))
}

fn dispatch(cli: &Cli) -> anyhow::Result<u8> {
    match &cli.command {
        None => run::run(&cli.run),
        Some(Command::Setup) => setup(),
        Some(Command::Bench(args)) => bench::run(args),
        Some(Command::CheckLocks(args)) => nolock::run(args),
        Some(Command::Sim(args)) => sim::run(args),
        Some(Command::Trace(args)) => trace::run(args),
    }
}

fn setup() -> anyhow::Result<u8> {
    let qemu = tools::qemu(None)?;
    tools::rust_targets(&image::workspace()?)?;
    let targets = [tools::KERNEL_TARGET, tools::PROGRAM_TARGET].join(", ");
    say(&format!("all is there: {targets} and {}", qemu.display()));
    Ok(0)
}

/// Prints help or what is wrong with the arguments; gives the exit status. clap's own for the latter, 2, could be a
/// guest's.
#[must_use]
pub fn usage(error: &clap::Error) -> ExitCode {
    // Nobody may be reading; the status is told all the same.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { HOST_ERROR } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_that_cannot_be_meant_are_refused() {
        for wrong in [
            "--cores 0",
            "--cores 256",
            "--cores x",
            "--cores 2 --smp 4",
            "--smp cats=2",
            "--machine virt",
            "--memory 0",
            "--timeout 0",
            "--timeout -1",
            "--timeout nan",
            "--accel hvf",
            "--frobnicate",
            "frobnicate",
            "trace",
            "trace --record",
            "trace --record a --replay b",
            "trace --replay a --cores 2",
        ] {
            let words = std::iter::once("atoll").chain(wrong.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{wrong}");
        }
    }
}
