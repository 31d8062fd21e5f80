//! Calls that wait, and how they end before their time.

use crate::machine::{HERE, Machine, close, read, write};
use monitor::{Input, MAX_WAITS};
use proto::call::{ALL_HANDLES, Outcome};
use proto::event::kind;
use proto::id::Pid;
use proto::message::ToMonitor;

#[test]
fn every_kind_of_waiting_call_can_be_aborted_once() {
    let mut machine = Machine::new();
    let process = machine.program();
    machine.child(process, 0);
    let (reader, _) = machine.pipe(process);
    let calls = [
        machine.call(process, |call| ToMonitor::Wait { call, pid: Pid(0), flags: 0 }),
        machine.call(process, |call| ToMonitor::Sleep { call, ticks: 100 }),
        machine.call(process, |call| ToMonitor::AwaitEvent { call, seen: 0 }),
        machine.call(process, read(reader, HERE, 9)),
        machine.call(process, read(0, HERE, 9)),
    ];
    for target in calls {
        let abort = |call| ToMonitor::AbortCall { call, target };
        assert_eq!(machine.ask(process, abort), Outcome(1));
        assert_eq!(machine.outcome(target), Outcome::INTERRUPTED);
        assert_eq!(machine.ask(process, abort), Outcome(0));
    }
}

#[test]
fn a_process_aborts_no_calls_of_others() {
    let mut machine = Machine::new();
    let (process, other) = (machine.program(), machine.program());
    let target = machine.call(process, |call| ToMonitor::Sleep { call, ticks: 100 });
    assert_eq!(machine.ask(other, |call| ToMonitor::AbortCall { call, target }), Outcome(0));
    assert!(machine.waits(target));
}

#[test]
fn the_calls_that_wait_on_a_handle_can_be_aborted_together() {
    let mut machine = Machine::new();
    let process = machine.program();
    let (handle, _) = machine.pipe(process);
    let on_it = [(); 3].map(|()| machine.call(process, read(handle, HERE, 9)));
    let beside = machine.call(process, read(0, HERE, 9));
    let abort = |call| ToMonitor::AbortHandle { call, handle };
    assert_eq!(machine.ask(process, abort), Outcome(3));
    assert!(on_it.iter().all(|&call| machine.outcome(call) == Outcome::INTERRUPTED));
    assert!(machine.waits(beside));
    assert_eq!(machine.ask(process, abort), Outcome(0));
}

#[test]
fn closing_a_handle_interrupts_the_calls_that_wait_on_it() {
    let mut machine = Machine::new();
    let process = machine.program();
    let (reader, _) = machine.pipe(process);
    let call = machine.call(process, read(reader, HERE, 9));
    assert_eq!(machine.ask(process, close(reader)), Outcome::OK);
    assert_eq!(machine.outcome(call), Outcome::INTERRUPTED);
}

#[test]
fn handles_are_closed_before_the_waits_of_a_process_that_dies_are_aborted() {
    let mut machine = Machine::new();
    let parent = machine.program();
    let (reader, writer) = machine.pipe(parent);
    let dying = machine.child(parent, ALL_HANDLES);
    machine.run(dying);
    machine.ask(parent, close(writer));
    let sleeps = machine.call(dying, |call| ToMonitor::Sleep { call, ticks: 100 });
    let reads = machine.call(dying, read(0, HERE, 9));
    let of_parent = machine.call(parent, read(reader, HERE, 9));
    machine.kill(dying);
    assert_eq!(machine.outcome(of_parent), Outcome(0));
    for call in [sleeps, reads] {
        assert_eq!(machine.outcome(call), Outcome::INTERRUPTED);
    }
    let when = |call| machine.order.iter().position(|&it| it == call);
    assert!(when(of_parent) < when(sleeps) && when(of_parent) < when(reads));
}

#[test]
fn no_call_of_a_dying_process_starts_to_wait() {
    let mut machine = Machine::new();
    let parent = machine.program();
    let dying = machine.child(parent, 0);
    machine.kill(dying);
    machine.call(dying, |call| ToMonitor::Sleep { call, ticks: 100 });
    assert_eq!(machine.coordinator.process(dying.pid).unwrap().waits, 0);
    assert_eq!(machine.armed, None);
}

#[test]
fn a_process_with_too_many_calls_is_refused_and_hurts_no_other() {
    let mut machine = Machine::new();
    let (flood, other) = (machine.program(), machine.program());
    let reads = [(); MAX_WAITS - 4].map(|()| machine.call(flood, read(0, HERE, 1)));
    assert_eq!(machine.ask(flood, read(0, HERE, 1)), Outcome::AGAIN);
    for _ in reads.len()..MAX_WAITS {
        machine.call(flood, |call| ToMonitor::Sleep { call, ticks: 100 });
    }
    for _ in 0..100 {
        assert_eq!(machine.ask(flood, read(0, HERE, 1)), Outcome::AGAIN);
        let sleep = machine.ask(flood, |call| ToMonitor::Sleep { call, ticks: 5 });
        assert_eq!(sleep, Outcome::AGAIN);
    }
    let call = machine.call(other, read(0, HERE, 1));
    assert!(machine.waits(call));
    let target = reads[3];
    assert_eq!(machine.ask(flood, |call| ToMonitor::AbortCall { call, target }), Outcome(1));
    let again = machine.call(flood, read(0, HERE, 1));
    assert!(machine.waits(again));
    machine.kill(flood);
    machine.step(Input::Keys { bytes: b"k" });
    assert_eq!(machine.outcome(call), Outcome(1));
}

#[test]
fn readers_of_empty_pipes_keep_no_writer_out_and_writers_to_full_ones_no_reader() {
    let mut machine = Machine::new();
    let process = machine.program();
    let (reader, writer) = machine.pipe(process);
    let reads = [(); MAX_WAITS].map(|()| machine.call(process, read(reader, HERE, 1)));
    let waiting = reads.iter().filter(|&&call| machine.waits(call)).count();
    assert_eq!(waiting, MAX_WAITS - 4);
    machine.write(process, HERE + 64, &[7; 12]);
    assert_eq!(machine.ask(process, write(writer, HERE + 64, 12)), Outcome(12));
    assert!(reads.iter().all(|&call| !machine.waits(call)));

    // What is more than the pipe has room for waits.
    let writes = [(); 512].map(|()| machine.call(process, write(writer, HERE, 64)));
    assert_eq!(writes.iter().filter(|&&call| machine.waits(call)).count(), MAX_WAITS - 4);
    assert!(machine.ask(process, read(reader, HERE, 1)).0 > 0);
}

#[test]
fn the_parent_is_told_when_a_child_has_ended_and_can_reap_it_then() {
    let mut machine = Machine::new();
    let parent = machine.program();
    let child = machine.child(parent, 0);
    assert_eq!(machine.events(parent, kind::CHILD_ENDED), []);
    machine.kill(child);
    assert_eq!(machine.events(parent, kind::CHILD_ENDED), [u64::from(child.pid.0)]);
    let wait = machine.call(parent, |call| ToMonitor::Wait { call, pid: child.pid, flags: 0 });
    assert_eq!(machine.result(wait), (Outcome(i32::from(child.pid.0)), 9));
}

#[test]
fn several_calls_that_wait_for_children_each_reap_another() {
    let mut machine = Machine::new();
    let parent = machine.program();
    let children = [(); 2].map(|()| machine.child(parent, 0));
    let waits = [(); 3]
        .map(|()| machine.call(parent, |call| ToMonitor::Wait { call, pid: Pid(0), flags: 0 }));
    machine.kill(children[1]);
    assert!(!machine.waits(waits[0]) && machine.waits(waits[1]));
    machine.kill(children[0]);
    let reaped = waits.map(|call| machine.outcome(call));
    let pids = [children[1], children[0]].map(|child| Outcome(i32::from(child.pid.0)));
    assert_eq!(reaped, [pids[0], pids[1], Outcome::NO_CHILD]);
}

#[test]
fn defect_any_number_of_event_is_taken() {
    let mut machine = Machine::new();
    let process = machine.program();
    let pid = process.pid;
    for event in [0, 49, 50, u16::MAX] {
        let notify = |call| ToMonitor::NotifyProcess { call, pid, event, value: u64::MAX };
        assert_eq!(machine.ask(process, notify), Outcome::OK);
        assert_eq!(machine.events(process, event), [u64::MAX]);
    }
}
