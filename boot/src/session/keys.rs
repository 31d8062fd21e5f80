//! What keys mean on a raw terminal: nearly all go to the guest, two may leave.

use crate::say;

const CTRL_A: u8 = 1;
const CTRL_C: u8 = 3;
const CTRL_U: u8 = 0x15;
const ESCAPE: u8 = 0x1b;
const BACKSPACE: [u8; 2] = [8, 0x7f];

/// What the guest's console shows when it waits for a line.
const PROMPT: &[u8] = b"atoll> ";
/// Erases what stands to the right (ECMA-48 EL); a line editor ends what it draws with it.
const ERASE: &[u8] = b"\x1b[K";

/// Tells the user how to leave.
pub(crate) const HINT: &str =
    "leave with `exit`, Ctrl-A x, or Ctrl-C on an empty line; Ctrl-A Ctrl-A types Ctrl-A";

/// The state of the keyboard.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Ctrl-A was pressed and the next key is for us.
    prefix: bool,
    doing: Doing,
}

/// What the user is doing, and so what Ctrl-C would cancel.
#[derive(Debug, Default, PartialEq, Eq)]
enum Doing {
    #[default]
    Nothing,
    /// Typing a line, of so many characters at most.
    Typing(usize),
    /// Waiting for a command that was typed.
    Waiting,
}

/// What some keys amount to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pressed {
    /// Bytes for the guest.
    pub(super) send: Vec<u8>,
    /// The user wants to leave.
    pub(super) leave: bool,
}

impl Keys {
    /// Takes in what the terminal sent. Keys after one that leaves are dropped.
    pub(super) fn press(&mut self, bytes: &[u8]) -> Pressed {
        let mut pressed = Pressed::default();
        for &byte in bytes {
            if self.leaves(byte) {
                pressed.leave = true;
                break;
            }
            pressed.send.extend(self.passes(byte));
        }
        pressed
    }

    /// Takes in what the guest shows of the line that it has not finished.
    pub(super) fn shown(&mut self, line: &[u8]) {
        let drawn = line.strip_suffix(ERASE).unwrap_or(line);
        if self.doing == Doing::Waiting && drawn.ends_with(PROMPT) {
            self.doing = Doing::Nothing;
        }
    }

    /// Ctrl-C cancels a line or a command, which is the guest's business. With nothing to cancel, or
    /// pressed once more, it ends the run as it would any other program.
    fn leaves(&self, byte: u8) -> bool {
        match byte {
            b'x' | b'X' => self.prefix,
            CTRL_C => self.doing == Doing::Nothing,
            _ => false,
        }
    }

    fn passes(&mut self, byte: u8) -> Option<u8> {
        if std::mem::take(&mut self.prefix) {
            return match byte {
                CTRL_A | b'a' => Some(CTRL_A),
                _ => {
                    say(HINT);
                    None
                }
            };
        }
        let typed = if let Doing::Typing(typed) = self.doing { typed } else { 0 };
        self.doing = match byte {
            b'\r' | b'\n' if typed > 0 => Doing::Waiting,
            CTRL_C | CTRL_U => Doing::Nothing,
            byte if BACKSPACE.contains(&byte) && typed == 1 => Doing::Nothing,
            byte if BACKSPACE.contains(&byte) && typed > 1 => Doing::Typing(typed - 1),
            // Printed characters, and arrows, which may bring a line back.
            b' '..=b'~' | ESCAPE => Doing::Typing(typed + 1),
            _ => return self.prefixed(byte),
        };
        Some(byte)
    }

    /// Passes a key that changes no line, except the one that makes the next key ours.
    fn prefixed(&mut self, byte: u8) -> Option<u8> {
        self.prefix = byte == CTRL_A;
        (!self.prefix).then_some(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::{Keys, Pressed};

    fn press(keys: &mut Keys, bytes: &[u8]) -> (Vec<u8>, bool) {
        let Pressed { send, leave } = keys.press(bytes);
        (send, leave)
    }

    #[test]
    fn ctrl_a_x_leaves_and_ctrl_a_twice_types_it() {
        let mut keys = Keys::default();
        assert_eq!(press(&mut keys, b"ax\x01"), (b"ax".to_vec(), false));
        assert_eq!(press(&mut keys, b"\x01x"), (b"\x01x".to_vec(), false));
        assert_eq!(press(&mut keys, b"\x01xlost"), (vec![], true));
        assert_eq!(Keys::default().press(b"\x01qx").send, b"x");
    }

    #[test]
    fn ctrl_c_cancels_a_line_and_leaves_from_an_empty_one() {
        let mut keys = Keys::default();
        assert_eq!(press(&mut keys, b"ps\x03"), (b"ps\x03".to_vec(), false));
        assert_eq!(press(&mut keys, b"\x03"), (vec![], true));
        for empty in [&b""[..], b"\r", b"p\x7f", b"ps\x7f\x08", b"ps\x15"] {
            let mut keys = Keys::default();
            assert_eq!(press(&mut keys, empty), (empty.to_vec(), false));
            assert!(keys.press(b"\x03").leave, "{empty:?}");
        }
        assert!(
            !Keys::default().press(b"\x1b[A\x03").leave,
            "history may have brought a line back"
        );
    }
}
