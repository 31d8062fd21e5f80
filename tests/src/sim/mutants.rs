//! Mutants: the protocol with one mistake each, to prove that the checks can fail.
//!
//! Every patch of `tests/sim/mutants` is applied to a copy of the sources, the simulator is built from
//! it, and runs until a rule breaks. A mutant that survives, or a patch that no longer applies, is a
//! failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What the simulator is told to do, in turn, until it finds the mistake.
const HUNTS: &[&[&str]] = &[
    &["--seeds", "1500", "--cores", "4", "--faults"],
    &["--seeds", "1500", "--cores", "8"],
    &["--seeds", "3000", "--cores", "3"],
    &["--seeds", "3000", "--cores", "5", "--faults"],
    &["--seeds", "200", "--cores", "100", "--faults"],
    &["--explore", "300000"],
];

/// Hunts all mutants whose name contains `filter`, printing what kills each.
///
/// # Errors
/// Which of them survived, or could not be made.
pub fn hunt_all(filter: &str) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no workspace")?;
    let copy = std::env::temp_dir().join(format!("atoll-mutants-{}", std::process::id()));
    let done = hunt_in(root, &copy, filter);
    let removed = fs::remove_dir_all(&copy).map_err(|error| format!("{}: {error}", copy.display()));
    done.and(removed)
}

fn hunt_in(root: &Path, copy: &Path, filter: &str) -> Result<(), String> {
    let mut patches = files_in(&root.join("tests/sim/mutants"))?;
    patches.retain(|patch| name_of(patch).contains(filter));
    patches.sort();
    let mut bad = Vec::new();
    for patch in &patches {
        let name = name_of(patch);
        let copied = copy_tree(root, copy).and_then(|()| keep_the_simulator_alone(copy));
        copied.map_err(|error| format!("copying the sources: {error}"))?;
        match hunt(root, copy, patch) {
            Ok(Some(killer)) => println!("MUTANT {name} KILLED-BY {killer}"),
            Ok(None) => bad.push(format!("{name} survives")),
            Err(error) => bad.push(format!("{name}: {error}")),
        }
    }
    bad.iter().for_each(|bad| println!("MUTANT {bad}"));
    let all = patches.len();
    if bad.is_empty() { Ok(()) } else { Err(format!("{} of {all} mutants", bad.len())) }
}

/// Says what killed the mutant, if anything did.
fn hunt(root: &Path, copy: &Path, patch: &Path) -> Result<Option<String>, String> {
    let applied = Command::new("git").arg("apply").arg(patch).current_dir(copy).output();
    succeeded(applied, "the patch no longer applies")?;
    // Cargo tells crates of a workspace apart by where they lie in it, so the copy's must not meet ours.
    let target = root.join("target/mutants");
    // The copy says which toolchain, and its cargo must be that one's.
    let built = Command::new("cargo")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .args(["build", "--quiet", "--profile", "mutant", "--package", "tests", "--bin", "sim"])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(copy)
        .output();
    succeeded(built, "the mutant does not build")?;
    for hunt in HUNTS {
        let ran =
            Command::new(target.join("mutant/sim")).args(*hunt).env("RUST_BACKTRACE", "0").output();
        let ran = ran.map_err(|error| error.to_string())?;
        if !ran.status.success() {
            let said = String::from_utf8_lossy(&ran.stderr);
            return Ok(Some(killer(&said, hunt)));
        }
    }
    Ok(None)
}

/// The rule that broke, and how to see it: what was run, and after how many actions.
fn killer(said: &str, hunt: &[&str]) -> String {
    let mut lines = said.lines();
    let first = lines.next().unwrap_or("a crash");
    let (place, rule) = first.split_once(": ").unwrap_or((first, "it crashed"));
    let depth = lines.filter(|line| line.starts_with("  ")).count();
    match depth {
        0 => format!("{rule} | {place}, {}", hunt.join(" ")),
        depth => format!("{rule} | explored, depth {depth}"),
    }
}

fn succeeded(output: std::io::Result<Output>, what: &str) -> Result<(), String> {
    let output = output.map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

fn name_of(patch: &Path) -> String {
    patch.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
}

/// The simulator alone, of all that the crate `tests` holds, builds quickly.
fn keep_the_simulator_alone(copy: &Path) -> std::io::Result<()> {
    let manifest = copy.join("tests/Cargo.toml");
    let needed = ["clap", "cpudriver", "monitor", "proto"];
    let all = fs::read_to_string(&manifest)?;
    let head = all.split("[dependencies]").next().unwrap_or_default();
    let needed = needed.map(|name| format!("{name}.workspace = true\n")).concat();
    fs::write(manifest, format!("{head}[dependencies]\n{needed}"))?;
    fs::write(copy.join("tests/src/lib.rs"), "//! The simulator.\npub mod sim;\n")?;
    for binary in fs::read_dir(copy.join("tests/src/bin"))? {
        let binary = binary?.path();
        if !binary.ends_with("sim.rs") && binary.is_file() {
            fs::remove_file(binary)?;
        }
    }
    Ok(())
}

/// Copies the sources: everything but what is built and what git keeps. Files that are the same already
/// keep their time, so that cargo builds nothing anew for them.
fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == "target" || entry.file_name() == ".git" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_tree(&source, &target)?;
        } else if fs::read(&target).ok() != Some(fs::read(&source)?) {
            fs::write(&target, fs::read(&source)?)?;
        }
    }
    Ok(())
}
