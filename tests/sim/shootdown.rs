//! Facts about shootdowns: who is told, by whom, and what waits for the answers.

use crate::scene::{ONE, Scene, TWO};
use monitor::{Config, Input, Output, ProcessId, Strategy};
use proto::call::Outcome;
use proto::id::CoreId;
use proto::memory::{FIXED, Rights};
use proto::message::{PageRange, ToCore, ToMonitor};
use tests::sim::explore::CONFIG;
use tests::sim::{Op, PAGE, World};

const RW: Rights = Rights::READ_WRITE;

/// A process on so many cores, all of which have used the first so many pages of its memory.
pub(crate) fn gang(strategy: Strategy, cores: u16, pages: u32) -> (Scene, ProcessId) {
    let mut scene = Scene::new(1);
    let config = Config { strategy, answer_timeout: 100, ..CONFIG };
    scene.setup.world = World::new(config, usize::from(cores) + 1);
    let many = scene.setup.many(cores);
    scene.setup.maps(many, pages);
    for core in (1..=cores).map(CoreId) {
        for page in PAGE..PAGE + u64::from(pages) {
            scene.does(core, Op::Touch(page));
            scene.settle();
        }
    }
    (scene, many)
}

/// The shootdown that waits for a core: its range and the cores to hand it on to.
pub(crate) fn shootdown(scene: &Scene, core: CoreId) -> Option<(PageRange, usize)> {
    scene.waiting_for(core).into_iter().find_map(|message| match message {
        ToCore::TlbShootdown { range, .. } => Some((range, 0)),
        ToCore::TlbMulticast { range, below, .. } => Some((range, below.len())),
        _ => None,
    })
}

pub(crate) fn translations(scene: &Scene, core: CoreId) -> usize {
    scene.setup.world.cores[core.index()].cached.translations.len()
}

#[test]
fn rights_that_are_added_need_no_shootdown_and_old_translations_are_mended() {
    let (mut scene, many) = gang(Strategy::Unicast, 2, 1);
    for rights in [Rights::READ, RW] {
        scene.does(ONE, Op::Protect(PAGE, 1, rights));
        scene.hears(ONE);
        assert_eq!(shootdown(&scene, TWO).is_some(), rights == Rights::READ);
        scene.settle();
        scene.does(TWO, Op::Read(PAGE));
    }
    assert_eq!(scene.setup.world.cores[2].cached.translations[&PAGE].rights, Rights::READ);
    scene.does(TWO, Op::Touch(PAGE));
    scene.settle();
    assert_eq!(scene.setup.world.cores[2].cached.translations[&PAGE].rights, RW);
    assert!(scene.state(many).is_some_and(|it| !it.is_dying()));
    scene.ends_well();
}

#[test]
fn rights_that_are_taken_away_are_flushed_before_the_caller_is_answered() {
    let (mut scene, _) = gang(Strategy::Unicast, 2, 2);
    scene.does(ONE, Op::Protect(PAGE, 1, Rights::READ));
    scene.hears(ONE);
    let range = PageRange { first: PAGE, pages: 1 };
    for core in [ONE, TWO] {
        assert_eq!(shootdown(&scene, core), Some((range, 0)));
    }
    scene.core_takes(ONE);
    scene.hears(ONE);
    assert_eq!(scene.open_calls(), 1, "core 2 has not answered");
    assert_eq!((translations(&scene, ONE), translations(&scene, TWO)), (1, 2));
    scene.core_takes(TWO);
    scene.hears(TWO);
    assert_eq!(scene.open_calls(), 0);
    scene.ends_well();
}

#[test]
fn what_is_changed_during_a_round_is_flushed_together_by_the_next() {
    let (mut scene, _) = gang(Strategy::Unicast, 2, 4);
    for page in PAGE..PAGE + 3 {
        scene.does(ONE, Op::Unmap(page, 1));
        scene.hears(ONE);
    }
    assert_eq!(shootdown(&scene, TWO), Some((PageRange { first: PAGE, pages: 1 }, 0)));
    for core in [ONE, TWO] {
        scene.core_takes(core);
        assert_eq!(shootdown(&scene, core), None, "one at a time");
        scene.hears(core);
    }
    assert_eq!(scene.open_calls(), 2, "the first is answered");
    assert_eq!(shootdown(&scene, TWO), Some((PageRange { first: PAGE + 1, pages: 2 }, 0)));
    for core in [ONE, TWO] {
        scene.core_takes(core);
        scene.hears(core);
    }
    assert_eq!(scene.open_calls(), 0, "one more round for both");
    scene.ends_well();
}

#[test]
fn a_long_range_is_flushed_all_together() {
    let most = CONFIG.flush_pages;
    for (pages, range) in [
        (most, PageRange { first: PAGE, pages: most }),
        (most + 1, PageRange { first: 0, pages: 0 }),
    ] {
        let (mut scene, _) = gang(Strategy::Unicast, 1, most + 1);
        scene.does(ONE, Op::Unmap(PAGE, pages));
        scene.hears(ONE);
        assert_eq!(shootdown(&scene, ONE), Some((range, 0)));
        scene.ends_well();
    }
}

#[test]
fn a_place_is_free_again_when_all_cores_have_flushed_and_not_before() {
    let (mut scene, _) = gang(Strategy::Unicast, 2, 1);
    scene.does(ONE, Op::Unmap(PAGE, 1));
    scene.hears(ONE);
    let map = |scene: &Scene, flags| {
        let call = scene.setup.world.cores[1].driver.call(0x9000).expect("it runs");
        let message = ToMonitor::Map { call, first: PAGE, pages: 1, rights: RW, flags };
        let outputs = scene.would(Input::Message { core: ONE, message });
        outputs.into_iter().find_map(|output| match output {
            Output::Complete { outcome, value, .. } => Some((outcome, value >> 12)),
            _ => None,
        })
    };
    for core in [ONE, TWO] {
        assert_eq!(map(&scene, FIXED), Some((Outcome::BUSY, 0)));
        assert_eq!(map(&scene, 0), Some((Outcome::OK, PAGE + 1)), "it is put elsewhere");
        scene.core_takes(core);
        scene.hears(core);
    }
    assert_eq!(map(&scene, FIXED), Some((Outcome::OK, PAGE)));
    scene.ends_well();
}

#[test]
fn who_unmaps_what_is_being_unmapped_waits_for_a_round_too() {
    let (mut scene, _) = gang(Strategy::Unicast, 2, 1);
    for core in [ONE, TWO] {
        scene.does(core, Op::Unmap(PAGE, 1));
        scene.hears(core);
    }
    assert_eq!(scene.open_calls(), 2);
    scene.core_takes(ONE);
    scene.hears(ONE);
    assert_eq!(scene.open_calls(), 2);
    scene.settle();
    assert_eq!(scene.open_calls(), 0);
    scene.ends_well();
}

#[test]
fn a_core_that_is_starting_is_told_too() {
    let (mut scene, many) = gang(Strategy::Unicast, 2, 1);
    scene.preempt(TWO);
    scene.core_takes(TWO);
    scene.hears(TWO);
    scene.works();
    assert_eq!(scene.runs(TWO), None);
    scene.does(ONE, Op::Unmap(PAGE, 1));
    scene.hears(ONE);
    let waiting = scene.waiting_for(TWO);
    assert!(waiting.iter().any(|it| matches!(it, ToCore::StartCore { .. })), "{waiting:?}");
    assert!(shootdown(&scene, TWO).is_some());
    scene.core_takes(ONE);
    scene.hears(ONE);
    assert_eq!(scene.open_calls(), 1);
    scene.settle();
    assert_eq!(scene.runs(TWO).map(|(pid, _)| pid), Some(many.pid));
    scene.ends_well();
}

#[test]
fn a_core_that_has_let_go_before_is_not_told() {
    let (mut scene, _) = gang(Strategy::Unicast, 2, 1);
    scene.does(TWO, Op::Yield { wanted: 1, nice: false });
    scene.settle();
    assert!(scene.is_idle(TWO));
    scene.does(ONE, Op::Unmap(PAGE, 1));
    scene.hears(ONE);
    assert_eq!(shootdown(&scene, TWO), None);
    scene.core_takes(ONE);
    scene.hears(ONE);
    assert_eq!(scene.open_calls(), 0);
    scene.ends_well();
}

#[test]
fn an_answer_that_comes_twice_or_late_means_nothing() {
    let (mut scene, _) = gang(Strategy::Unicast, 2, 2);
    scene.does(ONE, Op::Unmap(PAGE, 1));
    scene.hears(ONE);
    scene.core_takes(TWO);
    let ToMonitor::ShootdownDone { ticket } = scene.hears(TWO) else { panic!("it has answered") };
    scene.forge(TWO, ToMonitor::ShootdownDone { ticket });
    assert_eq!(scene.open_calls(), 1, "core 1 has not answered");
    scene.core_takes(ONE);
    scene.hears(ONE);
    scene.does(ONE, Op::Unmap(PAGE + 1, 1));
    while shootdown(&scene, ONE).is_none() {
        scene.hears(ONE);
    }
    let open = scene.open_calls();
    scene.forge(ONE, ToMonitor::ShootdownDone { ticket });
    scene.forge(TWO, ToMonitor::ShootdownDone { ticket });
    scene.forge(TWO, ToMonitor::Unreached { ticket, cores: monitor::CoreSet::ALL });
    assert_eq!(scene.open_calls(), open);
    scene.ends_well();
}
