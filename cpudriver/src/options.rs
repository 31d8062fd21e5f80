//! What the kernel was told on its command line.
//!
//! The words and their encoding are those of [`proto::boot`]. A word that means nothing is no reason
//! not to boot: [`Options::complaints`] tells what to say about it.

use core::fmt;
use proto::boot::{self, Clock, key};
use proto::id::CoreId;

/// The options, with their defaults where the command line has none.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    cmdline: &'a str,
    /// What the clock counts.
    pub clock: Clock,
    /// A core that must not answer its start-up.
    pub silent_core: Option<CoreId>,
    /// Record what the coordinator is told.
    pub record: bool,
}

impl<'a> Options<'a> {
    /// Reads a command line. Where a key stands twice, the last word that makes sense wins.
    #[must_use]
    pub fn read(cmdline: &'a str) -> Self {
        let mut options =
            Self { cmdline, clock: Clock::default(), silent_core: None, record: false };
        for (key, value) in boot::words(cmdline) {
            match Word::read(key, value) {
                Some(Word::Clock(clock)) => options.clock = clock,
                Some(Word::SilentCore(core)) => options.silent_core = Some(core),
                Some(Word::Record) => options.record = true,
                Some(Word::Text) | None => {}
            }
        }
        options
    }

    /// The console commands to run after boot.
    #[must_use]
    pub fn script(&self) -> Option<Encoded<'a>> {
        boot::value(self.cmdline, key::SCRIPT).map(Encoded)
    }

    /// The accelerator and the machine, as results name them.
    #[must_use]
    pub fn accelerator(&self) -> Option<Encoded<'a>> {
        boot::value(self.cmdline, key::ACCEL).map(Encoded)
    }

    /// The words that were ignored, each with the reason in its `Display`.
    pub fn complaints(&self) -> impl Iterator<Item = Complaint<'a>> + use<'a> {
        let ignored = |&(key, value): &(&str, &str)| Word::read(key, value).is_none();
        boot::words(self.cmdline).filter(ignored).map(|(key, value)| Complaint { key, value })
    }
}

/// A word that means something.
enum Word {
    Clock(Clock),
    SilentCore(CoreId),
    Record,
    /// A key that takes any value.
    Text,
}

impl Word {
    fn read(key: &str, value: &str) -> Option<Self> {
        match (key, value) {
            (key::CLOCK, "count") => Some(Self::Clock(Clock::Count)),
            (key::CLOCK, "time") => Some(Self::Clock(Clock::Time)),
            (key::SILENT_CORE, _) => {
                let core = value.parse().ok().map(CoreId);
                core.filter(|&core| core != CoreId::MANAGEMENT).map(Self::SilentCore)
            }
            (key::RECORD, "on") => Some(Self::Record),
            (key::SCRIPT | key::ACCEL, _) => Some(Self::Text),
            _ => None,
        }
    }
}

/// A word of the command line that was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Complaint<'a> {
    key: &'a str,
    value: &'a str,
}

impl fmt::Display for Complaint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value } = self;
        match *key {
            key::CLOCK => write!(f, "{key}={value} ignored: it is `count` or `time`"),
            key::SILENT_CORE => write!(f, "{key}={value} ignored: it is a core other than 0"),
            key::RECORD => write!(f, "{key}={value} ignored: it is `on`"),
            _ => write!(f, "unknown word `{key}` on the command line ignored"),
        }
    }
}

/// A value that is still percent-encoded.
///
/// Its `Display` decodes it, bytes that are not ASCII as `?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded<'a>(&'a str);

/// Why a value cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It is longer than the buffer.
    TooLong {
        /// The size of the buffer.
        most: usize,
    },
    /// It is not UTF-8.
    NotText,
}

impl Encoded<'_> {
    /// Decodes the value into `buffer`. Decoding never makes it longer, so a buffer of the command
    /// line's length always suffices.
    ///
    /// # Errors
    ///
    /// Says whether it is too long or not a text.
    pub fn decode_into<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b str, DecodeError> {
        let most = buffer.len();
        let mut len = 0;
        for byte in boot::percent_decoded(self.0) {
            *buffer.get_mut(len).ok_or(DecodeError::TooLong { most })? = byte;
            len += 1;
        }
        core::str::from_utf8(&buffer[..len]).map_err(|_| DecodeError::NotText)
    }
}

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ascii = |byte: u8| if byte.is_ascii() { char::from(byte) } else { '?' };
        boot::percent_decoded(self.0).try_for_each(|byte| fmt::Write::write_char(f, ascii(byte)))
    }
}

impl core::error::Error for DecodeError {}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { most } => write!(f, "longer than {most} bytes"),
            Self::NotText => f.write_str("not UTF-8"),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{DecodeError, Options};
    use proptest::prelude::*;
    use proto::boot::Clock;
    use proto::id::CoreId;
    use std::string::{String, ToString};
    use std::vec;
    use std::vec::Vec;

    fn complaints(cmdline: &str) -> Vec<String> {
        Options::read(cmdline).complaints().map(|complaint| complaint.to_string()).collect()
    }

    #[test]
    fn an_empty_command_line_gives_the_defaults() {
        let options = Options::read("");
        assert_eq!((options.clock, options.silent_core), (Clock::Time, None));
        assert!(!options.record);
        assert_eq!((options.script(), options.accelerator()), (None, None));
    }

    #[test]
    fn every_word_is_read() {
        let line = "clock=count accel=tcg/microvm silent-core=2 record=on script=cores%3B%20exit";
        let options = Options::read(line);
        assert_eq!((options.clock, options.silent_core), (Clock::Count, Some(CoreId(2))));
        assert!(options.record);
        assert_eq!(options.accelerator().unwrap().to_string(), "tcg/microvm");
        assert_eq!(options.script().unwrap().decode_into(&mut [0; 20]), Ok("cores; exit"));
        assert_eq!(complaints(line), [""; 0]);
    }

    #[test]
    fn what_makes_no_sense_is_told_and_ignored() {
        let line = "clock=count clock=later silent-core=0 silent-core=x record=off quiet virtio_mmio.device=4";
        let options = Options::read(line);
        assert_eq!((options.clock, options.silent_core), (Clock::Count, None));
        assert_eq!(
            complaints(line),
            [
                "clock=later ignored: it is `count` or `time`",
                "silent-core=0 ignored: it is a core other than 0",
                "silent-core=x ignored: it is a core other than 0",
                "record=off ignored: it is `on`",
                "unknown word `quiet` on the command line ignored",
                "unknown word `virtio_mmio.device` on the command line ignored",
            ]
        );
    }

    #[test]
    fn a_value_that_cannot_be_decoded_says_why() {
        let script = Options::read("script=caf%e9").script().unwrap();
        assert_eq!(script.decode_into(&mut [0; 3]), Err(DecodeError::TooLong { most: 3 }));
        assert_eq!(script.decode_into(&mut [0; 4]), Err(DecodeError::NotText));
        assert_eq!(script.to_string(), "caf?");
    }

    proptest! {
        #[test]
        fn any_command_line_is_read(cmdline: String) {
            let options = Options::read(&cmdline);
            let _ = complaints(&cmdline);
            if let Some(script) = options.script() {
                let mut buffer = vec![0; cmdline.len()];
                let text = script.decode_into(&mut buffer);
                prop_assert!(!matches!(text, Err(DecodeError::TooLong { .. })), "{:?}", text);
            }
        }
    }
}
