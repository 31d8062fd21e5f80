//! Defects that Akaros had: none of them here.

use crate::scene::{ONE, Scene, TWO, YIELD, ZERO};
use monitor::{Control, Input, Name, State};
use proto::call::Outcome;
use proto::id::{CoreId, Pid, VcoreId};
use tests::sim::{Action, Op, PAGE};

#[test]
fn defect_a_process_that_never_ran_gives_its_pid_and_memory_back() {
    let mut scene = Scene::new(2);
    for _ in 0..10 {
        let never_ran = scene.setup.created();
        scene.kill(never_ran);
        assert_eq!(scene.state(never_ran), None);
    }
    assert!(scene.setup.world.memory.is_empty());
    scene.ends_well();
}

#[test]
fn defect_no_pid_left_loses_nothing() {
    let mut scene = Scene::new(2);
    let made: Vec<_> = (0..4).map(|_| scene.setup.created()).collect();
    let name = Name::new("one too many");
    let outputs = scene.would(Input::Spawn { caller: None, name, root: 0x7000, frames: 1 });
    assert!(outputs.contains(&monitor::Output::Discard { root: 0x7000 }), "{outputs:?}");
    scene.kill(made[1]);
    assert_eq!(scene.setup.created().pid, made[1].pid);
    scene.ends_well();
}

#[test]
fn defect_a_disowned_child_has_no_parent() {
    let mut scene = Scene::new(2);
    let parent = scene.setup.single();
    scene.does(ZERO, Op::Spawn);
    let child = Pid(parent.pid.0 + 1);
    let parent_of =
        |scene: &Scene| scene.setup.world.coordinator.process(child).map(|it| it.parent);
    assert_eq!(parent_of(&scene), Some(Some(parent)));
    // One that was never let run would end with it.
    scene.does(ZERO, Op::Run(child));
    scene.settle();
    scene.kill(parent);
    scene.settle();
    assert_eq!(parent_of(&scene), Some(None));
    scene.ends_well();
}

#[test]
fn defect_shootdown_reaches_a_vcore_that_was_preempted_and_restarted_on_its_core() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.setup.maps(many, 1);
    scene.does(ONE, Op::Touch(PAGE));
    scene.settle();
    scene.preempt(ONE);
    scene.does(ONE, Op::Unmap(PAGE, 1));
    // The core lets go and starts the same process again; the frame is freed only after it has flushed,
    // which the model checks when the frame comes back.
    scene.settle();
    assert_eq!(scene.runs(ONE), Some((many.pid, 0)));
    assert!(scene.setup.world.memory[&many].quarantine.is_empty());
    assert_eq!(scene.open_calls(), 0);
    scene.ends_well();
}

#[test]
fn defect_memory_is_not_freed_while_a_core_that_left_the_process_has_not_flushed() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(2);
    scene.setup.maps(many, 1);
    scene.does(ONE, Op::Touch(PAGE));
    scene.does(TWO, Op::Touch(PAGE));
    scene.settle();
    scene.does(ONE, Op::Unmap(PAGE, 1));
    scene.hears(ONE);
    scene.core_takes(ONE);
    scene.hears(ONE);
    assert_eq!(scene.setup.world.memory[&many].quarantine.len(), 1, "core 2 has not answered");
    assert_eq!(scene.open_calls(), 1);
    scene.settle();
    assert!(scene.setup.world.memory[&many].quarantine.is_empty());
    scene.ends_well();
}

#[test]
fn defect_an_event_for_a_waiting_process_without_cores_divides_by_nothing() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.does(ONE, YIELD);
    scene.settle();
    assert_eq!(scene.state(many), Some(State::Waiting));
    scene.notify(many);
    scene.settle();
    assert_eq!(scene.state(many), Some(State::RunningM));
    scene.ends_well();
}

#[test]
fn defect_event_types_and_vcores_out_of_range_are_no_panic() {
    let mut scene = Scene::new(2);
    scene.setup.single();
    scene.does(ZERO, Op::NotifyVcore(VcoreId(u16::MAX)));
    scene.does(ZERO, Op::NotifyProcess(Pid(u16::MAX)));
    scene.does(ZERO, Op::Provision(Pid(77), CoreId(u16::MAX)));
    scene.does(ZERO, Op::Run(Pid(0)));
    scene.does(ZERO, Op::Destroy(Pid(40_000), 0));
    scene.settle();
    assert_eq!(scene.open_calls(), 0);
    scene.ends_well();
}

#[test]
fn defect_the_first_exit_code_counts() {
    let mut scene = Scene::new(2);
    let process = scene.setup.single();
    let kill = |code| Control::Kill { pid: process.pid, code: Outcome(code) };
    scene.console(kill(3));
    scene.console(kill(4));
    let exit = scene.setup.world.coordinator.process(process.pid).and_then(|it| it.exit);
    assert_eq!(exit, Some(Outcome(3)));
    scene.ends_well();
}

#[test]
fn defect_time_on_a_core_is_counted_once() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.does(ONE, Op::Look);
    scene.act(Action::Pass(100));
    scene.preempt(ONE);
    scene.act(Action::Pass(11));
    scene.settle();
    let ticks = || scene.setup.world.coordinator.vcore(many.pid, VcoreId(0)).map(|it| it.ticks);
    assert_eq!(ticks(), Some(111));
    scene.ends_well();
}

#[test]
fn defect_a_stale_death_does_not_hit_the_next_process_on_the_core() {
    let mut scene = Scene::new(2);
    let first = scene.setup.many(1);
    scene.kill(first);
    scene.core_takes(ONE);
    scene.hears(ONE);
    let second = scene.setup.many(1);
    scene.kill(first);
    scene.settle();
    assert_eq!(scene.runs(ONE), Some((second.pid, 0)));
    scene.ends_well();
}

#[test]
fn defect_a_warning_ends_with_the_lease_that_it_was_about() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.console(Control::Preempt { core: ONE, warning: 50 });
    scene.settle();
    scene.does(ONE, Op::Look);
    scene.does(ONE, Op::Yield { wanted: 1, nice: true });
    scene.settle();
    assert_eq!(scene.runs(ONE), Some((many.pid, 0)), "it wanted a core still");
    let began = scene.setup.world.now;
    scene.act(Action::Tick);
    assert!(scene.setup.world.now > began + 50, "no timer is left of the warning");
    assert_eq!(scene.leaving(ONE), None);
}
