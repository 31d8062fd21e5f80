//! Buffers in memory that was mapped and has not been used.

use crate::machine::{HERE, Machine, read, write};
use monitor::ProcessId;
use proto::call::Outcome;
use proto::memory::{FIXED, MAP_AREA, Rights};
use proto::message::ToMonitor;

const BUFFER: u64 = (MAP_AREA.first + 1) * 4096 - 2;

/// A process that has two pages around the buffer, with these rights.
fn program(machine: &mut Machine, rights: Rights) -> ProcessId {
    let process = machine.program();
    let (first, flags) = (MAP_AREA.first, FIXED);
    let map = |call| ToMonitor::Map { call, first, pages: 2, rights, flags };
    assert_eq!(machine.ask(process, map), Outcome::OK);
    assert_eq!(machine.populated, []);
    process
}

#[test]
fn a_buffer_that_was_never_used_is_there_when_bytes_are_copied() {
    let mut machine = Machine::new();
    let process = program(&mut machine, Rights::READ_WRITE);
    let (reader, writer) = machine.pipe(process);
    assert_eq!(machine.ask(process, write(writer, BUFFER, 4)), Outcome(4));
    let both = [MAP_AREA.first, MAP_AREA.first + 1];
    assert_eq!(machine.populated, both);
    machine.populated.clear();
    assert_eq!(machine.ask(process, read(reader, BUFFER + 1, u32::MAX)), Outcome(4));
    assert_eq!(machine.populated, both, "no more than the bytes that there are");
    assert_eq!(machine.read(process, BUFFER, 5), [0; 5]);
}

#[test]
fn a_buffer_that_the_process_may_not_use_like_this_is_left_as_it_is() {
    let mut machine = Machine::new();
    let process = program(&mut machine, Rights::NONE);
    let (reader, writer) = machine.pipe(process);
    assert_eq!(machine.ask(process, write(writer, BUFFER, 4)), Outcome::FAULT);
    machine.write(process, HERE, b"HI");
    machine.ask(process, write(writer, HERE, 2));
    machine.ask(process, read(reader, BUFFER, 2));
    assert_eq!(machine.populated, []);
}
