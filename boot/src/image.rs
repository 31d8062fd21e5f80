//! Builds the kernel image, and the programs that it runs, by child processes `cargo build`.

use crate::{say, terminal, tools};
use anyhow::{Context as _, anyhow, bail, ensure};
use object::Endianness;
use object::elf::{FileHeader64, NoteType};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The image's binary, of the crate `cpudriver`.
const BINARY: &str = "atoll-kernel";
/// How programs are built, from the workspace.
const PROGRAM_FLAGS: &str = "cpudriver/user/program.toml";

/// The workspace: where this tool was compiled, or else around the current folder.
///
/// # Errors
///
/// When neither is Atoll's workspace.
pub fn workspace() -> anyhow::Result<PathBuf> {
    let here = env::current_dir().unwrap_or_default();
    let compiled = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let candidates = compiled.into_iter().chain(here.ancestors());
    let found = candidates.map(Path::to_path_buf).find(|folder| {
        folder.join("Cargo.toml").is_file() && folder.join("cpudriver/Cargo.toml").is_file()
    });
    found.ok_or_else(|| anyhow!("the sources of Atoll are not here: change to their folder"))
}

/// Builds the image, installing the Rust target where it is missing, and returns the image's path.
///
/// # Errors
///
/// When the target cannot be installed, cargo does not start, or the image does not build; cargo's
/// messages have been shown by then.
pub fn build() -> anyhow::Result<PathBuf> {
    build_in(&workspace()?, &[])
}

/// Whether a file is something that QEMU boots by the PVH protocol. It boots nearly any other file too, but to nothing.
///
/// # Errors
///
/// When it is not to be read, or is no such image.
pub fn check(image: &Path) -> anyhow::Result<()> {
    let shown = image.display();
    ensure!(image.is_file(), "the image {shown} is not there, or no file");
    let bytes = std::fs::read(image).with_context(|| format!("the image {shown}"))?;
    ensure!(
        has_pvh_note(&bytes),
        "{shown} is no kernel image: it is an ELF file with a PVH note that boots"
    );
    Ok(())
}

/// Xen's note that says where a kernel begins (`XEN_ELFNOTE_PHYS32_ENTRY`).
const PHYS32_ENTRY: NoteType = NoteType(18);

fn has_pvh_note(file: &[u8]) -> bool {
    let Ok(header) = FileHeader64::<Endianness>::parse(file) else { return false };
    let Ok(endian) = header.endian() else { return false };
    let segments = header.program_headers(endian, file).unwrap_or_default();
    let notes = segments.iter().filter_map(|it| it.notes(endian, file).ok().flatten());
    let mut notes = notes.flat_map(|notes| notes.filter_map(Result::ok));
    notes.any(|note| note.name() == b"Xen" && note.n_type(endian) == PHYS32_ENTRY)
}

/// Builds the image for tests, which can hold cores up (`cpudriver::probe`), into a folder of its own.
///
/// # Errors
///
/// As [`build`].
pub fn build_with_probes() -> anyhow::Result<PathBuf> {
    let root = workspace()?;
    let target = target_folder().map_or_else(|| root.join("target"), PathBuf::from);
    let folder = target.join("probes").into_os_string();
    build_in(&root, &["--features".into(), "probes".into(), "--target-dir".into(), folder])
}

fn build_in(root: &Path, more: &[OsString]) -> anyhow::Result<PathBuf> {
    tools::rust_targets(root)?;
    let mut cargo = cargo(root);
    cargo.args(more);
    cargo.args(["--release", "--package", "cpudriver", "--bin", BINARY]);
    cargo.args(["--target", tools::KERNEL_TARGET]);
    let images = run(cargo, "the kernel image")?;
    let image = images.into_iter().find(|(name, _)| name == BINARY).map(|(_, path)| path);
    image.ok_or_else(|| anyhow!("cargo built the image, but does not say where it is"))
}

/// Builds the programs of the crate `programs`, and returns their names and paths, by name.
///
/// # Errors
///
/// As [`build`].
pub fn build_programs() -> anyhow::Result<Vec<(String, PathBuf)>> {
    let root = workspace()?;
    tools::rust_targets(&root)?;
    let mut cargo = cargo(&root);
    cargo.args(["--config", PROGRAM_FLAGS, "--profile", "program", "--package", "programs"]);
    cargo.args(["--bins", "--target", tools::PROGRAM_TARGET]);
    let mut programs = run(cargo, "a program")?;
    programs.sort();
    Ok(programs)
}

/// Runs cargo to success; gives the names and paths of the executables that it names. `what` is built, for the
/// message of an error.
fn run(mut cargo: Command, what: &str) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let shown = terminal::shows_errors();
    if shown {
        cargo.stderr(Stdio::inherit());
    }
    let built = cargo.output().context("cargo does not start")?;
    if !built.status.success() {
        if !shown {
            eprint!("{}", String::from_utf8_lossy(&built.stderr));
        }
        bail!("{what} does not build ({})", built.status);
    }
    Ok(executables(&String::from_utf8_lossy(&built.stdout)))
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).stdin(Stdio::null());
    cargo.args(["build", "--message-format", "json-render-diagnostics"]);
    clean_environment(&mut cargo);
    cargo
}

/// Takes out what cargo, running this tool or a test, has set for that package alone, and flags that
/// would replace those of the image.
fn clean_environment(cargo: &mut Command) {
    let of_package = |name: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|p| name.starts_with(p))
            || ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&name)
    };
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_package)) {
        cargo.env_remove(name);
    }
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"] {
        if env::var_os(name).is_some_and(|value| !value.is_empty()) {
            say(&format!(
                "{name} is left out for the image: it would replace the image's own flags"
            ));
        }
        cargo.env_remove(name);
    }
    if let Some(folder) = target_folder() {
        cargo.env("CARGO_TARGET_DIR", folder);
    }
}

/// The folder that the user chose for what is built, made absolute.
///
/// A relative one counts from where the outer cargo was started. That is the current folder under
/// `cargo run`, but not under `cargo test`, where the place of this very program shows it.
fn target_folder() -> Option<OsString> {
    let chosen = PathBuf::from(env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty())?);
    if chosen.is_absolute() {
        return Some(chosen.into());
    }
    let program = env::current_exe().unwrap_or_default();
    let around = program.ancestors().find(|folder| folder.ends_with(&chosen));
    let from_here = || env::current_dir().unwrap_or_default().join(&chosen);
    Some(around.map_or_else(from_here, Path::to_path_buf).into())
}

/// Finds the executables in cargo's messages, one JSON object a line: their names and paths.
fn executables(messages: &str) -> Vec<(String, PathBuf)> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
    let executable = |message: serde_json::Value| {
        let name = message["target"]["name"].as_str()?.to_owned();
        Some((name, PathBuf::from(message["executable"].as_str()?)))
    };
    messages.filter_map(executable).collect()
}

#[cfg(test)]
mod tests {
    use super::{executables, workspace};
    use std::path::PathBuf;

    #[test]
    fn executables_are_where_cargo_says() {
        let messages = concat!(
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"proto\"},\"executable\":null}\n",
            "not json\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"atoll-kernel\"},",
            "\"executable\":\"/t/atoll-kernel\"}\n",
            "{\"reason\":\"build-finished\",\"success\":true}\n",
        );
        let image = ("atoll-kernel".to_owned(), PathBuf::from("/t/atoll-kernel"));
        assert_eq!(executables(messages), [image]);
        assert_eq!(executables("{\"reason\":\"build-finished\"}"), []);
    }

    #[test]
    fn the_workspace_is_found() {
        assert!(workspace().unwrap().join("proto/src/exit.rs").is_file());
    }
}
