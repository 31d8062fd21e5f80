//! What a core is doing when something that was already decided against it arrives: one test for every
//! row of the table of crossings, and for completions.

use crate::scene::{ONE, Scene, TWO, YIELD, ZERO};
use monitor::{Leaving, Place, State};
use proto::event::kind;
use proto::id::{Pid, VcoreId};
use proto::message::{ToCore, ToMonitor};
use tests::sim::{Context, Op, PAGE};

fn change(to: u16, keep: bool) -> Op {
    Op::ChangeVcore { to: VcoreId(to), keep }
}

#[test]
fn crossing_01_user_code_and_preempt() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(1);
    scene.preempt(ONE);
    assert_eq!(scene.state(many), Some(State::RunningM));
    assert!(matches!(scene.core_takes(ONE), ToCore::Preempt { .. }));
    assert_eq!(scene.context(many, 0), Context::Saved);
    scene.hears(ONE);
    // It wants a core still: core 2 was granted as soon as core 1 was told to let go.
    scene.settle();
    assert_eq!(scene.state(many), Some(State::RunningM));
    scene.ends_well();
}

#[test]
fn crossing_01_user_code_and_death() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.kill(many);
    assert!(matches!(scene.core_takes(ONE), ToCore::Death { .. }));
    assert_eq!(scene.context(many, 0), Context::Fresh);
    assert!(scene.setup.world.memory.contains_key(&many));
    assert!(matches!(scene.hears(ONE), ToMonitor::Released { .. }));
    assert!(scene.is_idle(ONE));
    // The core is free at once, the memory in a step of its own.
    assert!(scene.setup.world.memory.contains_key(&many));
    scene.settle();
    assert!(!scene.setup.world.memory.contains_key(&many));
    scene.ends_well();
}

#[test]
fn crossing_01_user_code_and_notify() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.does(ONE, Op::Look);
    scene.does(ONE, Op::RunThread);
    scene.notify(many);
    assert!(!scene.vcore(many, 0).in_vcore_context);
    scene.core_takes(ONE);
    assert!(scene.vcore(many, 0).in_vcore_context && scene.vcore(many, 0).pending);
    scene.ends_well();
}

#[test]
fn crossing_02_yield_not_heard_and_preempt() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.does(ONE, YIELD);
    scene.preempt(ONE);
    scene.hears(ONE);
    // The yield is dropped: `Preempt` is its answer, and the process did not give the core back.
    assert_eq!(scene.leaving(ONE), Some(Leaving::Preempt));
    scene.core_takes(ONE);
    assert_eq!(scene.context(many, 0), Context::Saved);
    scene.hears(ONE);
    scene.settle();
    assert_eq!(scene.runs(ONE), Some((many.pid, 0)));
    scene.ends_well();
}

#[test]
fn crossing_03_yield_not_heard_and_death() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.does(ONE, YIELD);
    scene.kill(many);
    scene.hears(ONE);
    assert_eq!(scene.waiting_for(ONE).len(), 1, "no answer beside the death");
    scene.settle();
    assert_eq!(scene.state(many), None);
    scene.ends_well();
}

#[test]
fn crossing_04_yield_not_heard_and_event_for_it() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.does(ONE, Op::Look);
    scene.does(ONE, YIELD);
    scene.notify(many);
    scene.hears(ONE);
    let sent = scene.waiting_for(ONE);
    assert!(matches!(sent[..], [ToCore::Notify { .. }, ToCore::Done { .. }]), "{sent:?}");
    scene.settle();
    assert_eq!(scene.state(many), Some(State::RunningM));
    assert!(scene.vcore(many, 0).pending);
    scene.ends_well();
}

#[test]
fn crossing_04_event_after_a_yield_was_accepted() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.does(ONE, YIELD);
    scene.hears(ONE);
    scene.notify(many);
    assert_eq!(scene.leaving(ONE), Some(Leaving::Yield));
    scene.settle();
    // It waited for no time at all: the vcore that has the event runs.
    assert_eq!(scene.state(many), Some(State::RunningM));
    assert_eq!(scene.runs(ONE), Some((many.pid, 0)));
    assert!(scene.vcore(many, 0).pending);
    scene.ends_well();
}

#[test]
fn crossing_05_yield_completed_and_notify() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(2);
    scene.does(ONE, Op::Poke(0));
    scene.settle();
    scene.does(ONE, Op::Look);
    scene.does(ONE, YIELD);
    scene.settle();
    let other = scene.runs(TWO).expect("the other vcore runs");
    scene.does(TWO, Op::NotifyVcore(VcoreId(1 - other.1)));
    scene.settle();
    // Nobody is told, but the flag waits for the next start.
    assert!(scene.vcore(many, 1 - other.1).pending);
    assert_eq!(scene.runs(ONE), None);
    scene.ends_well();
}

#[test]
fn crossing_06_yield_completed_and_start_for_another_process() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    let other = scene.setup.single();
    scene.does(ZERO, Op::ChangeToM);
    scene.settle();
    assert_eq!(scene.state(other), Some(State::RunnableM));
    scene.does(ONE, YIELD);
    scene.hears(ONE);
    assert_eq!(scene.waiting_for(ONE).len(), 1, "no start before the core is free");
    scene.core_takes(ONE);
    scene.hears(ONE);
    scene.works();
    assert!(matches!(scene.core_takes(ONE), ToCore::StartCore { .. }));
    assert_eq!(scene.runs(ONE).map(|(pid, _)| pid), Some(other.pid));
    assert_eq!(scene.state(many), Some(State::Waiting));
    scene.ends_well();
}

#[test]
fn crossing_07_change_vcore_not_heard_and_preempt() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(1);
    scene.does(ONE, change(1, true));
    scene.preempt(ONE);
    scene.hears(ONE);
    assert_eq!(scene.place(many, 0), Place::Leaving);
    scene.core_takes(ONE);
    assert_eq!(scene.context(many, 0), Context::Saved);
    scene.settle();
    scene.ends_well();
}

#[test]
fn crossing_07_change_vcore_not_heard_and_death() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(1);
    scene.does(ONE, change(1, false));
    scene.kill(many);
    scene.settle();
    assert_eq!(scene.state(many), None);
    assert!(scene.is_idle(ONE));
    scene.ends_well();
}

#[test]
fn crossing_08_change_vcore_accepted_and_notify() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(1);
    scene.does(ONE, Op::Look);
    scene.does(ONE, change(1, true));
    scene.hears(ONE);
    scene.notify(many);
    let sent = scene.waiting_for(ONE);
    assert!(matches!(sent[..], [ToCore::SetContext { .. }, ToCore::Notify { .. }]), "{sent:?}");
    scene.settle();
    assert_eq!(scene.runs(ONE), Some((many.pid, 1)));
    assert!(scene.vcore(many, 1).pending);
    scene.ends_well();
}

#[test]
fn crossing_09_change_vcore_accepted_and_preempt_of_the_new_one() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(1);
    scene.does(ONE, change(1, true));
    scene.hears(ONE);
    scene.preempt(ONE);
    assert_eq!(scene.place(many, 0), Place::Saving);
    scene.core_takes(ONE);
    scene.core_takes(ONE);
    assert_eq!(scene.context(many, 0), Context::Saved);
    assert_eq!(scene.context(many, 1), Context::Saved);
    scene.settle();
    scene.ends_well();
}

#[test]
fn crossing_09_change_vcore_accepted_and_death_of_the_new_one() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(1);
    scene.does(ONE, change(1, true));
    scene.hears(ONE);
    scene.kill(many);
    scene.settle();
    assert_eq!((scene.state(many), scene.stale()), (None, 0));
    scene.ends_well();
}

#[test]
fn crossing_10_start_not_taken_and_preempt_or_death() {
    for dies in [false, true] {
        let mut scene = Scene::new(2);
        let process = scene.setup.single();
        scene.does(ZERO, Op::ChangeToM);
        scene.hears(ZERO);
        scene.core_takes(ZERO);
        scene.hears(ZERO);
        scene.works();
        assert!(matches!(scene.waiting_for(ONE)[..], [ToCore::StartCore { .. }]));
        if dies {
            scene.kill(process);
        } else {
            scene.preempt(ONE);
        }
        // Both are taken in their order; the vcore has the core for a moment and runs nothing.
        scene.core_takes(ONE);
        assert_eq!(scene.runs(ONE), Some((process.pid, 0)));
        scene.core_takes(ONE);
        assert_eq!(scene.runs(ONE), None);
        scene.settle();
        assert_eq!(scene.state(process).is_none(), dies);
        scene.ends_well();
    }
}

#[test]
fn crossing_11_start_waits_for_the_save_elsewhere() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(1);
    scene.preempt(ONE);
    // Core 2 is idle and the process wants a core, but this vcore is not saved: another one runs there.
    scene.act(tests::sim::Action::Continue);
    scene.core_takes(TWO);
    assert_eq!(scene.runs(TWO), Some((many.pid, 1)));
    scene.settle();
    assert_eq!(scene.context(many, 0), Context::Saved);
    scene.does(TWO, change(0, true));
    scene.settle();
    assert_eq!(scene.runs(TWO), Some((many.pid, 0)));
    scene.ends_well();
}

#[test]
fn crossing_11_change_to_a_vcore_that_is_not_saved_is_refused() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(2);
    let (_, on_two) = scene.runs(TWO).expect("two vcores run");
    scene.preempt(TWO);
    scene.does(ONE, change(on_two, true));
    while !matches!(scene.hears(ONE), ToMonitor::ChangeVcore { .. }) {}
    let refused = |it: &ToCore| matches!(it, ToCore::Done { outcome, .. } if outcome.0 == -11);
    assert!(scene.waiting_for(ONE).iter().any(refused));
    scene.settle();
    assert_eq!(scene.runs(TWO), Some((many.pid, on_two)), "saved first, then started again");
    scene.ends_well();
}

#[test]
fn crossing_12_waiting_call_and_death() {
    let mut scene = Scene::new(2);
    let parent = scene.setup.single();
    scene.does(ZERO, Op::Spawn);
    scene.does(ZERO, Op::Wait { pid: Pid(0), no_hang: false });
    scene.settle();
    assert_eq!(scene.open_calls(), 1);
    scene.kill(parent);
    scene.settle();
    // The core came free at once; the wait went with the process and nothing was written.
    assert_eq!(scene.state(parent), None);
    assert_eq!(scene.runs(ZERO), None);
    scene.ends_well();
}

#[test]
fn crossing_13_single_core_process_dies_and_slice_ends() {
    let mut scene = Scene::new(2);
    let first = scene.setup.single();
    let second = scene.setup.single();
    scene.kill(first);
    scene.act(tests::sim::Action::Tick);
    assert_eq!(scene.waiting_for(ZERO).len(), 1, "the death, and no preempt behind it");
    scene.settle();
    assert_eq!(scene.runs(ZERO), Some((second.pid, 0)));
    scene.ends_well();
}

#[test]
fn crossing_13_single_core_process_dies_and_the_core_switches_from_it() {
    const NICE: Op = Op::Yield { wanted: 0, nice: true };
    let mut scene = Scene::new(1);
    let first = scene.setup.single();
    let second = scene.setup.single();
    scene.does(ZERO, NICE);
    scene.hears(ZERO);
    let sent = scene.waiting_for(ZERO);
    assert!(
        matches!(sent[..], [ToCore::Switch { from, to, .. }] if from.pid == first.pid && to.pid == second.pid),
        "{sent:?}"
    );
    scene.kill(first);
    // The core has its memory loaded still, and owes no answer: so it is asked for one.
    let sent = scene.waiting_for(ZERO);
    assert!(matches!(sent[..], [_, ToCore::Notify { .. }]), "{sent:?}");
    assert_eq!(scene.state(first), Some(State::DyingAbort));
    scene.core_takes(ZERO);
    assert_eq!(scene.runs(ZERO), Some((second.pid, 0)));
    assert_eq!(scene.context(first, 0), Context::Saved);
    scene.core_takes(ZERO);
    assert!(matches!(scene.hears(ZERO), ToMonitor::Notified { .. }));
    scene.settle();
    assert_eq!(scene.state(first), None);
    assert_eq!(scene.runs(ZERO), Some((second.pid, 0)));
    scene.ends_well();
}

#[test]
fn crossing_13_single_core_process_dies_and_the_core_switches_to_it() {
    let mut scene = Scene::new(1);
    let first = scene.setup.single();
    let second = scene.setup.single();
    scene.does(ZERO, YIELD);
    scene.hears(ZERO);
    assert!(matches!(scene.waiting_for(ZERO)[..], [ToCore::Switch { .. }]));
    scene.kill(second);
    scene.settle();
    assert_eq!((scene.state(first), scene.state(second)), (Some(State::Waiting), None));
    assert_eq!(scene.runs(ZERO), None);
    scene.ends_well();
}

#[test]
fn crossing_14_two_destroyers() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(2);
    scene.does(ONE, Op::Exit(3));
    scene.kill(many);
    scene.kill(many);
    scene.settle();
    assert_eq!(scene.state(many), None);
    assert!(scene.is_idle(ONE) && scene.is_idle(TWO));
    scene.ends_well();
}

#[test]
fn crossing_15_parent_waits_and_child_and_parent_die() {
    for parent_first in [false, true] {
        let mut scene = Scene::new(2);
        let parent = scene.setup.single();
        scene.does(ZERO, Op::Spawn);
        scene.does(ZERO, Op::Wait { pid: Pid(0), no_hang: false });
        scene.settle();
        let child = Pid(parent.pid.0 + 1);
        let child = scene.setup.world.coordinator.process(child).expect("it was made").id;
        let order = if parent_first { [parent, child] } else { [child, parent] };
        order.into_iter().for_each(|process| scene.kill(process));
        scene.settle();
        assert_eq!((scene.state(parent), scene.state(child)), (None, None));
        assert_eq!(scene.setup.world.coordinator.process_count(), 0);
        scene.ends_well();
    }
}

#[test]
fn crossing_16_completion_and_preempt() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.setup.maps(many, 1);
    scene.does(ONE, Op::Touch(PAGE));
    scene.settle();
    scene.does(ONE, Op::Unmap(PAGE, 1));
    scene.preempt(ONE);
    scene.settle();
    assert_eq!(scene.open_calls(), 0);
    assert_eq!(scene.state(many), Some(State::RunningM));
    scene.ends_well();
}

#[test]
fn crossing_17_completion_and_death() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.does(ONE, Op::Poke(1));
    scene.kill(many);
    let before = scene.stale();
    scene.hears(ONE);
    assert_eq!(scene.stale(), before + 1, "a dying process's call is dropped");
    scene.settle();
    scene.ends_well();
}

#[test]
fn crossing_18_completion_and_change_vcore() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(1);
    scene.does(ONE, Op::Look);
    scene.does(ONE, Op::Poke(1));
    scene.does(ONE, change(1, true));
    scene.settle();
    // The outcome was written and its event posted, wherever the calling vcore is by then.
    assert_eq!(scene.open_calls(), 0);
    let everywhere = [scene.kinds(many, 0), scene.kinds(many, 1)].concat();
    assert!(everywhere.contains(&kind::CALL_DONE), "{everywhere:?}");
    scene.ends_well();
}
