//! Which core a process is granted: one to which it has a right, or else one to which nobody has, near those that it has.

use crate::scene::{Scene, ZERO};
use monitor::{Control, ProcessId};
use proto::id::CoreId;
use tests::sim::Op;

/// Cores of a machine on which there is room to choose.
const CORES: usize = 12;

fn wants(scene: &mut Scene, process: ProcessId, cores: u16) {
    let core = scene.setup.core_of(process).expect("it runs");
    scene.does(core, Op::Poke(cores));
    scene.settle();
}

fn has(scene: &Scene, process: ProcessId) -> Vec<u16> {
    scene.setup.cores_of(process).into_iter().map(|CoreId(core)| core).collect()
}

fn ends(scene: &mut Scene, process: ProcessId) {
    scene.kill(process);
    scene.settle();
}

/// Three processes, on cores 1 to 3, on 4 to 6, and on 7; and the first has ended.
fn two_beside_free_ones() -> (Scene, [ProcessId; 2]) {
    let mut scene = Scene::new(CORES);
    let all = [3, 3, 1].map(|cores| scene.setup.many(cores));
    let before: Vec<_> = all.iter().map(|it| has(&scene, *it)).collect();
    assert_eq!(before, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
    ends(&mut scene, all[0]);
    (scene, [all[1], all[2]])
}

#[test]
fn a_process_is_granted_the_free_core_that_is_nearest_to_the_last_that_it_got() {
    let (mut scene, [one, other]) = two_beside_free_ones();
    // Cores 1 to 3 are free, and from 8 on.
    wants(&mut scene, other, 3);
    assert_eq!(has(&scene, other), [7, 8, 9], "not those with the lowest numbers");
    wants(&mut scene, one, 4);
    assert_eq!(has(&scene, one), [3, 4, 5, 6], "below, where that is nearer");
    ends(&mut scene, other);
    wants(&mut scene, one, 6);
    assert_eq!(has(&scene, one), [1, 2, 3, 4, 5, 6]);
    scene.ends_well();
}

#[test]
fn a_process_is_granted_cores_of_its_own_before_near_ones_and_those_of_others_last() {
    let (mut scene, [one, other]) = two_beside_free_ones();
    for (core, to) in [(8, one), (9, one), (2, other)] {
        scene.console(Control::Provision { core: CoreId(core), to: Some(to.pid) });
    }
    scene.settle();
    wants(&mut scene, other, 2);
    assert_eq!(has(&scene, other), [2, 7], "its own, although it is far");
    wants(&mut scene, other, 3);
    assert_eq!(has(&scene, other), [1, 2, 7]);
    wants(&mut scene, other, 6);
    assert_eq!(
        has(&scene, other),
        [1, 2, 3, 7, 10, 11],
        "none of another process's as long as there are more"
    );
    wants(&mut scene, other, 7);
    let all = has(&scene, other);
    assert!(all.contains(&8) || all.contains(&9), "what is not used is lent: {all:?}");
    // The core where core 0 is, and its coordinator, is nobody's.
    assert!(!all.contains(&ZERO.0));
    scene.ends_well();
}
