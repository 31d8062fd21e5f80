//! Keys from the serial line: to the console, or to the program in the foreground.

use super::{Hub, Node, TYPED_AHEAD};
use crate::arch::uart;
use monitor::Input;

/// Keys that are handed to a program at a time.
const KEYS: usize = 64;
/// Ctrl-C.
const INTERRUPT: u8 = 3;
/// Ctrl-D: who reads the keys comes to their end.
const END_OF_INPUT: u8 = 4;

impl Hub {
    /// Hands keys that were typed to the program in the foreground, as far as there is room. There is such a program, and
    /// something was typed.
    #[inline(never)]
    pub(super) fn hand_keys_on(&mut self, node: &mut Node) {
        let end = self.typed.iter().position(|key| *key == END_OF_INPUT);
        if end == Some(0) {
            self.typed.pop_front();
            return self.tell(Input::Keys { bytes: &[] }, node);
        }
        let mut keys = [0; KEYS];
        let count = end.unwrap_or(self.typed.len());
        let room = self.coordinator.room_for_keys().min(keys.len()).min(count);
        for key in &mut keys[..room] {
            // A terminal in raw mode sends a carriage return for the end of a line.
            *key =
                self.typed.pop_front().map_or(b'\n', |key| if key == b'\r' { b'\n' } else { key });
        }
        if room > 0 {
            self.tell(Input::Keys { bytes: &keys[..room] }, node);
        }
    }

    /// Keys come with an interrupt, which comes while the core halts. What there is no room for waits in
    /// the serial device, which then holds the sender back: nothing that is piped in gets lost.
    #[inline(never)]
    pub(super) fn read_keys(&mut self, node: &mut Node) -> bool {
        let mut any = false;
        while self.keys_wait && self.typed.len() < TYPED_AHEAD {
            let Some(byte) = uart::read() else {
                self.keys_wait = false;
                break;
            };
            any = true;
            if byte == INTERRUPT {
                self.interrupted = true;
                node.call_off();
                if self.foreground {
                    continue;
                }
            }
            self.typed.push_back(byte);
        }
        any
    }

    /// Whether Ctrl-C was typed since the command began.
    pub(crate) const fn interrupted(&self) -> bool {
        self.interrupted
    }

    /// The next key that was typed.
    pub(crate) fn next_key(&mut self) -> Option<u8> {
        self.typed.pop_front()
    }
}
