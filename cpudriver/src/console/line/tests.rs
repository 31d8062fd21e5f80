//! Types at an editor, and looks at a small terminal that shows its echo.

extern crate std;
use super::{COLUMNS, Completer, Editor, Event, MAX_LINE};
use core::fmt::{self, Write};
use proptest::prelude::*;
use std::borrow::ToOwned;
use std::string::String;
use std::vec;
use std::vec::Vec;

const PROMPT: &str = "> ";

/// A terminal that understands what the editor sends, and panics at anything else.
struct Terminal {
    rows: Vec<Vec<char>>,
    column: usize,
    escape: Option<String>,
    bells: usize,
}

impl Terminal {
    fn new() -> Self {
        Self { rows: vec![Vec::new()], column: 0, escape: None, bells: 0 }
    }

    fn row(&self, from_the_end: usize) -> String {
        self.rows[self.rows.len() - 1 - from_the_end].iter().collect::<String>().trim_end().into()
    }

    fn put(&mut self, char: char) {
        let row = self.rows.last_mut().unwrap();
        row.resize(row.len().max(self.column + 1), ' ');
        row[self.column] = char;
        self.column += 1;
        if self.column == COLUMNS {
            self.new_row();
        }
    }

    fn new_row(&mut self) {
        self.rows.push(Vec::new());
        self.column = 0;
    }

    fn control_sequence(&mut self, sequence: &str) {
        match sequence.split_at(sequence.len() - 1) {
            ("[", "K") => self.rows.last_mut().unwrap().truncate(self.column),
            ("[2", "J") => self.rows = vec![Vec::new()],
            ("[", "H") => self.column = 0,
            (number, "D") => self.column -= number[1..].parse::<usize>().unwrap(),
            _ => panic!("unknown sequence {sequence:?}"),
        }
    }
}

impl Write for Terminal {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            match (self.escape.take(), char) {
                (Some(mut sequence), _) => {
                    sequence.push(char);
                    if char.is_ascii_alphabetic() {
                        self.control_sequence(&sequence);
                    } else {
                        self.escape = Some(sequence);
                    }
                }
                (None, '\x1b') => self.escape = Some(String::new()),
                (None, '\r') => self.column = 0,
                (None, '\n') => self.new_row(),
                (None, '\x07') => self.bells += 1,
                (None, ' '..='~') => self.put(char),
                _ => panic!("unknown character {char:?}"),
            }
        }
        Ok(())
    }
}

/// An editor at a terminal.
struct Desk {
    editor: Editor,
    terminal: Terminal,
    lines: Vec<String>,
}

impl Desk {
    fn new() -> Self {
        let words: Completer = |before, visit| {
            let topics = ["all", "alone"];
            let commands = ["bench", "bt", "cores"];
            let words: &[&str] = if before.starts_with("help ") { &topics } else { &commands };
            words.iter().for_each(|word| visit(word));
        };
        let mut desk = Self {
            editor: Editor::new(PROMPT, words),
            terminal: Terminal::new(),
            lines: Vec::new(),
        };
        desk.editor.show(&mut desk.terminal).unwrap();
        desk
    }

    fn typed(bytes: impl AsRef<[u8]>) -> Self {
        let mut desk = Self::new();
        desk.type_bytes(bytes);
        desk
    }

    fn type_bytes(&mut self, bytes: impl AsRef<[u8]>) {
        for &byte in bytes.as_ref() {
            match self.editor.feed(byte, &mut self.terminal).unwrap() {
                None => continue,
                Some(Event::Line(line)) => self.lines.push(line.to_owned()),
                Some(Event::Interrupt) => self.lines.push("<interrupt>".to_owned()),
                Some(Event::End) => self.lines.push("<end>".to_owned()),
            }
            self.editor.show(&mut self.terminal).unwrap();
        }
    }

    /// What the last row shows, with `|` in front of the cursor.
    fn shown(&self) -> String {
        let mut row: Vec<char> = self.terminal.rows.last().unwrap().clone();
        row.insert(self.terminal.column, '|');
        row.into_iter().collect()
    }
}

#[test]
fn a_line_is_echoed_and_returned() {
    let mut desk = Desk::typed("cores 1");
    assert_eq!(desk.shown(), "> cores 1|");
    desk.type_bytes("\r\n");
    assert_eq!(desk.lines, ["cores 1"]);
    assert_eq!((desk.terminal.row(1).as_str(), desk.shown().as_str()), ("> cores 1", "> |"));
}

#[test]
fn typing_inserts_at_the_cursor() {
    assert_eq!(Desk::typed("ping\x1b[D\x1b[Dxy").shown(), "> pixy|ng");
    assert_eq!(Desk::typed("ping\x01a\x05b").shown(), "> apingb|");
    assert_eq!(Desk::typed("ping\x02\x02\x06!").shown(), "> pin!|g");
}

#[test]
fn characters_are_deleted_on_both_sides() {
    assert_eq!(Desk::typed("ping\x7f\x08").shown(), "> pi|");
    assert_eq!(Desk::typed("ping\x01\x1b[3~\x04").shown(), "> |ng");
    let desk = Desk::typed("\x7f\x1b[3~");
    assert_eq!((desk.shown().as_str(), desk.terminal.bells), ("> |", 2));
}

#[test]
fn words_are_stepped_over_and_killed() {
    assert_eq!(Desk::typed("stop 12; start\x1b[1;5D\x1bb").shown(), "> stop |12; start");
    assert_eq!(Desk::typed("stop 12; start\x01\x1bf\x1b[1;5C").shown(), "> stop 12|; start");
    assert_eq!(Desk::typed("bench ring-latency  \x17").shown(), "> bench |");
}

#[test]
fn what_was_killed_can_be_inserted_again() {
    assert_eq!(Desk::typed("one two\x17\x19 \x19").shown(), "> one two two|");
    assert_eq!(Desk::typed("one two\x15").shown(), "> |");
    assert_eq!(Desk::typed("one two\x15\x19").shown(), "> one two|");
    assert_eq!(Desk::typed("one two\x1bb\x0b\x01\x19").shown(), "> two|one ");
    assert_eq!(Desk::typed("\x19").terminal.bells, 1);
}

#[test]
fn characters_are_transposed() {
    assert_eq!(Desk::typed("pnig\x02\x02\x14").shown(), "> pin|g");
    assert_eq!(Desk::typed("pign\x14").shown(), "> ping|");
    assert_eq!(Desk::typed("p\x14").terminal.bells, 1);
    assert_eq!(Desk::typed("pi\x01\x14").terminal.bells, 1);
}

#[test]
fn the_screen_is_cleared_and_the_line_stays() {
    let desk = Desk::typed("mem\rcores\x02\x0c");
    assert_eq!(desk.terminal.rows.len(), 1);
    assert_eq!(desk.shown(), "> core|s");
}

#[test]
fn control_c_discards_the_line_and_control_d_ends_an_empty_one() {
    let mut desk = Desk::typed("panic 1\x03");
    desk.type_bytes("\x04");
    assert_eq!(desk.lines, ["<interrupt>", "<end>"]);
    assert_eq!(desk.terminal.row(2), "> panic 1^C");
}

#[test]
fn history_goes_back_and_returns_to_what_was_being_typed() {
    let mut desk = Desk::typed("one\rtwo\rthr\x1b[A");
    assert_eq!(desk.shown(), "> two|");
    desk.type_bytes("\x10\x10");
    assert_eq!((desk.shown().as_str(), desk.terminal.bells), ("> one|", 1));
    desk.type_bytes("\x1bOB\x0e");
    assert_eq!(desk.shown(), "> thr|");
    desk.type_bytes("\x0e");
    assert_eq!((desk.shown().as_str(), desk.terminal.bells), ("> thr|", 2));
}

#[test]
fn history_leaves_out_blank_lines_and_repetitions() {
    let desk = Desk::typed("one\rtwo\rtwo\r  \r\r\x10\x10");
    assert_eq!(desk.shown(), "> one|");
}

#[test]
fn history_keeps_the_last_lines() {
    let mut desk = Desk::new();
    for number in 0..50 {
        desk.type_bytes(std::format!("echo {number}\r"));
    }
    desk.type_bytes([0x10; 100]);
    let oldest = std::format!("> echo {}|", 50 - super::history::ENTRIES);
    assert_eq!(desk.shown(), oldest);
}

#[test]
fn an_edited_entry_leaves_the_history_alone() {
    let desk = Desk::typed("one\r\x10!\r\x10\x10");
    assert_eq!(desk.lines, ["one", "one!"]);
    assert_eq!(desk.shown(), "> one|");
}

#[test]
fn tab_completes_the_only_candidate() {
    assert_eq!(Desk::typed("co\t").shown(), "> cores |");
    assert_eq!(Desk::typed("mem;be\t").shown(), "> mem;bench |");
    assert_eq!(Desk::typed("help alo\t").shown(), "> help alone |");
    assert_eq!(Desk::typed("cores\t").shown(), "> cores |");
    assert_eq!(Desk::typed("x\t").terminal.bells, 1);
}

#[test]
fn tab_lists_several_candidates() {
    let desk = Desk::typed("mem; b\t");
    assert_eq!(desk.terminal.row(1), "bench  bt");
    assert_eq!(desk.shown(), "> mem; b|");
    assert_eq!(Desk::typed("help a\t").shown(), "> help al|");
}

#[test]
fn a_line_that_is_too_long_rings_the_bell() {
    let mut desk = Desk::typed(vec![b'x'; MAX_LINE + 3]);
    assert_eq!(desk.terminal.bells, 3);
    desk.type_bytes("\r");
    assert_eq!(desk.lines, ["x".repeat(MAX_LINE)]);
}

#[test]
fn a_long_line_scrolls_in_one_row_and_is_shown_whole_in_the_end() {
    let long: String = ('a'..='z').cycle().take(100).collect();
    let mut desk = Desk::typed(&long);
    assert_eq!(desk.terminal.rows.len(), 1);
    assert!(desk.shown().ends_with("stuv|"), "{}", desk.shown());
    desk.type_bytes("\x01");
    assert!(desk.shown().starts_with("> |abcd"), "{}", desk.shown());
    desk.type_bytes("\r");
    let rows = desk.terminal.row(2) + &desk.terminal.row(1);
    assert_eq!(rows, String::from(PROMPT) + &long);
}

#[test]
fn text_beyond_ascii_is_refused_and_harmless() {
    let mut desk = Desk::typed("aé😀b");
    assert_eq!((desk.shown().as_str(), desk.terminal.bells), ("> ab|", 2));
    desk.type_bytes("\r");
    assert_eq!(desk.lines, ["ab"]);
}

#[test]
fn the_line_can_give_way_to_a_message() {
    let mut desk = Desk::typed("cores\x02");
    desk.editor.hide(&mut desk.terminal).unwrap();
    desk.terminal.write_str("core 3 has failed\n").unwrap();
    desk.editor.show(&mut desk.terminal).unwrap();
    assert_eq!(desk.terminal.row(1), "core 3 has failed");
    assert_eq!(desk.shown(), "> core|s");
}

/// Bytes that edit, more often than chance would have it.
fn keys() -> impl Strategy<Value = Vec<u8>> {
    let keys: [&[u8]; 16] = [
        b"\x01", b"\x02", b"\x05", b"\x06", b"\x7f", b"\x1b[3~", b"\x0b", b"\x15", b"\x17",
        b"\x19", b"\x14", b"\x10", b"\x0e", b"\x1bb", b"\x1bf", b"\t",
    ];
    let key = prop_oneof![
        4 => "[a-c ;]{1,30}".prop_map(String::into_bytes),
        8 => prop::sample::select(keys.to_vec()).prop_map(<[u8]>::to_vec),
        1 => Just(b"\r".to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(key, 0..60).prop_map(|keys| keys.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>) {
        Desk::typed(bytes);
    }

    #[test]
    fn the_terminal_shows_the_line_and_the_cursor(bytes in keys()) {
        let mut desk = Desk::typed(bytes);
        let shown = desk.shown();
        let (line, cursor) = (String::from(desk.editor.line.as_str()), desk.editor.cursor);
        if line.len() + PROMPT.len() < COLUMNS {
            prop_assert_eq!(shown, std::format!("{PROMPT}{}|{}", &line[..cursor], &line[cursor..]));
        } else {
            prop_assert!(shown.starts_with(PROMPT) && shown.len() <= COLUMNS);
        }
        desk.type_bytes("\x1b\r");
        prop_assert_eq!(desk.lines.last(), Some(&line));
    }
}
