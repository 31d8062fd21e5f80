//! The date that a PC's clock shows, in seconds since 1970.

/// The clock's registers, as read at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the registers")]
pub struct Registers {
    pub second: u8,
    pub minute: u8,
    pub hour: u8,
    pub day: u8,
    pub month: u8,
    pub year: u8,
    /// Status register B: bit 2, numbers are binary; bit 1, hours count to 24.
    pub status: u8,
}

impl Registers {
    /// Seconds since 1970-01-01 00:00 UTC, if the clock goes by UTC; `None` when there is no such date, as
    /// on a machine without the clock. Years are those from 2000 to 2099.
    #[must_use]
    pub fn seconds(&self) -> Option<u64> {
        let is_binary = self.status & 1 << 2 != 0;
        let number = |it: u8| {
            let (tens, ones) = (it >> 4, it & 15);
            let decimal = (tens < 10 && ones < 10).then(|| tens * 10 + ones);
            if is_binary { Some(it) } else { decimal }
        };
        let afternoon = self.hour & 0x80 != 0;
        let mut hour = number(self.hour & 0x7f)?;
        if self.status & 1 << 1 == 0 {
            hour = hour % 12 + if afternoon { 12 } else { 0 };
        }
        let [second, minute, day, month, year] =
            [self.second, self.minute, self.day, self.month, self.year].map(number);
        let (second, minute) = (second?, minute?);
        let days = days(2000 + u64::from(year?), month?, day?)?;
        let is_time = second < 60 && minute < 60 && hour < 24;
        let seconds = [hour, minute, second].iter().fold(0, |sum, it| sum * 60 + u64::from(*it));
        is_time.then_some(days * 86_400 + seconds)
    }
}

/// Days from 1970-01-01 to a date from 2000 to 2099.
fn days(year: u64, month: u8, day: u8) -> Option<u64> {
    const BEFORE_2000: u64 = 10_957;
    let is_leap = year.is_multiple_of(4);
    let lengths = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let at = usize::from(month).checked_sub(1)?;
    let length = *lengths.get(at)?;
    let before: u64 = lengths[..at].iter().sum();
    let since = year - 2000;
    let leap_days = since.div_ceil(4);
    let exists = day >= 1 && u64::from(day) <= length;
    exists.then(|| BEFORE_2000 + since * 365 + leap_days + before + u64::from(day) - 1)
}

#[cfg(test)]
mod tests {
    use super::Registers;

    fn at(date: [u8; 6], status: u8) -> Option<u64> {
        let [year, month, day, hour, minute, second] = date;
        Registers { second, minute, hour, day, month, year, status }.seconds()
    }

    #[test]
    fn dates_are_read_in_both_notations() {
        assert_eq!(at([0, 1, 1, 0, 0, 0], 0b110), Some(946_684_800));
        assert_eq!(at([0x26, 0x11, 0x26, 0x01, 0x02, 0x03], 0b010), Some(1_795_654_923));
        assert_eq!(at([26, 11, 26, 1, 2, 3], 0b110), Some(1_795_654_923));
        assert_eq!(at([24, 2, 29, 0, 0, 0], 0b110), Some(1_709_164_800), "a leap day");
        assert_eq!(at([0, 1, 1, 0x80 | 12, 0, 0], 0b100), Some(946_684_800 + 43_200), "noon");
        assert_eq!(at([0, 1, 1, 12, 0, 0], 0b100), Some(946_684_800), "midnight");
    }

    #[test]
    fn what_is_no_date_is_none() {
        for bad in [[0, 0, 1, 0, 0, 0], [0, 13, 1, 0, 0, 0], [1, 2, 29, 0, 0, 0], [0; 6], [255; 6]]
        {
            assert_eq!(at(bad, 0b110), None, "{bad:?}");
        }
        assert_eq!(at([0x0a, 1, 1, 0, 0, 0], 0b010), None, "no decimal digit");
    }
}
