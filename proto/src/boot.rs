//! What the host tool tells the kernel on its command line.
//!
//! Words `key=value` separated by blanks, values percent-encoded where they hold anything but letters,
//! digits and `-._~/,`. Unknown words are reported by the kernel and otherwise ignored, so an older
//! kernel boots under a newer tool.

/// The most bytes of a command line, with the zero behind it: the kernel reads no further.
pub const COMMAND_LINE_BYTES: usize = 16 * 1024;

/// Keys of the command line.
pub mod key {
    /// Console commands to run after boot, separated by `;` (percent-encoded).
    pub const SCRIPT: &str = "script";
    /// `count` (under `-icount`: the clock counts instructions) or `time`.
    pub const CLOCK: &str = "clock";
    /// The accelerator and machine, for the environment of results.
    pub const ACCEL: &str = "accel";
    /// A core (number, not APIC id) that must not answer its start-up, to test the deadline.
    pub const SILENT_CORE: &str = "silent-core";
    /// `on`: what the coordinator is told goes to the device at [`super::RECORD_PORT`].
    pub const RECORD: &str = "record";
}

/// The port of the device (QEMU's `isa-debugcon`) that takes a recording, byte by byte.
pub const RECORD_PORT: u16 = 0xe9;
/// What the device answers to whoever reads from its port.
pub const RECORD_DEVICE: u8 = 0xe9;

/// What the kernel's clock counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Clock {
    /// Time stamp counter of parallel cores: cycles.
    #[default]
    Time,
    /// Virtual time that advances by one per instruction of any core (`-icount shift=0`).
    Count,
}

/// Finds the value of `key` in a command line; the last one wins.
#[must_use]
pub fn value<'a>(cmdline: &'a str, key: &str) -> Option<&'a str> {
    words(cmdline).filter(|(k, _)| *k == key).map(|(_, v)| v).last()
}

/// Splits a command line into its words, `key=value`; a word without `=` has an empty value.
pub fn words(cmdline: &str) -> impl Iterator<Item = (&str, &str)> {
    cmdline.split_ascii_whitespace().map(|word| word.split_once('=').unwrap_or((word, "")))
}

/// Decodes a percent-encoded value byte by byte; a malformed escape stands for itself.
pub fn percent_decoded(value: &str) -> impl Iterator<Item = u8> + '_ {
    let bytes = value.as_bytes();
    let mut at = 0;
    core::iter::from_fn(move || {
        let &first = bytes.get(at)?;
        let escaped = (first == b'%').then(|| hex(bytes, at + 1)).flatten();
        at += if escaped.is_some() { 3 } else { 1 };
        Some(escaped.unwrap_or(first))
    })
}

fn hex(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |i: usize| char::from(*bytes.get(i)?).to_digit(16);
    u8::try_from(digit(at)? * 16 + digit(at + 1)?).ok()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{percent_decoded, value};
    use std::vec::Vec;

    #[test]
    fn the_last_value_of_a_key_wins() {
        assert_eq!(value("clock=time script=ps clock=count", "clock"), Some("count"));
        assert_eq!(value("clock", "clock"), Some(""));
        assert_eq!(value("clocks=1", "clock"), None);
    }

    #[test]
    fn percent_escapes_are_decoded_and_malformed_ones_kept() {
        let text = |s| percent_decoded(s).map(char::from).collect::<std::string::String>();
        assert_eq!(text("ps%3B%20exit%202"), "ps; exit 2");
        assert_eq!(text("100%"), "100%");
        assert_eq!(text("%zz%4"), "%zz%4");
        assert_eq!(percent_decoded("%ff").collect::<Vec<_>>(), [0xff]);
    }
}
