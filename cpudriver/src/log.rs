//! The kernel's log: the last lines, in a bounded buffer.
//!
//! Lines are kept whole; when there is no room for a new one the oldest go. A line that is too long is
//! cut and says so. The lines lie one after the other from the start of the buffer, each as the bytes
//! of its stamp, of its length and of its text; dropping some moves the others, which at a few
//! kilobytes costs less than reading lines that wrap around.

use core::fmt::{self, Write};

/// The longest line, in bytes; the rest of a longer one is replaced by [`CUT`].
pub const MAX_LINE: usize = 240;

/// Ends a line that was cut.
pub const CUT: &str = "...";

/// Bytes before the text of a line: a stamp of 8 and a length of 2.
const HEADER: usize = 10;

/// A line and when it was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The clock then, in ticks.
    pub stamp: u64,
    /// The text, without an end of line.
    pub text: &'a str,
}

/// The log; see the [module](self).
#[derive(Debug)]
pub struct Log<'a> {
    buffer: &'a mut [u8],
    used: usize,
    dropped: u64,
}

impl<'a> Log<'a> {
    /// A log in that buffer; what it holds doesn't matter. A buffer too small for a line of
    /// [`MAX_LINE`] drops those that don't fit.
    #[must_use]
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, used: 0, dropped: 0 }
    }

    /// Adds what is formatted, one entry per line of it; a last end of line adds none.
    pub fn write(&mut self, stamp: u64, text: fmt::Arguments<'_>) {
        let mut writer = LineWriter { log: self, stamp, line: LineBuffer::new() };
        // The writer never fails; a value that cannot be formatted leaves what it wrote before.
        let _ = writer.write_fmt(text);
        if !writer.line.is_empty() {
            writer.end_line();
        }
    }

    /// The lines that are kept, the oldest first.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> + Clone {
        let mut rest = &self.buffer[..self.used];
        core::iter::from_fn(move || {
            let (line, after) = first_line(rest)?;
            rest = after;
            Some(line)
        })
    }

    /// The last `count` lines, or as many as are kept, the oldest first.
    pub fn last(&self, count: usize) -> impl Iterator<Item = Line<'_>> + Clone {
        let kept = self.lines().count();
        self.lines().skip(kept.saturating_sub(count))
    }

    /// How many lines were dropped.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn push(&mut self, stamp: u64, text: &str) {
        let size = HEADER + text.len();
        if size > self.buffer.len() {
            self.dropped += 1;
            return;
        }
        self.make_room(size);
        let length = u16::try_from(text.len()).expect("a line has at most MAX_LINE bytes");
        let place = &mut self.buffer[self.used..self.used + size];
        place[..8].copy_from_slice(&stamp.to_le_bytes());
        place[8..HEADER].copy_from_slice(&length.to_le_bytes());
        place[HEADER..].copy_from_slice(text.as_bytes());
        self.used += size;
    }

    /// Drops as many of the oldest lines as it takes for `size` bytes to fit.
    fn make_room(&mut self, size: usize) {
        let needed = (self.used + size).saturating_sub(self.buffer.len());
        let mut start = 0;
        while start < needed {
            let Some((line, _)) = first_line(&self.buffer[start..self.used]) else { break };
            start += HEADER + line.text.len();
            self.dropped += 1;
        }
        self.buffer.copy_within(start..self.used, 0);
        self.used -= start;
    }
}

/// The first line in `bytes`, and the bytes after it.
fn first_line(bytes: &[u8]) -> Option<(Line<'_>, &[u8])> {
    let (stamp, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (text, after) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let text = core::str::from_utf8(text).expect("whole texts are put in");
    Some((Line { stamp: u64::from_le_bytes(*stamp), text }, after))
}

/// Collects formatted text and logs each line of it.
struct LineWriter<'a, 'b> {
    log: &'a mut Log<'b>,
    stamp: u64,
    line: LineBuffer,
}

impl LineWriter<'_, '_> {
    fn end_line(&mut self) {
        self.log.push(self.stamp, self.line.text());
        self.line = LineBuffer::new();
    }
}

impl Write for LineWriter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut parts = text.split('\n');
        self.line.append(parts.next().unwrap_or(""));
        for part in parts {
            self.end_line();
            self.line.append(part);
        }
        Ok(())
    }
}

/// A line of at most [`MAX_LINE`] bytes.
struct LineBuffer {
    bytes: [u8; MAX_LINE],
    len: usize,
    cut: bool,
}

impl LineBuffer {
    const fn new() -> Self {
        Self { bytes: [0; MAX_LINE], len: 0, cut: false }
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn append(&mut self, text: &str) {
        if self.cut {
            return;
        }
        let fits = text.floor_char_boundary(MAX_LINE - self.len);
        self.put(&text[..fits]);
        if fits < text.len() {
            self.len = self.text().floor_char_boundary(MAX_LINE - CUT.len());
            self.put(CUT);
            self.cut = true;
        }
    }

    fn put(&mut self, text: &str) {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text.as_bytes());
        self.len += text.len();
    }

    fn text(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).expect("whole characters are put in")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{CUT, HEADER, Line, Log, MAX_LINE};
    use proptest::prelude::*;
    use std::string::String;
    use std::vec;
    use std::vec::Vec;

    fn texts(log: &Log<'_>) -> Vec<String> {
        log.lines().map(|line| line.text.into()).collect()
    }

    #[test]
    fn lines_keep_their_order_and_stamps() {
        let mut buffer = [0xff; 100];
        let mut log = Log::new(&mut buffer);
        log.write(7, format_args!("core {} is online", 1));
        log.write(9, format_args!("ready\n"));
        let lines: Vec<Line<'_>> = log.lines().collect();
        let expected =
            [Line { stamp: 7, text: "core 1 is online" }, Line { stamp: 9, text: "ready" }];
        assert_eq!(lines, expected);
        assert_eq!(log.last(1).map(|line| line.stamp).collect::<Vec<_>>(), [9]);
        assert_eq!(log.last(5).count(), 2);
    }

    #[test]
    fn every_line_of_a_text_is_an_entry() {
        let mut buffer = [0; 100];
        let mut log = Log::new(&mut buffer);
        log.write(1, format_args!("a\n{}\n\nd\n", "b"));
        assert_eq!(texts(&log), ["a", "b", "", "d"]);
        log.write(2, format_args!(""));
        assert_eq!(log.lines().count(), 4);
    }

    #[test]
    fn the_oldest_lines_go_first() {
        let mut buffer = vec![0; 3 * (HEADER + 2)];
        let mut log = Log::new(&mut buffer);
        for number in 10..15 {
            log.write(number, format_args!("{number}"));
        }
        assert_eq!((texts(&log), log.dropped()), (vec!["12".into(), "13".into(), "14".into()], 2));
        log.write(0, format_args!("123456789012345"));
        assert_eq!((texts(&log), log.dropped()), (vec!["123456789012345".into()], 5));
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let mut buffer = [0; 1000];
        let mut log = Log::new(&mut buffer);
        let long = "é".repeat(MAX_LINE);
        log.write(0, format_args!("x{long}{long}\nnext"));
        let lines = texts(&log);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].len() <= MAX_LINE && lines[0].len() > MAX_LINE - 3);
        assert!(lines[0].starts_with("xé") && lines[0].ends_with(CUT));
        log.write(0, format_args!("{}", "y".repeat(MAX_LINE)));
        assert_eq!(texts(&log)[2], "y".repeat(MAX_LINE));
    }

    #[test]
    fn a_line_that_does_not_fit_at_all_leaves_the_others() {
        let mut buffer = [0; HEADER + 5];
        let mut log = Log::new(&mut buffer);
        log.write(0, format_args!("short"));
        log.write(0, format_args!("longer"));
        assert_eq!((texts(&log), log.dropped()), (vec!["short".into()], 1));
    }

    proptest! {
        #[test]
        fn it_is_the_end_of_all_that_was_written(
            size in 0_usize..300,
            lines in prop::collection::vec("[a-zé€]{1,40}", 0..30),
        ) {
            let mut buffer = vec![0; size];
            let mut log = Log::new(&mut buffer);
            for line in &lines {
                log.write(1, format_args!("{line}"));
            }
            let kept = texts(&log);
            prop_assert_eq!(kept.len() as u64 + log.dropped(), lines.len() as u64);
            if lines.iter().all(|line| HEADER + line.len() <= size) {
                prop_assert_eq!(&kept[..], &lines[lines.len() - kept.len()..]);
                // No more was dropped than had to be.
                let bytes = |lines: &[String]| lines.iter().map(|l| HEADER + l.len()).sum::<usize>();
                let one_more = (kept.len() + 1).min(lines.len());
                let all_kept = kept.len() == lines.len();
                prop_assert!(all_kept || bytes(&lines[lines.len() - one_more..]) > size);
            }
        }
    }
}
