//! A line editor: bytes of a terminal in, what to echo and finished lines out.
//!
//! Does no input or output itself, allocates nothing, and never waits: [`Editor::feed`] takes one byte
//! and writes to the terminal through a [`Write`]. It behaves as people expect from readline (the keys
//! are those of [`Key`]), keeps a history, and completes words with a function that the owner gives.
//!
//! The terminal is taken to be [`COLUMNS`] wide; a longer line scrolls sideways while it is edited, so
//! that no wrapped line has to be redrawn, and is shown whole when it is finished. Only ASCII is
//! accepted; anything beyond rings the bell.

mod history;
mod text;

use super::key::{Decoder, Key};
use core::fmt::{self, Write};
use history::History;
pub use text::MAX_LINE;
use text::Text;

/// Width that the terminal is taken to have.
pub const COLUMNS: usize = 80;

const BELL: &str = "\x07";
const ERASE_TO_END: &str = "\x1b[K";

/// What became of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Enter: the line, without its end.
    Line(&'a str),
    /// Ctrl-C: the line was discarded.
    Interrupt,
    /// Ctrl-D on an empty line.
    End,
}

/// Calls the visitor with every word that could stand where the last word of the given text (the line
/// up to the cursor) stands; words that don't begin like it are ignored. Words are separated by blanks,
/// `;` and `{`.
pub type Completer = fn(&str, &mut dyn FnMut(&str));

/// The editor; see the [module](self).
#[derive(Clone, Debug)]
pub struct Editor {
    prompt: &'static str,
    complete: Completer,
    keys: Decoder,
    line: Text,
    cursor: usize,
    /// What was killed last, for Ctrl-Y.
    killed: Text,
    history: History,
    /// The finished line, which an [`Event`] borrows.
    finished: Text,
}

impl Editor {
    /// An editor with an empty line and history. Shows nothing before [`Editor::show`].
    #[must_use]
    pub const fn new(prompt: &'static str, complete: Completer) -> Self {
        Self {
            prompt,
            complete,
            keys: Decoder::new(),
            line: Text::new(),
            cursor: 0,
            killed: Text::new(),
            history: History::new(),
            finished: Text::new(),
        }
    }

    /// Takes a byte from the terminal, writes the echo, and returns what it finished.
    ///
    /// After an event the cursor is at the start of a fresh line and nothing is shown; the owner acts,
    /// then calls [`Editor::show`].
    ///
    /// # Errors
    ///
    /// Only those of `out`; the editor's state is valid all the same.
    pub fn feed(&mut self, byte: u8, out: &mut dyn Write) -> Result<Option<Event<'_>>, fmt::Error> {
        let Some(key) = self.keys.feed(byte) else { return Ok(None) };
        match key {
            Key::Enter => self.finish(out).map(|()| Some(Event::Line(self.finished.as_str()))),
            Key::Interrupt => self.interrupt(out).map(|()| Some(Event::Interrupt)),
            Key::DeleteOrEnd if self.line.is_empty() => {
                out.write_char('\n').map(|()| Some(Event::End))
            }
            _ => self.edit(key, out).map(|()| None),
        }
    }

    /// Shows the prompt and the line, the cursor in its place. The cursor of the terminal must be in
    /// the line that is to hold them.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn show(&self, out: &mut dyn Write) -> fmt::Result {
        let room = COLUMNS - 1 - self.prompt.len();
        let start = self.cursor.saturating_sub(room);
        let end = self.line.len().min(start + room);
        write!(out, "\r{}{}{ERASE_TO_END}", self.prompt, self.line.slice(start, end))?;
        match end - self.cursor {
            0 => Ok(()),
            back => write!(out, "\x1b[{back}D"),
        }
    }

    /// Takes the prompt and the line off the terminal, so that something else can be printed there
    /// while a line is being typed.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn hide(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "\r{ERASE_TO_END}")
    }

    fn edit(&mut self, key: Key, out: &mut dyn Write) -> fmt::Result {
        match key {
            Key::Char(byte) => return self.type_char(byte, out),
            Key::Complete => return self.complete(out),
            Key::Clear => out.write_str("\x1b[H\x1b[2J")?,
            _ if self.change(key) => {}
            _ => return out.write_str(BELL),
        }
        self.show(out)
    }

    /// Carries out a key that only concerns the line; returns false if it had no effect.
    fn change(&mut self, key: Key) -> bool {
        let (cursor, len) = (self.cursor, self.line.len());
        match key {
            Key::Left => self.go_to(cursor.saturating_sub(1)),
            Key::Right => self.go_to(len.min(cursor + 1)),
            Key::WordLeft => self.go_to(self.line.word_before(cursor)),
            Key::WordRight => self.go_to(self.line.word_after(cursor)),
            // Already there is no mistake.
            Key::Home => self.go_to(0) || cursor == 0,
            Key::End => self.go_to(len) || cursor == len,
            Key::Backspace => cursor > 0 && self.remove(cursor - 1, cursor),
            Key::Delete | Key::DeleteOrEnd => self.remove(cursor, len.min(cursor + 1)),
            Key::KillToEnd => self.kill(cursor, len),
            Key::KillToStart => self.kill(0, cursor),
            Key::KillWord => self.kill(self.line.blank_before(cursor), cursor),
            Key::Yank => self.insert_killed(),
            Key::Transpose => self.transpose(),
            Key::Older => self.recall_older(),
            Key::Newer => self.recall_newer(),
            _ => false,
        }
    }

    fn go_to(&mut self, cursor: usize) -> bool {
        core::mem::replace(&mut self.cursor, cursor) != cursor
    }

    fn remove(&mut self, from: usize, to: usize) -> bool {
        self.line.remove(from, to);
        self.cursor = from;
        from < to
    }

    fn kill(&mut self, from: usize, to: usize) -> bool {
        if from < to {
            self.killed.set(self.line.slice(from, to));
        }
        self.remove(from, to)
    }

    fn insert(&mut self, text: &str) -> bool {
        let fits = self.line.insert(self.cursor, text);
        if fits {
            self.cursor += text.len();
        }
        fits
    }

    fn insert_killed(&mut self) -> bool {
        let killed = self.killed.clone();
        !killed.is_empty() && self.insert(killed.as_str())
    }

    /// As readline does: swaps the characters on both sides of the cursor and steps over them; at the
    /// end of the line, the last two.
    fn transpose(&mut self) -> bool {
        let right = self.cursor.min(self.line.len().saturating_sub(1));
        if self.cursor == 0 || right == 0 {
            return false;
        }
        self.line.swap(right - 1, right);
        self.cursor = right + 1;
        true
    }

    fn recall_older(&mut self) -> bool {
        let found = self.history.older(&mut self.line);
        if found {
            self.cursor = self.line.len();
        }
        found
    }

    fn recall_newer(&mut self) -> bool {
        let found = self.history.newer(&mut self.line);
        if found {
            self.cursor = self.line.len();
        }
        found
    }

    fn type_char(&mut self, byte: u8, out: &mut dyn Write) -> fmt::Result {
        let mut buffer = [0; 4];
        if !self.insert(char::from(byte).encode_utf8(&mut buffer)) {
            return out.write_str(BELL);
        }
        let at_end = self.cursor == self.line.len();
        if at_end && !self.scrolled() {
            return out.write_char(char::from(byte));
        }
        self.show(out)
    }

    /// Whether the line is too long to be shown as a whole.
    fn scrolled(&self) -> bool {
        self.prompt.len() + self.line.len() >= COLUMNS
    }

    fn finish(&mut self, out: &mut dyn Write) -> fmt::Result {
        if self.scrolled() {
            write!(out, "\r{}{}", self.prompt, self.line.as_str())?;
        }
        self.history.add(self.line.as_str());
        self.finished.set(self.line.as_str());
        self.reset();
        out.write_char('\n')
    }

    fn interrupt(&mut self, out: &mut dyn Write) -> fmt::Result {
        self.history.forget_draft();
        self.reset();
        out.write_str("^C\n")
    }

    fn reset(&mut self) {
        self.line.set("");
        self.cursor = 0;
    }

    /// Inserts what all candidates have in common; a blank after the only one; or lists them.
    fn complete(&mut self, out: &mut dyn Write) -> fmt::Result {
        let before = Text::from(self.line.slice(0, self.cursor));
        let word = last_word(before.as_str());
        let (count, common) = self.common_prefix(before.as_str(), word);
        let mut rest = Text::from(&common.as_str()[word.len().min(common.len())..]);
        if count == 1 {
            rest.insert(rest.len(), " ");
        }
        match count {
            0 => return out.write_str(BELL),
            _ if !rest.is_empty() => {
                if !self.insert(rest.as_str()) {
                    return out.write_str(BELL);
                }
            }
            _ => self.list(before.as_str(), word, out)?,
        }
        self.show(out)
    }

    /// How many candidates begin with `word`, and the longest text that all of them begin with.
    fn common_prefix(&self, before: &str, word: &str) -> (usize, Text) {
        let mut count = 0;
        let mut common = Text::new();
        (self.complete)(before, &mut |candidate| {
            if !candidate.starts_with(word) {
                return;
            }
            count += 1;
            let same = common.common_len(candidate);
            match count {
                1 => common.set(candidate),
                _ => common.remove(same, common.len()),
            }
        });
        (count, common)
    }

    fn list(&self, before: &str, word: &str, out: &mut dyn Write) -> fmt::Result {
        let mut result = out.write_char('\n');
        (self.complete)(before, &mut |candidate| {
            if candidate.starts_with(word) {
                result = result.and_then(|()| write!(out, "{candidate}  "));
            }
        });
        result?;
        out.write_char('\n')
    }
}

/// The part of `text` after the last blank, `;` or `{`.
fn last_word(text: &str) -> &str {
    text.rsplit([' ', ';', '{']).next().unwrap_or("")
}

#[cfg(test)]
mod tests;
