//! The words after a command's name, taken one by one.

use super::super::core_list::{self, MAX_CORE};
use super::super::output::Format;
use super::error::Problem;
use super::{Spec, UsageError};
use core::ops::RangeInclusive;
use core::time::Duration;
use monitor::CoreSet;
use proto::id::CoreId;

/// How many decimals of a second are understood.
const DECIMALS: usize = 6;

/// What is left of the words.
#[derive(Debug)]
pub(super) struct Args<'a> {
    spec: &'static Spec,
    rest: &'a str,
    format: Format,
}

type Parsed<'a, T> = Result<T, UsageError<'a>>;

impl<'a> Args<'a> {
    pub(super) fn new(spec: &'static Spec, rest: &'a str) -> Self {
        Self { spec, rest: rest.trim(), format: Format::Text }
    }

    /// Makes an error of a problem with this command.
    pub(super) fn error(&self, problem: Problem<'a>) -> UsageError<'a> {
        UsageError::new(Some(self.spec), problem)
    }

    /// The next word, be it an option; `--json` is noted and skipped where it is understood.
    pub(super) fn any_word(&mut self) -> Option<&'a str> {
        loop {
            let word = self.raw_word()?;
            if word != "--json" || !self.spec.takes_json() {
                return Some(word);
            }
            self.format = Format::Json;
        }
    }

    fn raw_word(&mut self) -> Option<&'a str> {
        let (word, rest) = self.rest.split_once(char::is_whitespace).unwrap_or((self.rest, ""));
        self.rest = rest.trim_start();
        (!word.is_empty()).then_some(word)
    }

    /// The next word, which must not be an option.
    pub(super) fn word(&mut self) -> Parsed<'a, Option<&'a str>> {
        match self.any_word() {
            Some(word) if word.starts_with("--") => Err(self.error(Problem::UnknownOption(word))),
            word => Ok(word),
        }
    }

    /// The next word, which must be there and is called `what` in the usage.
    pub(super) fn required(&mut self, what: &'static str) -> Parsed<'a, &'a str> {
        self.word()?.ok_or_else(|| self.error(Problem::Missing(what)))
    }

    /// All that is left, as it was typed.
    pub(super) fn rest(&mut self) -> &'a str {
        core::mem::take(&mut self.rest)
    }

    /// Nothing may be left; returns the format that was asked for.
    pub(super) fn finish(mut self) -> Parsed<'a, Format> {
        match self.word()? {
            None => Ok(self.format),
            Some(word) => Err(self.error(Problem::Unexpected(word))),
        }
    }

    /// A core, one of all.
    pub(super) fn core(&mut self) -> Parsed<'a, CoreId> {
        let word = self.required("CORE")?;
        self.to_number("CORE", 0..=MAX_CORE, word).map(CoreId)
    }

    /// A core, or nothing.
    pub(super) fn optional_core(&mut self) -> Parsed<'a, Option<CoreId>> {
        Ok(self.optional_number("CORE", 0..=MAX_CORE)?.map(CoreId))
    }

    /// A core that isn't the management core.
    pub(super) fn other_core(&mut self) -> Parsed<'a, CoreId> {
        let word = self.required("CORE")?;
        self.to_number("CORE", CoreId::MANAGEMENT.0 + 1..=MAX_CORE, word).map(CoreId)
    }

    /// A number in a range.
    pub(super) fn number<T: Number>(
        &mut self,
        what: &'static str,
        range: RangeInclusive<T>,
    ) -> Parsed<'a, T> {
        let word = self.required(what)?;
        self.to_number(what, range, word)
    }

    /// A number in a range, or nothing.
    pub(super) fn optional_number<T: Number>(
        &mut self,
        what: &'static str,
        range: RangeInclusive<T>,
    ) -> Parsed<'a, Option<T>> {
        self.word()?.map(|word| self.to_number(what, range, word)).transpose()
    }

    pub(super) fn to_number<T: Number>(
        &self,
        what: &'static str,
        range: RangeInclusive<T>,
        word: &'a str,
    ) -> Parsed<'a, T> {
        let (least, most) = (*range.start(), *range.end());
        digits(word)
            .and_then(|number| T::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let (least, most) = (least.into(), most.into());
                self.error(Problem::Number { what, least, most, word })
            })
    }

    /// A list of cores.
    pub(super) fn core_list(&mut self, what: &'static str) -> Parsed<'a, CoreSet> {
        let word = self.required(what)?;
        let expected = "a list of cores such as 1,3-5";
        core_list::parse(word)
            .ok_or_else(|| self.error(Problem::Malformed { what, expected, word }))
    }

    /// Seconds, with at most [`DECIMALS`] decimals, up to a day.
    pub(super) fn seconds(&mut self) -> Parsed<'a, Duration> {
        let what = "SECONDS";
        let word = self.required(what)?;
        let expected = "a number from 0 to 86400 with at most 6 decimals";
        duration(word)
            .filter(|time| time.as_micros() <= 86_400_000_000)
            .ok_or_else(|| self.error(Problem::Malformed { what, expected, word }))
    }
}

/// The integers that can be arguments.
pub(super) trait Number: Copy + Ord + Into<u64> + TryFrom<u64> {}
impl<T: Copy + Ord + Into<u64> + TryFrom<u64>> Number for T {}

/// Reads decimal digits, `_` between them allowed.
fn digits(word: &str) -> Option<u64> {
    let plain = word.starts_with(|char: char| char.is_ascii_digit());
    word.bytes()
        .filter(|&byte| byte != b'_')
        .try_fold(0_u64, |number, byte| {
            let digit = char::from(byte).to_digit(10).filter(|_| plain)?;
            number.checked_mul(10)?.checked_add(digit.into())
        })
        .filter(|_| plain)
}

fn duration(word: &str) -> Option<Duration> {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, ""));
    let only_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let blank = whole.is_empty() && fraction.is_empty();
    if blank || fraction.len() > DECIMALS || !only_digits(whole) || !only_digits(fraction) {
        return None;
    }
    let number = |part: &str| if part.is_empty() { Some(0) } else { part.parse::<u64>().ok() };
    let scale = (fraction.len()..DECIMALS).fold(1, |scale, _| scale * 10);
    let micros = number(whole)?.checked_mul(1_000_000)?.checked_add(number(fraction)? * scale)?;
    Some(Duration::from_micros(micros))
}
