//! Facts about translations that cores keep of address spaces which they have left.

use crate::scene::{ONE, Scene, TWO, ZERO};
use crate::shootdown::{shootdown, translations};
use monitor::{Config, ProcessId, Strategy};
use proto::id::CoreId;
use proto::memory::Rights;
use proto::message::ToCore;
use tests::sim::explore::CONFIG;
use tests::sim::{Op, PAGE, World};

const TREE: Strategy = Strategy::Tree { package: 0 };

/// A process on two cores, which have used the first two pages of its memory and keep translations of two spaces.
fn gang(strategy: Strategy) -> (Scene, ProcessId) {
    let mut scene = Scene::new(1);
    scene.setup.world = World::new(Config { strategy, ..CONFIG }, 3);
    scene.setup.world.tell_apart(2);
    let many = scene.setup.many(2);
    scene.setup.maps(many, 2);
    for core in [ONE, TWO] {
        for page in [PAGE, PAGE + 1] {
            scene.does(core, Op::Touch(page));
            scene.settle();
        }
    }
    (scene, many)
}

/// What a core that has left keeps.
fn kept(scene: &Scene, core: CoreId) -> usize {
    let all = scene.setup.world.cores[core.index()].kept.values();
    all.map(|it| it.translations.len()).sum()
}

/// A core leaves the process and is about to start it again.
fn is_started_again(scene: &mut Scene, core: CoreId) {
    scene.preempt(core);
    scene.core_takes(core);
    scene.hears(core);
    scene.works();
    let waiting = scene.waiting_for(core);
    assert!(matches!(waiting[..], [ToCore::StartCore { .. }]), "{waiting:?}");
}

/// Core 2 gets a vcore again, and uses nothing that it had.
fn starts_with_nothing(mut scene: Scene) {
    scene.does(ONE, Op::Poke(2));
    scene.settle();
    assert!(scene.runs(TWO).is_some());
    assert_eq!((translations(&scene, TWO), kept(&scene, TWO)), (0, 0));
    scene.ends_well();
}

#[test]
fn a_core_that_comes_back_uses_what_it_has_kept() {
    let (mut scene, _) = gang(Strategy::Unicast);
    is_started_again(&mut scene, TWO);
    assert_eq!((translations(&scene, TWO), kept(&scene, TWO)), (0, 2));
    scene.core_takes(TWO);
    assert_eq!((translations(&scene, TWO), kept(&scene, TWO)), (2, 0));
    scene.ends_well();
}

#[test]
fn what_was_taken_while_a_core_was_away_it_does_not_use_though_nobody_told_it() {
    for op in [Op::Unmap(PAGE, 1), Op::Protect(PAGE, 1, Rights::READ)] {
        let (mut scene, _) = gang(Strategy::Unicast);
        scene.does(TWO, Op::Yield { wanted: 1, nice: false });
        scene.settle();
        assert_eq!(kept(&scene, TWO), 2);
        scene.does(ONE, op);
        scene.hears(ONE);
        assert_eq!(shootdown(&scene, TWO), None, "it has let go");
        scene.settle();
        starts_with_nothing(scene);
    }
}

#[test]
fn a_start_that_a_shootdown_overtakes_finds_nothing_kept() {
    for strategy in [Strategy::Unicast, TREE] {
        let (mut scene, _) = gang(strategy);
        is_started_again(&mut scene, TWO);
        scene.does(ONE, Op::Unmap(PAGE, 1));
        scene.hears(ONE);
        if strategy == TREE {
            scene.core_takes(ONE);
            scene.act(tests::sim::Action::HandlePeer(TWO, ONE));
        } else {
            assert!(matches!(scene.core_takes(TWO), ToCore::TlbShootdown { .. }));
        }
        assert!(matches!(scene.core_takes(TWO), ToCore::StartCore { .. }));
        assert_eq!(translations(&scene, TWO), 0);
        scene.ends_well();
    }
}

#[test]
fn rights_that_were_added_meanwhile_leave_what_is_kept_as_it_is() {
    let (mut scene, many) = gang(Strategy::Unicast);
    scene.does(ONE, Op::Protect(PAGE, 1, Rights::READ));
    scene.settle();
    // Its first start since then flushes, so it has to use its pages once more.
    is_started_again(&mut scene, TWO);
    scene.settle();
    scene.does(TWO, Op::Read(PAGE));
    scene.does(TWO, Op::Yield { wanted: 1, nice: false });
    scene.settle();
    scene.does(ONE, Op::Protect(PAGE, 1, Rights::READ_WRITE));
    scene.settle();
    scene.does(ONE, Op::Poke(2));
    scene.settle();
    let cached = |scene: &Scene| scene.setup.world.cores[TWO.index()].cached.clone();
    assert_eq!(cached(&scene).translations[&PAGE].rights, Rights::READ);
    assert_eq!(scene.runs(TWO).map(|(pid, _)| pid), Some(many.pid));
    scene.does(TWO, Op::Touch(PAGE));
    scene.settle();
    assert_eq!(cached(&scene).translations[&PAGE].rights, Rights::READ_WRITE, "it was mended");
    scene.ends_well();
}

#[test]
fn a_core_that_is_started_anew_uses_nothing_of_what_its_processor_still_has() {
    let (mut scene, _) = gang(Strategy::Unicast);
    scene.panics(TWO);
    scene.settle();
    scene.act(tests::sim::Action::Tell(monitor::Input::Console(monitor::Command::Start {
        core: TWO,
    })));
    assert_eq!(kept(&scene, TWO), 2, "INIT does not flush");
    scene.act(tests::sim::Action::Fail(TWO, tests::sim::Mishap::Join));
    scene.settle();
    scene.does(ONE, Op::Look);
    starts_with_nothing(scene);
}

#[test]
fn two_processes_in_turn_on_the_management_core_each_find_what_is_kept_of_them() {
    let mut scene = Scene::new(1);
    scene.setup.world.tell_apart(2);
    let one = scene.setup.single();
    scene.setup.maps(one, 2);
    scene.does(ZERO, Op::Touch(PAGE));
    scene.settle();
    let nice = Op::Yield { wanted: 0, nice: true };
    let other = scene.setup.single();
    scene.does(ZERO, nice);
    scene.settle();
    assert_eq!(scene.runs(ZERO).map(|(pid, _)| pid), Some(other.pid));
    assert_eq!((translations(&scene, ZERO), kept(&scene, ZERO)), (0, 1));
    scene.does(ZERO, nice);
    scene.settle();
    assert_eq!(scene.runs(ZERO).map(|(pid, _)| pid), Some(one.pid));
    assert_eq!(translations(&scene, ZERO), 1);
    scene.does(ZERO, Op::Unmap(PAGE, 1));
    scene.does(ZERO, nice);
    scene.settle();
    scene.does(ZERO, nice);
    scene.settle();
    assert_eq!(scene.runs(ZERO).map(|(pid, _)| pid), Some(one.pid));
    assert_eq!(translations(&scene, ZERO), 0);
    scene.ends_well();
}
