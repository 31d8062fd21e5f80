//! Tracing of system calls: of which processes, and what comes in about them.
//!
//! That a process is traced is noted in the page of its space that only the kernel reaches. A core looks there when
//! it loads the space, and when it is asked for its counters; after that, each call costs one test. What it sees it
//! sends like a request of a program, so traces never take the room of answers.

use super::{Hub, LinkError};
use crate::arch::space::saved_page;
use crate::arch::{cpu, smp};
use crate::image::cpu::Cpu;
use crate::program::space::TRACED;
use crate::program::tracer::{Line, Tracer};
use crate::program::vcore::Page;
use alloc::vec::Vec;
use monitor::{CoreState, Output, ProcessId};
use proto::call::Outcome;
use proto::id::{CoreId, Lease};
use proto::message::{ToCore, ToMonitor};

/// Processes that one trace is about, at most.
const PROCESSES: usize = 256;
/// Rounds of questions that end a trace: in the first there may be no room to tell what was left out, in
/// the second all that was sent before has been read.
const LAST_ROUNDS: usize = 2;

/// The trace that is going on.
#[derive(Debug)]
pub(super) struct Trace {
    tracer: Tracer,
    /// Children are traced too.
    follow: bool,
    processes: Vec<ProcessId>,
}

impl Hub {
    /// Traces the calls of a process, with `follow` those of its later children too.
    ///
    /// # Errors
    /// [`LinkError`] if a core does not answer; it may miss calls then.
    pub(crate) fn begin_trace(
        &mut self,
        cpu: &mut Cpu,
        process: ProcessId,
        follow: bool,
    ) -> Result<(), LinkError> {
        let (tracer, processes) = (Tracer::new(smp::count()), Vec::with_capacity(PROCESSES));
        self.trace = Some(Trace { tracer, follow, processes });
        cpu.node.take_dropped();
        self.trace_process(process);
        self.ask_all_cores(cpu)
    }

    /// Ends the trace; what was seen is then complete.
    ///
    /// # Errors
    /// [`LinkError`] if a core does not answer.
    pub(crate) fn end_trace(&mut self, cpu: &mut Cpu) -> Result<(), LinkError> {
        let processes = self.trace.as_mut().map(|it| core::mem::take(&mut it.processes));
        for process in processes.into_iter().flatten() {
            self.mark(process, false);
        }
        (0..LAST_ROUNDS).try_for_each(|_| self.ask_all_cores(cpu))?;
        if let Some(trace) = &mut self.trace {
            trace.tracer.drop_more(cpu.node.take_dropped());
        }
        Ok(())
    }

    /// Forgets the trace; gives how many calls were traced, and how many entries and exits were left out.
    pub(crate) fn forget_trace(&mut self) -> (u64, u64) {
        self.trace.take().map_or((0, 0), |it| it.tracer.counts())
    }

    /// The next line of the trace.
    pub(crate) fn next_traced(&mut self) -> Option<Line> {
        self.trace.as_mut()?.tracer.next_line()
    }

    /// Whether there are lines to be shown.
    pub(crate) fn has_traced(&self) -> bool {
        self.trace.as_ref().is_some_and(|it| it.tracer.has_lines())
    }

    /// Whether all processes that are traced have ended.
    pub(crate) fn traced_have_ended(&self) -> bool {
        let lives = |process: &ProcessId| {
            let view = self.coordinator.process(process.pid);
            view.is_some_and(|it| it.id == *process && !it.ended)
        };
        !self.trace.iter().flat_map(|it| &it.processes).any(lives)
    }

    fn trace_process(&mut self, process: ProcessId) {
        let Some(trace) = &mut self.trace else { return };
        if trace.processes.len() < PROCESSES {
            trace.processes.push(process);
            self.mark(process, true);
        }
    }

    fn mark(&self, process: ProcessId, traced: bool) {
        let page = self.coordinator.root(process).and_then(saved_page);
        if let Some(mut page) = page {
            page.set_byte(TRACED, traced.into());
        }
    }

    fn ask_all_cores(&mut self, cpu: &mut Cpu) -> Result<(), LinkError> {
        let cores = (0..smp::count()).filter_map(|core| u16::try_from(core).ok()).map(CoreId);
        for core in cores {
            let state = self.coordinator.core(core).map(|it| it.state);
            if state == Some(CoreState::Online) {
                self.order(cpu, core, ToCore::Count)?;
            }
        }
        Ok(())
    }

    /// A core has seen something of a call.
    pub(super) fn saw(&mut self, core: CoreId, message: &ToMonitor) {
        if let Some(trace) = &mut self.trace {
            trace.tracer.take(core, message);
        }
    }

    /// What the coordinator wants done may be the end of a call that is traced, or the birth of a child.
    pub(super) fn trace_output(&mut self, output: &Output) {
        let Some(trace) = &mut self.trace else { return };
        let now = cpu::now();
        match *output {
            Output::Born { process, parent, .. } => {
                let is_parent = |it: &ProcessId| it.pid == parent;
                if trace.follow && trace.processes.iter().any(is_parent) {
                    self.trace_process(process);
                }
            }
            Output::Complete { process, call, outcome, value } => {
                let failure = self.programs.as_ref().and_then(|it| it.failure(call));
                let outcome = failure.unwrap_or(outcome);
                let results = (outcome.0.into(), value);
                trace.tracer.completed(now, process.pid, call, results);
            }
            Output::Send { message: ToCore::Done { lease, outcome }, .. }
                if outcome != Outcome::STARTED =>
            {
                trace.tracer.told(now, lease.pid, lease.vcore, outcome.0.into());
            }
            Output::Send { message: ToCore::Changed { lease, .. }, .. } => {
                trace.tracer.told(now, lease.pid, lease.vcore, 0);
            }
            Output::LetGo { ref cores } => {
                // The calls that they stand still for do not return.
                let leases = cores.iter().filter_map(|core| self.coordinator.leased(core));
                leases.for_each(|it| trace.tracer.answered(now, it.pid, it.vcore, None));
            }
            Output::Send { message, .. } => {
                if let Some((lease, outcome)) = answer(&message) {
                    let result = outcome.map(|outcome| outcome.0.into());
                    trace.tracer.answered(now, lease.pid, lease.vcore, result);
                }
            }
            _ => {}
        }
    }
}

/// To whom a message that takes the core away answers a call that the vcore stands still for, and with what; no outcome: the
/// call does not return.
const fn answer(message: &ToCore) -> Option<(Lease, Option<Outcome>)> {
    match *message {
        ToCore::Preempt { lease, outcome } | ToCore::Switch { from: lease, outcome, .. } => {
            Some((lease, Some(outcome)))
        }
        ToCore::Death { lease } => Some((lease, None)),
        ToCore::Regrant { from: lease, .. } => Some((lease, Some(Outcome::AGAIN))),
        _ => None,
    }
}
