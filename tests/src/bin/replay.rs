//! Replays a recording of the coordinator's inputs: `cargo run -- trace --replay FILE` starts it.

use anyhow::Context as _;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Tells a coordinator what a recording holds, and compares.
#[derive(Debug, Parser)]
struct Options {
    /// The recording.
    file: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    let Options { file } = Options::parse();
    let named = || file.display().to_string();
    let recording = std::fs::read(&file).with_context(named)?;
    let replay = tests::replay::replay(&recording).with_context(named)?;
    println!("{replay}");
    if replay.inputs == 0 {
        eprintln!("{}: nothing was recorded", file.display());
    }
    let is_same = replay.mismatches == 0 && replay.inputs > 0;
    Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
