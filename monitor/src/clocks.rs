//! Time for processes: calls that sleep, and alarms.
//!
//! A process has one deadline among the coordinator's, that of whatever comes first; when it has come, all
//! that is due is looked for among the few places of the process.

use crate::coordinator::Coordinator;
use crate::output::Outbox;
use crate::process::Process;
use crate::timers::TimerId;
use crate::waits::{Wait, Waiting};
use proto::call::{Call, Outcome};
use proto::event::{Event, kind};
use proto::id::{Pid, VcoreId};

/// Alarms of a process, at most.
pub const MAX_ALARMS: usize = 8;

/// What one step may still touch for processes whose time has come.
const ENTRIES_PER_TICK: u32 = 32;

/// An alarm that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Alarm {
    deadline: u64,
    /// Again after so many ticks; 0 for once.
    period: u64,
    /// Who set it is told if it runs.
    vcore: VcoreId,
}

impl Alarm {
    /// The next time after `now`, if any; those that were missed are one.
    fn after(self, now: u64) -> Option<Self> {
        let missed = now.saturating_sub(self.deadline).checked_div(self.period)?;
        let steps = self.period.saturating_mul(missed.saturating_add(1));
        Some(Self { deadline: self.deadline.saturating_add(steps), ..self })
    }
}

fn sleeps_until(wait: &Wait) -> Option<u64> {
    match wait.what {
        Waiting::Sleep { until } => Some(until),
        _ => None,
    }
}

/// When something of the process is due.
pub(crate) fn soonest(process: &Process) -> Option<u64> {
    let sleeps = process.waits.iter().filter_map(sleeps_until);
    let alarms = process.io.alarms.iter().flatten().map(|alarm| alarm.deadline);
    sleeps.chain(alarms).min()
}

impl Coordinator {
    /// Sets the process's deadline to what comes first.
    pub(crate) fn set_clock(&mut self, pid: Pid) {
        let clock = TimerId(pid.0);
        match soonest(self.table.at(pid)) {
            Some(deadline) => self.clocks.set(clock, deadline),
            None => {
                self.clocks.cancel(clock);
            }
        }
    }

    pub(crate) fn on_sleep(&mut self, call: Call, ticks: u64, out: &mut Outbox) {
        let Some(pid) = self.caller(&call) else { return };
        if ticks == 0 {
            return self.complete(pid, call, Outcome::OK, 0, out);
        }
        let until = self.now.saturating_add(ticks);
        match self.park(call, Waiting::Sleep { until }) {
            Ok(_) => self.set_clock(pid),
            Err(outcome) => self.complete(pid, call, outcome, 0, out),
        }
    }

    /// Sets one of a process's alarms, moves it, or (with deadline 0) cancels it.
    pub(crate) fn set_alarm(
        &mut self,
        pid: Pid,
        vcore: VcoreId,
        alarm: u16,
        deadline: u64,
        period: u64,
    ) -> Outcome {
        let shortest = self.config.shortest_period;
        let Some(it) = self.table.at_mut(pid).io.alarms.get_mut(usize::from(alarm)) else {
            return Outcome::INVALID;
        };
        if period != 0 && period < shortest {
            return Outcome::INVALID;
        }
        *it = (deadline != 0).then_some(Alarm { deadline, period, vcore });
        self.set_clock(pid);
        Outcome::OK
    }

    /// Time has come for some processes; as many are served as this step may.
    pub(crate) fn on_clocks(&mut self, out: &mut Outbox) {
        self.budget = self.budget.min(ENTRIES_PER_TICK);
        while self.budget > 0 {
            let expired = self.clocks.expired(self.now, &mut self.budget);
            let Some(TimerId(pid)) = expired else { return };
            let pid = Pid(pid);
            if self.table.by_pid(pid).is_some_and(|it| !it.is_dying()) {
                self.end_sleeps(pid, out);
                self.ring_alarms(pid, out);
                self.set_clock(pid);
            }
        }
    }

    fn end_sleeps(&mut self, pid: Pid, out: &mut Outbox) {
        let now = self.now;
        let due = |wait: &Wait| sleeps_until(wait).is_some_and(|until| until <= now);
        while let Some(at) = self.table.at(pid).waits.find(pid, due) {
            if !self.spend() {
                return;
            }
            self.finish(at, Outcome::OK, 0, out);
        }
    }

    fn ring_alarms(&mut self, pid: Pid, out: &mut Outbox) {
        for number in 0..MAX_ALARMS {
            let now = self.now;
            let Some(alarm) = self.table.at(pid).io.alarms[number] else { continue };
            if alarm.deadline > now {
                continue;
            }
            if !self.spend() {
                return;
            }
            self.table.at_mut(pid).io.alarms[number] = alarm.after(now);
            let event = Event { kind: kind::ALARM, value: number as u64 };
            self.post(pid, alarm.vcore, event, out);
        }
    }

    /// A process's alarms go with it.
    pub(crate) fn drop_alarms(&mut self, pid: Pid) {
        self.table.at_mut(pid).io.alarms = [None; MAX_ALARMS];
        self.clocks.cancel(TimerId(pid.0));
    }

    /// Waits until more events have been posted to the process than the caller knows of. One call at a time
    /// may do so: each event wakes one call.
    pub(crate) fn on_await_event(&mut self, call: Call, seen: u32, out: &mut Outbox) {
        let Some(pid) = self.caller(&call) else { return };
        let process = self.table.at(pid);
        let posted = process.io.posted;
        let (outcome, value) = if posted != seen {
            (Outcome::OK, u64::from(posted))
        } else if process.waits.iter().any(|wait| wait.what == Waiting::Event) {
            (Outcome::BUSY, 0)
        } else {
            match self.park(call, Waiting::Event) {
                Ok(_) => return,
                Err(outcome) => (outcome, 0),
            }
        };
        self.complete(pid, call, outcome, value, out);
    }

    /// An event has been posted to a living process. That a call is done is not news to those who wait for
    /// events: their own calls' ends would wake them.
    pub(crate) fn count_event(&mut self, pid: Pid, event: Event, out: &mut Outbox) {
        if event.kind == kind::CALL_DONE {
            return;
        }
        let process = self.table.at_mut(pid);
        process.io.posted = process.io.posted.wrapping_add(1);
        let posted = process.io.posted;
        if let Some(at) = process.waits.find(pid, |wait| wait.what == Waiting::Event) {
            self.finish(at, Outcome::OK, u64::from(posted), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Alarm, VcoreId};

    fn after(deadline: u64, period: u64, now: u64) -> Option<u64> {
        let alarm = Alarm { deadline, period, vcore: VcoreId(0) };
        alarm.after(now).map(|alarm| alarm.deadline)
    }

    #[test]
    fn a_periodic_alarm_keeps_its_beat_when_it_is_late_and_rings_once_for_all_it_missed() {
        assert_eq!(after(100, 10, 100), Some(110));
        assert_eq!(after(100, 10, 137), Some(140));
        assert_eq!(after(100, 10, 140), Some(150));
        assert_eq!(after(100, u64::MAX, 101), Some(u64::MAX));
        assert_eq!(after(100, 0, 137), None);
    }
}
