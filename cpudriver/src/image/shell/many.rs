//! `prov`, `preempt`, `measure`, `waiters`: who has which core, taking cores away, and who waits for what.

use super::inspect::Shown;
use super::processes::KILLED;
use super::{Failed, Outcome, Shell, say};
use crate::arch::{cpu, uart};
use crate::console::command::Measured;
use crate::console::output::{Format, Table, Value, number, record, text};
use crate::image::clock::{self, micros};
use crate::image::hub::Hub;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use monitor::{Control, CoreSet, ProcessId, ProcessView, WaitsFor};
use proto::id::{CoreId, Lease, Pid};

/// How long before a core is taken `measure preempt-warn` tells the process.
const WARNING: Duration = Duration::from_millis(10);
/// Seconds after which `measure` gives up.
const PATIENCE: u64 = 30;

impl Shell<'_> {
    fn process(&self, pid: Pid) -> Result<ProcessView, Failed> {
        let view = self.hub.coordinator().process(pid);
        view.ok_or_else(|| {
            say!("no such process");
            Failed
        })
    }

    pub(super) fn show_provisioned(&self, format: Format) -> Outcome {
        let columns = [number("core", 4), text("state", 8), number("owner", 5), number("pid", 5)];
        let table = Table::new(format, columns);
        let _ = table.heading(&mut uart::Writer);
        let it = self.hub.coordinator();
        for core in self.all_cores() {
            let Some(view) = it.core(core) else { continue };
            let pid = |pid: Option<Pid>| Value::from(pid.map(|pid| u64::from(pid.0)));
            let holder = pid(view.held.map(|held| held.lease.pid));
            let row =
                [u64::from(core.0).into(), view.state.name().into(), pid(it.owner(core)), holder];
            let _ = table.row(&mut uart::Writer, row);
        }
        Ok(())
    }

    pub(super) fn provision(&mut self, to: Option<Pid>, cores: CoreSet) -> Outcome {
        cores.iter().try_for_each(|core| self.control(Control::Provision { core, to }))
    }

    /// The cores on which vcores of a process run that can be taken, and their leases.
    fn taken_cores(&self, pid: Pid, only: Option<CoreId>) -> Result<Vec<(CoreId, Lease)>, Failed> {
        self.process(pid)?;
        let it = self.hub.coordinator();
        let lease =
            |core| Some((core, it.core(core)?.held.filter(|it| it.leaving.is_none())?.lease));
        let cores = it.cores_of(pid).filter(|core| *core != CoreId::MANAGEMENT);
        let cores = cores.filter(|core| only.is_none_or(|only| only == *core));
        let cores: Vec<_> = cores.filter_map(lease).collect();
        if cores.is_empty() {
            say!("process {pid} has no core that could be taken");
            return Err(Failed);
        }
        Ok(cores)
    }

    pub(super) fn preempt(
        &mut self,
        pid: Pid,
        core: Option<CoreId>,
        warning: Option<Duration>,
    ) -> Outcome {
        let warning = warning.map_or(0, |warning| clock::ticks(warning.as_micros()));
        let cores = self.taken_cores(pid, core)?;
        cores.iter().try_for_each(|&(core, _)| self.control(Control::Preempt { core, warning }))
    }

    pub(super) fn measure(&mut self, what: Measured, pid: Pid, format: Format) -> Outcome {
        let process = self.process(pid)?.id;
        let (cores, warning) = match what {
            Measured::Kill => {
                let it = self.hub.coordinator();
                let held = |core| Some((core, it.core(core)?.held?.lease));
                (it.cores_of(pid).filter_map(held).collect(), None)
            }
            Measured::Preempt => (self.taken_cores(pid, None)?, None),
            Measured::PreemptWarn => (self.taken_cores(pid, None)?, Some(WARNING)),
        };
        let before = cpu::now();
        if what == Measured::Kill {
            self.control(Control::Kill { pid, code: KILLED })?;
        } else {
            self.preempt(pid, None, warning)?;
        }
        let until = clock::in_seconds(PATIENCE);
        let done = self.hub.wait(self.cpu, Some(until), |hub| {
            let over = match what {
                Measured::Kill => has_ended(hub, process),
                _ => cores.iter().all(|&(core, lease)| has_left(hub, core, lease)),
            };
            (over || hub.interrupted()).then_some(over)
        });
        let took = cpu::now().saturating_sub(before);
        if done != Some(true) {
            say!("it had no effect in {}", clock::Span(took));
            return Err(Failed);
        }
        // The console has made it and ended it; `wait` need not tell of it.
        self.hub.take_ended(process);
        let fields = [
            ("operation", Value::from(what.name())),
            ("pid", u64::from(pid.0).into()),
            ("cores", (cores.len() as u64).into()),
            ("took", took.into()),
            ("unit", self.ticks().unit().into()),
            ("took_us", micros(took).into()),
        ];
        let _ = record(&mut uart::Writer, format, &fields);
        Ok(())
    }

    pub(super) fn waiters(&mut self, only: Option<Pid>, format: Format) -> Outcome {
        if let Some(pid) = only {
            self.process(pid)?;
        }
        self.show_waits(only, format);
        self.show_debts(only, format);
        Ok(())
    }

    fn show_waits(&self, only: Option<Pid>, format: Format) {
        let columns = [
            number("pid", 5),
            text("name", 20),
            number("vcore", 5),
            text("call", 12),
            text("waits_for", 0),
        ];
        let table = Table::new(format, columns);
        let _ = table.heading(&mut uart::Writer);
        let (it, now) = (self.hub.coordinator(), cpu::now());
        let wanted = |view: &ProcessView| only.is_none_or(|only| only == view.id.pid);
        for view in it.processes().filter(wanted) {
            for wait in it.waits(view.id.pid) {
                let row = [
                    u64::from(view.id.pid.0).into(),
                    view.name.as_str().into(),
                    u64::from(wait.vcore.0).into(),
                    Value::Hex(wait.call),
                    Value::Str(&waits_for(wait.waits_for, now)),
                ];
                let _ = table.row(&mut uart::Writer, row);
            }
        }
    }

    /// What cores owe. Heartbeats are under way most of the time and no process's.
    fn show_debts(&self, only: Option<Pid>, format: Format) {
        let columns = [number("core", 4), text("owes", 8), number("pid", 5), number("age_us", 8)];
        let table = Table::new(format, columns);
        let _ = table.heading(&mut uart::Writer);
        let now = cpu::now();
        for debt in self.hub.coordinator().debts() {
            if only.is_some() && debt.pid != only {
                continue;
            }
            let since = debt.since.or_else(|| self.hub.sent_at(debt.core, debt.owed));
            let age = since.map(|since| micros(now.saturating_sub(since)));
            let row = [
                u64::from(debt.core.0).into(),
                debt.owed.name().into(),
                debt.pid.map(|pid| u64::from(pid.0)).into(),
                age.into(),
            ];
            let _ = table.row(&mut uart::Writer, row);
        }
    }
}

fn has_ended(hub: &Hub, process: ProcessId) -> bool {
    let view = hub.coordinator().process(process.pid);
    view.is_none_or(|it| it.id != process || it.ended)
}

fn has_left(hub: &Hub, core: CoreId, lease: Lease) -> bool {
    let held = hub.coordinator().core(core).and_then(|it| it.held);
    held.is_none_or(|held| held.lease != lease)
}

fn waits_for(it: WaitsFor, now: u64) -> String {
    match it {
        WaitsFor::Child(None) => String::from("the end of any child"),
        WaitsFor::Child(Some(pid)) => format!("the end of process {pid}"),
        WaitsFor::Moment(until) => format!("{} us", micros(until.saturating_sub(now))),
        WaitsFor::Event => String::from("an event"),
        WaitsFor::Bytes { handle, object } => format!("handle {handle}:{}", Shown(object)),
        WaitsFor::UserName => String::from("a user's name"),
        WaitsFor::Program => String::from("a program to be loaded"),
    }
}
