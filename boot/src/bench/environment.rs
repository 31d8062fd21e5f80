//! What a run was measured with: enough to repeat it, and to know what not to compare it with.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::row::Mode;

const UNKNOWN: &str = "unknown";

/// The `environment` of `results.json`. What could not be found out is `unknown`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Environment {
    /// Commit of the source tree, `+dirty` behind it if files were changed.
    pub revision: String,
    /// Version of Atoll.
    pub version: String,
    /// `rustc --version`.
    pub rustc: String,
    /// Version of QEMU; `none` in host mode.
    pub qemu: String,
    /// QEMU's machine; `host` in host mode.
    pub machine: String,
    /// `tcg` (in count mode with `-icount shift=0,sleep=off`), `kvm`, or `none` in host mode.
    pub accelerator: String,
    /// QEMU's CPU model; in host mode the host's.
    pub cpu: String,
    /// Model name of the host's processor.
    pub host_cpu: String,
    /// Processors that the host has.
    pub host_cores: usize,
    /// Cores of the machines, one after the other.
    pub cores: Vec<u32>,
    /// Memory of each machine, in MiB, in the order of `cores`; empty in host mode.
    pub memory: Vec<u64>,
    /// How it was measured.
    pub mode: String,
    /// When the run began, UTC, as `2026-01-31T12:34:56Z`.
    pub date: String,
    /// The command line.
    pub command: String,
}

impl Environment {
    /// What does not depend on the machine; the rest is for the caller to fill in.
    #[must_use]
    pub fn of_this_host(workspace: &Path, mode: Mode) -> Self {
        Self {
            revision: revision(workspace),
            version: env!("CARGO_PKG_VERSION").into(),
            rustc: output(Command::new("rustc").arg("--version").current_dir(workspace))
                .unwrap_or_else(|| UNKNOWN.into()),
            host_cpu: host_cpu(),
            host_cores: std::thread::available_parallelism().map_or(1, usize::from),
            mode: mode.name().into(),
            date: utc(SystemTime::now()),
            command: command_line(),
            ..Self::default()
        }
    }

    /// One line for the head of a table: no number without accelerator and machine.
    #[must_use]
    pub fn head(&self) -> String {
        let Self { mode, accelerator, machine, cpu, qemu, host_cpu, .. } = self;
        if mode == Mode::Host.name() {
            return format!("mode host: threads of this host ({host_cpu}), no emulation");
        }
        let (clock, warning) = match (mode.as_str(), accelerator.as_str()) {
            ("count", _) => (" -icount", ""),
            ("time", "tcg") => ("", "; emulated: do not compare with cycles of hardware"),
            _ => ("", ""),
        };
        format!("mode {mode}: {accelerator}{clock} on {machine}, cpu {cpu}, QEMU {qemu}{warning}")
    }
}

/// What a command prints, trimmed, if it succeeds.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn revision(workspace: &Path) -> String {
    let git = |args: &[&str]| output(Command::new("git").args(args).current_dir(workspace));
    let Some(commit) = git(&["rev-parse", "HEAD"]) else { return UNKNOWN.into() };
    let changes = git(&["status", "--porcelain", "--untracked-files=no"]).unwrap_or_default();
    if changes.is_empty() { commit } else { commit + "+dirty" }
}

fn host_cpu() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| UNKNOWN.into(), |(_, name)| name.trim().to_owned())
}

fn command_line() -> String {
    std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Date and time in the proleptic Gregorian calendar, UTC.
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day from days since 1970-01-01, counting years from March so that the leap day is
/// the last (Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{Environment, revision, utc};
    use crate::bench::row::Mode;
    use std::path::Path;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn dates_are_right_around_leap_days() {
        let at = |seconds| utc(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(at(1_767_225_600), "2026-01-01T00:00:00Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn emulated_time_is_marked_as_such() {
        let mut environment = Environment { mode: "time".into(), ..Environment::default() };
        environment.accelerator = "tcg".into();
        environment.machine = "microvm".into();
        let head = environment.head();
        assert!(head.contains("tcg on microvm") && head.contains("do not compare"), "{head}");
        environment.accelerator = "kvm".into();
        assert!(!environment.head().contains("do not compare"));
    }

    #[test]
    fn what_cannot_be_found_out_is_unknown() {
        assert_eq!(revision(Path::new("/proc")), "unknown");
        let environment = Environment::of_this_host(Path::new("/proc"), Mode::Count);
        assert!(!environment.host_cpu.is_empty() && environment.host_cores > 0);
    }
}
