//! One run of a machine, from its start to its verdict.
//!
//! [`Session`] says what to do with a [`Machine`]: how long it may take, where input comes from and who
//! sees the lines it prints. [`Session::run`] starts QEMU, relays and waits, and returns the
//! [`Outcome`]. QEMU never outlives the session, nor the process that runs it.

mod console;
mod hub;
mod keys;
mod process;

pub use hub::catch_signals;
pub(crate) use keys::HINT;

use crate::machine::Machine;
use crate::terminal;
use crate::verdict::Verdict;
use console::Console;
use keys::Keys;
use process::Guest;
use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// End of transmission: what Ctrl-D types, and what the end of piped input stands for.
const END_OF_INPUT: u8 = 4;
/// How long QEMU may take to end once its console is closed, or its last words to arrive.
const GRACE: Duration = Duration::from_secs(5);

/// Something that a session waits for.
enum Event {
    /// The guest printed this.
    Output(Vec<u8>),
    /// QEMU printed this to standard error.
    Complaint(Vec<u8>),
    /// One of QEMU's two streams is closed.
    Closed,
    /// The user typed this, or it came through a pipe.
    Typed(Vec<u8>),
    /// There is no more input.
    InputEnd,
    /// A signal asks this process to end.
    Interrupted,
}

/// Where the guest's input comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Input {
    /// None but [`Session::reply`].
    #[default]
    None,
    /// Standard input of this process: a terminal, in raw mode meanwhile, or a pipe.
    Standard,
}

/// What a run has shown.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// The lines that the guest printed, without their ends; backtraces with names and lines. Empty
    /// when [`Session::forget_lines`] was asked for.
    pub lines: Vec<String>,
    /// The guest printed nothing at all.
    pub silent: bool,
    /// What QEMU wrote to standard error.
    pub complaints: String,
    /// CPU seconds of the host, user and system, that QEMU used.
    pub cpu_seconds: f64,
    /// Time on the wall from QEMU's start to its end.
    pub wall: Duration,
    /// The command that was run, as a line for a shell.
    pub command: String,
}

impl Outcome {
    /// The lines as one text.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}

/// A run to be made.
pub struct Session<'a> {
    machine: &'a Machine,
    timeout: Option<Duration>,
    input: Input,
    echo: bool,
    keep_lines: bool,
    replies: VecDeque<(String, String)>,
    on_line: Box<dyn FnMut(&str) + 'a>,
}

/// Why the session stopped to wait.
enum Ending {
    ByItself,
    TimedOut(Duration),
    Interrupted,
}

impl<'a> Session<'a> {
    /// A run without timeout, input or echo.
    #[must_use]
    pub fn new(machine: &'a Machine) -> Self {
        Self {
            machine,
            timeout: None,
            input: Input::None,
            echo: false,
            keep_lines: true,
            replies: VecDeque::new(),
            on_line: Box::new(|_| ()),
        }
    }

    /// Ends the guest after this time ([`Verdict::TimedOut`]).
    #[must_use]
    pub fn timeout(self, after: Option<Duration>) -> Self {
        Self { timeout: after, ..self }
    }

    /// Chooses where input comes from.
    #[must_use]
    pub fn input(self, input: Input) -> Self {
        Self { input, ..self }
    }

    /// Shows what the guest prints on standard output, byte for byte as it comes.
    #[must_use]
    pub fn echo(self, echo: bool) -> Self {
        Self { echo, ..self }
    }

    /// Does not keep the lines for the [`Outcome`], for runs without end.
    #[must_use]
    pub fn forget_lines(self) -> Self {
        Self { keep_lines: false, ..self }
    }

    /// Types `text` once the guest has printed `after` (anywhere, also within an unfinished line).
    /// Each reply waits for output that came after what the one before it waited for.
    #[must_use]
    pub fn reply(mut self, after: impl Into<String>, text: impl Into<String>) -> Self {
        self.replies.push_back((after.into(), text.into()));
        self
    }

    /// Calls `f` with every line that the guest has finished, as it comes.
    #[must_use]
    pub fn on_line(self, f: impl FnMut(&str) + 'a) -> Self {
        Self { on_line: Box::new(f), ..self }
    }

    /// Runs the machine to its end.
    ///
    /// # Errors
    ///
    /// When the script is too long for the machine, or QEMU does not start. A QEMU that starts and fails is a [`Verdict::Qemu`].
    pub fn run(self) -> anyhow::Result<Outcome> {
        self.machine.check()?;
        let command = self.machine.command();
        let (sender, events) = mpsc::channel();
        let start = Instant::now();
        // First: a signal must not find a guest that no session answers for.
        let _listening = hub::listen(&sender, self.input == Input::Standard);
        let guest = Guest::start(&command, &sender)?;
        let raw = (self.input == Input::Standard).then(terminal::Raw::enter).flatten();
        let mut run = Run {
            console: Console::new(&self.machine.image),
            keys: Keys::default(),
            translate: raw.is_some(),
            deadline: self.timeout.map(|after| start + after),
            open_streams: 2,
            lines: Vec::new(),
            complaints: Vec::new(),
            seen: String::new(),
            early: Some(Vec::new()),
            guest,
            session: self,
        };
        let ending = run.attend(&events);
        let outcome = run.finish(ending, &events, start, command.to_string());
        drop(raw);
        outcome
    }
}

/// A session while it runs.
struct Run<'a> {
    session: Session<'a>,
    guest: Guest,
    console: Console,
    keys: Keys,
    /// Whether the terminal is raw: line feeds need a carriage return, and keys have meanings.
    translate: bool,
    deadline: Option<Instant>,
    open_streams: u8,
    lines: Vec<String>,
    complaints: Vec<u8>,
    /// Output that no reply has matched yet.
    seen: String,
    /// Input that came before the guest has printed anything. The serial line loses what arrives before
    /// the guest has set it up.
    early: Option<Vec<u8>>,
}

impl Run<'_> {
    fn attend(&mut self, events: &Receiver<Event>) -> Ending {
        loop {
            let Ok(event) = next(events, self.deadline) else {
                return Ending::TimedOut(self.session.timeout.unwrap_or_default());
            };
            if let Some(ending) = self.handle(event) {
                return ending;
            }
        }
    }

    fn handle(&mut self, event: Event) -> Option<Ending> {
        match event {
            Event::Output(bytes) => {
                self.guest.taken();
                return self.output(&bytes);
            }
            Event::Complaint(bytes) => {
                self.guest.taken();
                self.complaints.extend(bytes);
            }
            Event::Closed => {
                self.open_streams -= 1;
                return (self.open_streams == 0).then_some(Ending::ByItself);
            }
            Event::Typed(bytes) => return self.typed(bytes),
            Event::InputEnd => self.input_end(),
            Event::Interrupted => return Some(Ending::Interrupted),
        }
        None
    }

    fn output(&mut self, bytes: &[u8]) -> Option<Ending> {
        if let Some(early) = self.early.take() {
            self.guest.type_in(early);
        }
        let Self { session, lines, .. } = self;
        let shown = self.console.feed(bytes, |line| {
            (session.on_line)(line);
            if session.keep_lines {
                lines.push(line.to_owned());
            }
        });
        self.keys.shown(self.console.line());
        self.reply(bytes);
        let written = !self.session.echo || show(&shown, self.translate);
        // Nobody reads our output any more, as in `atoll | head`: end with what stands behind the pipe.
        (!written).then_some(Ending::Interrupted)
    }

    fn reply(&mut self, bytes: &[u8]) {
        if self.session.replies.is_empty() {
            return;
        }
        self.seen.push_str(&String::from_utf8_lossy(bytes));
        while let Some((after, text)) = self.session.replies.front() {
            let Some(at) = self.seen.find(after.as_str()) else { return };
            self.seen.drain(..at + after.len());
            self.guest.type_in(text.as_bytes().to_vec());
            self.session.replies.pop_front();
        }
    }

    fn type_in(&mut self, bytes: Vec<u8>) {
        match &mut self.early {
            Some(early) => early.extend(bytes),
            None => self.guest.type_in(bytes),
        }
    }

    fn typed(&mut self, bytes: Vec<u8>) -> Option<Ending> {
        if !self.translate {
            self.type_in(bytes);
            return None;
        }
        let pressed = self.keys.press(&bytes);
        self.type_in(pressed.send);
        pressed.leave.then_some(Ending::Interrupted)
    }

    /// Hands the end of piped input on, which ends a console as Ctrl-D does. A script ends by itself.
    fn input_end(&mut self) {
        if self.session.machine.script.is_none() {
            self.type_in(vec![END_OF_INPUT]);
        }
    }

    fn finish(
        mut self,
        ending: Ending,
        events: &Receiver<Event>,
        start: Instant,
        command: String,
    ) -> anyhow::Result<Outcome> {
        if !matches!(ending, Ending::ByItself) {
            self.guest.kill();
        }
        let (status, cpu_seconds) = self.guest.reap(GRACE)?;
        let wall = start.elapsed();
        self.drain(events);
        let complaints = String::from_utf8_lossy(&self.complaints).into_owned();
        let verdict = match ending {
            Ending::ByItself => Verdict::of_qemu(status, &complaints),
            Ending::TimedOut(after) => Verdict::TimedOut(after),
            Ending::Interrupted => Verdict::Interrupted,
        };
        let (lines, silent) = (self.lines, self.early.is_some());
        Ok(Outcome { verdict, lines, silent, complaints, cpu_seconds, wall, command })
    }

    /// Takes in what QEMU had written before it was ended, and the last line if it is unfinished.
    fn drain(&mut self, events: &Receiver<Event>) {
        let deadline = Some(Instant::now() + GRACE);
        while self.open_streams > 0 {
            match next(events, deadline) {
                Ok(event) => drop(self.handle(event)),
                Err(_) => break,
            }
        }
        if let Some(line) = self.console.unfinished() {
            (self.session.on_line)(&line);
            self.lines.extend(self.session.keep_lines.then_some(line));
        }
    }
}

/// The next event, unless the deadline is over; a flood of events does not put it off.
fn next(events: &Receiver<Event>, deadline: Option<Instant>) -> Result<Event, RecvTimeoutError> {
    let Some(deadline) = deadline else {
        return events.recv().map_err(|_| RecvTimeoutError::Disconnected);
    };
    match deadline.checked_duration_since(Instant::now()) {
        Some(left) => events.recv_timeout(left),
        None => Err(RecvTimeoutError::Timeout),
    }
}

/// Writes to standard output; false when nobody reads it.
fn show(bytes: &[u8], translate: bool) -> bool {
    let mut out = std::io::stdout().lock();
    let written = if translate { write_raw(&mut out, bytes) } else { out.write_all(bytes) };
    written.and_then(|()| out.flush()).is_ok()
}

/// Writes with a carriage return before each line feed that has none.
fn write_raw(out: &mut impl std::io::Write, bytes: &[u8]) -> std::io::Result<()> {
    for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
        match piece.strip_suffix(b"\n") {
            Some(text) => {
                out.write_all(text.strip_suffix(b"\r").unwrap_or(text))?;
                out.write_all(b"\r\n")?;
            }
            None => out.write_all(piece)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
