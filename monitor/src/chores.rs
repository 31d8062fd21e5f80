//! What a step leaves for later ones: one queue of processes, cores and pipes, of which a step of its own goes on with one
//! after the other. Nothing is done twice that two steps ask for.

use crate::coordinator::Coordinator;
use crate::output::Outbox;
use crate::pipes::PipeId;
use proto::id::{CoreId, Pid};

/// What is gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Its memory, its end, or the cores that it wants.
    Process(Pid),
    /// It is passed on, or the time that its vcore was given before it loses the core is up.
    Core(CoreId),
    /// Somebody waits there for what can be done.
    Pipe(PipeId),
}

impl Coordinator {
    /// The number of a chore in the queue: of a process its pid; those of cores and of pipes come behind all pids.
    #[inline(always)]
    pub(crate) fn number_of(&self, chore: Chore) -> u16 {
        match chore {
            Chore::Process(pid) => pid.0,
            Chore::Core(core) => self.table.len() as u16 + core.0,
            Chore::Pipe(pipe) => (self.table.len() + self.cores.len()) as u16 + pipe.0,
        }
    }

    /// The chore of that number.
    #[inline(always)]
    pub(crate) fn chore_of(&self, number: u16) -> Chore {
        let Some(of_core) = number.checked_sub(self.table.len() as u16) else {
            return Chore::Process(Pid(number));
        };
        match of_core.checked_sub(self.cores.len() as u16) {
            None => Chore::Core(CoreId(of_core)),
            Some(of_pipe) => Chore::Pipe(PipeId(of_pipe)),
        }
    }

    /// Is it to be gone on with?
    pub(crate) fn is_to_do(&self, chore: Chore) -> bool {
        self.work.contains(self.number_of(chore))
    }

    /// Puts something behind all else that is to be gone on with, if it is not there yet.
    #[inline(always)]
    pub(crate) fn queue_chore(&mut self, chore: Chore) {
        let number = self.number_of(chore);
        self.work.push(number);
    }

    /// Puts a process behind the others whose work is to be continued.
    #[inline(always)]
    pub(crate) fn queue_work(&mut self, pid: Pid) {
        self.queue_chore(Chore::Process(pid));
    }

    /// Is there work that one step could not finish?
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.work.is_empty()
    }

    /// Goes on with what has waited longest.
    #[inline(always)]
    pub(crate) fn on_continue(&mut self, out: &mut Outbox) {
        let Some(number) = self.work.pop() else { return };
        match self.chore_of(number) {
            Chore::Process(pid) => self.continue_process(pid, out),
            Chore::Core(core) => self.continue_core(core, out),
            Chore::Pipe(pipe) => self.serve_pipe(pipe, out),
        }
    }

    #[inline(always)]
    fn continue_process(&mut self, pid: Pid, out: &mut Outbox) {
        let process = self.table.at(pid);
        if process.is_dying() || !process.space.is_at_rest() {
            return self.continue_memory(pid, out);
        }
        self.serve(pid, out);
    }

    /// Goes on with a process that is being destroyed, or whose memory changes.
    #[inline(never)]
    fn continue_memory(&mut self, pid: Pid, out: &mut Outbox) {
        self.continue_space(pid, out);
        if self.table.at(pid).is_dying() {
            self.continue_demise(pid, out);
        } else {
            self.serve(pid, out);
        }
    }
}
