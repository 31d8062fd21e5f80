//! A core that goes straight from one process to another, and all that can come in between.

use crate::scene::{ONE, Scene, TWO, YIELD, ZERO};
use monitor::{Control, CoreState, Leaving, Place, ProcessId, State};
use proto::event::kind;
use proto::id::{CoreId, VcoreId};
use proto::message::{ToCore, ToMonitor};
use tests::sim::{Action, Context, Mishap, Op, PAGE};

/// One process runs on so many cores, all that there are. Another one has a right to core 1, and asks for a core now.
pub(crate) fn contended(
    cores: u16,
    meanwhile: impl FnOnce(&mut Scene, ProcessId),
) -> (Scene, [ProcessId; 2]) {
    let mut scene = Scene::new(usize::from(cores) + 1);
    let holder = scene.setup.many(cores);
    scene.setup.maps(holder, 2);
    let owner = scene.setup.single();
    scene.console(Control::Provision { core: ONE, to: Some(owner.pid) });
    meanwhile(&mut scene, holder);
    scene.does(ZERO, Op::ChangeToM);
    scene.hears(ZERO);
    scene.core_takes(ZERO);
    scene.hears(ZERO);
    (scene, [holder, owner])
}

/// And the coordinator has done what it left for later.
fn decided(cores: u16, meanwhile: impl FnOnce(&mut Scene, ProcessId)) -> (Scene, [ProcessId; 2]) {
    let (mut scene, both) = contended(cores, meanwhile);
    scene.works();
    (scene, both)
}

/// The same, and core 1 was told to go on with it, and has not yet taken that.
fn regranted(cores: u16) -> (Scene, [ProcessId; 2]) {
    let (scene, both) = decided(cores, |_, _| ());
    let waiting = scene.waiting_for(ONE);
    let leaves = |from: ProcessId, to: ProcessId| {
        matches!(waiting[..], [ToCore::Regrant { from: left, to: next, .. }]
            if left.pid == from.pid && next.pid == to.pid)
    };
    assert!(leaves(both[0], both[1]), "{waiting:?}");
    (scene, both)
}

/// The vcore that core 1 is to leave.
fn left(scene: &Scene, of: ProcessId) -> u16 {
    let (pid, vcore) = scene.runs(ONE).expect("it has not taken the message");
    assert_eq!((pid, scene.place(of, vcore)), (of.pid, Place::Leaving));
    vcore
}

#[test]
fn a_core_goes_to_who_has_a_right_to_it_in_one_message() {
    let (mut scene, [holder, owner]) = regranted(1);
    assert_eq!(scene.place(holder, 0), Place::Leaving);
    assert_eq!(scene.vcore(holder, 0).core, Some(ONE), "on the map until it has left");
    scene.core_takes(ONE);
    assert_eq!(scene.context(holder, 0), Context::Saved);
    assert_eq!(scene.runs(ONE), Some((owner.pid, 0)));
    assert!(matches!(scene.hears(ONE), ToMonitor::Started { lease } if lease.pid == owner.pid));
    assert_eq!(scene.place(holder, 0), Place::Preempted);
    assert_eq!(scene.vcore(holder, 0).core, None);
    assert_eq!(scene.state(holder), Some(State::RunnableM));
    scene.does(ONE, Op::Look);
    scene.does(ONE, YIELD);
    scene.settle();
    assert_eq!(scene.runs(ONE), Some((holder.pid, 0)), "it goes on as soon as there is a core");
    scene.ends_well();
}

#[test]
fn a_request_that_it_crosses_is_answered_by_it_and_the_next_vcore_may_ask_the_same() {
    let (mut scene, [holder, _]) = regranted(1);
    scene.does(ONE, YIELD);
    scene.core_takes(ONE);
    assert_eq!(scene.context(holder, 0), Context::Saved, "with its yield refused");
    scene.does(ONE, YIELD);
    assert!(matches!(scene.hears(ONE), ToMonitor::Yield { lease, .. } if lease.pid == holder.pid));
    assert_eq!((scene.leaving(ONE), scene.stale()), (None, 1));
    assert!(scene.waiting_for(ONE).is_empty(), "no second answer");
    scene.settle();
    scene.ends_well();
}

#[test]
fn who_is_left_is_told_of_its_vcore_when_that_is_saved() {
    let (mut scene, [holder, _]) = regranted(2);
    let gone = left(&scene, holder);
    scene.does(TWO, Op::Look);
    scene.does(TWO, Op::ChangeVcore { to: VcoreId(gone), keep: true });
    scene.hears(TWO);
    let refused = |it: &ToCore| matches!(it, ToCore::Done { outcome, .. } if outcome.0 == -11);
    assert!(scene.waiting_for(TWO).iter().any(refused), "it is not saved");
    scene.core_takes(ONE);
    scene.hears(ONE);
    scene.works();
    assert_eq!(scene.kinds(holder, 1 - gone), [kind::VCORE_PREEMPTED]);
    scene.settle();
    scene.ends_well();
}

#[test]
fn an_event_for_the_vcore_that_leaves_is_not_the_next_ones() {
    let (mut scene, [holder, owner]) = regranted(2);
    let gone = left(&scene, holder);
    scene.does(TWO, Op::NotifyVcore(VcoreId(gone)));
    scene.hears(TWO);
    assert_eq!(scene.waiting_for(ONE).len(), 1);
    // But the next one's is.
    scene.notify(owner);
    let waiting = scene.waiting_for(ONE);
    assert!(matches!(waiting[..], [ToCore::Regrant { .. }, ToCore::Notify { .. }]), "{waiting:?}");
    scene.settle();
    assert!(scene.vcore(holder, gone).pending);
    scene.ends_well();
}

#[test]
fn a_core_that_owes_an_answer_says_first_that_it_is_free() {
    let (mut scene, _) = decided(1, |scene, holder| {
        scene.does(ONE, Op::Look);
        scene.does(ONE, Op::RunThread);
        scene.notify(holder);
    });
    let waiting = scene.waiting_for(ONE);
    assert!(matches!(waiting[..], [ToCore::Notify { .. }, ToCore::Preempt { .. }]), "{waiting:?}");
    assert_eq!(scene.leaving(ONE), Some(Leaving::Preempt));
    scene.settle();
    scene.ends_well();
}

#[test]
fn who_is_left_and_dies_waits_for_the_core_and_sends_it_nothing() {
    let (mut scene, [holder, owner]) = regranted(1);
    scene.kill(holder);
    assert_eq!(scene.waiting_for(ONE).len(), 1);
    assert!(scene.state(holder).is_some() && scene.setup.world.memory.contains_key(&holder));
    scene.core_takes(ONE);
    scene.hears(ONE);
    scene.settle();
    assert_eq!(scene.state(holder), None);
    assert_eq!(scene.runs(ONE), Some((owner.pid, 0)));
    scene.ends_well();
}

#[test]
fn who_comes_and_dies_lets_go_behind_it() {
    let (mut scene, [holder, owner]) = regranted(1);
    scene.kill(owner);
    let waiting = scene.waiting_for(ONE);
    assert!(matches!(waiting[..], [ToCore::Regrant { .. }, ToCore::Death { .. }]), "{waiting:?}");
    scene.settle();
    assert_eq!((scene.state(owner), scene.stale()), (None, 0));
    assert_eq!(scene.runs(ONE), Some((holder.pid, 0)));
    scene.ends_well();
}

#[test]
fn who_comes_may_be_preempted_before_it_runs() {
    let (mut scene, [holder, owner]) = regranted(1);
    scene.preempt(ONE);
    scene.core_takes(ONE);
    scene.core_takes(ONE);
    assert_eq!(scene.context(holder, 0), Context::Saved);
    assert_eq!(scene.context(owner, 0), Context::Saved);
    scene.settle();
    assert_eq!(scene.runs(ONE).map(|(pid, _)| pid), Some(owner.pid), "it has the right to it");
    scene.ends_well();
}

#[test]
fn memory_is_not_given_back_before_the_core_has_left_it() {
    let (mut scene, _) = decided(2, |scene, _| {
        scene.does(ONE, Op::Touch(PAGE));
        scene.settle();
    });
    let waiting = scene.waiting_for(ONE);
    assert!(matches!(waiting[..], [ToCore::Regrant { .. }]), "{waiting:?}");
    scene.does(TWO, Op::Unmap(PAGE, 1));
    scene.hears(TWO);
    assert_eq!(scene.waiting_for(ONE).len(), 1, "that it loads other tables flushes all");
    while !scene.waiting_for(TWO).is_empty() {
        scene.core_takes(TWO);
        scene.hears(TWO);
    }
    assert_eq!(scene.open_calls(), 1);
    scene.core_takes(ONE);
    assert!(matches!(scene.hears(ONE), ToMonitor::Started { .. }));
    scene.settle();
    assert_eq!(scene.open_calls(), 0);
    scene.ends_well();
}

#[test]
fn a_core_that_fails_in_between_loses_both_vcores() {
    let (mut scene, [holder, owner]) = regranted(2);
    let gone = left(&scene, holder);
    scene.panics(ONE);
    scene.hears(ONE);
    assert_eq!(scene.kinds(holder, 1 - gone), [kind::VCORE_LOST]);
    assert!(scene.state(owner).is_none_or(State::is_dying), "it had no other");
    scene.settle();
    scene.ends_well();
}

#[test]
fn a_core_that_falls_silent_in_between_ends_both_processes_and_holds_their_memory() {
    let (mut scene, both) = regranted(1);
    scene.act(Action::Fail(ONE, Mishap::FallSilent));
    let is_silent = |scene: &Scene, core: CoreId| {
        scene.setup.world.coordinator.core(core).is_some_and(|it| it.state == CoreState::Silent)
    };
    for _ in 0..100 {
        if !is_silent(&scene, ONE) {
            scene.act(Action::Tick);
            scene.settle();
        }
    }
    assert!(is_silent(&scene, ONE));
    assert_eq!(both.map(|it| scene.state(it)), [None, None]);
    assert!(both.iter().all(|it| scene.setup.world.memory.contains_key(it)));
    scene.act(Action::Fail(ONE, Mishap::Recover));
    scene.settle();
    assert!(both.iter().all(|it| !scene.setup.world.memory.contains_key(it)));
    assert!(scene.is_idle(ONE));
    scene.ends_well();
}
