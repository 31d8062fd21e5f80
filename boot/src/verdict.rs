//! How a run can end: in words, and as the exit status of the tool.

use proto::exit;
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The guest left with this code, 0..=99.
    Exited(u8),
    /// `reboot` was typed: the machine is to be started again.
    Reboot,
    /// Core 0 panicked.
    Panicked,
    /// The machine reset although the guest did not ask for it.
    TripleFault,
    /// The guest had not left when this time was up, and was ended.
    TimedOut(Duration),
    /// Ctrl-C, another signal, or the escape of the terminal.
    Interrupted,
    /// QEMU itself failed, in these words.
    Qemu(String),
}

impl Verdict {
    /// Reads the exit status of a QEMU that ended by itself, and what it wrote to standard error.
    #[must_use]
    pub fn of_qemu(status: ExitStatus, stderr: &str) -> Self {
        let Some(code) = status.code() else {
            return Self::Qemu(format!("was killed by signal {}", status.signal().unwrap_or(0)));
        };
        // A QEMU that is told to end by a signal leaves with 0, as after a triple fault.
        if stderr.contains("terminating on signal") {
            return Self::Qemu("was ended by a signal from outside".into());
        }
        match exit::Verdict::from_qemu(code) {
            exit::Verdict::Exited(exit::REBOOT) => Self::Reboot,
            exit::Verdict::Exited(exit::PANIC) => Self::Panicked,
            exit::Verdict::Exited(code) => Self::Exited(code),
            exit::Verdict::TripleFault => Self::TripleFault,
            exit::Verdict::Qemu(other) => Self::Qemu(format!("left with status {other}")),
        }
    }

    /// The exit status of the tool for this verdict.
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Exited(code) => *code,
            Self::Reboot => exit::REBOOT,
            Self::Panicked => exit::PANIC,
            Self::TripleFault => exit::TRIPLE_FAULT,
            Self::TimedOut(_) => exit::TIMEOUT,
            Self::Interrupted => exit::INTERRUPTED,
            Self::Qemu(_) => exit::HOST_ERROR,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "guest exited with {code}"),
            Self::Reboot => write!(f, "guest asked to be booted again"),
            Self::Panicked => write!(f, "kernel panic: core 0 panicked, its report is above"),
            Self::TripleFault => {
                write!(f, "triple fault: the machine reset although the guest did not ask for it")
            }
            Self::TimedOut(after) => {
                write!(f, "timeout: the guest had not left after {} s", after.as_secs_f64())
            }
            Self::Interrupted => write!(f, "interrupted, QEMU was ended"),
            Self::Qemu(how) => write!(f, "QEMU failed: it {how}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;
    use std::time::Duration;

    fn exited(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    #[test]
    fn what_the_guest_says_is_its_verdict() {
        let of = |code: i32| Verdict::of_qemu(exited((code + 16) * 2 + 1), "");
        assert_eq!(of(0), Verdict::Exited(0));
        assert_eq!(of(99), Verdict::Exited(99));
        assert_eq!(of(100), Verdict::Reboot);
        assert_eq!(of(101), Verdict::Panicked);
    }

    #[test]
    fn ends_without_a_word_of_the_guest_are_told_apart() {
        assert_eq!(Verdict::of_qemu(exited(0), ""), Verdict::TripleFault);
        let told = "qemu-system-x86_64: terminating on signal 15 from pid 7 (kill)";
        assert!(matches!(Verdict::of_qemu(exited(0), told), Verdict::Qemu(_)));
        assert!(matches!(Verdict::of_qemu(exited(1), "no such cpu"), Verdict::Qemu(_)));
        assert!(matches!(Verdict::of_qemu(ExitStatus::from_raw(9), ""), Verdict::Qemu(_)));
    }

    #[test]
    fn no_two_ends_share_a_status_or_words() {
        let ends = [
            Verdict::Exited(0),
            Verdict::Panicked,
            Verdict::TripleFault,
            Verdict::TimedOut(Duration::from_secs(1)),
            Verdict::Interrupted,
            Verdict::Qemu("left with status 1".into()),
        ];
        let statuses: Vec<u8> = ends.iter().map(Verdict::status).collect();
        assert_eq!(statuses, [0, 101, 102, 124, 130, 125]);
        for (i, a) in ends.iter().enumerate() {
            assert!(ends[..i].iter().all(|b| a.to_string() != b.to_string()), "{a}");
        }
    }
}
