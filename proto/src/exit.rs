//! The exit status of a run, agreed between the guest and the host tool.
//!
//! The guest writes a byte `b` to QEMU's `isa-debug-exit` device, and QEMU leaves with `2b + 1`. QEMU
//! leaves with 1 when it cannot start at all, so the byte is the code plus [`BIAS`]. Status 0 under
//! `-no-reboot` means that the machine reset without being asked to: a triple fault.

/// Added to a code before it is written, so that no code looks like QEMU's own failure.
pub const BIAS: u8 = 16;

/// The port of the `isa-debug-exit` device.
pub const DEBUG_EXIT_PORT: u16 = 0xf4;

/// The greatest code that `exit CODE` takes; above it are the verdicts below.
pub const MAX_USER_CODE: u8 = 99;

/// Guest: `reboot` was typed; the host tool starts the machine again.
pub const REBOOT: u8 = 100;
/// Guest: core 0 panicked.
pub const PANIC: u8 = 101;
/// Host: the guest reset without being asked to (triple fault).
pub const TRIPLE_FAULT: u8 = 102;
/// Host: the time given by `--timeout` was up.
pub const TIMEOUT: u8 = 124;
/// Host: a tool is missing, the image does not build, QEMU does not start.
pub const HOST_ERROR: u8 = 125;
/// Host: Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// What QEMU's exit status says about the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The guest left with this code.
    Exited(u8),
    /// The machine reset although nobody asked it to.
    TripleFault,
    /// A status that the guest cannot produce: QEMU itself failed.
    Qemu(i32),
}

impl Verdict {
    /// Reads QEMU's exit status, run with `isa-debug-exit` and `-no-reboot`.
    #[must_use]
    pub fn from_qemu(status: i32) -> Self {
        let byte = u8::try_from(status >> 1).unwrap_or(0);
        match (status, byte.checked_sub(BIAS)) {
            (0, _) => Self::TripleFault,
            (odd, Some(code)) if odd & 1 == 1 && code <= PANIC => Self::Exited(code),
            (other, _) => Self::Qemu(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BIAS, PANIC, Verdict};

    #[test]
    fn every_code_of_the_guest_comes_back() {
        for code in 0..=PANIC {
            let status = i32::from(code + BIAS) * 2 + 1;
            assert!(status <= 255, "an exit status has eight bits");
            assert_eq!(Verdict::from_qemu(status), Verdict::Exited(code));
        }
    }

    #[test]
    fn a_reset_and_a_failure_of_qemu_are_told_apart() {
        assert_eq!(Verdict::from_qemu(0), Verdict::TripleFault);
        assert_eq!(Verdict::from_qemu(1), Verdict::Qemu(1));
        assert_eq!(Verdict::from_qemu(2), Verdict::Qemu(2));
        assert_eq!(Verdict::from_qemu(255), Verdict::Qemu(255));
    }
}
