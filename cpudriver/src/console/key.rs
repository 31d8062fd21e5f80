//! From the bytes that a terminal sends to the keys that a person pressed.
//!
//! A state machine fed one byte at a time: an escape sequence may be cut anywhere. Understands the
//! cursor and editing keys of xterm, the Linux console and VT220 descendants (ECMA-48 control
//! sequences, `ESC [ … final`, and SS3, `ESC O final`), and the control keys of readline.

/// A key, named after what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A printable ASCII character.
    Char(u8),
    /// CR, LF, or CR and LF.
    Enter,
    /// Tab.
    Complete,
    /// Backspace, as 0x7f or 0x08.
    Backspace,
    /// The delete key.
    Delete,
    /// Ctrl-D: delete, or the end of input when the line is empty.
    DeleteOrEnd,
    /// Left, Ctrl-B.
    Left,
    /// Right, Ctrl-F.
    Right,
    /// Ctrl-Left, Alt-B.
    WordLeft,
    /// Ctrl-Right, Alt-F.
    WordRight,
    /// Home, Ctrl-A.
    Home,
    /// End, Ctrl-E.
    End,
    /// Up, Ctrl-P.
    Older,
    /// Down, Ctrl-N.
    Newer,
    /// Ctrl-K.
    KillToEnd,
    /// Ctrl-U.
    KillToStart,
    /// Ctrl-W: back to a blank.
    KillWord,
    /// Ctrl-Y.
    Yank,
    /// Ctrl-T.
    Transpose,
    /// Ctrl-L.
    Clear,
    /// Ctrl-C.
    Interrupt,
    /// A key, or a character beyond ASCII, that means nothing here.
    Unknown,
}

/// Where the decoder is in a sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// After a CR, which a LF may follow.
    Cr,
    /// After `ESC`.
    Escape,
    /// After `ESC O`.
    Ss3,
    /// After `ESC [`: the first parameter and the current one, each kept below 256.
    Csi { first: u8, current: u8 },
}

/// The decoder; see the [module](self).
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    state: State,
}

impl Decoder {
    /// A decoder that has seen nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: State::Ground }
    }

    /// Takes the next byte; returns the key that it completes.
    pub fn feed(&mut self, byte: u8) -> Option<Key> {
        let state = core::mem::take(&mut self.state);
        match (state, byte) {
            // A control character ends an unfinished sequence, so that Enter is never swallowed.
            (_, 0x1b) => self.go(State::Escape),
            (State::Cr, b'\n') => None,
            (State::Escape, b'[') => self.go(State::Csi { first: 0, current: 0 }),
            (State::Escape, b'O') => self.go(State::Ss3),
            (State::Escape, 0x20..) => Some(alt(byte)),
            (State::Ss3, 0x20..) => Some(cursor_key(byte, 0)),
            (State::Csi { first, current }, 0x20..) => self.csi(first, current, byte),
            _ => self.plain(byte),
        }
    }

    fn go(&mut self, state: State) -> Option<Key> {
        self.state = state;
        None
    }

    fn plain(&mut self, byte: u8) -> Option<Key> {
        match byte {
            b'\r' => {
                self.state = State::Cr;
                Some(Key::Enter)
            }
            // The rest of a character beyond ASCII, whose first byte has been answered.
            0x80..=0xbf => None,
            _ => Some(single(byte)),
        }
    }

    fn csi(&mut self, first: u8, current: u8, byte: u8) -> Option<Key> {
        match byte {
            b'0'..=b'9' => {
                let current = current.saturating_mul(10).saturating_add(byte - b'0');
                self.go(State::Csi { first, current })
            }
            b';' => {
                let first = if first == 0 { current } else { first };
                self.go(State::Csi { first, current: 0 })
            }
            b'~' => Some(numbered_key(if first == 0 { current } else { first })),
            0x40..=0x7e => Some(cursor_key(byte, if first == 0 { 0 } else { current })),
            0x80.. => Some(Key::Unknown),
            _ => self.go(State::Csi { first, current }),
        }
    }
}

fn single(byte: u8) -> Key {
    match byte {
        b' '..=b'~' => Key::Char(byte),
        b'\n' => Key::Enter,
        b'\t' => Key::Complete,
        0x7f | 0x08 => Key::Backspace,
        0x01 => Key::Home,
        0x02 => Key::Left,
        0x03 => Key::Interrupt,
        0x04 => Key::DeleteOrEnd,
        0x05 => Key::End,
        0x06 => Key::Right,
        0x0b => Key::KillToEnd,
        0x0c => Key::Clear,
        0x0e => Key::Newer,
        0x10 => Key::Older,
        0x14 => Key::Transpose,
        0x15 => Key::KillToStart,
        0x17 => Key::KillWord,
        0x19 => Key::Yank,
        _ => Key::Unknown,
    }
}

/// `ESC` and a character: Alt held down.
fn alt(byte: u8) -> Key {
    match byte {
        b'b' | b'B' => Key::WordLeft,
        b'f' | b'F' => Key::WordRight,
        0x7f => Key::KillWord,
        _ => Key::Unknown,
    }
}

/// The last byte of `ESC O x` or `ESC [ 1 ; modifier x`; the modifiers 3 and 5 are Alt and Ctrl.
fn cursor_key(last: u8, modifier: u8) -> Key {
    match (last, modifier) {
        (b'A', _) => Key::Older,
        (b'B', _) => Key::Newer,
        (b'C', 3 | 5) => Key::WordRight,
        (b'D', 3 | 5) => Key::WordLeft,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) => Key::Home,
        (b'F', _) => Key::End,
        (b'M', _) => Key::Enter,
        _ => Key::Unknown,
    }
}

/// `ESC [ number ~`.
fn numbered_key(number: u8) -> Key {
    match number {
        1 | 7 => Key::Home,
        3 => Key::Delete,
        4 | 8 => Key::End,
        _ => Key::Unknown,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{Decoder, Key};
    use proptest::prelude::*;
    use std::vec::Vec;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::new();
        bytes.iter().filter_map(|&byte| decoder.feed(byte)).collect()
    }

    #[test]
    fn cursor_keys_come_as_csi_and_as_ss3() {
        let expected = [Key::Older, Key::Newer, Key::Right, Key::Left, Key::Home, Key::End];
        assert_eq!(keys(b"\x1b[A\x1b[B\x1b[C\x1b[D\x1b[H\x1b[F"), expected);
        assert_eq!(keys(b"\x1bOA\x1bOB\x1bOC\x1bOD\x1bOH\x1bOF"), expected);
        assert_eq!(keys(b"\x1b[1~\x1b[4~\x1b[7~\x1b[8~"), [Key::Home, Key::End].repeat(2));
        assert_eq!(keys(b"\x1b[3~\x1b[3;5~"), [Key::Delete, Key::Delete]);
    }

    #[test]
    fn ctrl_and_alt_move_by_words() {
        assert_eq!(keys(b"\x1b[1;5D\x1b[1;5C"), [Key::WordLeft, Key::WordRight]);
        assert_eq!(keys(b"\x1b[1;3D\x1bb\x1bf"), [Key::WordLeft, Key::WordLeft, Key::WordRight]);
        assert_eq!(keys(b"\x1b[1;2D\x1b\x7f"), [Key::Left, Key::KillWord]);
    }

    #[test]
    fn every_line_ending_is_one_enter() {
        assert_eq!(keys(b"\r"), [Key::Enter]);
        assert_eq!(keys(b"\n"), [Key::Enter]);
        assert_eq!(keys(b"\r\n"), [Key::Enter]);
        assert_eq!(keys(b"\r\r\n\n"), [Key::Enter; 3]);
        assert_eq!(keys(b"\ra\n"), [Key::Enter, Key::Char(b'a'), Key::Enter]);
    }

    #[test]
    fn an_unfinished_or_unknown_sequence_ends_at_the_next_key() {
        assert_eq!(keys(b"\x1b\r"), [Key::Enter]);
        assert_eq!(keys(b"\x1b[12\x03"), [Key::Interrupt]);
        assert_eq!(keys(b"\x1b[\x1b[A"), [Key::Older]);
        assert_eq!(keys(b"\x1b\x1b[A"), [Key::Older]);
        assert_eq!(
            keys(b"\x1b[99999;99999x\x1b[?25ha"),
            [Key::Unknown, Key::Unknown, Key::Char(b'a')]
        );
    }

    #[test]
    fn a_character_beyond_ascii_is_one_unknown_key() {
        assert_eq!(
            keys("aé€😀b".as_bytes()),
            [Key::Char(b'a'), Key::Unknown, Key::Unknown, Key::Unknown, Key::Char(b'b')]
        );
    }

    proptest! {
        #[test]
        fn enter_is_never_lost(mut bytes: Vec<u8>) {
            bytes.push(b'\r');
            prop_assert_eq!(keys(&bytes).last().copied(), Some(Key::Enter));
        }
    }
}
