//! The console: carries out what is typed at the serial line or given as a script.
//!
//! Commands run one at a time, on core 0, between passes of the hub; what happens meanwhile without
//! being asked for is printed as a notice above the line that is being typed.

mod check;
mod cores;
mod inspect;
mod many;
mod memory;
mod notices;
mod orders;
#[cfg(feature = "probes")]
mod probe;
mod processes;
mod random;
mod selftest;
mod shootdown;
mod soak;
mod storm;
mod strace;

use super::bench;
use super::clock;
use super::cpu::Cpu;
use super::hub::Hub;
use crate::arch::{self, cpu, machine, time, uart};
use crate::console::command::{self, Command, Request};
use crate::console::line::{self, Editor};
use crate::console::output::Format;
use crate::console::script;
use crate::log::Log;
use crate::options::Options;
use crate::results::Ticks;
use alloc::string::String;
use core::fmt::{self, Write};
use proto::exit;

/// Bytes of the log.
const LOG_BYTES: usize = 8192;

/// A command has not done what was asked; it has said why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

/// What a command comes to.
pub(crate) type Outcome = Result<(), Failed>;

/// The console of core 0, and all that its commands can reach.
#[derive(Debug)]
pub(crate) struct Shell<'a> {
    pub(super) hub: &'a mut Hub,
    pub(super) cpu: &'a mut Cpu,
    pub(super) boot: &'a arch::BootInfo,
    pub(super) bench: bench::State,
    pub(super) options: Options<'static>,
    editor: Editor,
    log: Log<'static>,
    /// A command has failed since boot.
    any_failed: bool,
    /// A line is being typed, so a notice must not be printed into it.
    is_editing: bool,
}

/// Writes to the serial line, which takes everything.
pub(super) fn print(args: fmt::Arguments<'_>) {
    let _ = uart::Writer.write_fmt(args);
}

macro_rules! say {
    ($($args:tt)*) => { $crate::image::shell::print(format_args!("{}\n", format_args!($($args)*))) };
}
pub(super) use cores::PHASE_NAMES;
pub(super) use say;

impl<'a> Shell<'a> {
    /// Makes the console of a machine that has booted.
    pub(crate) fn new(hub: &'a mut Hub, cpu: &'a mut Cpu, boot: &'a arch::BootInfo) -> Self {
        let log = Log::new(alloc::vec![0; LOG_BYTES].leak());
        let editor = Editor::new("atoll> ", command::complete as line::Completer);
        let (any_failed, is_editing) = (false, false);
        let (bench, options) = (bench::State::default(), Options::read(boot.cmdline));
        Self { hub, cpu, boot, bench, options, editor, log, any_failed, is_editing }
    }

    /// Prints a line and keeps it in the log.
    pub(crate) fn announce(&mut self, args: fmt::Arguments<'_>) {
        self.log.write(cpu::now(), args);
        self.print_above(|_| say!("{args}"));
    }

    /// Lets something be printed above the line that is being typed, if one is.
    fn print_above(&mut self, work: impl FnOnce(&mut Hub)) {
        if self.is_editing {
            let _ = self.editor.hide(&mut uart::Writer);
        }
        work(self.hub);
        if self.is_editing {
            let _ = self.editor.show(&mut uart::Writer);
        }
    }

    /// Runs a script and leaves with its verdict.
    pub(crate) fn run_script(&mut self, text: &str) -> ! {
        for statement in script::statements(text) {
            say!("atoll> {statement}");
            self.run_statement(statement);
            self.show_notices();
        }
        self.leave(None)
    }

    /// Reads and carries out commands for ever.
    pub(crate) fn interact(&mut self) -> ! {
        say!("Type `help` for the commands, `exit` to leave.");
        let mut line = String::with_capacity(line::MAX_LINE);
        loop {
            self.read_line(&mut line);
            for statement in script::statements(&line) {
                self.run_statement(statement);
                self.show_notices();
                if self.hub.interrupted() {
                    break;
                }
            }
        }
    }

    fn read_line(&mut self, line: &mut String) {
        line.clear();
        let _ = self.editor.show(&mut uart::Writer);
        self.is_editing = true;
        self.hub.hold_output(true);
        loop {
            let key = self.hub.wait(self.cpu, None, |hub| {
                hub.next_key().map(Some).or_else(|| hub.has_notices().then_some(None))
            });
            let Some(Some(byte)) = key else {
                self.show_notices();
                continue;
            };
            match self.editor.feed(byte, &mut uart::Writer) {
                Ok(Some(line::Event::Line(text))) => {
                    line.push_str(text);
                    break;
                }
                Ok(Some(line::Event::Interrupt)) => {
                    let _ = self.editor.show(&mut uart::Writer);
                }
                Ok(Some(line::Event::End)) => {
                    line.push_str("exit");
                    break;
                }
                Ok(None) | Err(_) => {}
            }
        }
        self.is_editing = false;
        self.hub.hold_output(false);
    }

    fn run_statement(&mut self, statement: &str) {
        self.hub.begin_command();
        match command::parse(statement) {
            Ok(None) => {}
            Ok(Some(request)) => self.any_failed |= self.execute(&request).is_err(),
            Err(error) => {
                say!("{error}");
                self.any_failed = true;
            }
        }
    }

    fn execute(&mut self, request: &Request<'_>) -> Outcome {
        let format = request.format;
        match request.command {
            Command::Help { topic } => {
                let _ = command::write_help(&mut uart::Writer, topic, format);
                Ok(())
            }
            Command::Cores { core: None } => self.cores(format),
            Command::Cores { core: Some(core) } => self.core(core, format),
            Command::Ping { core, count } => self.ping(core, count, format),
            Command::Bench(bench) => self.bench(&bench, format),
            Command::Run { name, arguments, background } => self.run(name, arguments, background),
            Command::Storm(storm) => self.storm(&storm),
            Command::Soak(soak) => self.soak(soak),
            Command::Processes => self.list_processes(format),
            Command::Process { pid, verbose } => self.show_process(pid, verbose, format),
            Command::Strace { traced, follow } => self.strace(traced, follow, format),
            Command::Provisioned => self.show_provisioned(format),
            Command::Provision { pid, cores } => self.provision(pid, cores),
            Command::Preempt { pid, core, warning } => self.preempt(pid, core, warning),
            Command::Measure { what, pid } => self.measure(what, pid, format),
            Command::Waiters { pid } => self.waiters(pid, format),
            Command::Check => self.check(format),
            Command::Shootdown(what) => self.shootdown(what, format),
            Command::SelfTest => self.selftest(format),
            Command::Programs => self.list_programs(format),
            Command::Kill { pid, signal } => self.kill(pid, signal),
            Command::Wait { pid } => self.wait_command(pid),
            Command::Notify { pid, kind, value } => self.notify(pid, kind, value),
            Command::Mem => self.memory(format),
            Command::Log { lines } => self.show_log(lines, format),
            Command::Backtrace { core } => self.backtrace(core),
            Command::Panic { core } => self.panic_core(core),
            Command::Hang { core } => self.hang_core(core),
            Command::Stop { core } => self.stop_core(core),
            Command::Start { core } => self.start_core(core),
            Command::Sleep(duration) => self.sleep(duration.as_micros()),
            Command::Version => self.version(format),
            Command::Reboot => machine::exit(exit::REBOOT),
            Command::Exit { code } => self.leave(code),
            #[cfg(feature = "probes")]
            Command::Probe(probe) => self.probe(probe),
            Command::Echo(text) => {
                say!("{text}");
                Ok(())
            }
            Command::Repeat { times, body } => self.repeat(times, body),
        }
    }

    fn repeat(&mut self, times: u32, body: &str) -> Outcome {
        for _ in 0..times {
            for statement in script::statements(body) {
                self.run_statement(statement);
                self.hub.breathe(self.cpu);
                self.show_notices();
                if self.hub.interrupted() {
                    say!("interrupted");
                    return Err(Failed);
                }
            }
        }
        Ok(())
    }

    fn sleep(&mut self, micros: u128) -> Outcome {
        self.sleep_until(cpu::now().saturating_add(clock::ticks(micros)))
    }

    fn sleep_until(&mut self, until: u64) -> Outcome {
        loop {
            let woken = self.hub.wait(self.cpu, Some(until), |hub| {
                (hub.interrupted() || hub.has_notices()).then_some(())
            });
            self.show_notices();
            match woken {
                None => return Ok(()),
                Some(()) if self.hub.interrupted() => return Err(Failed),
                Some(()) => {}
            }
        }
    }

    fn show_log(&mut self, lines: Option<u32>, format: Format) -> Outcome {
        let lines = lines.map_or(usize::MAX, |lines| lines as usize);
        for line in self.log.last(lines) {
            memory::log_line(&line, format);
        }
        Ok(())
    }

    /// What a tick of the clock is.
    pub(super) fn ticks(&self) -> Ticks {
        Ticks { clock: self.options.clock, hz: time::tsc_hz() }
    }

    fn leave(&mut self, code: Option<u8>) -> ! {
        self.show_notices();
        machine::exit(code.unwrap_or(u8::from(self.any_failed)))
    }
}
