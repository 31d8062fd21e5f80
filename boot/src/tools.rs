//! Finds what a run needs, and installs what a fresh machine lacks, where it may.
//!
//! [`qemu`] and [`rust_targets`] either return what is needed or an error whose text ends with the one
//! command to type. What is done is said before it is done.

mod packages;

use crate::say;
use anyhow::{Context as _, anyhow, bail};
use std::env;
use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The target of the kernel image.
pub const KERNEL_TARGET: &str = "x86_64-unknown-none";
/// The target of programs, see `cpudriver/user/program.toml`.
pub const PROGRAM_TARGET: &str = "x86_64-unknown-linux-gnu";
const QEMU: &str = "qemu-system-x86_64";

/// Finds a program in `PATH`.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Finds QEMU, or installs it.
///
/// # Errors
///
/// When `explicit` is no program, or when QEMU is missing and could not be installed.
pub fn qemu(explicit: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = explicit {
        let by_name = path.components().count() == 1;
        let found = by_name.then(|| find(&path.to_string_lossy())).flatten();
        let path = found.unwrap_or_else(|| path.into());
        return is_program(&path).then_some(path.clone()).ok_or_else(|| {
            anyhow!("{} is no program; --qemu takes the path of {QEMU}", path.display())
        });
    }
    find(QEMU).map_or_else(install_qemu, Ok)
}

fn install_qemu() -> anyhow::Result<PathBuf> {
    let manager = packages::Manager::of_this_system();
    let missing =
        || format!("QEMU is missing ({QEMU} is not in PATH); type:\n\n    {}", manager.advice());
    let Some(commands) = manager.commands() else { bail!(missing()) };
    say(&format!("QEMU is missing, installing it: {}", manager.advice()));
    for command in commands {
        run_quietly(command).with_context(missing)?;
    }
    find(QEMU).ok_or_else(|| anyhow!(missing()))
}

/// Finds the Rust targets of the kernel and of programs, or installs them through rustup.
///
/// `folder` is the workspace, whose toolchain file says which toolchain is asked.
///
/// # Errors
///
/// When there is no Rust, or a target is missing and could not be installed.
pub fn rust_targets(folder: &Path) -> anyhow::Result<()> {
    let missing = missing_targets(folder)?;
    if missing.is_empty() {
        return Ok(());
    }
    let (names, advice) =
        (missing.join(" and "), format!("rustup target add {}", missing.join(" ")));
    let message = || format!("Rust's target {names} is missing; type:\n\n    {advice}");
    if find("rustup").is_none() {
        bail!(message());
    }
    say(&format!("Rust's target {names} is missing, installing it: {advice}"));
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add"]).args(&missing).current_dir(folder);
    run_quietly(rustup).with_context(message)?;
    if missing_targets(folder)?.is_empty() { Ok(()) } else { bail!(message()) }
}

fn missing_targets(folder: &Path) -> anyhow::Result<Vec<&'static str>> {
    let mut missing = Vec::new();
    for target in [KERNEL_TARGET, PROGRAM_TARGET] {
        if !has_target(folder, target)? {
            missing.push(target);
        }
    }
    Ok(missing)
}

/// The folder of the target's libraries is named by rustc whether it exists or not.
fn has_target(folder: &Path, target: &str) -> anyhow::Result<bool> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(&rustc)
        .args(["--print", "target-libdir", "--target", target])
        .current_dir(folder)
        .output()
        .map_err(|error| no_rust(&rustc, &error.to_string()))?;
    if !asked.status.success() {
        return Err(no_rust(&rustc, String::from_utf8_lossy(&asked.stderr).trim()));
    }
    Ok(Path::new(String::from_utf8_lossy(&asked.stdout).trim()).is_dir())
}

fn no_rust(rustc: &OsStr, why: &str) -> anyhow::Error {
    let rustc = rustc.to_string_lossy();
    let advice = match find("rustup") {
        Some(_) => "rustup toolchain install",
        None => "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh",
    };
    anyhow!("{rustc} does not work: {why}; type:\n\n    {advice}")
}

/// Runs a command to success. Its output goes to standard error where that is a terminal; elsewhere it
/// is shown only when the command fails.
pub(crate) fn run_quietly(mut command: Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null());
    if crate::terminal::shows_errors() {
        command.stdout(std::io::stderr().as_fd().try_clone_to_owned()?).stderr(Stdio::inherit());
    }
    let done = command.output().with_context(|| format!("{name} does not start"))?;
    if done.status.success() {
        return Ok(());
    }
    for text in [&done.stdout, &done.stderr] {
        eprint!("{}", String::from_utf8_lossy(text));
    }
    bail!("{name} failed: {}", done.status)
}
