//! Which accelerator QEMU runs with: KVM where it really works, else TCG.

use crate::say;
use anyhow::bail;
use clap::ValueEnum;
use std::fs;
use std::path::Path;

const KVM: &str = "/dev/kvm";

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Wanted {
    /// QEMU's translator: works everywhere.
    Tcg,
    /// The host's virtualisation; refused when it does not work.
    Kvm,
    /// KVM when it works, else TCG.
    #[default]
    Auto,
}

/// What QEMU is told to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accel {
    /// QEMU's translator.
    #[default]
    Tcg,
    /// The host's virtualisation.
    Kvm,
}

impl Accel {
    /// The name that QEMU, the kernel's command line and results use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcg => "tcg",
            Self::Kvm => "kvm",
        }
    }
}

/// Chooses; says why when there is a `/dev/kvm` that does not work.
///
/// # Errors
///
/// When KVM was asked for and does not work here, with the reason.
pub fn choose(wanted: Wanted) -> anyhow::Result<Accel> {
    if wanted == Wanted::Tcg {
        return Ok(Accel::Tcg);
    }
    let Some(why) = why_no_kvm() else { return Ok(Accel::Kvm) };
    if wanted == Wanted::Kvm {
        bail!("KVM does not work here: {why}; use --accel tcg");
    }
    if Path::new(KVM).exists() {
        say(&format!("using TCG although there is {KVM}: {why}"));
    }
    Ok(Accel::Tcg)
}

/// The reason why KVM does not work, if it does not.
///
/// `/dev/kvm` alone says nothing: it may exist on a host whose CPU shows neither VMX nor SVM, and then
/// emulates the guest's kernel one instruction at a time, far slower than TCG.
fn why_no_kvm() -> Option<String> {
    if !has_virtualisation(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()) {
        return Some("the CPU shows neither VMX nor SVM".into());
    }
    let opened = fs::OpenOptions::new().read(true).write(true).open(KVM);
    opened.err().map(|error| format!("{KVM}: {error}"))
}

fn has_virtualisation(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().filter(|line| line.starts_with("flags"));
    flags.flat_map(str::split_whitespace).any(|flag| flag == "vmx" || flag == "svm")
}

#[cfg(test)]
mod tests {
    use super::has_virtualisation;

    #[test]
    fn virtualisation_is_a_flag_of_the_cpu_and_not_a_word_in_its_name() {
        assert!(has_virtualisation("model name\t: x\nflags\t\t: fpu vmx sse\n"));
        assert!(has_virtualisation("flags\t\t: fpu svm\n"));
        assert!(!has_virtualisation("model name\t: vmx svm\nflags\t\t: fpu sse vmxish\n"));
        assert!(!has_virtualisation(""));
    }
}
