//! Starts the simulator of the protocol: a binary of the crate `tests`, built by a child cargo.

use crate::image;
use anyhow::Context as _;
use std::env;
use std::ffi::OsStr;
use std::process::Command;

/// What the simulator is told, see `atoll sim --help`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Handed to the simulator as they are: `--seed N`, `--seeds N`, `--explore N`, `--mutants`, …
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Builds and runs the simulator, and returns its exit status.
///
/// # Errors
///
/// When the sources are not here or cargo doesn't start.
pub fn run(args: &Args) -> anyhow::Result<u8> {
    start("sim", &args.args)
}

/// Builds and runs a binary of the crate `tests`, and returns its exit status. It runs in the folder of the
/// sources.
///
/// # Errors
///
/// When the sources are not here or cargo doesn't start.
pub(crate) fn start(binary: &str, args: &[impl AsRef<OsStr>]) -> anyhow::Result<u8> {
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(image::workspace()?)
        .args(["run", "--quiet", "--profile", "sim", "--package", "tests", "--bin", binary, "--"])
        .args(args)
        .status()
        .context("cargo does not start")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(proto::exit::HOST_ERROR))
}
