//! Sleep, alarms and waiting for events.

use crate::machine::Machine;
use monitor::{Config, MAX_ALARMS, ProcessId, State};
use proto::call::Outcome;
use proto::event::kind;
use proto::id::{CoreId, Lease};
use proto::message::ToMonitor;

fn set_alarm(machine: &mut Machine, who: ProcessId, alarm: u16, at: u64, period: u64) -> Outcome {
    machine.ask(who, |call| ToMonitor::SetAlarm { call, alarm, deadline: at, period })
}

#[test]
fn a_sleep_ends_when_its_time_has_come_and_not_before() {
    let mut machine = Machine::new();
    let process = machine.program();
    let calls =
        [30, 10, 20].map(|ticks| machine.call(process, |call| ToMonitor::Sleep { call, ticks }));
    machine.pass(9);
    assert!(calls.iter().all(|&call| machine.waits(call)));
    machine.pass(11);
    assert_eq!(calls.map(|call| machine.waits(call)), [true, false, false]);
    machine.pass(10);
    assert_eq!(machine.order[machine.order.len() - 3..], [calls[1], calls[2], calls[0]]);
    assert_eq!(machine.result(calls[0]), (Outcome::OK, 0));
}

#[test]
fn a_sleep_of_no_time_ends_at_once_and_one_without_end_does_not() {
    let mut machine = Machine::new();
    let process = machine.program();
    assert_eq!(machine.ask(process, |call| ToMonitor::Sleep { call, ticks: 0 }), Outcome::OK);
    let call = machine.call(process, |call| ToMonitor::Sleep { call, ticks: u64::MAX });
    machine.pass(1 << 40);
    assert!(machine.waits(call));
}

#[test]
fn a_sleep_that_is_aborted_tells_what_was_left_of_it() {
    let mut machine = Machine::new();
    let process = machine.program();
    let target = machine.call(process, |call| ToMonitor::Sleep { call, ticks: 100 });
    machine.pass(30);
    assert_eq!(machine.ask(process, |call| ToMonitor::AbortCall { call, target }), Outcome(1));
    assert_eq!(machine.result(target), (Outcome::INTERRUPTED, 70));
}

#[test]
fn an_alarm_rings_once_at_its_time() {
    let mut machine = Machine::new();
    let process = machine.program();
    let at = machine.now + 50;
    assert_eq!(set_alarm(&mut machine, process, 3, at, 0), Outcome::OK);
    machine.pass(49);
    assert_eq!(machine.events(process, kind::ALARM), []);
    machine.pass(500);
    assert_eq!(machine.events(process, kind::ALARM), [3]);
}

#[test]
fn a_periodic_alarm_rings_until_it_is_cancelled() {
    let mut machine = Machine::new();
    let process = machine.program();
    let at = machine.now + 50;
    set_alarm(&mut machine, process, 0, at, 20);
    machine.pass(95);
    assert_eq!(machine.events(process, kind::ALARM), [0, 0, 0]);
    set_alarm(&mut machine, process, 0, 0, 0);
    machine.pass(500);
    assert_eq!(machine.events(process, kind::ALARM), [0, 0, 0]);
}

#[test]
fn an_alarm_that_is_set_again_moves() {
    let mut machine = Machine::new();
    let process = machine.program();
    let now = machine.now;
    set_alarm(&mut machine, process, 0, now + 50, 0);
    set_alarm(&mut machine, process, 0, now + 80, 0);
    machine.pass(60);
    assert_eq!(machine.events(process, kind::ALARM), []);
    machine.pass(60);
    assert_eq!(machine.events(process, kind::ALARM), [0]);
}

#[test]
fn alarms_are_few_and_their_periods_not_too_short() {
    let mut machine = Machine::new();
    let process = machine.program();
    for alarm in [MAX_ALARMS as u16, u16::MAX] {
        assert_eq!(set_alarm(&mut machine, process, alarm, 50, 0), Outcome::INVALID);
    }
    assert_eq!(set_alarm(&mut machine, process, 0, 50, 9), Outcome::INVALID);
    assert_eq!(set_alarm(&mut machine, process, 0, 50, 10), Outcome::OK);
}

#[test]
fn a_processs_alarms_and_sleeps_go_with_it() {
    let mut machine = Machine::new();
    let process = machine.program();
    let at = machine.now + 50;
    set_alarm(&mut machine, process, 0, at, 20);
    let call = machine.call(process, |call| ToMonitor::Sleep { call, ticks: 60 });
    machine.kill(process);
    assert_eq!(machine.outcome(call), Outcome::INTERRUPTED);
    assert_eq!(machine.armed, None);
    machine.pass(500);
    assert_eq!(machine.events(process, kind::ALARM), []);
}

#[test]
fn an_alarm_wakes_a_process_that_waits() {
    let mut machine = Machine::new();
    let process = machine.program();
    let held = machine.coordinator.core(CoreId(0)).unwrap().held.unwrap();
    let lease: Lease = held.lease;
    let says = |machine: &mut Machine, message| {
        machine.step(monitor::Input::Message { core: CoreId(0), message });
    };
    says(&mut machine, ToMonitor::Started { lease });
    let at = machine.now + 50;
    set_alarm(&mut machine, process, 0, at, 0);
    says(&mut machine, ToMonitor::Yield { lease, seen: 0, wanted: 0, flags: 0 });
    says(&mut machine, ToMonitor::Preempted { lease });
    let state = |machine: &Machine| machine.coordinator.process(process.pid).unwrap().state;
    assert_eq!(state(&machine), State::Waiting);
    machine.pass(60);
    assert_eq!(state(&machine), State::RunningS);
}

#[test]
fn all_that_is_due_at_one_moment_comes_however_much_it_is() {
    let config = Config { max_processes: 64, ..crate::machine::CONFIG };
    let mut machine = Machine::with(config);
    let all: Vec<ProcessId> = (0..40).map(|_| machine.program()).collect();
    let at = machine.now + 50;
    for &process in &all {
        for alarm in 0..MAX_ALARMS as u16 {
            set_alarm(&mut machine, process, alarm, at, 0);
        }
    }
    machine.pass(60);
    for process in all {
        assert_eq!(machine.events(process, kind::ALARM), (0..8).collect::<Vec<u64>>());
    }
}

#[test]
fn who_waits_for_an_event_misses_none() {
    let mut machine = Machine::new();
    let process = machine.program();
    let wait = |seen| move |call| ToMonitor::AwaitEvent { call, seen };
    let notify = |call| ToMonitor::NotifyProcess { call, pid: process.pid, event: 40, value: 7 };
    let call = machine.call(process, wait(0));
    assert!(machine.waits(call));
    assert_eq!(machine.ask(process, notify), Outcome::OK);
    assert_eq!(machine.result(call), (Outcome::OK, 1));
    machine.ask(process, notify);
    let late = machine.call(process, wait(1));
    assert_eq!(machine.result(late), (Outcome::OK, 2));
    let call = machine.call(process, wait(2));
    assert_eq!(machine.ask(process, wait(2)), Outcome::BUSY);
    assert!(machine.waits(call));
}

#[test]
fn that_a_call_is_done_is_no_event_to_wait_for() {
    let mut machine = Machine::new();
    let process = machine.program();
    let wait = machine.call(process, |call| ToMonitor::AwaitEvent { call, seen: 0 });
    machine.ask(process, |mut call| {
        call.at |= 1;
        ToMonitor::Sleep { call, ticks: 0 }
    });
    assert_eq!(machine.events(process, kind::CALL_DONE).len(), 1);
    assert!(machine.waits(wait));
}
