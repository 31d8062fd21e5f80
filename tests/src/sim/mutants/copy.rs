//! The copy of the sources that mistakes are made in. It stays where it is, and so does what is built of it, so
//! that only what a patch touches is built anew.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A copy of the sources, for one hunt at a time.
pub(super) struct Copy {
    root: PathBuf,
    copy: PathBuf,
    target: PathBuf,
    /// Locked until it is closed.
    _lock: File,
}

impl Copy {
    /// Waits until no other hunt uses the copy.
    pub(super) fn lock(root: &Path) -> Result<Self, String> {
        // Cargo tells crates of a workspace apart by where they lie in it, so the copy's must not meet ours.
        let target = root.join("target/mutants");
        let failed = |error| format!("{}: {error}", target.display());
        fs::create_dir_all(&target).map_err(failed)?;
        let lock = File::create(target.join("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(Self { root: root.into(), copy: target.join("sources"), target, _lock: lock })
    }

    /// Makes the copy the same as the sources, with a patch applied to it.
    pub(super) fn refresh(&self, patch: Option<&Path>) -> Result<(), String> {
        let copied =
            copy_tree(&self.root, &self.copy).and_then(|()| self.keep_the_simulator_alone());
        copied.map_err(|error| format!("copying the sources: {error}"))?;
        let Some(patch) = patch else { return Ok(()) };
        let mut git = Command::new("git");
        // The copy lies in a repository that ignores it, and that git must not find.
        git.env("GIT_CEILING_DIRECTORIES", &self.target).current_dir(&self.copy);
        succeeded(git.arg("apply").arg(patch).output(), "the patch no longer applies")
    }

    pub(super) fn build(&self) -> Result<(), String> {
        // The copy says which toolchain, and its cargo must be that one's.
        let built = Command::new("cargo")
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("CARGO")
            .args(["build", "--quiet", "--profile", "mutant", "--package", "tests", "--bin", "sim"])
            .arg("--target-dir")
            .arg(&self.target)
            .current_dir(&self.copy)
            .output();
        succeeded(built, "it does not build")
    }

    /// What was built last.
    pub(super) fn simulator(&self) -> PathBuf {
        self.target.join("mutant/sim")
    }

    /// The simulator alone, of all that the crate `tests` holds, builds quickly.
    fn keep_the_simulator_alone(&self) -> std::io::Result<()> {
        let tests = self.copy.join("tests");
        let needed = ["boot", "clap", "cpudriver", "monitor", "proto"];
        let all = fs::read_to_string(self.root.join("tests/Cargo.toml"))?;
        let head = all.split("[dependencies]").next().unwrap_or_default();
        let needed = needed.map(|name| format!("{name}.workspace = true\n")).concat();
        write_if_new(
            &tests.join("Cargo.toml"),
            format!("{head}[dependencies]\n{needed}").as_bytes(),
        )?;
        write_if_new(&tests.join("src/lib.rs"), b"//! The simulator.\npub mod sim;\n")?;
        for binary in fs::read_dir(tests.join("src/bin"))? {
            let binary = binary?.path();
            if !binary.ends_with("sim.rs") && binary.is_file() {
                fs::remove_file(binary)?;
            }
        }
        Ok(())
    }
}

fn succeeded(output: std::io::Result<Output>, what: &str) -> Result<(), String> {
    let output = output.map_err(|error| format!("{what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// Files of which the copy has its own.
const OWN: [&str; 2] = ["tests/Cargo.toml", "tests/src/lib.rs"];

/// Makes one folder the same as another, except for what is built and what git keeps.
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
        } else if !OWN.iter().any(|own| source.ends_with(own)) {
            write_if_new(&target, &fs::read(&source)?)?;
        }
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !from.join(entry.file_name()).exists() {
            let gone = entry.path();
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(gone)?;
            } else {
                fs::remove_file(gone)?;
            }
        }
    }
    Ok(())
}

/// A file that is the same already keeps its time, so that cargo builds nothing anew for it.
fn write_if_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) { Ok(()) } else { fs::write(path, content) }
}
