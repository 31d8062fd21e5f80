//! The lines typed before.

use super::text::Text;

/// How many lines are kept.
pub(super) const ENTRIES: usize = 16;

/// The last [`ENTRIES`] lines, and where in them the person is.
#[derive(Clone, Debug)]
pub(super) struct History {
    entries: [Text; ENTRIES],
    /// How many lines were ever added; line `n` is at `n % ENTRIES`.
    added: usize,
    /// How many lines back the one shown is; 0 for the one being typed.
    back: usize,
    /// What was typed before going back.
    draft: Text,
}

impl History {
    pub(super) const fn new() -> Self {
        Self { entries: [const { Text::new() }; ENTRIES], added: 0, back: 0, draft: Text::new() }
    }

    /// Adds a finished line, unless it is blank or the same as the last one.
    pub(super) fn add(&mut self, line: &str) {
        self.back = 0;
        if line.trim().is_empty() || self.entry(1).is_some_and(|last| last.as_str() == line) {
            return;
        }
        self.entries[self.added % ENTRIES].set(line);
        self.added += 1;
    }

    /// Puts the line before the one shown into `line`; false if there is none.
    pub(super) fn older(&mut self, line: &mut Text) -> bool {
        let Some(entry) = self.entry(self.back + 1).cloned() else { return false };
        if self.back == 0 {
            self.draft = line.clone();
        }
        self.back += 1;
        *line = entry;
        true
    }

    /// Puts the line after the one shown, in the end the draft, into `line`; false if there is none.
    pub(super) fn newer(&mut self, line: &mut Text) -> bool {
        let Some(back) = self.back.checked_sub(1) else { return false };
        self.back = back;
        *line = self.entry(back).unwrap_or(&self.draft).clone();
        true
    }

    /// The line being typed was given up.
    pub(super) fn forget_draft(&mut self) {
        self.back = 0;
    }

    /// The line `back` lines ago; 1 is the last one.
    fn entry(&self, back: usize) -> Option<&Text> {
        let kept = (1..=ENTRIES).contains(&back) && back <= self.added;
        kept.then(|| &self.entries[(self.added - back) % ENTRIES])
    }
}
