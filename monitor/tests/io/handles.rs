//! What processes may read and write, and how children come by it.

use crate::machine::{CONFIG, HERE, Machine, close, create, dup, read, write};
use monitor::{Config, Input, MAX_HANDLES, MAX_PIPES, Name, Object, PipeId, ProcessId, State};
use proto::call::{ALL_HANDLES, CLOSE_ON_CREATE, Outcome};
use proto::id::Pid;
use proto::message::ToMonitor;

fn objects(machine: &Machine, process: ProcessId) -> Vec<(u8, Object)> {
    let all = 0..MAX_HANDLES as u8;
    let object = |handle| Some((handle, machine.coordinator.handle(process.pid, handle)?.object));
    all.filter_map(object).collect()
}

const CONSOLE: [(u8, Object); 3] =
    [(0, Object::Reader(PipeId::KEYBOARD)), (1, Object::ConsoleOut), (2, Object::ConsoleError)];

#[test]
fn a_process_without_a_parent_has_the_console_as_handles_0_1_and_2() {
    let mut machine = Machine::new();
    let process = machine.created();
    assert_eq!(objects(&machine, process), CONSOLE);
}

#[test]
fn a_child_gets_no_handle_by_default() {
    let mut machine = Machine::new();
    let parent = machine.program();
    let child = machine.child(parent, 0);
    assert_eq!(objects(&machine, child), []);
}

#[test]
fn a_child_gets_all_handles_on_request_but_those_that_are_closed_on_create() {
    let mut machine = Machine::new();
    let parent = machine.program();
    let (reader, writer) = machine.pipe(parent);
    let private = machine.ask(parent, |call| ToMonitor::OpenPipe { call, flags: CLOSE_ON_CREATE });
    assert_eq!((reader, writer, private), (3, 4, Outcome(5)));
    let flags = CLOSE_ON_CREATE;
    machine.ask(parent, |call| ToMonitor::SetHandle { call, handle: 2, flags });
    machine.ask(parent, |call| ToMonitor::SetHandle { call, handle: 6, flags: 0 });
    let child = machine.child(parent, ALL_HANDLES);
    let handles: Vec<u8> = objects(&machine, child).iter().map(|it| it.0).collect();
    assert_eq!(handles, [0, 1, 3, 4, 6]);
}

#[test]
fn a_child_that_has_not_run_is_given_handles_under_other_numbers() {
    let mut machine = Machine::new();
    let parent = machine.program();
    let (reader, writer) = machine.pipe(parent);
    let child = machine.child(parent, 0);
    assert_eq!(machine.ask(parent, dup(child.pid, &[(reader, 0), (1, 7)])), Outcome(2));
    let pipe = machine.coordinator.handle(parent.pid, reader).unwrap().object;
    assert_eq!(objects(&machine, child), [(0, pipe), (7, Object::ConsoleOut)]);
    assert_eq!(machine.coordinator.process(child.pid).unwrap().state, State::Created);
    machine.run(child);
    machine.write(parent, HERE, b"HI");
    machine.ask(parent, write(writer, HERE, 2));
    assert_eq!(machine.ask(child, read(0, HERE, 8)), Outcome(2));
    assert_eq!(machine.read(child, HERE, 8), b"HI");
}

#[test]
fn handles_are_given_to_a_process_that_has_not_run_and_to_no_other() {
    let mut machine = Machine::new();
    let parent = machine.program();
    let child = machine.child(parent, 0);
    machine.run(child);
    assert_eq!(machine.ask(parent, dup(child.pid, &[(1, 1)])), Outcome::INVALID);
    assert_eq!(machine.ask(parent, dup(parent.pid, &[(1, 9)])), Outcome::INVALID);
    let stranger = machine.created();
    assert_eq!(machine.ask(parent, dup(stranger.pid, &[(1, 9)])), Outcome::NOT_PERMITTED);
    assert_eq!(machine.ask(parent, dup(Pid(99), &[(1, 9)])), Outcome::NO_PROCESS);
    assert_eq!(objects(&machine, child), []);
}

#[test]
fn handles_are_given_all_or_none() {
    let mut machine = Machine::new();
    let parent = machine.program();
    let child = machine.child(parent, 0);
    let wrong = [(20, 1, Outcome::BAD_HANDLE), (1, MAX_HANDLES as u8, Outcome::INVALID)];
    for (mine, theirs, outcome) in wrong {
        assert_eq!(machine.ask(parent, dup(child.pid, &[(0, 0), (mine, theirs)])), outcome);
        assert_eq!(objects(&machine, child), []);
    }
}

#[test]
fn a_copy_closes_what_was_in_its_place() {
    let mut machine = Machine::new();
    let parent = machine.program();
    let (reader, writer) = machine.pipe(parent);
    let child = machine.child(parent, ALL_HANDLES);
    machine.ask(parent, close(writer));
    let call = machine.call(parent, read(reader, HERE, 1));
    assert!(machine.waits(call));
    assert_eq!(machine.ask(parent, dup(child.pid, &[(1, writer)])), Outcome(1));
    assert_eq!(machine.outcome(call), Outcome(0));
}

#[test]
fn a_handle_that_is_closed_or_was_never_open_does_nothing() {
    let mut machine = Machine::new();
    let process = machine.program();
    assert_eq!(machine.ask(process, close(0)), Outcome::OK);
    for handle in [0, 3, 31, 32, 255] {
        assert_eq!(machine.ask(process, close(handle)), Outcome::BAD_HANDLE);
        assert_eq!(machine.ask(process, read(handle, HERE, 1)), Outcome::BAD_HANDLE);
        assert_eq!(machine.ask(process, write(handle, HERE, 1)), Outcome::BAD_HANDLE);
        let abort = machine.ask(process, |call| ToMonitor::AbortHandle { call, handle });
        let set = machine.ask(process, |call| ToMonitor::SetHandle { call, handle, flags: 0 });
        assert_eq!([abort, set], [Outcome::BAD_HANDLE; 2]);
    }
    assert_eq!(machine.ask(process, read(1, HERE, 1)), Outcome::BAD_HANDLE);
}

#[test]
fn a_process_that_has_all_its_handles_gets_no_more_and_no_pipe_is_made() {
    let mut machine = Machine::with(Config { max_pipes: 40, ..CONFIG });
    let process = machine.program();
    for _ in 0..(MAX_HANDLES - 3) / 2 {
        machine.pipe(process);
    }
    let pipes = machine.coordinator.pipes().count();
    let outcome = machine.ask(process, |call| ToMonitor::OpenPipe { call, flags: 0 });
    assert_eq!(outcome, Outcome::NO_HANDLE);
    assert_eq!(machine.coordinator.pipes().count(), pipes);
}

#[test]
fn a_process_that_hoards_pipes_is_refused_and_others_are_not() {
    let mut machine = Machine::new();
    let hoarder = machine.program();
    let other = machine.program();
    for made in 0..MAX_PIPES {
        let (_, writer) = machine.pipe(hoarder);
        machine.ask(hoarder, close(writer));
        assert_eq!(machine.coordinator.pipes().count(), usize::from(made) + 2);
    }
    let outcome = machine.ask(hoarder, |call| ToMonitor::OpenPipe { call, flags: 0 });
    assert_eq!(outcome, Outcome::AGAIN);
    machine.pipe(other);
    machine.kill(hoarder);
    assert_eq!(machine.coordinator.pipes().count(), 2);
}

#[test]
fn when_all_pipes_are_taken_more_are_refused() {
    let mut machine = Machine::with(Config { max_pipes: 2, ..CONFIG });
    let process = machine.program();
    machine.pipe(process);
    let (reader, writer) = machine.pipe(process);
    let again =
        |machine: &mut Machine| machine.ask(process, |call| ToMonitor::OpenPipe { call, flags: 0 });
    assert_eq!(again(&mut machine), Outcome::AGAIN);
    machine.ask(process, close(reader));
    machine.ask(process, close(writer));
    assert_eq!(again(&mut machine), Outcome(i32::from(reader)));
}

#[test]
fn nothing_is_opened_in_a_process_that_dies() {
    let mut machine = Machine::new();
    let parent = machine.program();
    let dying = machine.child(parent, ALL_HANDLES);
    machine.kill(dying);
    assert!(machine.coordinator.process(dying.pid).unwrap().state.is_dying());
    assert_eq!(objects(&machine, dying), []);
    let call = machine.call(dying, |call| ToMonitor::OpenPipe { call, flags: 0 });
    assert!(machine.waits(call));
    assert_eq!(machine.ask(parent, dup(dying.pid, &[(1, 1)])), Outcome::INVALID);
    assert_eq!(machine.coordinator.pipes().count(), 1);
}

#[test]
fn defect_a_program_that_does_not_load_leaves_no_child() {
    let mut machine = Machine::new();
    let parent = machine.program();
    let create = machine.call(parent, |call| create(call, 0));
    let (caller, program) = machine.loads[0];
    assert_eq!((program.path, program.path_length), (HERE, 4));
    machine.step(Input::LoadFailed { caller, why: Outcome::NOT_A_PROGRAM });
    assert_eq!(machine.outcome(create), Outcome::NOT_A_PROGRAM);
    let wait = machine.ask(parent, |call| ToMonitor::Wait { call, pid: Pid(0), flags: 0 });
    assert_eq!(wait, Outcome::NO_CHILD);
    assert_eq!(machine.coordinator.process_count(), 1);
}

#[test]
fn no_program_is_loaded_for_a_child_too_many() {
    let mut machine = Machine::new();
    let parent = machine.program();
    for _ in 0..CONFIG.max_children {
        machine.call(parent, |call| create(call, 0));
    }
    assert_eq!(machine.loads.len(), usize::from(CONFIG.max_children));
    assert_eq!(machine.ask(parent, |call| create(call, 0)), Outcome::AGAIN);
    assert_eq!(machine.loads.len(), usize::from(CONFIG.max_children));
}

#[test]
fn a_program_that_is_loaded_when_its_parent_has_gone_is_discarded() {
    let mut machine = Machine::new();
    let parent = machine.program();
    machine.call(parent, |call| create(call, 0));
    machine.kill(parent);
    let (caller, _) = machine.loads[0];
    machine.step(Input::Spawn {
        caller: Some(caller),
        name: Name::new("late"),
        root: 0x3000,
        frames: 9,
    });
    assert_eq!(machine.coordinator.process_count(), 0);
}

#[test]
fn the_nth_process_is_the_same_while_nothing_changes_and_those_being_freed_are_skipped() {
    let mut machine = Machine::new();
    let all: Vec<ProcessId> = (0..4).map(|_| machine.created()).collect();
    let nth = |machine: &Machine, n| machine.coordinator.nth_process(n).map(|it| it.id);
    assert_eq!((0..5).map_while(|n| nth(&machine, n)).collect::<Vec<_>>(), all);
    machine.kill(all[1]);
    let left = [all[0], all[2], all[3]];
    assert_eq!((0..5).map_while(|n| nth(&machine, n)).collect::<Vec<_>>(), left);
    let listed: Vec<ProcessId> = machine.coordinator.processes().map(|it| it.id).collect();
    assert_eq!(listed, left);
}
