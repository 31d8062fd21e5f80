//! Time: moments, spans, sleeping, alarms.
//!
//! The clock is the time stamp counter, which a program reads without a call. Where the machine counts instructions
//! instead of time ([`COUNTS`](proto::program::global::feature::COUNTS)), so do moments and spans.

use crate::{Error, calls, info, threads};
use core::ops::{Add, Sub};
use core::time::Duration;

const NANOS: u128 = 1_000_000_000;

/// A moment, in ticks of the time stamp counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// Now.
    #[must_use]
    #[inline]
    pub fn now() -> Self {
        Self(crate::raw::ticks())
    }

    /// How long ago it was; nothing if it is still to come.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now() - self
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(ticks(span)))
    }
}

impl Sub for Moment {
    type Output = Duration;

    /// The time between both; nothing if the other is the later one.
    fn sub(self, earlier: Self) -> Duration {
        duration(self.0.saturating_sub(earlier.0), info::tsc_hz())
    }
}

/// A span in ticks, rounded up.
#[must_use]
pub fn ticks(span: Duration) -> u64 {
    to_ticks(span, info::tsc_hz())
}

fn to_ticks(span: Duration, hz: u64) -> u64 {
    let ticks = span.as_nanos().saturating_mul(hz.into()).div_ceil(NANOS);
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

fn duration(ticks: u64, hz: u64) -> Duration {
    let nanos = u128::from(ticks) * NANOS / u128::from(hz.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Lets this much time pass, while others run.
///
/// # Errors
///
/// [`Error::Interrupted`] if it was cut short, [`Error::Again`] if the process waits for too much already.
pub fn sleep(span: Duration) -> Result<(), Error> {
    if threads::are_on() {
        threads::sleep_until(Moment::now() + span);
        return Ok(());
    }
    calls::sleep(ticks(span)).call()
}

/// Asks for the event [`ALARM`](crate::event::kind::ALARM) with this number, at a moment.
///
/// # Errors
///
/// [`Error::Again`] if the process has too many alarms. In a process with threads one number is the scheduler's:
/// [`threads::ALARM`].
pub fn set_alarm(number: u64, moment: Moment) -> Result<(), Error> {
    calls::alarm(number, moment.0, 0).call()
}

/// Asks for the event [`ALARM`](crate::event::kind::ALARM) with this number after each such span, from now on.
///
/// # Errors
///
/// [`Error::Again`] if the process has too many alarms.
pub fn set_periodic_alarm(number: u64, period: Duration) -> Result<(), Error> {
    let first = Moment::now() + period;
    calls::alarm(number, first.0, ticks(period)).call()
}

/// Takes an alarm back.
///
/// # Errors
///
/// What the kernel says, if there is no such alarm.
pub fn cancel_alarm(number: u64) -> Result<(), Error> {
    calls::alarm(number, 0, 0).call()
}

/// The time since 1970-01-01 00:00 UTC, where the machine has a clock.
#[must_use]
pub fn since_1970() -> Option<Duration> {
    let nanos = calls::time().call().ok()?;
    (nanos != 0).then(|| Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::{duration, to_ticks};
    use core::time::Duration;

    #[test]
    fn spans_become_ticks_and_back() {
        let second = Duration::from_secs(1);
        assert_eq!(
            (to_ticks(second, 2_400_000_000), duration(2_400_000_000, 2_400_000_000)),
            (2_400_000_000, second)
        );
        assert_eq!(to_ticks(Duration::from_nanos(1), 1_000), 1, "rounded up");
        assert_eq!(duration(1, 3), Duration::from_nanos(333_333_333));
        assert_eq!(to_ticks(Duration::MAX, u64::MAX), u64::MAX);
        assert_eq!(duration(5, 0), Duration::from_secs(5), "no division by zero");
    }
}
