//! A bounded line of ASCII text.

/// The longest line, in bytes.
pub const MAX_LINE: usize = 256;

/// At most [`MAX_LINE`] characters, all ASCII, so that every index is a boundary of a character.
#[derive(Clone, Debug)]
pub(super) struct Text {
    bytes: [u8; MAX_LINE],
    len: usize,
}

impl Text {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; MAX_LINE], len: 0 }
    }

    /// A copy of `text`, as [`Text::set`] makes it.
    pub(super) fn from(text: &str) -> Self {
        let mut copy = Self::new();
        copy.set(text);
        copy
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn as_str(&self) -> &str {
        self.slice(0, self.len)
    }

    /// The characters `from..to`; empty if that is not a range of the text.
    pub(super) fn slice(&self, from: usize, to: usize) -> &str {
        let bytes = self.bytes.get(from..to.min(self.len)).unwrap_or_default();
        core::str::from_utf8(bytes).expect("only ASCII is put in")
    }

    /// Becomes `text`, cut to fit and to its first character that is not ASCII.
    pub(super) fn set(&mut self, text: &str) {
        self.len = 0;
        let ascii = text.bytes().take_while(u8::is_ascii).take(MAX_LINE);
        for (place, byte) in self.bytes.iter_mut().zip(ascii) {
            *place = byte;
            self.len += 1;
        }
    }

    /// Inserts ASCII text; refuses, and returns false, if it doesn't fit or isn't ASCII.
    pub(super) fn insert(&mut self, at: usize, text: &str) -> bool {
        let end = self.len + text.len();
        if end > MAX_LINE || at > self.len || !text.is_ascii() {
            return false;
        }
        self.bytes.copy_within(at..self.len, at + text.len());
        self.bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
        self.len = end;
        true
    }

    /// Removes the characters `from..to`; an empty range, or one outside, changes nothing.
    pub(super) fn remove(&mut self, from: usize, to: usize) {
        if from < to && to <= self.len {
            self.bytes.copy_within(to..self.len, from);
            self.len -= to - from;
        }
    }

    /// Swaps two characters of the text.
    pub(super) fn swap(&mut self, one: usize, other: usize) {
        self.bytes[..self.len].swap(one, other);
    }

    /// How many characters at the start are the same as those of `other`.
    pub(super) fn common_len(&self, other: &str) -> usize {
        self.as_str().bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count()
    }

    /// The start of the word (letters and digits) before `at`.
    pub(super) fn word_before(&self, at: usize) -> usize {
        let at = self.back_while(at, |byte| !byte.is_ascii_alphanumeric());
        self.back_while(at, |byte| byte.is_ascii_alphanumeric())
    }

    /// The end of the word (letters and digits) after `at`.
    pub(super) fn word_after(&self, at: usize) -> usize {
        let rest = &self.bytes[at..self.len];
        let gap = rest.iter().take_while(|byte| !byte.is_ascii_alphanumeric()).count();
        let word = rest[gap..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        at + gap + word
    }

    /// The start of what stands between blanks before `at`.
    pub(super) fn blank_before(&self, at: usize) -> usize {
        let at = self.back_while(at, |byte| byte == b' ');
        self.back_while(at, |byte| byte != b' ')
    }

    fn back_while(&self, at: usize, holds: impl Fn(u8) -> bool) -> usize {
        at - self.bytes[..at].iter().rev().take_while(|&&byte| holds(byte)).count()
    }
}
