//! Cores that are off a process which is destroyed, told together.

use crate::scene::{ONE, Scene, TWO, ZERO};
use monitor::{Event, Input, Output, Place, ProcessId, State};
use proto::id::CoreId;
use proto::message::{Lane, ToCore, ToMonitor};
use tests::sim::{Action, Op};

const THREE: CoreId = CoreId(3);

/// A process with these cores was killed, and those of them that are named have let go, which the coordinator has not heard.
fn killed(cores: &[CoreId], scene: &mut Scene, process: ProcessId) {
    scene.kill(process);
    for &core in cores {
        assert!(matches!(scene.core_takes(core), ToCore::Death { .. }));
        assert!(matches!(scene.says(core, Lane::Routine), Some(ToMonitor::Released { .. })));
    }
}

fn ends(outputs: &[Output], process: ProcessId) -> bool {
    let is_end = |it: &Output| matches!(it, Output::Tell(Event::Ended { process: it, .. }) if *it == process);
    outputs.iter().any(is_end)
}

fn released(cores: &[CoreId]) -> Input<'static> {
    Input::Released { cores: cores.iter().copied().collect() }
}

#[test]
fn cores_that_are_told_together_to_be_off_a_process_are_all_free_and_it_ends_with_the_last() {
    let mut scene = Scene::new(5);
    let cores = [ONE, TWO, THREE, CoreId(4)];
    let many = scene.setup.many(4);
    killed(&cores, &mut scene, many);
    assert!(!ends(&scene.would(released(&cores[..3])), many), "one has not said so");
    assert!(ends(&scene.would(released(&cores)), many));
    scene.hears(TWO);
    assert!(scene.is_idle(TWO) && scene.place(many, 1) == Place::Inactive);
    scene.act(Action::GatherReleased(many.pid));
    assert!(cores.into_iter().all(|core| scene.is_idle(core)));
    scene.settle();
    assert_eq!(scene.state(many), None, "it is gone");
    scene.ends_well();
}

#[test]
fn each_core_of_which_is_told_together_that_it_is_free_goes_to_who_waits_in_a_step_of_its_own() {
    let mut scene = Scene::new(4);
    let many = scene.setup.many(3);
    scene.setup.single();
    scene.does(ZERO, Op::ChangeToM);
    scene.settle();
    killed(&[ONE, TWO, THREE], &mut scene, many);
    scene.act(Action::GatherReleased(many.pid));
    assert!([ONE, TWO, THREE].into_iter().all(|core| !scene.is_idle(core)));
    scene.goes_on();
    assert!(matches!(scene.waiting_for(ONE)[..], [ToCore::StartCore { .. }]));
    scene.settle();
    assert!(scene.is_idle(TWO) && scene.is_idle(THREE), "nobody else waits");
    assert_eq!(scene.state(many), None);
    scene.ends_well();
}

#[test]
fn of_cores_told_together_those_that_have_not_let_go_of_a_killed_process_are_told_of_by_themselves()
{
    let mut scene = Scene::new(5);
    let many = scene.setup.many(2);
    let other = scene.setup.many(1);
    killed(&[ONE], &mut scene, many);
    let unexpected = |scene: &Scene| scene.setup.world.coordinator.counters().unexpected;
    let before = unexpected(&scene);
    let lease = scene.runs(THREE);
    // As many as are awaited, but one has no such lease; and one has none, and there is no last one.
    scene.act(Action::Deliver(ONE, Lane::Routine));
    assert!(scene.is_idle(ONE));
    let strange = [THREE, CoreId(4), CoreId(200)].into_iter().collect();
    scene.act(Action::Tell(Input::Released { cores: strange }));
    assert_eq!(unexpected(&scene), before + 3);
    assert_eq!((scene.runs(THREE), scene.state(other)), (lease, Some(State::RunningM)));
    scene.settle();
    assert_eq!(scene.state(many), None);
    scene.ends_well();
}

#[test]
fn a_core_that_was_told_to_be_off_with_others_leaves_no_vcore_behind_that_others_have() {
    let mut scene = Scene::new(5);
    let many = scene.setup.many(2);
    scene.setup.many(1);
    killed(&[ONE, TWO], &mut scene, many);
    // Two are awaited and two are named, one of which has another process.
    let cores = [ONE, THREE].into_iter().collect();
    let outputs = scene.would(Input::Released { cores });
    assert!(!ends(&outputs, many), "core 2 is not off it");
    let mut world = scene.setup.world.clone();
    world.cores[ONE.index()].from[1].clear();
    world.act(Action::Tell(Input::Released { cores })).expect("all rules hold");
    assert_eq!(
        world.coordinator.vcore(many.pid, proto::id::VcoreId(0)).map(|it| it.place),
        Some(Place::Inactive)
    );
    assert_eq!(
        world.coordinator.vcore(many.pid, proto::id::VcoreId(1)).map(|it| it.place),
        Some(Place::Leaving)
    );
    scene.settle();
    scene.ends_well();
}
