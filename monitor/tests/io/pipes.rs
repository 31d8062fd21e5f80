//! Bytes from writers to readers.

use crate::machine::{HERE, Machine, NOWHERE, close, dup, read, write};
use monitor::{MAX_COPY, ProcessId, State};
use proto::call::{ALL_HANDLES, Call, NO_HANG, Outcome};
use proto::id::Pid;
use proto::message::ToMonitor;

/// A parent and a child that runs and has a copy of the parent's pipe, whose ends are the last two here.
fn parent_and_child(machine: &mut Machine) -> (ProcessId, ProcessId, u8, u8) {
    let parent = machine.program();
    let (reader, writer) = machine.pipe(parent);
    let child = machine.child(parent, ALL_HANDLES);
    machine.run(child);
    (parent, child, reader, writer)
}

#[test]
fn bytes_come_out_as_they_went_in() {
    let mut machine = Machine::new();
    let (parent, child, reader, writer) = parent_and_child(&mut machine);
    machine.write(parent, HERE, b"HI");
    machine.write(child, HERE, b"YO!");
    assert_eq!(machine.ask(parent, write(writer, HERE, 2)), Outcome(2));
    assert_eq!(machine.ask(child, write(writer, HERE, 3)), Outcome(3));
    assert_eq!(machine.ask(child, read(reader, HERE + 64, 4)), Outcome(4));
    assert_eq!(machine.read(child, HERE + 64, 9), b"HIYO");
    assert_eq!(machine.ask(parent, read(reader, HERE + 64, 4)), Outcome(1));
    assert_eq!(machine.read(parent, HERE + 64, 9), b"!");
}

#[test]
fn a_reader_waits_until_there_are_bytes_and_takes_what_there_is() {
    let mut machine = Machine::new();
    let (parent, child, reader, writer) = parent_and_child(&mut machine);
    let call = machine.call(child, read(reader, HERE, 100));
    assert!(machine.waits(call));
    machine.write(parent, HERE, b"HI");
    machine.ask(parent, write(writer, HERE, 2));
    assert_eq!(machine.outcome(call), Outcome(2));
    assert_eq!(machine.read(child, HERE, 100), b"HI");
}

#[test]
fn readers_are_served_in_the_order_in_which_they_came() {
    let mut machine = Machine::new();
    let (parent, child, reader, writer) = parent_and_child(&mut machine);
    let first = machine.call(child, read(reader, HERE, 1));
    let second = machine.call(parent, read(reader, HERE, 1));
    machine.write(parent, HERE + 8, b"a");
    machine.ask(parent, write(writer, HERE + 8, 1));
    assert!(!machine.waits(first) && machine.waits(second));
}

#[test]
fn a_reader_is_told_of_the_end_when_the_last_writer_closes_and_not_before() {
    let mut machine = Machine::new();
    let (parent, child, reader, writer) = parent_and_child(&mut machine);
    let call = machine.call(parent, read(reader, HERE, 100));
    machine.ask(parent, close(writer));
    assert!(machine.waits(call));
    machine.ask(child, close(writer));
    assert_eq!(machine.outcome(call), Outcome(0));
    assert_eq!(machine.ask(child, read(reader, HERE, 100)), Outcome(0));
}

#[test]
fn what_was_written_is_read_after_the_writer_has_closed() {
    let mut machine = Machine::new();
    let process = machine.program();
    let (reader, writer) = machine.pipe(process);
    machine.write(process, HERE, b"last");
    machine.ask(process, write(writer, HERE, 4));
    machine.ask(process, close(writer));
    assert_eq!(machine.ask(process, read(reader, HERE + 64, 100)), Outcome(4));
    assert_eq!(machine.ask(process, read(reader, HERE + 64, 100)), Outcome(0));
}

#[test]
fn a_writer_waits_for_room_and_its_bytes_are_not_mixed_with_others() {
    let mut machine = Machine::new();
    let (parent, child, reader, writer) = parent_and_child(&mut machine);
    machine.write(parent, HERE, b"abcdefghijkl");
    machine.write(child, HERE, b"123");
    let long = machine.call(parent, write(writer, HERE, 12));
    let short = machine.call(child, write(writer, HERE, 3));
    assert!(machine.waits(long) && machine.waits(short));
    let mut bytes = Vec::new();
    for _ in 0..5 {
        let Outcome(count) = machine.ask(child, read(reader, HERE + 64, 3));
        bytes.extend(machine.read(child, HERE + 64, count as usize));
    }
    assert_eq!(bytes, b"abcdefghijkl123");
    assert_eq!((machine.outcome(long), machine.outcome(short)), (Outcome(12), Outcome(3)));
}

#[test]
fn a_writer_wakes_with_epipe_when_the_last_reader_closes() {
    let mut machine = Machine::new();
    let (parent, child, reader, writer) = parent_and_child(&mut machine);
    machine.write(parent, HERE, &[b'x'; 8]);
    assert_eq!(machine.ask(parent, write(writer, HERE, 8)), Outcome(8));
    let call = machine.call(parent, write(writer, HERE, 8));
    machine.ask(parent, close(reader));
    assert!(machine.waits(call));
    machine.kill(child);
    assert_eq!(machine.outcome(call), Outcome::BROKEN_PIPE);
    assert_eq!(machine.ask(parent, write(writer, HERE, 1)), Outcome::BROKEN_PIPE);
}

#[test]
fn a_write_that_is_cut_short_tells_how_much_was_written() {
    let mut machine = Machine::new();
    let (parent, child, reader, writer) = parent_and_child(&mut machine);
    machine.write(child, HERE, &[b'x'; 20]);
    let broken = machine.call(child, write(writer, HERE, 20));
    machine.ask(child, close(reader));
    machine.ask(parent, close(reader));
    assert_eq!(machine.outcome(broken), Outcome(8));
    let (_, writer) = machine.pipe(child);
    let aborted = machine.call(child, write(writer, HERE, 20));
    let target = aborted;
    assert_eq!(machine.ask(child, |call| ToMonitor::AbortCall { call, target }), Outcome(1));
    assert_eq!(machine.outcome(aborted), Outcome(8));
}

#[test]
fn the_next_writer_goes_on_when_the_first_is_cut_short() {
    let mut machine = Machine::new();
    let (parent, child, reader, writer) = parent_and_child(&mut machine);
    machine.write(parent, HERE, &[b'x'; 20]);
    machine.write(child, HERE, b"y");
    machine.hold = true;
    let first = machine.call(parent, write(writer, HERE, 20));
    let second = machine.call(child, write(writer, HERE, 1));
    let target = first;
    machine.ask(parent, |call| ToMonitor::AbortCall { call, target });
    assert_eq!(machine.outcome(first), Outcome::INTERRUPTED);
    machine.copy();
    machine.copy();
    assert_eq!(machine.outcome(second), Outcome(1));
    assert_eq!(machine.coordinator.counters().stale, 1);
    machine.hold = false;
    assert_eq!(machine.ask(parent, read(reader, HERE + 64, 9)), Outcome(1));
    assert_eq!(machine.read(parent, HERE + 64, 1), b"y");
}

#[test]
fn a_call_that_does_not_want_to_wait_does_what_it_can() {
    let mut machine = Machine::new();
    let process = machine.program();
    let (handle, writer) = machine.pipe(process);
    machine.write(process, HERE, &[b'x'; 20]);
    let (flags, at) = (NO_HANG, HERE);
    let now = |handle, length| move |call| ToMonitor::Write { call, handle, flags, at, length };
    let read_now = |call| ToMonitor::Read { call, handle, flags, at: HERE + 64, length: 3 };
    assert_eq!(machine.ask(process, read_now), Outcome::AGAIN);
    assert_eq!(machine.ask(process, now(writer, 5)), Outcome(5));
    assert_eq!(machine.ask(process, now(writer, 5)), Outcome(3));
    assert_eq!(machine.ask(process, now(writer, 5)), Outcome::AGAIN);
    assert_eq!(machine.ask(process, read_now), Outcome(3));
}

fn read_now(handle: u8, length: u32) -> impl FnOnce(Call) -> ToMonitor {
    move |call| ToMonitor::Read { call, handle, flags: NO_HANG, at: HERE, length }
}

fn write_now(handle: u8, length: u32) -> impl FnOnce(Call) -> ToMonitor {
    move |call| ToMonitor::Write { call, handle, flags: NO_HANG, at: HERE, length }
}

#[test]
fn who_does_not_want_to_wait_takes_what_there_is_while_others_are_yet_to_be_served() {
    let mut machine = Machine::new();
    let (parent, child, reader, writer) = parent_and_child(&mut machine);
    let waiting = [64, 72].map(|at| machine.call(child, read(reader, HERE + at, 1)));
    machine.write(parent, HERE, b"abcd");
    machine.hold_work = true;
    assert_eq!(machine.ask(parent, write(writer, HERE, 4)), Outcome(4));
    assert!(waiting.iter().all(|call| machine.waits(*call)));
    assert_eq!(machine.ask(parent, read_now(reader, 2)), Outcome(2));
    assert_eq!(machine.read(parent, HERE, 2), b"ab");
    machine.go_on();
    assert!(waiting.iter().all(|call| machine.outcome(*call) == Outcome(1)));
    assert_eq!(machine.ask(parent, read_now(reader, 2)), Outcome::AGAIN);
}

#[test]
fn who_does_not_want_to_wait_is_told_that_it_is_over_before_others_are() {
    let mut machine = Machine::new();
    let parent = machine.program();
    machine.write(parent, HERE, &[b'x'; 20]);
    let (reader, writer) = machine.pipe(parent);
    let waiting = [(); 2].map(|()| machine.call(parent, read(reader, HERE, 1)));
    assert_eq!(machine.ask(parent, read_now(reader, 1)), Outcome::AGAIN);
    machine.hold_work = true;
    machine.ask(parent, close(writer));
    assert!(waiting.iter().any(|call| machine.waits(*call)));
    assert_eq!(machine.ask(parent, read_now(reader, 1)), Outcome(0));
    machine.hold_work = false;
    let (reader, writer) = machine.pipe(parent);
    let waiting = [(); 2].map(|()| machine.call(parent, write(writer, HERE, 20)));
    assert_eq!(machine.ask(parent, write_now(writer, 1)), Outcome::AGAIN);
    machine.hold_work = true;
    machine.ask(parent, close(reader));
    assert!(waiting.iter().any(|call| machine.waits(*call)));
    assert_eq!(machine.ask(parent, write_now(writer, 1)), Outcome::BROKEN_PIPE);
}

#[test]
fn bytes_of_memory_that_is_not_there_are_not_written() {
    let mut machine = Machine::new();
    let process = machine.program();
    let (reader, writer) = machine.pipe(process);
    machine.write(process, HERE, b"abc");
    assert_eq!(machine.ask(process, write(writer, NOWHERE, 3)), Outcome::FAULT);
    assert_eq!(machine.ask(process, write(writer, HERE, 5)), Outcome(3));
    assert_eq!(machine.ask(process, write(writer, u64::MAX, 5)), Outcome::FAULT);
    assert_eq!(machine.ask(process, read(reader, u64::MAX, 5)), Outcome::FAULT);
    assert_eq!(machine.ask(process, read(reader, HERE + 64, 9)), Outcome(3));
}

#[test]
fn no_bytes_are_read_or_written_at_once() {
    let mut machine = Machine::new();
    let process = machine.program();
    let (reader, writer) = machine.pipe(process);
    assert_eq!(machine.ask(process, read(reader, HERE, 0)), Outcome(0));
    assert_eq!(machine.ask(process, write(writer, NOWHERE, 0)), Outcome(0));
}

#[test]
fn a_parent_that_waits_for_its_childs_pipe_wakes_when_the_child_dies_and_reaps_it() {
    let mut machine = Machine::new();
    let (parent, child, reader, writer) = parent_and_child(&mut machine);
    machine.ask(parent, close(writer));
    let call = machine.call(parent, read(reader, HERE, 100));
    assert!(machine.waits(call));
    machine.kill(child);
    assert_eq!(machine.outcome(call), Outcome(0));
    let wait = machine.call(parent, |call| ToMonitor::Wait { call, pid: Pid(0), flags: 0 });
    assert_eq!(machine.result(wait), (Outcome(i32::from(child.pid.0)), 9));
    assert_eq!(machine.coordinator.process_count(), 1);
}

#[test]
fn bytes_that_a_dying_process_waits_for_are_left_to_the_living() {
    // A child that never ran closes its ends in the step in which its parent dies, before the parent closes its own.
    for others in [false, true] {
        let mut machine = Machine::new();
        let parent = machine.program();
        let (reader, writer) = machine.pipe(parent);
        let child = machine.child(parent, ALL_HANDLES);
        let waiting = machine.call(parent, read(reader, HERE, 9));
        let living = others.then(|| machine.child(parent, ALL_HANDLES));
        if let Some(living) = living {
            machine.run(living);
        }
        machine.write(parent, HERE + 64, b"xy");
        machine.hold_work = true;
        machine.ask(parent, write(writer, HERE + 64, 2));
        assert!(machine.waits(waiting));
        assert_eq!(machine.coordinator.process(child.pid).unwrap().state, State::Created);
        machine.kill(parent);
        machine.hold_work = false;
        machine.go_on();
        assert_eq!(machine.outcome(waiting), Outcome::INTERRUPTED);
        if let Some(living) = living {
            assert_eq!(machine.ask(living, read(reader, HERE, 9)), Outcome(2));
            assert_eq!(machine.read(living, HERE, 2), b"xy");
            machine.kill(living);
        }
        assert_eq!(machine.coordinator.pipes().count(), 1);
    }
}

#[test]
fn a_pipe_given_on_lives_while_anyone_has_an_end_of_it() {
    let mut machine = Machine::new();
    let parent = machine.program();
    let (reader, writer) = machine.pipe(parent);
    let child = machine.child(parent, 0);
    machine.ask(parent, dup(child.pid, &[(writer, 1)]));
    machine.ask(parent, close(reader));
    machine.ask(parent, close(writer));
    assert_eq!(machine.coordinator.pipes().count(), 2);
    machine.kill(child);
    assert_eq!(machine.coordinator.pipes().count(), 1);
}

#[test]
fn what_is_copied_in_at_a_time_is_bounded() {
    let mut machine = Machine::new();
    let process = machine.program();
    machine.write(process, HERE, &vec![b'x'; 3 * MAX_COPY as usize]);
    assert_eq!(machine.ask(process, write(1, HERE, 3 * MAX_COPY)), Outcome(3 * MAX_COPY as i32));
    let lengths: Vec<usize> = machine.printed.iter().map(|(_, _, text)| text.len()).collect();
    assert_eq!(lengths, [MAX_COPY as usize; 3]);
}
