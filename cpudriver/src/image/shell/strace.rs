//! `strace`: shows the system calls of a program while it runs.

use super::processes::{KILLED, verdict};
use super::{Failed, Outcome as Done, Shell, print, say};
use crate::arch::{cpu, uart};
use crate::console::command::Traced;
use crate::console::output::{Format, Value, record};
use crate::image::clock::micros;
use crate::image::hub::Hub;
use crate::program::seen::Caller;
use crate::program::tracer::{Edge, Line};
use alloc::vec::Vec;
use core::fmt;
use monitor::{Control, ProcessId};
use proto::call::Outcome;
use proto::program::block::ARGUMENT_COUNT;
use proto::program::names::{Argument, Form, call_of, error_name};

impl Shell<'_> {
    pub(super) fn strace(&mut self, traced: Traced<'_>, follow: bool, format: Format) -> Done {
        let begun = cpu::now();
        match traced {
            Traced::Process(pid) => {
                let Some(view) = self.hub.coordinator().process(pid) else {
                    say!("no such process");
                    return Err(Failed);
                };
                self.begin(view.id, follow)?;
                self.show_calls(begun, format);
                self.end(begun, format)
            }
            Traced::Program { name, arguments } => {
                let process = self.spawn(name, arguments)?;
                self.begin(process, follow)?;
                self.control(Control::Run { pid: process.pid })?;
                self.hub.set_foreground(true);
                if self.show_calls(begun, format) {
                    self.control(Control::Kill { pid: process.pid, code: KILLED })?;
                    self.hub.begin_command();
                }
                let code = self.wait_for(Some(process));
                self.hub.set_foreground(false);
                self.end(begun, format)?;
                verdict(name, code.ok_or(Failed)?)
            }
        }
    }

    fn begin(&mut self, process: ProcessId, follow: bool) -> Done {
        self.hub.begin_trace(self.cpu, process, follow).map_err(|error| {
            self.hub.forget_trace();
            say!("{error}");
            Failed
        })
    }

    /// Shows calls until all that are traced have ended, or Ctrl-C: whether it was that.
    fn show_calls(&mut self, begun: u64, format: Format) -> bool {
        loop {
            self.hub.wait(self.cpu, None, |hub: &mut Hub| {
                let news = hub.has_traced() || hub.has_notices() || hub.interrupted();
                (news || hub.traced_have_ended()).then_some(())
            });
            self.show_lines(begun, format);
            self.show_notices();
            if self.hub.interrupted() || self.hub.traced_have_ended() {
                return self.hub.interrupted();
            }
        }
    }

    fn show_lines(&mut self, begun: u64, format: Format) {
        while let Some(line) = self.hub.next_traced() {
            show(&line, begun, format);
        }
    }

    fn end(&mut self, begun: u64, format: Format) -> Done {
        let ended = self.hub.end_trace(self.cpu);
        self.show_lines(begun, format);
        let (traced, dropped) = self.hub.forget_trace();
        if format == Format::Json {
            let fields = [("traced", Value::from(traced)), ("dropped", dropped.into())];
            let _ = record(&mut uart::Writer, format, &fields);
        } else {
            say!("# traced {traced} calls, dropped {dropped}");
        }
        ended.map_err(|error| {
            say!("{error}");
            Failed
        })
    }
}

fn show(line: &Line, begun: u64, format: Format) {
    let micros = micros(line.when.saturating_sub(begun));
    let seconds = Value::Fixed { scaled: micros.into(), decimals: 6 };
    let Caller { pid, vcore, number, .. } = line.caller;
    let name = Name(number);
    if format == Format::Text {
        let where_ = format_args!("  [pid {pid} core {} vcore {vcore}]", line.core);
        return match &line.edge {
            Edge::Entry(arguments) => {
                print(format_args!("{seconds} > {name}({}){where_}\n", List(number, arguments)));
            }
            Edge::Exit { result, value } => {
                print(format_args!("{seconds} < {name} = {}{where_}\n", Result(*result, *value)));
            }
        };
    }
    let arguments = match &line.edge {
        Edge::Entry(arguments) => named(number, arguments).collect(),
        Edge::Exit { .. } => Vec::new(),
    };
    let (edge, arguments, results, error) = match line.edge {
        Edge::Entry(_) => ("entry", Value::List(&arguments), None, None),
        Edge::Exit { result, value } => {
            ("exit", Value::None, Some((result, value)), error_of(result))
        }
    };
    let (result, value) = match results {
        Some((result, value)) => (Value::I64(result), Value::U64(value)),
        None => (Value::None, Value::None),
    };
    let fields = [
        ("seconds", seconds),
        ("edge", edge.into()),
        ("call", Value::Args(format_args!("{name}"))),
        ("arguments", arguments),
        ("result", result),
        ("value", value),
        ("error", error.into()),
        ("pid", u64::from(pid.0).into()),
        ("core", u64::from(line.core.0).into()),
        ("vcore", u64::from(vcore.0).into()),
    ];
    let _ = record(&mut uart::Writer, format, &fields);
}

/// A call by its name, or its number if there is none.
struct Name(u32);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match call_of(self.0) {
            Some(call) => f.write_str(call.name),
            None => write!(f, "call-{}", self.0),
        }
    }
}

/// The arguments that a call takes.
fn taken(number: u32, arguments: &[u64]) -> impl Iterator<Item = (&Argument, u64)> {
    let forms = call_of(number).map_or(&[][..], |call| call.arguments);
    forms.iter().zip(arguments.iter().copied())
}

fn named(number: u32, arguments: &[u64]) -> impl Iterator<Item = Value<'static>> {
    taken(number, arguments).map(|(argument, value)| match argument.form {
        Form::Number => Value::U64(value),
        Form::Signed => Value::I64((value as i32).into()),
        Form::Bits => Value::Hex(value),
    })
}

struct List<'a>(u32, &'a [u64; ARGUMENT_COUNT]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = taken(self.0, self.1).map(|(argument, _)| argument.name);
        for (at, (name, value)) in names.zip(named(self.0, self.1)).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={value}")?;
        }
        Ok(())
    }
}

fn error_of(result: i64) -> Option<&'static str> {
    i32::try_from(result).ok().and_then(|number| error_name(Outcome(number)))
}

/// What a call returned, with the name of the error if it is one, and the second result if there is one.
struct Result(i64, u64);

impl fmt::Display for Result {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        if let Some(name) = error_of(self.0) {
            write!(f, " {name}")?;
        }
        if self.1 != 0 { write!(f, " value={:#x}", self.1) } else { Ok(()) }
    }
}
