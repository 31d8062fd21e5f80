//! What may be looked at: what holds a process, who waits for what, what cores owe.

use crate::machine::{HERE, Machine, create, read};
use monitor::{Debt, Holdings, Object, Owed, PipeId, WaitsFor};
use proto::call::Outcome;
use proto::id::{CoreId, Pid, VcoreId};
use proto::message::ToMonitor;

#[test]
fn what_holds_a_process_is_counted_by_kind() {
    let mut machine = Machine::new();
    let process = machine.program();
    let at_first = machine.coordinator.holdings(process.pid).unwrap();
    assert_eq!(at_first, Holdings { leases: 1, handles: 3, ..Holdings::default() });
    machine.pipe(process);
    let set = machine.ask(process, |call| ToMonitor::SetAlarm {
        call,
        alarm: 2,
        deadline: 500,
        period: 0,
    });
    assert_eq!(set, Outcome::OK);
    let child = machine.child(process, 0);
    machine.call(process, |call| ToMonitor::Wait { call, pid: child.pid, flags: 0 });
    let holdings = machine.coordinator.holdings(process.pid).unwrap();
    let more = Holdings { handles: 5, alarms: 1, children: 1, waiters: 1, ..at_first };
    assert_eq!(holdings, more);
    assert_eq!(machine.coordinator.holdings(Pid(99)), None);
}

#[test]
fn children_are_listed_those_that_have_ended_last() {
    let mut machine = Machine::new();
    let process = machine.program();
    let all = [0; 3].map(|_| machine.child(process, 0));
    machine.kill(all[0]);
    let listed: Vec<_> = machine.coordinator.children(process.pid).map(|it| it.id).collect();
    assert_eq!(listed, [all[1], all[2], all[0]]);
    assert_eq!(machine.coordinator.holdings(process.pid).unwrap().ended_children, 1);
}

#[test]
fn a_call_that_waits_says_for_what() {
    let mut machine = Machine::new();
    let process = machine.program();
    let (reader, _) = machine.pipe(process);
    machine.child(process, 0);
    let begun = machine.now;
    let calls = [
        machine.call(process, |call| ToMonitor::Sleep { call, ticks: 30 }),
        machine.call(process, |call| ToMonitor::Wait { call, pid: Pid(0), flags: 0 }),
        machine.call(process, |call| ToMonitor::AwaitEvent { call, seen: 0 }),
        machine.call(process, read(reader, HERE, 4)),
        machine.call(process, |call| create(call, 0)),
    ];
    let waits: Vec<_> = machine.coordinator.waits(process.pid).collect();
    assert_eq!(waits.iter().map(|it| it.call).collect::<Vec<_>>(), calls);
    assert!(waits.iter().all(|it| it.vcore == VcoreId(0)));
    let object = Object::Reader(PipeId(1));
    let expected = [
        WaitsFor::Moment(begun + 30),
        WaitsFor::Child(None),
        WaitsFor::Event,
        WaitsFor::Bytes { handle: reader, object },
        WaitsFor::Program,
    ];
    assert_eq!(waits.iter().map(|it| it.waits_for).collect::<Vec<_>>(), expected);
}

#[test]
fn a_core_owes_its_answer_from_the_moment_when_it_was_asked() {
    let mut machine = Machine::new();
    machine.now = 77;
    let process = machine.program();
    let pid = Some(process.pid);
    let owes = |machine: &Machine| machine.coordinator.debts().collect::<Vec<_>>();
    let debt = |owed, since| Debt { core: CoreId(0), owed, pid, since };
    assert_eq!(owes(&machine), [debt(Owed::Started, Some(77))]);
    let lease = machine.coordinator.core(CoreId(0)).unwrap().held.unwrap().lease;
    machine
        .step(monitor::Input::Message { core: CoreId(0), message: ToMonitor::Started { lease } });
    assert_eq!(owes(&machine), []);
    machine.pass(20);
    let event = proto::event::Event { kind: 50, value: 0 };
    let notify = monitor::Control::Notify { pid: process.pid, event };
    machine.step(monitor::Input::Control(notify));
    assert_eq!(owes(&machine), [debt(Owed::Notified, None)]);
}

#[test]
fn time_online_grows_while_a_process_has_its_core_and_stands_still_when_it_has_not() {
    let mut machine = Machine::new();
    let (first, second) = (machine.program(), machine.program());
    let since = machine.now;
    let time = |machine: &Machine, pid, now| machine.coordinator.time_online(pid, VcoreId(0), now);
    assert_eq!(time(&machine, first.pid, since + 5), Some(5));
    assert_eq!(time(&machine, second.pid, since + 5), Some(0));
    assert_eq!(machine.coordinator.time_online(first.pid, VcoreId(1), since), None);
    assert_eq!(machine.coordinator.cores_of(first.pid).collect::<Vec<_>>(), [CoreId(0)]);
    assert_eq!(machine.coordinator.cores_of(second.pid).count(), 0);
}
