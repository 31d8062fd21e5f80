//! Facts about page faults that are mended at once. That it comes to the same as the step is checked wherever one is.

use crate::memory::{RW, gang, map};
use crate::scene::{ONE, Scene};
use monitor::Fault;
use proto::message::{Lane, ToMonitor};
use tests::sim::{Op, PAGE};

/// Would the fault that core 1 has said be mended at once?
fn is_mended_at_once(scene: &Scene) -> bool {
    let Some(ToMonitor::Fault { lease, address, vector, code, at }) =
        scene.says(ONE, Lane::Routine)
    else {
        panic!("core 1 has not said that it cannot go on");
    };
    let fault = Fault { vector, code, address, at };
    let mut coordinator = scene.setup.world.coordinator.clone();
    coordinator.mend_at_once(scene.setup.world.now, ONE, lease, fault).is_some()
}

#[test]
fn the_first_use_of_a_page_is_mended_at_once() {
    let (mut scene, _) = gang(2);
    scene.does(ONE, map(PAGE, 4, RW, 0));
    scene.settle();
    scene.does(ONE, Op::Touch(PAGE + 1));
    assert!(is_mended_at_once(&scene));
    scene.settle();
    scene.does(ONE, Op::Touch(PAGE + 4));
    assert!(!is_mended_at_once(&scene), "nothing is there by right");
}

#[test]
fn who_is_told_to_let_go_has_nothing_mended() {
    let (mut scene, _) = gang(2);
    scene.does(ONE, map(PAGE, 4, RW, 0));
    scene.settle();
    scene.does(ONE, Op::Touch(PAGE));
    scene.preempt(ONE);
    assert!(!is_mended_at_once(&scene));
    scene.ends_well();
}
