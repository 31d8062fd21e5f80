//! What the guest prints: passed on as it comes, and cut into lines.

use crate::symbols::Annotator;
use std::mem;
use std::path::Path;

/// A line longer than this many bytes is cut, so that a guest gone wild does not fill our memory.
const MAX_LINE: usize = 64 * 1024;

/// The stream of the guest's output.
pub(super) struct Console {
    annotator: Annotator,
    line: Vec<u8>,
    /// A carriage return is held back until the next byte, in case a line feed follows: what is added
    /// to the end of a line belongs before both.
    carriage_return: bool,
}

impl Console {
    /// For a guest that runs this image.
    pub(super) fn new(image: &Path) -> Self {
        Self { annotator: Annotator::new(image), line: Vec::new(), carriage_return: false }
    }

    /// Takes bytes in, calls `on_line` with each line that they finish, and returns what to show: the
    /// same bytes, with the addresses of backtraces explained at the ends of their lines.
    pub(super) fn feed(&mut self, bytes: &[u8], mut on_line: impl FnMut(&str)) -> Vec<u8> {
        let mut shown = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            let held = mem::replace(&mut self.carriage_return, byte == b'\r');
            match byte {
                b'\n' => self.end_line(held, &mut shown, &mut on_line),
                b'\r' if held => shown.push(b'\r'),
                b'\r' => {}
                _ => {
                    self.line.extend(held.then_some(b'\r'));
                    shown.extend(held.then_some(b'\r'));
                    self.line.push(byte);
                    shown.push(byte);
                }
            }
            if self.line.len() >= MAX_LINE {
                self.end_line(false, &mut shown, &mut on_line);
            }
        }
        shown
    }

    fn end_line(&mut self, held: bool, shown: &mut Vec<u8>, on_line: &mut impl FnMut(&str)) {
        let bytes = mem::take(&mut self.line);
        let mut line = String::from_utf8_lossy(&bytes).into_owned();
        let ends = if held { "\r\n" } else { "\n" };
        if let Some(note) = self.annotator.explain(&line) {
            shown.extend(note.replace('\n', ends).bytes());
            line.push_str(&note);
        }
        shown.extend(ends.bytes());
        line.split('\n').for_each(on_line);
    }

    /// The line that was begun and has no end yet.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// The line that was begun and will have no end.
    pub(super) fn unfinished(&mut self) -> Option<String> {
        let bytes = mem::take(&mut self.line);
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{Console, MAX_LINE};
    use std::path::Path;

    fn feed(pieces: &[&[u8]]) -> (Vec<u8>, Vec<String>) {
        let mut console = Console::new(Path::new("/nonexistent"));
        let (mut shown, mut lines) = (Vec::new(), Vec::new());
        for piece in pieces {
            shown.extend(console.feed(piece, |line| lines.push(line.to_owned())));
        }
        lines.extend(console.unfinished());
        (shown, lines)
    }

    #[test]
    fn bytes_pass_unchanged_however_they_are_cut() {
        let text = b"one\r\ntwo\n\rthree\xff\x1b[2K\r\rprompt> ";
        for cut in 0..text.len() {
            let (shown, lines) = feed(&[&text[..cut], &text[cut..]]);
            assert_eq!(shown, text, "cut at {cut}");
            assert_eq!(&lines[..2], ["one", "two"]);
            assert!(lines[2].ends_with("prompt> "));
        }
    }

    #[test]
    fn a_prompt_is_shown_before_its_line_ends() {
        let (shown, lines) = feed(&[b"atoll> "]);
        assert_eq!(shown, b"atoll> ");
        assert_eq!(lines, ["atoll> "]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let (_, lines) = feed(&[&vec![b'x'; MAX_LINE + 1]]);
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [MAX_LINE, 1]);
    }
}
