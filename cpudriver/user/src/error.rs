//! Why a call failed.

use core::fmt;
use proto::call::Outcome;

/// Why a call failed. The names of Unix stand behind ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// The target is neither the caller nor one of its descendants (EPERM).
    NotPermitted,
    /// There is no program of that name (ENOENT).
    NotFound,
    /// There is no such process (ESRCH).
    NoProcess,
    /// The call was cut short (EINTR).
    Interrupted,
    /// There is no such core, or it does not serve (ENXIO).
    NoCore,
    /// The arguments are too long (E2BIG).
    TooLong,
    /// What bears that name is not a program (ENOEXEC).
    NotAProgram,
    /// There is no such handle, or it does not do this (EBADF).
    BadHandle,
    /// There is no child to wait for (ECHILD).
    NoChild,
    /// Not now: a bound was reached, or something has come meanwhile (EAGAIN).
    Again,
    /// No memory is left, or the process has as much as it may have (ENOMEM).
    NoMemory,
    /// The memory is not there, or not as it would have to be (EFAULT).
    Fault,
    /// What was asked for is in use (EBUSY).
    Busy,
    /// The machine has no core to lease (ENODEV).
    NoDevice,
    /// The request has no meaning (EINVAL).
    Invalid,
    /// All handles are in use (EMFILE).
    NoHandle,
    /// Nobody is left who could read it (EPIPE).
    BrokenPipe,
    /// There is no such call (ENOSYS).
    NoCall,
    /// An error that this version does not know, by its number.
    Other(i32),
}

/// All of them, with the kernel's number, Unix's name and a text.
const ALL: [(Error, Outcome, &str, &str); 18] = [
    (Error::NotPermitted, Outcome::NOT_PERMITTED, "EPERM", "not permitted"),
    (Error::NotFound, Outcome::NOT_FOUND, "ENOENT", "no such program"),
    (Error::NoProcess, Outcome::NO_PROCESS, "ESRCH", "no such process"),
    (Error::Interrupted, Outcome::INTERRUPTED, "EINTR", "cut short"),
    (Error::NoCore, Outcome::NO_CORE, "ENXIO", "no such core"),
    (Error::TooLong, Outcome::TOO_LONG, "E2BIG", "arguments too long"),
    (Error::NotAProgram, Outcome::NOT_A_PROGRAM, "ENOEXEC", "not a program"),
    (Error::BadHandle, Outcome::BAD_HANDLE, "EBADF", "bad handle"),
    (Error::NoChild, Outcome::NO_CHILD, "ECHILD", "no child"),
    (Error::Again, Outcome::AGAIN, "EAGAIN", "not now"),
    (Error::NoMemory, Outcome::NO_MEMORY, "ENOMEM", "no memory left"),
    (Error::Fault, Outcome::FAULT, "EFAULT", "bad address"),
    (Error::Busy, Outcome::BUSY, "EBUSY", "in use"),
    (Error::NoDevice, Outcome::NO_DEVICE, "ENODEV", "no core to lease"),
    (Error::Invalid, Outcome::INVALID, "EINVAL", "invalid request"),
    (Error::NoHandle, Outcome::NO_HANDLE, "EMFILE", "no handle left"),
    (Error::BrokenPipe, Outcome::BROKEN_PIPE, "EPIPE", "nobody reads it"),
    (Error::NoCall, Outcome::NO_CALL, "ENOSYS", "no such call"),
];

impl Error {
    /// The error of an outcome; `None` if it is none.
    #[must_use]
    pub fn of(outcome: Outcome) -> Option<Self> {
        let known = ALL.iter().find(|(_, its_outcome, ..)| *its_outcome == outcome);
        let error = known.map_or(Self::Other(outcome.0), |(error, ..)| *error);
        outcome.is_error().then_some(error)
    }

    /// What the kernel calls it.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match (self, self.entry()) {
            (Self::Other(number), _) => Outcome(number),
            (_, entry) => entry.map_or(Outcome::OK, |(_, outcome, ..)| *outcome),
        }
    }

    /// Its name in Unix.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().map_or("unknown error", |(_, _, name, _)| name)
    }

    fn entry(self) -> Option<&'static (Self, Outcome, &'static str, &'static str)> {
        ALL.iter().find(|(error, ..)| *error == self)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.entry()) {
            (Self::Other(number), _) => write!(f, "error {number}"),
            (_, entry) => f.write_str(entry.map_or("", |(.., text)| text)),
        }
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::{ALL, Error};
    use proto::call::Outcome;
    use std::string::ToString as _;

    #[test]
    fn each_error_is_told_by_its_number_and_back() {
        for (error, outcome, name, text) in ALL {
            assert_eq!((Error::of(outcome), error.outcome()), (Some(error), outcome));
            assert_eq!((error.name(), error.to_string().as_str()), (name, text));
        }
        assert_eq!(Error::of(Outcome(-99)), Some(Error::Other(-99)));
        assert_eq!(Error::Other(-99).outcome(), Outcome(-99));
        assert_eq!((Error::of(Outcome::OK), Error::of(Outcome(5))), (None, None));
    }
}
