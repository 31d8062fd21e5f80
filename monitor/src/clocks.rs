//! Time for processes: calls that sleep, and alarms.
//!
//! A process has one deadline among the coordinator's, that of whatever comes first; when it has come, all
//! that is due is looked for among the few places of the process.

use crate::coordinator::Coordinator;
use crate::cores::Timer;
use crate::events::{end, put};
use crate::output::Outbox;
use crate::process::Process;
use crate::timers::NEVER;
use crate::waits::{Wait, WaitRef, Waiting, places};
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
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Alarm)> + '_ {
        let number = |at: u8| usize::from(at) % MAX_ALARMS;
        places(self.set.into()).map(move |at| (number(at), &self.slots[number(at)]))
    }

    /// One of those that are set rings, and is set for its next time if there is one. Says who is told, and the next
    /// time, or [`NEVER`].
    #[inline(always)]
    fn ring(&mut self, number: usize, now: u64) -> (VcoreId, u64) {
        let alarm = &mut self.slots[number % MAX_ALARMS];
        let vcore = alarm.vcore;
        let Some(deadline) = alarm.after(now) else {
            self.change(number, None);
            return (vcore, NEVER);
        };
        alarm.deadline = deadline;
        (vcore, deadline)
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

    /// The next time after `now`, when it is due, if any; those that were missed are one.
    fn after(&self, now: u64) -> Option<u64> {
        let late = now - self.deadline;
        let steps = if late < self.period {
            self.period
        } else {
            let missed = late.checked_div(self.period)?;
            self.period.saturating_mul(missed.saturating_add(1))
        };
        Some(self.deadline.saturating_add(steps))
    }
}

/// Something that a process waits for.
#[derive(Clone, Copy, Debug)]
enum Due {
    Sleep(WaitRef),
    Alarm(usize),
}

/// What comes first for a process, and when, and when the next comes: at [`NEVER`] what does not.
#[inline(always)]
fn first_due(process: &Process) -> (u64, Due, u64) {
    let (mut first, mut due, mut next) = (NEVER, Due::Alarm(0), NEVER);
    let mut consider = |moment: u64, it: Due| {
        next = next.min(moment.max(first));
        if moment < first {
            (first, due) = (moment, it);
        }
    };
    for (at, wait) in process.waits.all(process.id.pid) {
        if let Waiting::Sleep { until } = wait.what {
            consider(until, Due::Sleep(at));
        }
    }
    for (number, alarm) in process.io.alarms.iter() {
        consider(alarm.deadline, Due::Alarm(number));
    }
    (first, due, next)
}

/// When something of the process is due, if anything is.
pub(crate) fn soonest(process: &Process) -> Option<u64> {
    let (moment, ..) = first_due(process);
    (moment != NEVER).then_some(moment)
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

    /// Something of a process is due, so its timer is not set: what comes first is done, and the timer set to what comes
    /// next, which may be due as well.
    #[inline(always)]
    pub(crate) fn on_clock(&mut self, pid: Pid, out: &mut Outbox) {
        let Self { table, cores, .. } = self;
        let Some(process) = table.by_pid_mut(pid) else { return };
        if process.is_dying() {
            return;
        }
        let (_, due, mut next) = first_due(process);
        match due {
            Due::Sleep(at) => {
                let Some(wait) = process.waits.get(at) else { return };
                let call = (wait.call.at, wait.call.lease.vcore);
                process.waits.forget(at);
                let done = end(process, cores, call, (Outcome::OK, 0), out);
                self.after_end(pid, call, done, out);
            }
            Due::Alarm(number) => {
                let (vcore, again) = process.io.alarms.ring(number, self.now);
                next = next.min(again);
                let event = Event { kind: kind::ALARM, value: number as u64 };
                let done = put(process, cores, vcore, event, out);
                self.posted(pid, (vcore, event), done, out);
            }
        }
        if next != NEVER {
            self.deadlines.set_anew(Timer::Clock(pid), next);
        }
    }

    /// A process's alarms go with it.
    pub(crate) fn drop_alarms(&mut self, pid: Pid) {
        let alarms = &mut self.table.at_mut(pid).io.alarms;
        if alarms.set != 0 {
            *alarms = Alarms::NONE;
        }
        self.cancel_timer(Timer::Clock(pid));
    }

    /// Waits until more events have been posted to the process than the caller knows of. One call at a time
    /// may do so: each event wakes one call.
    #[inline(always)]
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
        self.end_await_here(pid, out);
    }

    /// The same, where it comes often.
    #[inline(always)]
    pub(crate) fn end_await_here(&mut self, pid: Pid, out: &mut Outbox) {
        let Self { table, cores, .. } = self;
        let process = table.at_mut(pid);
        let waits = |wait: &Wait| matches!(wait.what, Waiting::Event);
        let Some(at) = process.waits.find(pid, waits) else { return };
        let Some(wait) = process.waits.get(at) else { return };
        let call = (wait.call.at, wait.call.lease.vcore);
        process.waits.forget(at);
        let result = (Outcome::OK, u64::from(process.io.posted));
        let done = end(process, cores, call, result, out);
        self.after_end(pid, call, done, out);
    }
}

#[cfg(test)]
mod tests {
    use super::{Alarm, VcoreId};

    fn after(deadline: u64, period: u64, now: u64) -> Option<u64> {
        let alarm = Alarm { deadline, period, vcore: VcoreId(0) };
        alarm.after(now)
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
