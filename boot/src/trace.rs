//! Records what the coordinator of a running kernel is told, and has it told again on the host.

use crate::machine::Machine;
use crate::{run, say, sim};
use anyhow::Context as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// To record or to replay.
#[derive(Debug, clap::Args)]
#[group(id = "deed", required = true, multiple = false, args = ["record", "replay"])]
pub struct Args {
    /// Boots as `atoll` does, with the same options, and writes all inputs of the coordinator to this file
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Tells a coordinator on the host what this file holds, and fails if that comes to anything else
    #[arg(long, value_name = "FILE", exclusive = true)]
    replay: Option<PathBuf>,
    #[command(flatten)]
    run: run::Args,
}

/// Does either, and returns the exit status: of the run, or 1 if a replay comes to something else.
///
/// # Errors
///
/// When the machine cannot be started, the file cannot be written or is not there, or the sources are not here.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    match (&args.record, &args.replay) {
        (Some(file), _) => record(args, file),
        (None, Some(file)) => {
            // The replay runs in another folder.
            let file = fs::canonicalize(file).with_context(|| file.display().to_string())?;
            sim::start("replay", &[file])
        }
        (None, None) => Ok(0),
    }
}

fn record(args: &Args, file: &Path) -> anyhow::Result<u8> {
    let named = || format!("cannot write {}", file.display());
    // QEMU adds to it, so that what is recorded after a reboot follows.
    File::create(file).with_context(named)?;
    let machine = Machine { record: Some(file.into()), ..args.run.machine()? };
    let status = run::run_machine(&args.run, machine)?;
    let bytes = fs::metadata(file).with_context(named)?.len();
    let (file, plural) = (file.display(), if bytes == 1 { "" } else { "s" });
    say(&format!("recorded {bytes} byte{plural}: cargo run -- trace --replay {file}"));
    Ok(status)
}
