//! Names of users: to whom a process belongs.

use crate::coordinator::Coordinator;
use crate::output::Outbox;
use crate::process::ProcessId;
use crate::waits::{WaitRef, Waiting};
use core::fmt;
use proto::call::{Call, Outcome};
use proto::id::Pid;

/// The name of a user: 1 to 127 bytes of text without control characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct User {
    bytes: [u8; Self::LEN],
    len: u8,
}

/// The bytes are no user's name: none, too many, not UTF-8, or some that would do something to a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadUser;

impl User {
    /// The longest name in bytes.
    pub const LEN: usize = 127;
    /// Whose the processes are that have no parent.
    pub const EVE: Self = {
        let mut bytes = [0; Self::LEN];
        (bytes[0], bytes[1], bytes[2]) = (b'e', b'v', b'e');
        Self { bytes, len: 3 }
    };

    /// Takes a name.
    ///
    /// # Errors
    /// [`BadUser`] says when.
    pub fn new(name: &[u8]) -> Result<Self, BadUser> {
        if name.is_empty() || name.len() > Self::LEN || !is_plain(name) && !is_printable(name) {
            return Err(BadUser);
        }
        let mut bytes = [0; Self::LEN];
        bytes[..name.len()].copy_from_slice(name);
        Ok(Self { bytes, len: name.len() as u8 })
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("")
    }
}

/// Is it text without control characters?
#[inline(never)]
fn is_printable(name: &[u8]) -> bool {
    core::str::from_utf8(name).is_ok_and(|text| !text.contains(char::is_control))
}

/// Is it that, and of ASCII alone? As names mostly are, which is seen eight bytes at a time.
fn is_plain(name: &[u8]) -> bool {
    const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);
    const SPACES: u64 = u64::from_ne_bytes([b' '; 8]);
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    // Where a byte is ASCII, nothing is carried into or borrowed from its neighbours: below a space it loses the bit that is set
    // before, and DEL gets the bit.
    let odd = |word: u64| word | !((word | HIGHEST) - SPACES) | ((word & !HIGHEST) + ONES);
    let (words, rest) = name.as_chunks::<8>();
    let of_words = words.iter().fold(0, |any, word| any | odd(u64::from_ne_bytes(*word)));
    of_words & HIGHEST == 0 && rest.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl Coordinator {
    /// A process names the user of another or of itself; the name must be copied in first.
    pub(crate) fn on_set_user(&mut self, call: Call, pid: Pid, name: (u64, u16), out: &mut Outbox) {
        let Some(actor) = self.caller(&call) else { return };
        let (address, length) = name;
        let begun = match self.target(Some(actor), pid) {
            Err(outcome) => Err(outcome),
            Ok(_) if length == 0 || usize::from(length) > User::LEN => Err(Outcome::INVALID),
            Ok(_) => {
                let target = self.table.at(pid).id;
                self.park(call, Waiting::User { target, length })
            }
        };
        match begun {
            Ok(at) => self.copy_in(at, address, u32::from(length), out),
            Err(outcome) => self.complete(actor, call, outcome, 0, out),
        }
    }

    /// The name is there.
    pub(crate) fn on_user_copied(
        &mut self,
        at: WaitRef,
        target: (ProcessId, u16),
        bytes: &[u8],
        out: &mut Outbox,
    ) {
        let (target, length) = target;
        let alive = self.table.get(target).is_some_and(|it| !it.is_dying());
        let outcome = match User::new(bytes) {
            _ if bytes.len() != usize::from(length) => Outcome::FAULT,
            Err(BadUser) => Outcome::INVALID,
            Ok(_) if !alive => Outcome::NO_PROCESS,
            Ok(user) => {
                self.table.at_mut(target.pid).io.user = user;
                Outcome::OK
            }
        };
        self.finish(at, outcome, 0, out);
    }

    /// The user that a process belongs to.
    #[must_use]
    pub fn user(&self, pid: Pid) -> Option<&User> {
        self.table.by_pid(pid).map(|it| &it.io.user)
    }
}

#[cfg(test)]
mod tests {
    use super::{BadUser, User, is_plain};

    #[test]
    fn a_name_of_127_bytes_fits_and_one_of_128_does_not() {
        let bytes = [b'u'; 128];
        assert_eq!(User::new(&bytes[..127]).unwrap().as_str().len(), 127);
        assert_eq!(User::new(&bytes), Err(BadUser));
    }

    #[test]
    fn a_name_is_text_that_can_be_printed() {
        assert_eq!(User::new(b""), Err(BadUser));
        assert_eq!(User::new(b"\xff"), Err(BadUser));
        assert_eq!(User::new(b"a\x1b[2J"), Err(BadUser));
        assert_eq!(User::new("Zo\u{eb}".as_bytes()).unwrap().as_str(), "Zo\u{eb}");
        assert_eq!(User::EVE, User::new(b"eve").unwrap());
    }

    #[test]
    fn each_byte_counts_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for at in 0..19 {
                let mut name = [b'u'; 19];
                name[at] = byte;
                assert_eq!(User::new(&name).is_ok(), (b' '..=b'~').contains(&byte), "{name:?}");
                assert_eq!(is_plain(&name), (b' '..=b'~').contains(&byte), "{name:?}");
            }
        }
    }
}
