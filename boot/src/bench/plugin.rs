//! Builds the counting plugin (`boot/plugin/count.c`) for the QEMU at hand.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

const SOURCES: [(&str, &str); 2] = [
    ("count.c", include_str!("../../plugin/count.c")),
    ("qemu.h", include_str!("../../plugin/qemu.h")),
];

const FLAGS: [&str; 6] = ["-std=gnu11", "-O2", "-Wall", "-fvisibility=hidden", "-shared", "-fPIC"];

/// The version of QEMU, as `qemu-system-x86_64 --version` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QemuVersion {
    /// `7` of `7.2.22`.
    pub major: u32,
    /// `2` of `7.2.22`.
    pub minor: u32,
    /// The whole of it, with the distribution's suffix.
    pub text: String,
}

impl QemuVersion {
    /// Asks QEMU.
    ///
    /// # Errors
    /// QEMU does not start, or says something else.
    pub fn ask(qemu: &Path) -> Result<Self> {
        let output = Command::new(qemu)
            .arg("--version")
            .output()
            .with_context(|| format!("cannot start {}", qemu.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        Self::parse(&text).with_context(|| format!("cannot read QEMU's version from {text:?}"))
    }

    fn parse(output: &str) -> Option<Self> {
        let text = output.lines().next()?.split_once("version ")?.1.trim();
        let mut numbers = text.split(['.', ' ', '-']).map(str::parse);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(Self { major, minor, text: text.to_owned() })
    }

    /// The version of the plugin interface that this QEMU accepts.
    fn plugin_api(&self) -> u32 {
        match (self.major, self.minor) {
            (..9, _) => 1,
            (9, 0) => 2,
            _ => 3,
        }
    }
}

/// Builds the plugin into `dir`, or finds it there, and returns its path.
///
/// # Errors
/// There is no C compiler (`cc`), it fails, or `dir` is not writable.
pub fn build(dir: &Path, qemu: &QemuVersion) -> Result<PathBuf> {
    let api = format!("-DPLUGIN_API={}", qemu.plugin_api());
    let mut hasher = DefaultHasher::new();
    (SOURCES, FLAGS, &api).hash(&mut hasher);
    let home = dir.join(format!("count-{:016x}", hasher.finish()));
    let plugin = home.join("count.so");
    if !plugin.exists() {
        compile(&home, &plugin, &api)
            .with_context(|| format!("cannot build the counting plugin in {}", home.display()))?;
    }
    Ok(plugin)
}

/// Compiles beside the goal and renames, so that runs at the same time don't see half a file.
fn compile(home: &Path, plugin: &Path, api: &str) -> Result<()> {
    std::fs::create_dir_all(home)?;
    let scratch = tempfile::tempdir_in(home)?;
    for (name, text) in SOURCES {
        std::fs::write(scratch.path().join(name), text)?;
    }
    let output = Command::new("cc")
        .args(FLAGS)
        .args([api, "-o", "count.so", "count.c"])
        .current_dir(scratch.path())
        .output()
        .context("there is no C compiler `cc`, which Rust needs as a linker too")?;
    ensure!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr).trim());
    std::fs::rename(scratch.path().join("count.so"), plugin)?;
    Ok(())
}

/// What the plugin does besides counting instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// It follows the lines of memory.
    Lines,
    /// It counts each instruction by itself.
    Profile,
}

/// QEMU's arguments that load the plugin, so that it writes to `out`.
#[must_use]
pub fn arguments(plugin: &Path, out: &Path, extra: Extra) -> [OsString; 2] {
    let extra = match extra {
        Extra::Lines => "lines=on",
        Extra::Profile => "profile=on",
    };
    let (plugin, out) = (escaped(plugin), escaped(out));
    ["-plugin".into(), format!("file={plugin},out={out},{extra}").into()]
}

/// In QEMU's options a comma stands for itself when doubled.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::{Extra, QemuVersion, arguments, build};
    use std::path::Path;

    fn version(text: &str) -> QemuVersion {
        QemuVersion::parse(text).unwrap()
    }

    #[test]
    fn the_version_tells_which_interface_to_build_for() {
        let debian =
            version("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopy");
        assert_eq!((debian.major, debian.minor, debian.plugin_api()), (7, 2, 1));
        assert_eq!(version("QEMU emulator version 8.2.2").plugin_api(), 1);
        assert_eq!(version("QEMU emulator version 9.0.0-rc1").plugin_api(), 2);
        assert_eq!(version("QEMU emulator version 9.1.0").plugin_api(), 3);
        assert_eq!(version("QEMU emulator version 11.0.0").plugin_api(), 3);
        assert_eq!(QemuVersion::parse("qemu: not found"), None);
    }

    #[test]
    fn the_plugin_builds_once_for_every_interface() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["version 7.2", "version 9.0", "version 10.1"] {
            let plugin = build(dir.path(), &version(text)).unwrap();
            let built = plugin.metadata().unwrap().modified().unwrap();
            assert_eq!(build(dir.path(), &version(text)).unwrap(), plugin);
            assert_eq!(plugin.metadata().unwrap().modified().unwrap(), built, "not built again");
        }
        assert_eq!(dir.path().read_dir().unwrap().count(), 3);
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_named() {
        let error = build(Path::new("/proc/nowhere"), &version("version 7.2")).unwrap_err();
        assert!(format!("{error:#}").contains("/proc/nowhere/count-"), "{error:#}");
    }

    #[test]
    fn commas_in_paths_are_doubled() {
        let [_, option] = arguments(Path::new("/a,b/count.so"), Path::new("/c"), Extra::Lines);
        assert_eq!(option, "file=/a,,b/count.so,out=/c,lines=on");
    }
}
