//! The package managers that QEMU can come from.

use super::find;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

/// A package manager and what it does to install QEMU.
#[derive(Debug)]
pub(super) struct Manager {
    /// The program.
    program: &'static str,
    /// Names in `/etc/os-release` of the systems that use it.
    systems: &'static [&'static str],
    /// Whether it works as root.
    root: bool,
    /// Its arguments, one command after the other.
    steps: &'static [&'static [&'static str]],
}

const MANAGERS: [Manager; 6] = [
    Manager {
        program: "apt-get",
        systems: &["debian", "ubuntu"],
        root: true,
        steps: &[&["update"], &["install", "--yes", "--no-install-recommends", "qemu-system-x86"]],
    },
    Manager {
        program: "dnf",
        systems: &["fedora", "rhel", "centos"],
        root: true,
        steps: &[&["install", "--assumeyes", "qemu-system-x86-core"]],
    },
    Manager {
        program: "pacman",
        systems: &["arch"],
        root: true,
        steps: &[&["-Sy", "--noconfirm", "--needed", "qemu-system-x86"]],
    },
    Manager {
        program: "zypper",
        systems: &["suse", "opensuse"],
        root: true,
        steps: &[&["--non-interactive", "install", "qemu-x86"]],
    },
    Manager {
        program: "apk",
        systems: &["alpine"],
        root: true,
        steps: &[&["add", "--update-cache", "qemu-system-x86_64"]],
    },
    Manager { program: "brew", systems: &[], root: false, steps: &[&["install", "qemu"]] },
];

impl Manager {
    /// The one in `PATH`; else the one that this system is known for; else Debian's.
    pub(super) fn of_this_system() -> &'static Self {
        let installed = MANAGERS.iter().find(|manager| find(manager.program).is_some());
        installed.unwrap_or_else(|| {
            let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
            Self::of_release(&release).unwrap_or(&MANAGERS[0])
        })
    }

    fn of_release(release: &str) -> Option<&'static Self> {
        let ids = release.lines().filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            ["ID", "ID_LIKE"].contains(&key).then(|| value.trim_matches('"'))
        });
        let ids: Vec<_> = ids.flat_map(str::split_whitespace).collect();
        MANAGERS.iter().find(|manager| manager.systems.iter().any(|system| ids.contains(system)))
    }

    /// The one command that a user would type.
    pub(super) fn advice(&self) -> String {
        let sudo = if self.root && !is_root() { "sudo " } else { "" };
        let step = |step: &&[&str]| format!("{sudo}{} {}", self.program, step.join(" "));
        self.steps.iter().map(step).collect::<Vec<_>>().join(" && ")
    }

    /// The same as child processes; `None` when this user may not run them without a password.
    pub(super) fn commands(&self) -> Option<Vec<Command>> {
        find(self.program)?;
        let sudo = match (self.root, is_root()) {
            (false, true) => return None,
            (true, false) => Some(may_sudo().then_some("sudo")?),
            _ => None,
        };
        Some(self.steps.iter().map(|step| self.command(sudo, step)).collect())
    }

    fn command(&self, sudo: Option<&str>, step: &[&str]) -> Command {
        let mut command = Command::new(sudo.unwrap_or(self.program));
        if sudo.is_some() {
            command.args(["-n", self.program]);
        }
        command.args(step).env("DEBIAN_FRONTEND", "noninteractive");
        command
    }
}

/// A process's folder in `/proc` belongs to its effective user.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0)
}

fn may_sudo() -> bool {
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "true"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    sudo.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::{MANAGERS, Manager};

    #[test]
    fn a_system_is_known_by_its_name_or_by_what_it_is_like() {
        let program = |release| Manager::of_release(release).map(|manager| manager.program);
        assert_eq!(program("NAME=Debian\nID=debian\n"), Some("apt-get"));
        assert_eq!(program("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), Some("apt-get"));
        assert_eq!(program("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n"), Some("zypper"));
        assert_eq!(program("ID=plan9\n"), None);
    }

    #[test]
    fn the_advice_is_one_line_that_ends_with_the_package() {
        for manager in &MANAGERS {
            let advice = manager.advice();
            assert!(!advice.contains('\n') && advice.contains("qemu"), "{advice}");
        }
    }
}
