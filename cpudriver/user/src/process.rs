//! Processes: this one, and its children.

use crate::calls::{self, Handles, Patience};
use crate::handle::Handle;
use crate::raw::page;
pub use crate::raw::start::exit;
use crate::{Error, info, wait as waiting};
use core::fmt::{self, Write};
use core::sync::atomic::Ordering;
use proto::program::data;
use proto::program::info as field;
use proto::program::number::{PROCESS_BYTES, process as entry};

/// Number of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub u16);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A child that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its pid, which may be another's from now on.
    pub pid: Pid,
    /// What it returned, or was ended with.
    pub code: i32,
}

/// The pid of this process.
#[must_use]
pub fn id() -> Pid {
    Pid(page::INFO.u16(field::PID).load(Ordering::Relaxed))
}

/// The pid of its parent, if it has one and it lives.
#[must_use]
pub fn parent() -> Option<Pid> {
    info::parent()
}

/// Gives the core to the others that are ready, once.
pub fn yield_now() {
    // The kernel refuses while there is an event that nobody has looked for. Here events are looked for by those who
    // wait for them, and they look before they wait.
    if !info::is_many() {
        page::vcore(0).u8(data::PENDING).store(0, Ordering::Relaxed);
    }
    let _ = calls::yield_now().call();
}

/// A child to be made: program, arguments, handles. It gets copies of this process's handles, and so shares its
/// console.
///
/// ```no_run
/// # fn example() -> Result<(), user::Error> {
/// use user::process::{self, Command};
///
/// let child = Command::new("hello").arg("again").spawn()?;
/// let code = process::wait(child)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Command<'a> {
    program: &'a str,
    /// The arguments, each with a zero byte at its end.
    arguments: [u8; ARGUMENT_BYTES],
    used: usize,
    is_too_long: bool,
    handles: Handles,
}

/// Bytes of arguments that a [`Command`] has room for, a zero byte for each included.
pub const ARGUMENT_BYTES: usize = 512;

impl Write for Command<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes())
    }
}

impl<'a> Command<'a> {
    /// The program of that name, which is its first argument.
    #[must_use]
    pub fn new(program: &'a str) -> Self {
        let empty = Self {
            program,
            arguments: [0; ARGUMENT_BYTES],
            used: 0,
            is_too_long: false,
            handles: Handles::Copied,
        };
        empty.arg(program)
    }

    /// With one more argument: a text, a number, or whatever else can be printed.
    #[must_use]
    pub fn arg(mut self, argument: impl fmt::Display) -> Self {
        let fits = write!(self, "{argument}").is_ok() && self.put(&[0]).is_ok();
        self.is_too_long |= !fits;
        self
    }

    fn put(&mut self, bytes: &[u8]) -> fmt::Result {
        let end = self.used + bytes.len();
        self.arguments.get_mut(self.used..end).ok_or(fmt::Error)?.copy_from_slice(bytes);
        self.used = end;
        Ok(())
    }

    /// Without handles, instead of copies of all of this process's: it has only what [`give_handles`] gives it.
    #[must_use]
    pub fn without_handles(mut self) -> Self {
        self.handles = Handles::None;
        self
    }

    /// Makes the child, which does not run before [`run`].
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if there is no such program, [`Error::TooLong`] if the arguments do not fit,
    /// [`Error::Again`] or [`Error::NoMemory`] if there is no room for one more process.
    pub fn create(&self) -> Result<Pid, Error> {
        if self.is_too_long {
            return Err(Error::TooLong);
        }
        calls::create(self.program, &self.arguments[..self.used], self.handles).call()
    }

    /// Makes the child and lets it run.
    ///
    /// # Errors
    ///
    /// As [`Command::create`].
    pub fn spawn(&self) -> Result<Pid, Error> {
        let child = self.create()?;
        run(child)?;
        Ok(child)
    }
}

/// Lets a child run that has been created.
///
/// # Errors
///
/// [`Error::NoProcess`], [`Error::NotPermitted`], or [`Error::Invalid`] if it has run before.
pub fn run(child: Pid) -> Result<(), Error> {
    calls::run(child).call()
}

/// Copies handles to a child that has not run: each pair this process's and what it is to the child.
///
/// # Errors
///
/// [`Error::BadHandle`], [`Error::NoProcess`], [`Error::NotPermitted`], or [`Error::Invalid`] if it has run before.
pub fn give_handles(child: Pid, pairs: &[(Handle, Handle)]) -> Result<(), Error> {
    calls::dup_handles(child, pairs).call().map(|_| ())
}

/// Waits for the end of a child; its exit code.
///
/// # Errors
///
/// [`Error::NoChild`] if it is none.
pub fn wait(child: Pid) -> Result<i32, Error> {
    let ended = waiting::patiently(|| calls::wait(Some(child), Patience::Wait).call())?;
    ended.map(|ended| ended.code).ok_or(Error::Again)
}

/// Waits for the end of any child.
///
/// # Errors
///
/// [`Error::NoChild`] if there is none.
pub fn wait_any() -> Result<Ended, Error> {
    waiting::patiently(|| calls::wait(None, Patience::Wait).call())?.ok_or(Error::Again)
}

/// A child that has ended, if there is one.
///
/// # Errors
///
/// [`Error::NoChild`] if there is no child at all.
pub fn ended() -> Result<Option<Ended>, Error> {
    calls::wait(None, Patience::Now).call()
}

/// Ends a process, with this exit code.
///
/// # Errors
///
/// [`Error::NoProcess`], or [`Error::NotPermitted`] if it is neither this one nor descends from it.
pub fn destroy(process: Pid, code: i32) -> Result<(), Error> {
    calls::destroy(process, code).call()
}

/// Posts an event to a process.
///
/// # Errors
///
/// [`Error::NoProcess`], [`Error::NotPermitted`], or [`Error::Again`] if its mailbox is full.
pub fn notify(process: Pid, kind: u16, value: u64) -> Result<(), Error> {
    calls::notify(process, kind, value).call()
}

/// A process as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    entry: [u8; PROCESS_BYTES],
}

impl Listed {
    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid(self.u16(entry::PID))
    }

    /// Its parent's, if it has one.
    #[must_use]
    pub fn parent(&self) -> Option<Pid> {
        Some(Pid(self.u16(entry::PARENT))).filter(|pid| pid.0 != 0)
    }

    /// Its state: one of [`STATES`].
    #[must_use]
    pub fn state(&self) -> &'static str {
        let state = usize::from(self.entry[entry::STATE]).wrapping_sub(1);
        STATES.get(state).unwrap_or(&"?")
    }

    /// Is it a many-core process?
    #[must_use]
    pub fn is_many(&self) -> bool {
        self.entry[entry::IS_MANY] != 0
    }

    /// Cores that it has.
    #[must_use]
    pub fn cores(&self) -> u16 {
        self.u16(entry::CORES)
    }

    /// Its name, or the beginning of it.
    #[must_use]
    pub fn name(&self) -> &str {
        let field = &self.entry[entry::NAME..];
        let name = field.split(|byte| *byte == 0).next().unwrap_or_default();
        // A long name is cut after a whole character.
        name.utf8_chunks().next().map_or("", |chunk| chunk.valid())
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.entry[at], self.entry[at + 1]])
    }
}

/// The states of processes, in the order of their numbers, the first of which is 1.
pub const STATES: [&str; 8] = [
    "CREATED",
    "RUNNABLE_S",
    "RUNNING_S",
    "WAITING",
    "RUNNABLE_M",
    "RUNNING_M",
    "DYING",
    "DYING_ABORT",
];

/// All processes, by pid.
///
/// They are asked for one by one, so they are not a picture of one moment.
pub fn list() -> impl Iterator<Item = Listed> {
    let mut from = Some(Pid(0));
    core::iter::from_fn(move || {
        while let Some(first) = from {
            let mut entry = [0; PROCESS_BYTES];
            let (found, next) = calls::processes(&mut entry, first).call().ok()?;
            from = next;
            if found > 0 {
                return Some(Listed { entry });
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::{Command, Listed, Pid};
    use crate::Error;

    #[test]
    fn arguments_end_with_a_zero_byte_each() {
        let command = Command::new("hello").arg("").arg("a b").arg(17);
        assert_eq!(&command.arguments[..command.used], b"hello\0\0a b\x0017\0");
    }

    #[test]
    fn arguments_that_do_not_fit_are_an_error_and_nothing_is_cut() {
        let long = std::string::String::from_utf8(std::vec![b'x'; 505]).unwrap();
        assert_eq!(Command::new("hello").arg(&long).used, 512);
        let too_long = Command::new("hello").arg(&long).arg("");
        assert_eq!(too_long.create(), Err(Error::TooLong));
    }

    #[test]
    fn a_listed_process_is_read_as_it_was_written() {
        let mut entry = [0; 32];
        entry[..8].copy_from_slice(&[7, 1, 3, 0, 4, 1, 2, 0]);
        entry[8..12].copy_from_slice(b"abc\xff");
        let it = Listed { entry };
        assert_eq!((it.pid(), it.parent()), (Pid(0x107), Some(Pid(3))));
        assert_eq!((it.state(), it.is_many(), it.cores(), it.name()), ("WAITING", true, 2, "abc"));
    }
}
