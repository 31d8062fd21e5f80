//! Which processes there are.

use crate::machine::{CONFIG, HERE, Machine};
use monitor::Config;
use proto::call::Outcome;
use proto::id::Pid;
use proto::message::ToMonitor;
use proto::program::number::PROCESS_BYTES;

fn list(machine: &mut Machine, room: usize, first: u16) -> (Outcome, u64) {
    let process = machine.coordinator.processes().next().map(|it| it.id).expect("one lives");
    let length = u32::try_from(room * PROCESS_BYTES).expect("little");
    let first = Pid(first);
    let call = machine.call(process, |call| ToMonitor::List { call, at: HERE, length, first });
    machine.result(call)
}

#[test]
fn processes_are_listed_by_pid_as_far_as_there_is_room() {
    let mut machine = Machine::new();
    let all: Vec<_> = (0..4).map(|_| machine.program().pid).collect();
    assert_eq!(list(&mut machine, 3, 0), (Outcome(3), all[3].0.into()));
    assert_eq!(machine.listed, all[..3]);
    assert_eq!(list(&mut machine, 3, all[3].0), (Outcome(1), 0));
    assert_eq!(machine.listed, all[3..]);
    assert_eq!(list(&mut machine, 3, u16::MAX), (Outcome(0), 0));
    assert_eq!(list(&mut machine, 0, 0).0, Outcome::INVALID, "no room for one");
}

#[test]
fn a_list_goes_on_where_one_call_has_stopped_looking() {
    let mut machine = Machine::with(Config { max_processes: 600, ..CONFIG });
    let process = machine.program();
    assert_eq!(list(&mut machine, 9, 0), (Outcome(1), 256), "the rest was not looked at");
    assert_eq!(machine.listed, [process.pid]);
    assert_eq!(list(&mut machine, 9, 256), (Outcome(0), 512));
    assert_eq!(list(&mut machine, 9, 512), (Outcome(0), 0));
}
