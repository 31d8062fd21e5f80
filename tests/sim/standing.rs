//! Facts about vcores that stand still while their memory changes: what their cores are told, and what becomes of the call
//! when they have to leave before.

use crate::scene::{ONE, Scene, TWO};
use crate::shootdown::{gang, shootdown, translations};
use monitor::{Input, MOST_FLUSHED, Output, Place, ProcessId, Strategy};
use proto::call::Outcome;
use proto::id::CoreId;
use proto::memory::Rights;
use proto::message::{PageRange, ToCore, ToMonitor};
use tests::sim::{Action, Op, PAGE};

const RANGE: PageRange = PageRange { first: PAGE, pages: 1 };
const PROTECT: Op = Op::Protect(PAGE, 1, Rights::READ);

/// A process whose vcores stand still, on so many cores, each of which has used its first two pages.
fn standing(cores: u16) -> (Scene, ProcessId) {
    let (mut scene, process) = gang(Strategy::Unicast, cores, 2);
    scene.setup.world.stands = true;
    (scene, process)
}

/// Core 1's vcore takes rights away, and the coordinator has heard of it.
fn begun(cores: u16) -> (Scene, ProcessId) {
    let (mut scene, process) = standing(cores);
    scene.does(ONE, PROTECT);
    scene.hears(ONE);
    (scene, process)
}

fn can_run(scene: &Scene, core: CoreId) -> bool {
    scene.setup.world.cores[core.index()].can_run()
}

fn has_answer(scene: &Scene, core: CoreId, outcome: Outcome) -> bool {
    let is = |it: &ToCore| matches!(*it, ToCore::Done { outcome: it, .. } if it == outcome);
    scene.waiting_for(core).iter().any(is)
}

fn is_changed(scene: &Scene, core: CoreId) -> bool {
    scene.waiting_for(core).iter().any(|it| matches!(*it, ToCore::Changed { range: RANGE, .. }))
}

#[test]
fn the_core_of_a_vcore_that_stands_still_flushes_with_the_answer_and_last() {
    let (mut scene, _) = begun(2);
    assert_eq!((shootdown(&scene, ONE), shootdown(&scene, TWO)), (None, Some((RANGE, 0))));
    assert!(!can_run(&scene, ONE) && scene.waiting_for(ONE).is_empty());
    scene.core_takes(TWO);
    assert_eq!(scene.open_calls(), 1);
    scene.hears(TWO);
    assert_eq!(scene.open_calls(), 0);
    assert!(is_changed(&scene, ONE) && !can_run(&scene, ONE));
    assert_eq!((translations(&scene, ONE), translations(&scene, TWO)), (2, 1));
    scene.core_takes(ONE);
    assert!(can_run(&scene, ONE));
    assert_eq!(translations(&scene, ONE), 1);
    scene.ends_well();
}

#[test]
fn a_vcore_alone_is_answered_at_once_and_rights_that_are_added_need_no_flush() {
    let (mut scene, _) = begun(1);
    assert!(is_changed(&scene, ONE));
    scene.core_takes(ONE);
    scene.does(ONE, Op::Protect(PAGE, 1, Rights::READ_WRITE));
    scene.hears(ONE);
    assert!(has_answer(&scene, ONE, Outcome::OK));
    scene.core_takes(ONE);
    assert!(can_run(&scene, ONE));
    scene.ends_well();
}

#[test]
fn who_gives_back_page_tables_flushes_before_as_any_other() {
    let (mut scene, _) = standing(2);
    scene.does(ONE, Op::Unmap(PAGE, 2));
    scene.hears(ONE);
    assert!([ONE, TWO].into_iter().all(|core| shootdown(&scene, core).is_some()));
    for core in [ONE, TWO] {
        assert_eq!(scene.open_calls(), 1);
        scene.core_takes(core);
        assert!(!can_run(&scene, ONE));
        scene.hears(core);
    }
    assert!(has_answer(&scene, ONE, Outcome::OK));
    scene.core_takes(ONE);
    assert!(can_run(&scene, ONE));
    scene.ends_well();
}

#[test]
fn what_takes_long_or_is_refused_goes_on_without_the_vcore_standing_still() {
    let (mut scene, _) = standing(2);
    for (op, open) in [(Op::Unmap(PAGE, 0), 0), (Op::Unmap(PAGE, 65), 1)] {
        scene.does(ONE, op);
        scene.hears(ONE);
        assert!(has_answer(&scene, ONE, Outcome::STARTED));
        // What is flushed comes before.
        while !can_run(&scene, ONE) {
            scene.core_takes(ONE);
        }
        assert_eq!(scene.open_calls(), open);
    }
    scene.settle();
    assert_eq!(scene.open_calls(), 0);
    scene.ends_well();
}

#[test]
fn a_vcore_that_is_preempted_before_its_request_is_heard_learns_the_end_elsewhere() {
    let (mut scene, many) = standing(2);
    scene.does(ONE, PROTECT);
    scene.preempt(ONE);
    scene.hears(ONE);
    assert!([ONE, TWO].into_iter().all(|core| shootdown(&scene, core).is_some()), "as any other");
    scene.settle();
    assert_eq!((scene.open_calls(), scene.place(many, 0) != Place::Leaving), (0, true));
    scene.ends_well();
}

#[test]
fn a_vcore_that_is_preempted_while_it_stands_still_learns_the_end_elsewhere() {
    let (mut scene, _) = begun(2);
    scene.preempt(ONE);
    scene.core_takes(ONE);
    assert_eq!((scene.runs(ONE), translations(&scene, ONE)), (None, 0), "all is forgotten");
    scene.core_takes(TWO);
    scene.hears(TWO);
    assert_eq!(scene.open_calls(), 0, "its structure says so");
    assert!(!is_changed(&scene, ONE));
    scene.settle();
    scene.ends_well();
}

#[test]
fn a_vcore_that_is_preempted_when_it_was_answered_has_flushed_before() {
    let (mut scene, _) = begun(2);
    scene.core_takes(TWO);
    scene.hears(TWO);
    scene.preempt(ONE);
    assert!(matches!(scene.core_takes(ONE), ToCore::Changed { .. }));
    assert!(matches!(scene.core_takes(ONE), ToCore::Preempt { .. }));
    scene.settle();
    assert_eq!(scene.open_calls(), 0);
    scene.ends_well();
}

#[test]
fn a_process_dies_whose_vcore_stands_still() {
    for heard in [false, true] {
        let (mut scene, many) = standing(2);
        scene.does(ONE, PROTECT);
        if heard {
            scene.hears(ONE);
        }
        scene.kill(many);
        scene.settle();
        assert_eq!(scene.state(many), None);
        assert!(scene.is_idle(ONE) && scene.is_idle(TWO));
        scene.ends_well();
    }
}

#[test]
fn a_vcore_that_stands_still_flushes_for_others_and_is_notified_afterwards() {
    let (mut scene, many) = begun(2);
    scene.does(TWO, Op::Unmap(PAGE + 1, 1));
    scene.hears(TWO);
    scene.notify(many);
    assert_eq!(shootdown(&scene, ONE), None, "the next round waits for this one");
    while shootdown(&scene, TWO).is_some() {
        scene.core_takes(TWO);
    }
    scene.hears(TWO);
    assert!(is_changed(&scene, ONE) && shootdown(&scene, ONE).is_some());
    scene.settle();
    assert_eq!(scene.open_calls(), 0);
    assert!([ONE, TWO].into_iter().all(|core| can_run(&scene, core)));
    assert!(scene.vcore(many, 0).in_vcore_context || scene.vcore(many, 1).in_vcore_context);
    scene.ends_well();
}

#[test]
fn a_core_that_panics_while_its_vcore_stands_still_leaves_the_call_to_others() {
    let (mut scene, _) = begun(2);
    scene.panics(ONE);
    scene.settle();
    assert_eq!(scene.open_calls(), 0);
    scene.ends_well();
}

#[test]
fn answers_that_are_told_together_come_to_the_same_as_one_after_the_other() {
    let (mut scene, _) = begun(4);
    let told: Vec<CoreId> = (2..=4).map(CoreId).collect();
    for &core in &told {
        scene.core_takes(core);
    }
    let Some(ToMonitor::ShootdownDone { ticket }) =
        scene.says(TWO, proto::message::Lane::Immediate)
    else {
        panic!("it has flushed");
    };
    let ends = |outputs: &[Output]| {
        outputs.iter().any(|it| matches!(it, Output::Send { core, message: ToCore::Changed { .. } } if *core == ONE))
    };
    let some = told[..2].iter().copied().collect();
    assert!(!ends(&scene.would(Input::Flushed { cores: some, ticket })));
    let all = told.iter().copied().collect();
    assert!(told.len() <= MOST_FLUSHED as usize);
    assert!(ends(&scene.would(Input::Flushed { cores: all, ticket })));
    let others = [TWO, CoreId(200)].into_iter().collect();
    let before = scene.setup.world.coordinator.counters().unexpected;
    scene.act(Action::Tell(Input::Flushed { cores: others, ticket: ticket.wrapping_sub(1) }));
    assert_eq!(scene.setup.world.coordinator.counters().unexpected, before + 2);
    scene.act(Action::Gather(ticket));
    assert!(is_changed(&scene, ONE));
    scene.settle();
    scene.ends_well();
}
