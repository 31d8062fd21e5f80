//! What calls, their arguments and errors are called, for those who show them to people.
//!
//! One row per number of [`number`](super::number); tests hold the rows to the constants there and to the errors of
//! [`Outcome`].

use crate::call::Outcome;

/// How an argument is best shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As a decimal number.
    Number,
    /// As a signed number of 32 bits.
    Signed,
    /// As an address, or bits: hexadecimal.
    Bits,
}

/// An argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// What it is.
    pub name: &'static str,
    /// How it is shown.
    pub form: Form,
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallName {
    /// The name of its constant, in small letters.
    pub name: &'static str,
    /// Its arguments in order, at most [`ARGUMENT_COUNT`](super::block::ARGUMENT_COUNT).
    pub arguments: &'static [Argument],
}

const fn number(name: &'static str) -> Argument {
    Argument { name, form: Form::Number }
}

const fn bits(name: &'static str) -> Argument {
    Argument { name, form: Form::Bits }
}

const CODE: Argument = Argument { name: "code", form: Form::Signed };

const fn call(name: &'static str, arguments: &'static [Argument]) -> CallName {
    CallName { name, arguments }
}

/// The calls, by number.
pub static CALLS: [CallName; 41] = [
    call("null", &[]),
    call("exit", &[CODE]),
    call("yield", &[bits("flags")]),
    call("write", &[number("handle"), bits("at"), number("bytes"), bits("flags")]),
    call(
        "create",
        &[bits("name"), number("bytes"), bits("arguments"), number("bytes"), bits("flags")],
    ),
    call("run", &[number("pid")]),
    call("destroy", &[number("pid"), CODE]),
    call("wait", &[number("pid"), bits("flags")]),
    call("notify", &[number("pid"), number("kind"), number("value")]),
    call("notify_self", &[number("vcore"), number("kind"), number("value")]),
    call("core", &[]),
    call("vcore", &[]),
    call("pid", &[]),
    call("sleep", &[number("ticks")]),
    call("read", &[number("handle"), bits("at"), number("bytes"), bits("flags")]),
    call("close", &[number("handle")]),
    call("pipe", &[bits("flags")]),
    call("set_handle", &[number("handle"), bits("flags")]),
    call("dup_handles", &[number("pid"), bits("pairs"), bits("pairs")]),
    call("alarm", &[number("alarm"), number("moment"), number("period")]),
    call("await_event", &[number("seen")]),
    call("abort", &[bits("call")]),
    call("abort_handle", &[number("handle")]),
    call("set_user", &[number("pid"), bits("name"), number("bytes")]),
    call("processes", &[bits("at"), number("bytes"), number("from")]),
    call("provision", &[number("pid"), number("core")]),
    call("change_to_many", &[]),
    call("poke", &[]),
    call("change_vcore", &[number("vcore"), bits("flags")]),
    call("halt", &[]),
    call("map", &[bits("at"), number("bytes"), bits("rights"), bits("flags")]),
    call("unmap", &[bits("at"), number("bytes")]),
    call("protect", &[bits("at"), number("bytes"), bits("rights")]),
    call("share", &[number("pid"), bits("at")]),
    call("enter", &[]),
    call("resume", &[bits("context")]),
    call("time", &[]),
    call("fork", &[]),
    call("exec", &[]),
    call("send", &[bits("queue"), number("kind"), number("value"), number("vcore")]),
    call("set_queue", &[number("kind"), bits("queue")]),
];

/// The call of that number.
#[must_use]
pub fn call_of(number: u32) -> Option<&'static CallName> {
    CALLS.get(number as usize)
}

/// What Unix calls the errors.
const ERRORS: [(Outcome, &str); 18] = [
    (Outcome::NOT_PERMITTED, "EPERM"),
    (Outcome::NOT_FOUND, "ENOENT"),
    (Outcome::NO_PROCESS, "ESRCH"),
    (Outcome::INTERRUPTED, "EINTR"),
    (Outcome::NO_CORE, "ENXIO"),
    (Outcome::TOO_LONG, "E2BIG"),
    (Outcome::NOT_A_PROGRAM, "ENOEXEC"),
    (Outcome::BAD_HANDLE, "EBADF"),
    (Outcome::NO_CHILD, "ECHILD"),
    (Outcome::AGAIN, "EAGAIN"),
    (Outcome::NO_MEMORY, "ENOMEM"),
    (Outcome::FAULT, "EFAULT"),
    (Outcome::BUSY, "EBUSY"),
    (Outcome::NO_DEVICE, "ENODEV"),
    (Outcome::INVALID, "EINVAL"),
    (Outcome::NO_HANDLE, "EMFILE"),
    (Outcome::BROKEN_PIPE, "EPIPE"),
    (Outcome::NO_CALL, "ENOSYS"),
];

/// What Unix calls an error; `None` for what is none, and for a number that is never given.
#[must_use]
pub fn error_name(outcome: Outcome) -> Option<&'static str> {
    ERRORS.iter().find(|(error, _)| *error == outcome).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{CALLS, ERRORS, call_of, error_name};
    use crate::call::Outcome;
    use crate::program::block::ARGUMENT_COUNT;
    use std::string::ToString;
    use std::vec::Vec;

    /// The constants of a type in a source text: name and value.
    fn constants<'a>(source: &'a str, kind: &str) -> Vec<(&'a str, &'a str)> {
        let lines =
            source.lines().map(str::trim).filter_map(|line| line.strip_prefix("pub const "));
        let split = lines.filter_map(|line| line.split_once(kind));
        split.map(|(name, value)| (name, value.trim_end_matches(';'))).collect()
    }

    #[test]
    fn every_number_has_the_name_of_its_constant() {
        let numbers = constants(include_str!("number.rs"), ": u32 = ");
        assert_eq!(numbers.len(), CALLS.len());
        for (name, value) in numbers {
            let it = call_of(value.parse().unwrap()).unwrap();
            assert_eq!(it.name, name.to_lowercase());
            assert!(it.arguments.len() <= ARGUMENT_COUNT, "{name}");
        }
        assert_eq!(call_of(CALLS.len() as u32), None);
    }

    #[test]
    fn every_error_has_the_name_that_its_document_gives() {
        let source = include_str!("../call.rs");
        let errors = constants(source, ": Self = Self(-");
        assert_eq!(errors.len(), ERRORS.len());
        for (constant, value) in errors {
            let outcome = Outcome(-value.trim_end_matches(')').parse::<i32>().unwrap());
            let name = error_name(outcome).unwrap();
            let at = source.find(&std::format!("pub const {constant}: ")).unwrap();
            let document = source[..at].trim_end().rsplit("\n    /// E").next().unwrap();
            assert!(document.starts_with(&name[1..]), "{constant} is {name}");
        }
        assert_eq!(error_name(Outcome::OK), None);
        assert_eq!(error_name(Outcome(-1000)).map(|name| name.to_string()), None);
    }
}
