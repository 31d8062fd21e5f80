//! A core that changes hands in a step of its own, and all that can come between the steps.

use crate::regrant::contended;
use crate::scene::{ONE, Scene, TWO, YIELD, ZERO};
use monitor::{Command, Control, Input, Leaving, Place, ProcessId, State};
use proto::id::CoreId;
use proto::message::{Lane, ToCore};
use tests::sim::{Action, Context, Op, PAGE};

/// A process that has become many-core and waits for a core, which another one with the only core leaves. That core has
/// come free, and was not passed on yet.
fn free() -> (Scene, [ProcessId; 2]) {
    let mut scene = Scene::new(2);
    let holder = scene.setup.many(1);
    let waiting = scene.setup.single();
    scene.does(ZERO, Op::ChangeToM);
    scene.settle();
    scene.preempt(ONE);
    scene.core_takes(ONE);
    scene.hears(ONE);
    assert!(scene.waiting_for(ONE).is_empty() && !scene.is_idle(ONE));
    (scene, [holder, waiting])
}

/// Core 1 was taken from its holder for who has a right to it, and was not told so yet.
fn taken() -> (Scene, [ProcessId; 2]) {
    let (mut scene, both) = contended(1, |_, _| ());
    scene.goes_on();
    assert_eq!(scene.leaving(ONE), Some(Leaving::Preempt));
    assert!(scene.waiting_for(ONE).is_empty());
    (scene, both)
}

fn pid_on(scene: &Scene, core: CoreId) -> Option<proto::id::Pid> {
    scene.runs(core).map(|(pid, _)| pid)
}

#[test]
fn each_core_is_granted_in_a_step_of_its_own() {
    let mut scene = Scene::new(4);
    scene.setup.many(1);
    scene.does(ONE, Op::Poke(3));
    scene.hears(ONE);
    for core in [TWO, CoreId(3)] {
        assert!(scene.waiting_for(core).is_empty());
        scene.goes_on();
        assert!(matches!(scene.waiting_for(core)[..], [ToCore::StartCore { .. }]));
    }
    assert!(!scene.setup.world.again, "it has what it wants");
    scene.ends_well();
}

#[test]
fn who_wants_less_before_it_is_granted_more_gets_no_more() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(1);
    for wanted in [2, 1] {
        scene.does(ONE, Op::Poke(wanted));
        scene.hears(ONE);
    }
    scene.works();
    assert!(scene.is_idle(TWO));
    assert_eq!(scene.state(many), Some(State::RunningM));
    scene.ends_well();
}

#[test]
fn who_dies_before_it_is_granted_more_gets_no_more() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(1);
    scene.does(ONE, Op::Poke(2));
    scene.hears(ONE);
    scene.kill(many);
    scene.works();
    assert!(scene.waiting_for(TWO).is_empty() && scene.is_idle(TWO));
    scene.settle();
    assert_eq!(scene.state(many), None);
    scene.ends_well();
}

#[test]
fn a_core_that_fails_before_it_is_granted_is_not_and_the_process_waits() {
    let mut scene = Scene::new(3);
    scene.setup.many(1);
    scene.does(ONE, Op::Poke(2));
    scene.hears(ONE);
    scene.panics(TWO);
    scene.hears(TWO);
    scene.works();
    assert!(scene.waiting_for(TWO).is_empty() && !scene.is_idle(TWO));
    scene.ends_well();
}

#[test]
fn who_asks_while_a_core_is_passed_on_waits_behind_those_who_wait() {
    let (mut scene, [holder, waiting]) = free();
    let late = scene.setup.single();
    scene.does(ZERO, Op::ChangeToM);
    scene.hears(ZERO);
    scene.core_takes(ZERO);
    scene.hears(ZERO);
    scene.settle();
    assert_eq!(pid_on(&scene, ONE), Some(waiting.pid));
    for next in [holder, late] {
        scene.does(ONE, YIELD);
        scene.settle();
        assert_eq!(pid_on(&scene, ONE), Some(next.pid));
    }
    scene.ends_well();
}

#[test]
fn a_core_whose_next_holder_dies_before_it_is_passed_on_goes_to_the_next() {
    let (mut scene, [holder, waiting]) = free();
    scene.kill(waiting);
    scene.settle();
    assert_eq!(pid_on(&scene, ONE), Some(holder.pid));
    scene.ends_well();
}

#[test]
fn a_core_for_which_nobody_waits_any_more_is_idle() {
    let (mut scene, both) = free();
    both.iter().for_each(|it| scene.kill(*it));
    scene.works();
    assert!(scene.is_idle(ONE));
    scene.ends_well();
}

#[test]
fn a_core_that_is_to_stop_or_fails_before_it_is_passed_on_is_not_granted() {
    for fails in [false, true] {
        let (mut scene, both) = free();
        if fails {
            scene.panics(ONE);
            scene.hears(ONE);
        } else {
            scene.act(Action::Tell(Input::Console(Command::Stop { core: ONE })));
        }
        scene.works();
        let started = |it: &ToCore| matches!(it, ToCore::StartCore { .. });
        assert!(!scene.waiting_for(ONE).iter().any(started) && !scene.is_idle(ONE));
        let stops = scene.waiting_for(ONE).iter().filter(|it| **it == ToCore::Stop).count();
        assert_eq!(stops, usize::from(!fails));
        assert_eq!(both.map(|it| scene.state(it)), [Some(State::RunnableM); 2]);
        scene.ends_well();
    }
}

#[test]
fn a_core_whose_holder_dies_before_it_is_told_to_leave_says_that_it_is_free() {
    let (mut scene, [holder, owner]) = taken();
    scene.kill(holder);
    scene.works();
    assert!(matches!(scene.waiting_for(ONE)[..], [ToCore::Preempt { .. }]), "once");
    assert!(scene.state(holder).is_some(), "its memory may be loaded there");
    scene.settle();
    assert_eq!((scene.state(holder), pid_on(&scene, ONE)), (None, Some(owner.pid)));
    scene.ends_well();
}

#[test]
fn a_core_whose_next_holder_dies_before_it_is_told_to_leave_goes_back_to_the_last() {
    let (mut scene, [holder, owner]) = taken();
    scene.kill(owner);
    scene.works();
    assert!(matches!(scene.waiting_for(ONE)[..], [ToCore::Preempt { .. }]));
    scene.settle();
    assert_eq!(pid_on(&scene, ONE), Some(holder.pid));
    assert_eq!((scene.state(owner), scene.stale()), (None, 0));
    scene.ends_well();
}

#[test]
fn what_a_vcore_asks_for_before_its_core_is_told_to_leave_is_answered_by_that() {
    let (mut scene, [holder, owner]) = taken();
    scene.does(ONE, YIELD);
    scene.hears(ONE);
    assert!(scene.waiting_for(ONE).is_empty(), "no answer of its own");
    scene.works();
    assert!(matches!(scene.waiting_for(ONE)[..], [ToCore::Regrant { .. }]));
    scene.core_takes(ONE);
    assert_eq!(scene.context(holder, 0), Context::Saved);
    scene.settle();
    assert_eq!(pid_on(&scene, ONE), Some(owner.pid));
    scene.ends_well();
}

#[test]
fn a_core_is_told_once_to_leave_though_it_is_preempted_too() {
    let (mut scene, [holder, _]) = taken();
    scene.preempt(ONE);
    assert!(scene.waiting_for(ONE).is_empty());
    scene.works();
    assert!(matches!(scene.waiting_for(ONE)[..], [ToCore::Regrant { .. }]));
    assert_eq!(scene.place(holder, 0), Place::Leaving);
    scene.settle();
    scene.ends_well();
}

#[test]
fn a_core_that_is_to_stop_before_it_is_told_to_leave_says_first_that_it_is_free() {
    let (mut scene, [holder, owner]) = taken();
    scene.act(Action::Tell(Input::Console(Command::Stop { core: ONE })));
    scene.works();
    assert!(matches!(scene.waiting_for(ONE)[..], [ToCore::Preempt { .. }]));
    scene.core_takes(ONE);
    scene.hears(ONE);
    scene.works();
    assert_eq!(scene.waiting_for(ONE), [ToCore::Stop]);
    assert_eq!([holder, owner].map(|it| scene.state(it)), [Some(State::RunnableM); 2]);
    scene.ends_well();
}

#[test]
fn a_core_that_fails_before_it_is_told_to_leave_loses_its_vcore_and_nobody_gets_it() {
    let (mut scene, [holder, owner]) = taken();
    scene.panics(ONE);
    scene.hears(ONE);
    scene.works();
    assert!(scene.waiting_for(ONE).is_empty());
    assert_eq!(scene.state(owner), Some(State::RunnableM), "it waits for another one");
    scene.settle();
    assert_eq!(scene.state(holder), None, "it had no other");
    scene.ends_well();
}

#[test]
fn a_core_whose_owner_wants_none_any_more_comes_back_to_its_holder() {
    let (mut scene, [holder, owner]) = taken();
    scene.console(Control::Provision { core: ONE, to: None });
    scene.kill(owner);
    scene.settle();
    assert_eq!((scene.state(owner), pid_on(&scene, ONE)), (None, Some(holder.pid)));
    scene.ends_well();
}

#[test]
fn a_core_may_be_taken_again_before_it_has_started_what_it_was_given() {
    for has_started in [false, true] {
        let mut scene = Scene::new(2);
        scene.setup.many(1);
        let [next, owner] = [false, true].map(|is_owner| {
            let process = scene.setup.single();
            if is_owner {
                scene.console(Control::Provision { core: ONE, to: Some(process.pid) });
            }
            scene.does(ZERO, Op::ChangeToM);
            scene.hears(ZERO);
            scene.core_takes(ZERO);
            scene.hears(ZERO);
            process
        });
        scene.works();
        scene.console(Control::Provision { core: ONE, to: Some(next.pid) });
        scene.goes_on();
        assert_eq!(
            (scene.leaving(ONE), scene.place(owner, 0)),
            (Some(Leaving::Preempt), Place::Leaving)
        );
        if has_started {
            scene.core_takes(ONE);
            scene.hears(ONE);
        }
        scene.works();
        let waiting = scene.waiting_for(ONE);
        match waiting.last() {
            Some(ToCore::Regrant { from, to, .. }) if has_started => {
                assert_eq!((from.pid, to.pid), (owner.pid, next.pid));
            }
            Some(ToCore::Preempt { lease, .. }) if !has_started => assert_eq!(lease.pid, owner.pid),
            _ => panic!("{waiting:?}"),
        }
        scene.settle();
        assert_eq!(pid_on(&scene, ONE), Some(next.pid));
        scene.ends_well();
    }
}

#[test]
fn who_has_a_right_to_a_core_that_owes_an_answer_waits_for_it() {
    let mut scene = Scene::new(4);
    let holder = scene.setup.many(2);
    scene.setup.maps(holder, 2);
    let owner = scene.setup.many(1);
    let own = CoreId(3);
    assert_eq!(pid_on(&scene, own), Some(owner.pid));
    scene.console(Control::Provision { core: ONE, to: Some(owner.pid) });
    scene.does(TWO, Op::Unmap(PAGE, 1));
    scene.hears(TWO);
    scene.works();
    scene.preempt(ONE);
    scene.works();
    while !scene.waiting_for(ONE).is_empty() {
        scene.core_takes(ONE);
    }
    // That it is free is heard before that it has flushed.
    scene.act(Action::Deliver(ONE, Lane::Routine));
    assert_eq!((scene.runs(ONE), scene.is_idle(ONE)), (None, false));
    scene.does(own, Op::Poke(4));
    scene.hears(own);
    for _ in 0..8 {
        if scene.setup.world.again {
            scene.goes_on();
        }
    }
    assert!(!scene.setup.world.again, "it waits for the answer and for nothing else");
    scene.settle();
    assert_eq!(pid_on(&scene, ONE), Some(owner.pid));
    scene.ends_well();
}
