//! To whom processes belong, and who may control whom.

use crate::machine::{CONFIG, HERE, Machine, NOWHERE, dup};
use monitor::{Config, Event as Told, Name, Policy, ProcessId, User};
use proto::call::{Call, Outcome};
use proto::id::{CoreId, Pid};
use proto::memory::MAP_AREA;
use proto::message::ToMonitor;

fn set_user(pid: Pid, name: u64, length: u16) -> impl FnOnce(Call) -> ToMonitor {
    move |call| ToMonitor::SetUser { call, pid, name, length }
}

fn user(machine: &Machine, process: ProcessId) -> &str {
    machine.coordinator.user(process.pid).expect("the process is there").as_str()
}

#[test]
fn a_process_without_a_parent_belongs_to_eve_and_the_log_is_told() {
    let mut machine = Machine::new();
    let process = machine.program();
    assert_eq!(user(&machine, process), "eve");
    assert!(machine.told.contains(&Told::GivenToEve { process }));
}

#[test]
fn a_child_belongs_to_its_parents_user_and_the_log_is_not_told() {
    let mut machine = Machine::new();
    let parent = machine.program();
    machine.write(parent, HERE, b"glenda");
    assert_eq!(machine.ask(parent, set_user(parent.pid, HERE, 6)), Outcome::OK);
    machine.told.clear();
    let child = machine.child(parent, 0);
    assert_eq!(user(&machine, child), "glenda");
    assert_eq!(machine.told, []);
    machine.write(parent, HERE, b"rob");
    assert_eq!(machine.ask(parent, set_user(parent.pid, HERE, 3)), Outcome::OK);
    assert_eq!(user(&machine, child), "glenda");
}

#[test]
fn a_users_name_of_no_bytes_or_more_than_127_is_refused() {
    let mut machine = Machine::new();
    let process = machine.program();
    machine.write(process, HERE, &[b'x'; 200]);
    for length in [0, 128, 200, u16::MAX] {
        let outcome = machine.ask(process, set_user(process.pid, HERE, length));
        assert_eq!(outcome, Outcome::INVALID, "{length} bytes");
    }
    assert_eq!(user(&machine, process), "eve");
}

#[test]
fn defect_the_longest_name_of_a_user_is_kept_whole_and_a_shorter_one_leaves_nothing_of_it() {
    let mut machine = Machine::new();
    let process = machine.program();
    machine.write(process, HERE, &[b'x'; 127]);
    assert_eq!(machine.ask(process, set_user(process.pid, HERE, 127)), Outcome::OK);
    assert_eq!(user(&machine, process), "x".repeat(127));
    assert_eq!(machine.ask(process, set_user(process.pid, HERE, 2)), Outcome::OK);
    assert_eq!(user(&machine, process), "xx");
    assert_eq!(*machine.coordinator.user(process.pid).unwrap(), User::new(b"xx").unwrap());
}

#[test]
fn a_name_that_is_no_text_or_lies_in_no_memory_is_refused() {
    let mut machine = Machine::new();
    let process = machine.program();
    machine.write(process, HERE, b"\xff\xfe");
    assert_eq!(machine.ask(process, set_user(process.pid, HERE, 2)), Outcome::INVALID);
    assert_eq!(machine.ask(process, set_user(process.pid, HERE, 3)), Outcome::FAULT);
    assert_eq!(machine.ask(process, set_user(process.pid, NOWHERE, 3)), Outcome::FAULT);
}

#[test]
fn a_name_that_comes_when_its_process_has_gone_is_given_to_nobody() {
    let mut machine = Machine::new();
    let parent = machine.program();
    let child = machine.child(parent, 0);
    machine.write(parent, HERE, b"rob");
    machine.hold = true;
    let call = machine.call(parent, set_user(child.pid, HERE, 3));
    machine.kill(child);
    machine.copy();
    assert_eq!(machine.outcome(call), Outcome::NO_PROCESS);
}

#[test]
fn a_process_sets_the_users_of_itself_and_its_descendants_only() {
    let mut machine = Machine::new();
    let (parent, other) = (machine.program(), machine.program());
    let child = machine.child(parent, 0);
    machine.write(parent, HERE, b"rob");
    machine.write(child, HERE, b"rob");
    assert_eq!(machine.ask(parent, set_user(child.pid, HERE, 3)), Outcome::OK);
    for (actor, target) in [(parent, other), (child, parent)] {
        let outcome = machine.ask(actor, set_user(target.pid, HERE, 3));
        assert_eq!(outcome, Outcome::NOT_PERMITTED);
    }
    assert_eq!(machine.ask(parent, set_user(Pid(7), HERE, 3)), Outcome::NO_PROCESS);
}

#[test]
fn an_orphan_and_its_children_are_still_controlled_by_who_made_their_maker_and_by_nobody_else() {
    let mut machine = Machine::new();
    let (eldest, stranger) = (machine.program(), machine.program());
    let parent = machine.child(eldest, 0);
    let orphan = machine.child(parent, 0);
    let youngest = machine.child(orphan, 0);
    machine.run(orphan);
    machine.kill(parent);
    machine.ask(eldest, |call| ToMonitor::Wait { call, pid: parent.pid, flags: 0 });
    for actor in [eldest, stranger, orphan, youngest] {
        machine.write(actor, HERE, b"rob");
    }
    // It has the pid of the one that has ended.
    let mut other = machine.program();
    while other.pid != parent.pid {
        machine.kill(other);
        other = machine.program();
    }
    machine.write(other, HERE, b"rob");
    for target in [orphan, youngest] {
        assert_eq!(machine.ask(eldest, set_user(target.pid, HERE, 3)), Outcome::OK);
        for actor in [stranger, other] {
            let outcome = machine.ask(actor, set_user(target.pid, HERE, 3));
            assert_eq!(outcome, Outcome::NOT_PERMITTED);
        }
    }
    assert_eq!(machine.ask(orphan, set_user(youngest.pid, HERE, 3)), Outcome::OK);
    let outcome = machine.ask(youngest, set_user(orphan.pid, HERE, 3));
    assert_eq!(outcome, Outcome::NOT_PERMITTED, "who is above it it cannot control");
    assert_eq!(
        machine.ask(eldest, |call| ToMonitor::Wait { call, pid: orphan.pid, flags: 0 }),
        Outcome::NO_CHILD,
        "it has no parent: nobody is told its exit code"
    );
}

#[test]
fn a_policy_that_denies_gives_eperm_from_every_request_that_controls_a_process() {
    let mut machine = Machine::with(Config { policy: Policy::DenyAll, ..CONFIG });
    let parent = machine.program();
    let child = machine.child(parent, 0);
    let (pid, core) = (child.pid, CoreId(0));
    let requests: [&dyn Fn(Call) -> ToMonitor; 9] = [
        &|call| ToMonitor::Run { call, pid },
        &|call| ToMonitor::Destroy { call, pid, code: 1 },
        &|call| ToMonitor::NotifyProcess { call, pid, event: 40, value: 0 },
        &|call| ToMonitor::Provision { call, pid, core },
        &|call| ToMonitor::Provision { call, pid: Pid(0), core },
        &|call| ToMonitor::Poke { call, wanted: 1 },
        &|call| dup(pid, &[(0, 0)])(call),
        &|call| ToMonitor::SetUser { call, pid, name: HERE, length: 3 },
        &|call| ToMonitor::Share { call, pid, first: MAP_AREA.first },
    ];
    for (at, request) in requests.into_iter().enumerate() {
        assert_eq!(machine.ask(parent, request), Outcome::NOT_PERMITTED, "request {at}");
    }
    assert_eq!(machine.coordinator.process(pid).unwrap().state, monitor::State::Created);
}

#[test]
fn a_programs_name_is_cut_off_after_19_bytes() {
    assert_eq!(Name::new("a23456789b123456789c").as_str(), "a23456789b123456789");
    assert_eq!(Name::new("").as_str(), "");
}
