//! Commands about programs and processes.

use super::{Failed, Outcome as Done, Shell, say};
use crate::arch::uart;
use crate::console::output::{Format, Table, Value, number, text};
use crate::image::clock;
use crate::image::hub::{Hub, RunError};
use alloc::vec::Vec;
use monitor::{Control, Event, ProcessId, ProcessView};
use proto::call::Outcome;
use proto::event::{self, kind};
use proto::id::{CoreId, Pid};

/// The exit code of a process that the console has ended, as in Akaros.
pub(super) const KILLED: Outcome = Outcome(1);
/// Seconds in which a process gets the cores that it has a right to.
const PATIENCE: u64 = 10;

impl Shell<'_> {
    pub(in crate::image) fn run(&mut self, name: &str, arguments: &str, background: bool) -> Done {
        let process = self.spawn(name, arguments)?;
        self.control(Control::Run { pid: process.pid })?;
        if background {
            say!("process {}", process.pid);
            return Ok(());
        }
        self.in_foreground(process, name)
    }

    /// Runs a program that has the right to these cores until it ends.
    pub(in crate::image) fn run_with_rights(
        &mut self,
        name: &str,
        arguments: &str,
        cores: &[CoreId],
    ) -> Done {
        let process = self.begin_with_rights(name, arguments, cores)?;
        self.in_foreground(process, name)
    }

    /// Begins to run a program that has the right to these cores, and waits until it has them all.
    pub(in crate::image) fn run_on_all(
        &mut self,
        name: &str,
        arguments: &str,
        cores: &[CoreId],
    ) -> Result<ProcessId, Failed> {
        let process = self.begin_with_rights(name, arguments, cores)?;
        let has_all = |hub: &mut Hub| {
            let view = hub.coordinator().process(process.pid);
            let granted = view.map_or(0, |view| usize::from(view.granted));
            (granted == cores.len()).then_some(process)
        };
        self.hub.wait(self.cpu, Some(clock::in_seconds(PATIENCE)), has_all).ok_or(Failed)
    }

    fn begin_with_rights(
        &mut self,
        name: &str,
        arguments: &str,
        cores: &[CoreId],
    ) -> Result<ProcessId, Failed> {
        let process = self.spawn(name, arguments)?;
        let to = Some(process.pid);
        cores.iter().try_for_each(|&core| self.control(Control::Provision { core, to }))?;
        self.control(Control::Run { pid: process.pid })?;
        Ok(process)
    }

    /// Waits until a process that was killed is gone, and forgets what was told of it.
    pub(in crate::image) fn forget_killed(&mut self, process: ProcessId) {
        self.wait_for(Some(process));
        self.settle();
        self.hub.begin_command();
    }

    /// Waits for a process's end, or for Ctrl-C, which ends it.
    fn in_foreground(&mut self, process: ProcessId, name: &str) -> Done {
        self.hub.set_foreground(true);
        let ended = self.wait_for(Some(process));
        self.hub.set_foreground(false);
        let Some(code) = ended else {
            self.end_by_console(process, name)?;
            return Err(Failed);
        };
        self.settle();
        self.show_notices();
        verdict(name, code)
    }

    /// Ends a process because of Ctrl-C.
    pub(super) fn end_by_console(&mut self, process: ProcessId, name: &str) -> Done {
        self.control(Control::Kill { pid: process.pid, code: KILLED })?;
        self.hub.begin_command();
        self.wait_for(Some(process));
        say!("{name}: ended by Ctrl-C");
        Ok(())
    }

    /// Makes a process of a program; it does not run yet.
    pub(super) fn spawn(&mut self, name: &str, arguments: &str) -> Result<ProcessId, Failed> {
        let mut list: Vec<u8> = Vec::with_capacity(name.len() + arguments.len() + 2);
        for word in core::iter::once(name).chain(arguments.split_whitespace()) {
            list.extend_from_slice(word.as_bytes());
            list.push(0);
        }
        if let Err(why) = self.hub.spawn(name, &list, &mut self.cpu.node) {
            match why {
                RunError::NotFound => say!("{name}: no such program; `programs` lists them"),
                RunError::Load(error) => say!("{name}: {error}"),
            }
            return Err(Failed);
        }
        let spawned = self.hub.wait(self.cpu, None, Hub::next_event);
        match spawned {
            Some(Event::Spawned { process }) => Ok(process),
            _ => {
                say!("{name}: no room for another process");
                Err(Failed)
            }
        }
    }

    /// Asks the coordinator for something, and says why it was not done.
    pub(super) fn control(&mut self, control: Control) -> Done {
        self.hub.tell(monitor::Input::Control(control), &mut self.cpu.node);
        let answer = self.hub.wait(self.cpu, None, |hub| match hub.next_event()? {
            Event::Controlled { outcome, .. } => Some(outcome),
            _ => None,
        });
        let outcome = answer.unwrap_or(Outcome::INVALID);
        if !outcome.is_error() {
            return Ok(());
        }
        match outcome {
            Outcome::NO_PROCESS => say!("no such process"),
            Outcome::INVALID => say!("the process is in no state for that"),
            Outcome::NO_CORE => say!("there is no such core, or nothing to take from it"),
            Outcome::BUSY => say!("core 0 runs the console and is not given away"),
            Outcome(number) => say!("refused with error {}", -number),
        }
        Err(Failed)
    }

    /// Waits until a process of the console's, or each of them, has ended; gives the (last) exit code. `None`
    /// when Ctrl-C came first.
    pub(super) fn wait_for(&mut self, process: Option<ProcessId>) -> Option<Outcome> {
        loop {
            let ended = self.hub.wait_for_news(self.cpu, |hub| {
                let over = match process {
                    Some(process) => hub.take_ended(process),
                    None => hub.all_have_ended(),
                };
                let over = over.map(Some);
                over.or_else(|| (hub.interrupted() || hub.has_notices()).then_some(None))
            });
            match ended {
                Some(Some(code)) => return Some(code),
                _ if self.hub.interrupted() => return None,
                _ => self.show_notices(),
            }
        }
    }

    /// Waits until what is left of processes that have ended is given back, so that what is looked at next does not
    /// show it.
    pub(super) fn settle(&mut self) {
        let until = clock::in_seconds(1);
        self.hub.wait(self.cpu, Some(until), |hub| (!hub.coordinator().has_work()).then_some(()));
    }

    pub(super) fn wait_command(&mut self, pid: Option<Pid>) -> Done {
        let process = match pid {
            None => None,
            Some(pid) => match self.hub.process_of(pid) {
                Some(process) => Some(process),
                None => {
                    say!("no such process");
                    return Err(Failed);
                }
            },
        };
        let code = self.wait_for(process).ok_or(Failed)?;
        self.settle();
        self.show_notices();
        if code == Outcome::OK { Ok(()) } else { Err(Failed) }
    }

    pub(super) fn kill(&mut self, pid: Pid, signal: Option<u16>) -> Done {
        self.control(match signal {
            None => Control::Kill { pid, code: KILLED },
            Some(signal) => {
                let event = event::Event { kind: kind::SIGNAL, value: signal.into() };
                Control::Notify { pid, event }
            }
        })
    }

    pub(super) fn notify(&mut self, pid: Pid, kind: u16, value: u64) -> Done {
        self.control(Control::Notify { pid, event: event::Event { kind, value } })
    }

    pub(super) fn list_programs(&mut self, format: Format) -> Done {
        let table = Table::new(format, [text("program", 20), number("bytes", 10)]);
        let _ = table.heading(&mut uart::Writer);
        let programs = self.hub.programs().map(|programs| programs.archive());
        for program in programs.into_iter().flat_map(|archive| archive.programs()) {
            let row = [program.name.into(), Value::from(program.content.len() as u64)];
            let _ = table.row(&mut uart::Writer, row);
        }
        Ok(())
    }

    pub(super) fn list_processes(&mut self, format: Format) -> Done {
        let table = Table::new(
            format,
            [
                number("pid", 5),
                text("name", 20),
                text("state", 11),
                number("parent", 6),
                number("cores", 5),
                number("wanted", 6),
            ],
        );
        let _ = table.heading(&mut uart::Writer);
        for view in self.hub.coordinator().processes() {
            let ProcessView { id, name, state, parent, many, wanted, granted, .. } = view;
            let parent = parent.map_or(Value::None, |parent| u64::from(parent.pid.0).into());
            let cores = |number: u16| if many { u64::from(number).into() } else { Value::None };
            let row = [
                u64::from(id.pid.0).into(),
                name.as_str().into(),
                state.name().into(),
                parent,
                cores(granted),
                cores(wanted),
            ];
            let _ = table.row(&mut uart::Writer, row);
        }
        Ok(())
    }
}

/// What an exit code means for the command that ran a program.
pub(super) fn verdict(name: &str, code: Outcome) -> Done {
    match code {
        Outcome::OK => Ok(()),
        // The fault has been reported.
        monitor::FAULTED => Err(Failed),
        Outcome(code) => {
            say!("{name}: exit code {code}");
            Err(Failed)
        }
    }
}
