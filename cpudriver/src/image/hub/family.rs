//! The processes that the console has made: which live, and what those came to that have ended.

use super::Hub;
use alloc::collections::VecDeque;
use monitor::ProcessId;
use proto::call::Outcome;
use proto::id::Pid;

/// Processes that have ended and have not been asked for, at most; the oldest are forgotten.
const REMEMBERED: usize = 256;

/// The processes that the console has made.
#[derive(Debug)]
pub(super) struct Family {
    living: VecDeque<ProcessId>,
    ended: VecDeque<(ProcessId, Outcome)>,
}

impl Family {
    pub(super) fn new() -> Self {
        Self {
            living: VecDeque::with_capacity(REMEMBERED),
            ended: VecDeque::with_capacity(REMEMBERED),
        }
    }

    /// The console has made a process.
    pub(super) fn born(&mut self, process: ProcessId) {
        self.living.push_back(process);
    }

    /// A process without a parent has ended; orphans are not the console's.
    pub(super) fn ended(&mut self, process: ProcessId, code: Outcome) {
        let Some(at) = self.living.iter().position(|it| *it == process) else { return };
        self.living.remove(at);
        if self.ended.len() == REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back((process, code));
    }
}

impl Hub {
    /// The console's process of that pid, whether it lives or has ended and was not asked for.
    pub(crate) fn process_of(&self, pid: Pid) -> Option<ProcessId> {
        let ended = self.family.ended.iter().map(|(process, _)| process);
        self.family.living.iter().chain(ended).copied().find(|it| it.pid == pid)
    }

    /// The exit code of a process of the console's that has ended, which is then forgotten.
    pub(crate) fn take_ended(&mut self, process: ProcessId) -> Option<Outcome> {
        if self.family.ended.is_empty() {
            return None;
        }
        let at = self.family.ended.iter().position(|(it, _)| *it == process)?;
        self.family.ended.remove(at).map(|(_, code)| code)
    }

    /// When no process of the console's lives: the first exit code that is not 0, or 0. All are then forgotten.
    pub(crate) fn all_have_ended(&mut self) -> Option<Outcome> {
        if !self.family.living.is_empty() {
            return None;
        }
        let bad = self.family.ended.iter().map(|(_, code)| *code).find(|code| *code != Outcome::OK);
        self.family.ended.clear();
        Some(bad.unwrap_or_default())
    }

    /// Makes what is typed the input of a program, or the console's again.
    pub(crate) const fn set_foreground(&mut self, foreground: bool) {
        self.foreground = foreground;
    }

    /// Holds back what programs print, while a line is being typed, or not any more.
    pub(crate) fn hold_output(&mut self, hold: bool) {
        if let Some(programs) = &mut self.programs {
            programs.printed.release(hold);
        }
    }

    /// Prints what was held back.
    pub(crate) fn release_output(&mut self) {
        self.hold_output(true);
    }

    /// Whether output is held back.
    pub(crate) fn output_waits(&self) -> bool {
        self.programs.as_ref().is_some_and(|programs| programs.printed.waits())
    }
}
