//! Facts about blocks of pages that one entry maps. In simulations eight pages are a block.

use crate::memory::{RW, gang, map, used};
use crate::scene::{ONE, Scene, TWO};
use monitor::ProcessId;
use proto::memory::{POPULATE, Rights, SHARED};
use tests::sim::{Op, PAGE};

/// How many blocks are mapped by one entry. None is being built any more.
fn blocks(scene: &Scene, process: ProcessId) -> usize {
    let memory = &scene.setup.world.memory[&process];
    assert!(memory.building.is_empty());
    memory.huge.len()
}

#[test]
fn a_page_of_a_block_that_goes_is_out_of_reach_for_all_and_the_others_stay() {
    let (mut scene, many) = gang(2);
    scene.does(ONE, map(PAGE + 4, 28, RW, POPULATE));
    scene.settle();
    assert_eq!(blocks(&scene, many), 3, "and four pages before them");
    scene.does(ONE, Op::Touch(PAGE + 8));
    scene.does(TWO, Op::Touch(PAGE + 15));
    let (first, page) = (used(&scene, TWO, PAGE + 8), used(&scene, ONE, PAGE + 15));
    assert!(first.is_some() && first == used(&scene, ONE, PAGE + 8) && page.is_some());
    scene.does(ONE, Op::Unmap(PAGE + 15, 1));
    scene.settle();
    assert_eq!(blocks(&scene, many), 2);
    for core in [ONE, TWO] {
        assert_eq!((used(&scene, core, PAGE + 8), used(&scene, core, PAGE + 15)), (first, None));
    }
    scene.does(TWO, Op::Protect(PAGE + 16, 8, Rights::READ));
    scene.settle();
    assert_eq!(blocks(&scene, many), 2, "all of a block may have other rights");
    scene.does(TWO, Op::Unmap(PAGE + 16, 16));
    scene.settle();
    assert_eq!(blocks(&scene, many), 0);
    scene.ends_well();
}

/// Slices say how far a change reaches, which may change before the next.
#[test]
fn parts_of_what_is_being_populated_can_be_changed() {
    for change in 0..4 {
        let (mut scene, many) = gang(2);
        scene.does(ONE, map(PAGE, 150, RW, POPULATE));
        scene.hears(ONE);
        assert!(scene.setup.world.again, "it is not done");
        scene.does(TWO, Op::Protect(PAGE + 100, 20, Rights::READ));
        match change {
            0 => scene.does(ONE, Op::Unmap(PAGE + 110, 10)),
            1 => scene.does(ONE, Op::Protect(PAGE + 60, 50, RW)),
            2 => scene.does(ONE, Op::Touch(PAGE + 139)),
            _ => {}
        }
        scene.hears(TWO);
        scene.settle();
        assert!(blocks(&scene, many) > 10);
        scene.does(TWO, Op::Touch(PAGE + 99));
        scene.does(TWO, Op::Read(PAGE + 100));
        assert!(used(&scene, TWO, PAGE + 99).is_some() && used(&scene, TWO, PAGE + 100).is_some());
        scene.settle();
        scene.kill(many);
        scene.settle();
        scene.ends_well();
    }
}

/// Who may be given it gets frames, not what will be there.
#[test]
fn shared_memory_is_populated_slice_by_slice() {
    let (mut scene, _) = gang(1);
    scene.does(ONE, Op::Look);
    scene.does(ONE, map(PAGE, 150, RW, POPULATE | SHARED));
    scene.settle();
    scene.ends_well();
}
