//! Time for processes: calls that sleep, and alarms.
//!
//! A process has one deadline among the coordinator's, that of whatever comes first; when it has come, all
//! that is due is looked for among the few places of the process.

use crate::coordinator::Coordinator;
use crate::cores::Timer;
use crate::output::Outbox;
use crate::process::Process;
use crate::waits::{WaitRef, Waiting, places};
use proto::call::{Call, Outcome};
use proto::event::{Event, kind};
use proto::id::{Pid, VcoreId};

/// Alarms of a process, at most.
pub const MAX_ALARMS: usize = 8;

const _: () = assert!(MAX_ALARMS == u8::BITS as usize, "a bit for each");

/// The alarms of a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Alarms {
    slots: [Alarm; MAX_ALARMS],
    /// Those that are set, a bit each.
    set: u8,
}

impl Alarms {
    pub(crate) const NONE: Self = Self { slots: [Alarm::NONE; MAX_ALARMS], set: 0 };

    /// Those that are set, with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, Alarm)> + '_ {
        places(self.set.into()).map(|at| (usize::from(at), self.slots[usize::from(at)]))
    }

    fn change(&mut self, number: usize, to: Option<Alarm>) {
        self.slots[number] = to.unwrap_or(Alarm::NONE);
        let bit = 1 << number;
        self.set = if to.is_some() { self.set | bit } else { self.set & !bit };
    }
}

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
    const NONE: Self = Self { deadline: 0, period: 0, vcore: VcoreId(0) };

    /// The next time after `now`, if any; those that were missed are one.
    fn after(self, now: u64) -> Option<Self> {
        let missed = now.saturating_sub(self.deadline).checked_div(self.period)?;
        let steps = self.period.saturating_mul(missed.saturating_add(1));
        Some(Self { deadline: self.deadline.saturating_add(steps), ..self })
    }
}

/// Something that a process waits for.
#[derive(Clone, Copy, Debug)]
enum Due {
    Sleep(WaitRef),
    Alarm(usize, Alarm),
}

/// What comes first for a process, and when.
fn first_due(process: &Process) -> Option<(u64, Due)> {
    let mut first: Option<(u64, Due)> = None;
    let mut consider = |moment: u64, due: Due| {
        if first.is_none_or(|(soonest, _)| moment < soonest) {
            first = Some((moment, due));
        }
    };
    for (at, wait) in process.waits.all(process.id.pid) {
        if let Waiting::Sleep { until } = wait.what {
            consider(until, Due::Sleep(at));
        }
    }
    for (number, alarm) in process.io.alarms.iter() {
        consider(alarm.deadline, Due::Alarm(number, alarm));
    }
    first
}

/// When something of the process is due.
pub(crate) fn soonest(process: &Process) -> Option<u64> {
    first_due(process).map(|(moment, _)| moment)
}

impl Coordinator {
    /// Sets the process's deadline to what comes first.
    pub(crate) fn set_clock(&mut self, pid: Pid) {
        match soonest(self.table.at(pid)) {
            Some(deadline) => self.set_timer(Timer::Clock(pid), deadline),
            None => self.cancel_timer(Timer::Clock(pid)),
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
        let alarm = usize::from(alarm);
        if alarm >= MAX_ALARMS || (period != 0 && period < shortest) {
            return Outcome::INVALID;
        }
        let to = (deadline != 0).then_some(Alarm { deadline, period, vcore });
        self.table.at_mut(pid).io.alarms.change(alarm, to);
        self.set_clock(pid);
        Outcome::OK
    }

    /// Something of a process is due: all that is comes in turn, as far as this step may.
    pub(crate) fn on_clock(&mut self, pid: Pid, out: &mut Outbox) {
        loop {
            let Some(process) = self.table.by_pid_mut(pid).filter(|it| !it.is_dying()) else {
                return;
            };
            let Some((moment, due)) = first_due(process) else { return };
            if moment > self.now || self.budget == 0 {
                return self.set_timer(Timer::Clock(pid), moment);
            }
            self.budget -= 1;
            match due {
                Due::Sleep(at) => self.finish(at, Outcome::OK, 0, out),
                Due::Alarm(number, alarm) => {
                    process.io.alarms.change(number, alarm.after(self.now));
                    let event = Event { kind: kind::ALARM, value: number as u64 };
                    self.post(pid, alarm.vcore, event, out);
                }
            }
        }
    }

    /// A process's alarms go with it.
    pub(crate) fn drop_alarms(&mut self, pid: Pid) {
        self.table.at_mut(pid).io.alarms = Alarms::NONE;
        self.cancel_timer(Timer::Clock(pid));
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

    /// An event has been posted to a living process: the call that waits for one is answered. That a call is done
    /// is not news to those who wait for events: their own calls' ends would wake them.
    pub(crate) fn end_await(&mut self, pid: Pid, out: &mut Outbox) {
        let process = self.table.at(pid);
        let posted = u64::from(process.io.posted);
        if let Some(at) = process.waits.find(pid, |wait| wait.what == Waiting::Event) {
            self.finish(at, Outcome::OK, posted, out);
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
