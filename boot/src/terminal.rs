//! The user's terminal: whether there is one, and its raw mode.

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::io::{IsTerminal as _, stderr, stdin, stdout};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The settings to go back to, while the terminal is in raw mode.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);

fn saved() -> MutexGuard<'static, Option<Termios>> {
    SAVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether people see what a child writes to standard error.
pub(crate) fn shows_errors() -> bool {
    stderr().is_terminal()
}

/// What ends a line now: in raw mode the terminal does not return to the first column by itself.
pub(crate) fn line_end() -> &'static str {
    if saved().is_some() { "\r\n" } else { "\n" }
}

/// The terminal in raw mode, for as long as this lives.
pub(crate) struct Raw(());

impl Raw {
    /// Enters raw mode; `None` when input or output is no terminal.
    pub(crate) fn enter() -> Option<Self> {
        if !stdin().is_terminal() || !stdout().is_terminal() {
            return None;
        }
        let before = tcgetattr(stdin()).ok()?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        *saved() = Some(before);
        tcsetattr(stdin(), SetArg::TCSANOW, &raw).ok()?;
        Some(Self(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

/// Leaves raw mode if the terminal is in it. For ends that run no destructors.
pub(crate) fn restore() {
    if let Some(before) = saved().take() {
        // The terminal may be gone, as after a hangup; nothing is left to restore then.
        let _ = tcsetattr(stdin(), SetArg::TCSADRAIN, &before);
    }
}
