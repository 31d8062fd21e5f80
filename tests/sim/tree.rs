//! Facts about shootdowns that cores hand on to each other: who tells whom, who answers for whom, and what becomes of
//! those below a core that can't.

use crate::scene::{ONE, Scene, TWO};
use crate::shootdown::{gang, shootdown, translations};
use monitor::{Command, CoreState, Input, ProcessId, Strategy};
use proto::id::CoreId;
use proto::message::{Lane, PageRange, ToCore, ToMonitor};
use tests::sim::{Action, Mishap, Op, PAGE};

const THREE: CoreId = CoreId(3);
const FOUR: CoreId = CoreId(4);
const TREE: Strategy = Strategy::Tree { package: 0 };
/// Cores 0 and 1, 2 and 3, and so on.
const PAIRS: Strategy = Strategy::Tree { package: 2 };

fn take_from_peers(scene: &mut Scene, core: CoreId) {
    let peers: Vec<CoreId> = scene.setup.world.cores[core.index()].talking_peers().collect();
    for peer in peers {
        scene.act(Action::HandlePeer(core, peer));
    }
}

#[test]
fn in_a_tree_one_core_of_a_package_is_told_and_tells_the_others() {
    let (mut scene, _) = gang(Strategy::Tree { package: 4 }, 9, 1);
    scene.does(ONE, Op::Unmap(PAGE, 1));
    scene.hears(ONE);
    let told: Vec<_> = scene.cores().map(|core| shootdown(&scene, core).map(|it| it.1)).collect();
    let expected = [(1, 2), (4, 3), (8, 1)];
    for (core, below) in told.into_iter().enumerate() {
        assert_eq!(below, expected.iter().find(|it| it.0 == core).map(|it| it.1), "core {core}");
    }
    scene.settle();
    assert_eq!(scene.open_calls(), 0);
    scene.ends_well();
}

#[test]
fn in_a_tree_a_core_answers_when_all_below_it_have_and_the_first_answers_for_all() {
    let (mut scene, _) = gang(TREE, 4, 1);
    scene.does(ONE, Op::Unmap(PAGE, 1));
    scene.hears(ONE);
    scene.core_takes(ONE);
    for core in [FOUR, TWO] {
        take_from_peers(&mut scene, core);
    }
    take_from_peers(&mut scene, ONE);
    assert_eq!(scene.says(ONE, Lane::Immediate), None, "cores 2 and 3 have not answered");
    take_from_peers(&mut scene, THREE);
    take_from_peers(&mut scene, TWO);
    assert_eq!(scene.says(ONE, Lane::Immediate), None, "core 2 has not answered");
    take_from_peers(&mut scene, ONE);
    assert_eq!(scene.open_calls(), 1);
    scene.hears(ONE);
    assert_eq!(scene.open_calls(), 0);
    let others = [TWO, THREE, FOUR].map(|core| scene.says(core, Lane::Immediate));
    assert_eq!(others, [None; 3], "one answer for all");
    scene.ends_well();
}

#[test]
fn in_a_tree_only_the_first_core_can_answer_for_others() {
    let (mut scene, _) = gang(TREE, 4, 1);
    scene.does(ONE, Op::Unmap(PAGE, 1));
    scene.hears(ONE);
    let waiting = scene.waiting_for(ONE);
    let ticket = waiting.iter().find_map(|it| match it {
        ToCore::TlbMulticast { ticket, .. } => Some(*ticket),
        _ => None,
    });
    let done = ToMonitor::ShootdownDone { ticket: ticket.expect("it is told") };
    for core in [TWO, THREE, FOUR] {
        scene.forge(core, done);
    }
    assert_eq!(scene.open_calls(), 1);
    scene.settle();
    assert_eq!(scene.open_calls(), 0);
    scene.ends_well();
}

#[test]
fn cores_that_have_let_go_are_free_when_another_one_has_answered_for_them() {
    for cores in [4, 150] {
        let (mut scene, many) = gang(TREE, cores, 1);
        scene.does(ONE, Op::Unmap(PAGE, 1));
        scene.hears(ONE);
        scene.kill(many);
        while scene.setup.world.deliveries().contains(&Action::Continue) {
            scene.act(Action::Continue);
        }
        // Core 1 has told nobody yet.
        for core in (2..=cores).map(CoreId) {
            scene.core_takes(core);
            scene.hears(core);
        }
        assert!(!scene.is_idle(TWO), "nobody has answered for it");
        assert!(scene.setup.world.memory.contains_key(&many));
        scene.settle();
        assert!((1..=cores).all(|core| scene.is_idle(CoreId(core))));
        assert!(scene.setup.world.memory.is_empty());
        scene.ends_well();
    }
}

/// A tree of cores 1 to 4, in which 1 has told 2 and 4, and 2 is to tell 3; but 2 has let go of the process
/// before it heard of it.
fn tree_whose_inner_core_has_left() -> (Scene, ProcessId) {
    let (mut scene, many) = gang(TREE, 4, 1);
    scene.does(ONE, Op::Unmap(PAGE, 1));
    scene.hears(ONE);
    scene.preempt(TWO);
    scene.core_takes(TWO);
    scene.hears(TWO);
    scene.core_takes(ONE);
    take_from_peers(&mut scene, FOUR);
    take_from_peers(&mut scene, ONE);
    assert_eq!(shootdown(&scene, THREE), None);
    assert_eq!(scene.open_calls(), 1);
    assert_eq!(scene.runs(TWO), None, "not leased again before it has answered");
    (scene, many)
}

#[test]
fn when_an_inner_core_panics_all_of_its_tree_are_told_by_the_coordinator() {
    let (mut scene, many) = tree_whose_inner_core_has_left();
    scene.panics(TWO);
    scene.hears(TWO);
    // What core 4 has answered lies with core 1, which waits for core 2.
    for core in [ONE, THREE, FOUR] {
        assert_eq!(shootdown(&scene, core), Some((PageRange { first: PAGE, pages: 1 }, 0)));
        assert_eq!(scene.open_calls(), 1, "core {core} has not answered");
        scene.core_takes(core);
        scene.hears(core);
    }
    assert_eq!(scene.open_calls(), 0);
    assert!(scene.state(many).is_some_and(|it| !it.is_dying()));
    scene.ends_well();
}

#[test]
fn when_an_inner_core_falls_silent_all_of_its_tree_are_told_by_the_coordinator() {
    let (mut scene, many) = tree_whose_inner_core_has_left();
    scene.act(Action::Fail(TWO, Mishap::FallSilent));
    for _ in 0..20 {
        scene.act(Action::Tick);
        let others = scene.cores().filter(|&core| core != TWO).collect::<Vec<_>>();
        for core in others {
            while scene.setup.world.cores[core.index()].can_handle() {
                scene.act(Action::Handle(core));
            }
            for lane in [Lane::Immediate, Lane::Routine] {
                while scene.says(core, lane).is_some() {
                    scene.act(Action::Deliver(core, lane));
                }
            }
        }
    }
    assert_eq!(translations(&scene, THREE), 0);
    assert_eq!(scene.open_calls(), 0);
    assert!(scene.state(many).is_some_and(|it| !it.is_dying()));
    scene.act(Action::Fail(TWO, Mishap::Recover));
    scene.ends_well();
}

/// A core that has let go of the process, and has not answered, falls silent and is found out.
fn falls_silent(scene: &mut Scene, core: CoreId) {
    scene.act(Action::Tell(Input::Console(Command::Ping { core })));
    scene.act(Action::Fail(core, Mishap::FallSilent));
    scene.act(Action::Tick);
    let state = scene.setup.world.coordinator.core(core).map(|it| it.state);
    assert_eq!(state, Some(CoreState::Silent));
}

fn shootdowns(scene: &Scene, core: CoreId) -> usize {
    let waiting = scene.waiting_for(core);
    waiting.iter().filter(|it| matches!(it, ToCore::TlbShootdown { .. })).count()
}

/// In one step no more cores are told than it may touch entries, and by the next nobody may wait for this core any more.
#[test]
fn a_silent_core_that_has_let_go_is_told_at_once_however_many_others_are_to_be() {
    let last = CoreId(150);
    let (mut scene, many) = gang(TREE, last.0, 1);
    scene.does(ONE, Op::Unmap(PAGE, 1));
    scene.hears(ONE);
    scene.preempt(last);
    scene.core_takes(last);
    scene.hears(last);
    falls_silent(&mut scene, last);
    assert!(scene.setup.world.again, "not all of the tree have been told");
    assert_eq!(shootdowns(&scene, last), 1);
    scene.act(Action::Fail(last, Mishap::Recover));
    scene.settle();
    assert_eq!(shootdowns(&scene, last), 0, "it was not told twice");
    assert_eq!(scene.runs(last).map(|(pid, _)| pid), Some(many.pid), "it serves again");
    scene.ends_well();
}

#[test]
fn a_silent_core_that_has_let_go_serves_again_although_the_core_above_it_is_lost_later() {
    let (mut scene, many) = tree_whose_inner_core_has_left();
    scene.preempt(THREE);
    scene.core_takes(THREE);
    scene.hears(THREE);
    assert_eq!(shootdowns(&scene, THREE), 0, "it is to hear of it through core 2");
    falls_silent(&mut scene, THREE);
    assert_eq!(shootdowns(&scene, THREE), 1, "core 2 may never tell it");
    scene.panics(TWO);
    scene.hears(TWO);
    for core in [ONE, FOUR] {
        assert_eq!(scene.open_calls(), 1, "core {core} has not answered");
        scene.core_takes(core);
        scene.hears(core);
    }
    assert_eq!(scene.open_calls(), 0, "nobody waits for who has nothing to flush");
    assert_eq!(shootdowns(&scene, THREE), 1, "it is not told twice");
    scene.act(Action::Fail(THREE, Mishap::Recover));
    scene.settle();
    assert_eq!(scene.runs(THREE).map(|(pid, _)| pid), Some(many.pid), "it serves again");
    scene.ends_well();
}

#[test]
fn a_silent_core_that_the_coordinator_has_told_is_not_told_again() {
    // In a tree its answer would not come without that of the core below, which is told itself now.
    for (strategy, cores, told) in [(Strategy::Unicast, 2, 0), (TREE, 2, 1), (PAIRS, 2, 0)] {
        let (mut scene, _) = gang(strategy, cores, 1);
        scene.preempt(ONE);
        scene.core_takes(ONE);
        scene.does(TWO, Op::Unmap(PAGE, 1));
        scene.hears(TWO);
        scene.hears(ONE);
        let before = scene.waiting_for(ONE).len();
        falls_silent(&mut scene, ONE);
        assert_eq!(scene.waiting_for(ONE).len(), before + 1 + told, "a ping, {strategy:?}");
        scene.act(Action::Fail(ONE, Mishap::Recover));
        scene.settle();
        assert_eq!(scene.open_calls(), 0);
        scene.ends_well();
    }
}

#[test]
fn the_cores_of_a_process_that_dies_become_free_although_an_inner_core_is_lost() {
    let (mut scene, many) = tree_whose_inner_core_has_left();
    scene.kill(many);
    for core in [ONE, THREE, FOUR] {
        while !scene.waiting_for(core).is_empty() {
            scene.core_takes(core);
            scene.hears(core);
        }
    }
    assert!(!scene.is_idle(THREE), "it has not answered");
    assert!(scene.setup.world.memory.contains_key(&many));
    scene.panics(TWO);
    scene.hears(TWO);
    assert!(shootdown(&scene, THREE).is_some());
    scene.settle();
    assert!(scene.is_idle(THREE));
    assert!(scene.setup.world.memory.is_empty());
    scene.ends_well();
}

#[test]
fn cores_that_no_peer_can_reach_are_told_by_the_coordinator() {
    let (mut scene, _) = gang(TREE, 4, 1);
    // There are no rings between 1 and 4.
    scene.setup.world.unlinked = true;
    scene.does(ONE, Op::Unmap(PAGE, 1));
    scene.hears(ONE);
    scene.core_takes(ONE);
    assert!(matches!(scene.hears(ONE), ToMonitor::Unreached { cores, .. } if cores.contains(FOUR)));
    assert!(shootdown(&scene, FOUR).is_some());
    assert_eq!(shootdown(&scene, TWO), None);
    scene.settle();
    assert_eq!(scene.open_calls(), 0);
    scene.ends_well();
}

#[test]
fn when_a_core_in_the_midst_of_a_tree_reaches_nobody_all_are_told_by_the_coordinator() {
    let (mut scene, _) = gang(TREE, 4, 1);
    // There are no rings between 2 and 3.
    scene.setup.world.unlinked = true;
    scene.does(ONE, Op::Unmap(PAGE, 1));
    scene.hears(ONE);
    scene.setup.world.unlinked = false;
    scene.core_takes(ONE);
    scene.setup.world.unlinked = true;
    take_from_peers(&mut scene, TWO);
    take_from_peers(&mut scene, FOUR);
    take_from_peers(&mut scene, ONE);
    assert_eq!(scene.says(ONE, Lane::Immediate), None, "core 2 will not answer it");
    assert!(matches!(scene.hears(TWO), ToMonitor::Unreached { .. }));
    for core in [ONE, TWO, THREE, FOUR] {
        assert_eq!(scene.open_calls(), 1, "core {core} has not answered");
        assert!(shootdown(&scene, core).is_some());
        scene.core_takes(core);
        scene.hears(core);
    }
    assert_eq!(scene.open_calls(), 0);
    scene.ends_well();
}
