//! The console: keys to those who read them, and what is printed.

use crate::machine::{HERE, Machine, close, read, write};
use monitor::Input;
use proto::call::Outcome;

#[test]
fn keys_go_to_who_waits_for_them_first_and_wait_for_who_comes() {
    let mut machine = Machine::new();
    let (first, second) = (machine.program(), machine.program());
    let calls = [machine.call(first, read(0, HERE, 4)), machine.call(second, read(0, HERE, 4))];
    machine.step(Input::Keys { bytes: b"ls\n" });
    assert_eq!(machine.outcome(calls[0]), Outcome(3));
    assert!(machine.waits(calls[1]));
    machine.step(Input::Keys { bytes: b"ps -a\n" });
    assert_eq!(machine.outcome(calls[1]), Outcome(4));
    assert_eq!(machine.read(second, HERE, 4), b"ps -");
    assert_eq!(machine.ask(first, read(0, HERE, 4)), Outcome(2));
    assert_eq!(machine.read(first, HERE, 2), b"a\n");
}

#[test]
fn the_end_of_the_keys_is_for_one_reader_and_comes_after_the_keys() {
    let mut machine = Machine::new();
    let process = machine.program();
    machine.step(Input::Keys { bytes: b"x" });
    machine.step(Input::Keys { bytes: b"" });
    assert_eq!(machine.ask(process, read(0, HERE, 4)), Outcome(1));
    assert_eq!(machine.ask(process, read(0, HERE, 4)), Outcome(0));
    let call = machine.call(process, read(0, HERE, 4));
    assert!(machine.waits(call));
    machine.step(Input::Keys { bytes: b"" });
    assert_eq!(machine.outcome(call), Outcome(0));
}

#[test]
fn keys_wait_in_bounded_room_that_can_be_asked_for() {
    let mut machine = Machine::new();
    assert_eq!(machine.coordinator.room_for_keys(), 8);
    machine.step(Input::Keys { bytes: b"0123456789" });
    assert_eq!(machine.coordinator.room_for_keys(), 0);
    assert_eq!(machine.coordinator.counters().keys_refused, 2);
    let process = machine.program();
    assert_eq!(machine.ask(process, read(0, HERE, 20)), Outcome(8));
    assert_eq!(machine.read(process, HERE, 20), b"01234567");
}

#[test]
fn keys_outlive_their_readers() {
    let mut machine = Machine::new();
    let reader = machine.program();
    machine.call(reader, read(0, HERE, 4));
    machine.kill(reader);
    machine.step(Input::Keys { bytes: b"x" });
    let next = machine.program();
    assert_eq!(machine.ask(next, read(0, HERE, 4)), Outcome(1));
}

#[test]
fn what_is_written_to_the_console_is_printed() {
    let mut machine = Machine::new();
    let process = machine.program();
    machine.write(process, HERE, b"hello\n");
    assert_eq!(machine.ask(process, write(1, HERE, 6)), Outcome(6));
    assert_eq!(machine.ask(process, write(2, HERE, 2)), Outcome(2));
    let printed = [(process.pid, false, "hello\n".into()), (process.pid, true, "he".into())];
    assert_eq!(machine.printed, printed);
}

#[test]
fn what_a_process_wrote_before_it_died_is_printed_and_what_comes_later_is_not() {
    let mut machine = Machine::new();
    let process = machine.program();
    machine.write(process, HERE, b"hello\n");
    machine.hold = true;
    machine.call(process, write(1, HERE, 6));
    machine.kill(process);
    machine.copy();
    assert_eq!(machine.printed, []);
}

#[test]
fn a_console_handle_that_is_closed_prints_nothing_more() {
    let mut machine = Machine::new();
    let process = machine.program();
    machine.write(process, HERE, b"hello\n");
    machine.hold = true;
    let call = machine.call(process, write(1, HERE, 6));
    machine.ask(process, close(1));
    assert_eq!(machine.outcome(call), Outcome::INTERRUPTED);
    machine.copy();
    assert_eq!(machine.printed, []);
    assert_eq!(machine.copies(), 0);
}
