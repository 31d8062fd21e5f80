//! The eight orders on which the protocol rests, each shown on messages that are still under way.

use crate::scene::{ONE, Scene, TWO, YIELD, ZERO};
use monitor::{Control, Leaving, Place, State};
use proto::id::VcoreId;
use proto::message::{ToCore, ToMonitor, tag};
use tests::sim::{Action, Context, Mishap, Op};

#[test]
fn order_1_start_before_death_and_preempt_of_the_same_lease() {
    let mut scene = Scene::new(2);
    let process = scene.setup.single();
    scene.does(ZERO, Op::ChangeToM);
    scene.hears(ZERO);
    scene.core_takes(ZERO);
    scene.hears(ZERO);
    scene.works();
    scene.kill(process);
    let sent = scene.waiting_for(ONE);
    let [ToCore::StartCore { lease, .. }, ToCore::Death { lease: dead }] = sent[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(lease, dead);
    scene.ends_well();
}

#[test]
fn order_2_a_core_is_granted_again_only_when_it_has_said_that_it_is_free() {
    let mut scene = Scene::new(2);
    scene.setup.many(1);
    let other = scene.setup.single();
    scene.does(ZERO, Op::ChangeToM);
    scene.settle();
    scene.preempt(ONE);
    assert!(matches!(scene.waiting_for(ONE)[..], [ToCore::Preempt { .. }]));
    scene.core_takes(ONE);
    assert!(scene.waiting_for(ONE).is_empty(), "saved, but the coordinator has not heard of it");
    scene.hears(ONE);
    scene.works();
    let sent = scene.waiting_for(ONE);
    assert!(matches!(sent[..], [ToCore::StartCore { lease, .. }] if lease.pid == other.pid));
    scene.ends_well();
}

#[test]
fn order_2_a_lease_that_has_ended_is_answered_as_stale() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.preempt(ONE);
    scene.settle();
    assert_eq!(scene.runs(ONE), Some((many.pid, 0)));
    // The preempt of the lease before arrives once more: the vcore that runs now is not touched.
    let start = scene.setup.world.cores[1].history.to.front();
    assert!(matches!(start, Some(ToCore::StartCore { .. })), "{start:?}");
    scene.preempt(ONE);
    scene.core_takes(ONE);
    scene.act(Action::Fail(ONE, Mishap::ReplayToCore(0)));
    scene.hears(ONE);
    scene.core_takes(ONE);
    let said = scene.hears(ONE);
    assert!(matches!(said, ToMonitor::Stale { kind: tag::PREEMPT, .. }), "{said:?}");
    scene.settle();
    assert_eq!(scene.state(many), Some(State::RunningM));
    scene.ends_well();
}

#[test]
fn order_3_a_vcore_is_started_elsewhere_only_after_its_save_is_acknowledged() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(1);
    scene.does(ONE, Op::ChangeVcore { to: VcoreId(1), keep: true });
    scene.hears(ONE);
    assert_eq!(scene.place(many, 0), Place::Saving);
    assert_eq!(scene.runs(TWO), None, "vcore 0 is the only one left, and it is not saved");
    scene.core_takes(ONE);
    assert_eq!(scene.context(many, 0), Context::Saved);
    scene.hears(ONE);
    scene.ends_well();
}

#[test]
fn order_4_a_request_is_judged_by_the_lease_under_which_it_was_made() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.does(ONE, YIELD);
    let request = scene.setup.world.cores[1].from[1].back().copied().expect("the yield");
    scene.preempt(ONE);
    scene.settle();
    assert_eq!(scene.runs(ONE), Some((many.pid, 0)));
    let stale = scene.stale();
    scene.forge(ONE, request);
    assert_eq!(scene.stale(), stale + 1);
    assert_eq!(scene.leaving(ONE), None, "the vcore that runs now did not ask");
    scene.ends_well();
}

#[test]
fn order_5_a_core_counts_as_free_when_it_says_so() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.does(ONE, YIELD);
    scene.hears(ONE);
    assert!(!scene.is_idle(ONE));
    scene.core_takes(ONE);
    assert!(!scene.is_idle(ONE));
    scene.hears(ONE);
    assert!(scene.is_idle(ONE));
    assert_eq!(scene.state(many), Some(State::Waiting));
    scene.ends_well();
}

#[test]
fn order_6_a_notify_before_a_preempt_is_taken_before_it() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.does(ONE, Op::RunThread);
    scene.notify(many);
    scene.preempt(ONE);
    let sent = scene.waiting_for(ONE);
    assert!(matches!(sent[..], [ToCore::Notify { .. }, ToCore::Preempt { .. }]), "{sent:?}");
    scene.core_takes(ONE);
    assert!(scene.vcore(many, 0).in_vcore_context);
    scene.settle();
    scene.ends_well();
}

#[test]
fn order_7_an_event_for_a_process_without_a_vcore_on_a_core_goes_to_the_next_to_be_started() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(2);
    scene.preempt(ONE);
    scene.preempt(TWO);
    scene.core_takes(ONE);
    scene.hears(ONE);
    scene.notify(many);
    scene.settle();
    let reads = (0..2).all(|vcore| {
        let memory = scene.vcore(many, vcore);
        memory.mailbox.is_empty() || matches!(memory.context, Context::On(_))
    });
    assert!(reads, "whoever has an event runs");
    scene.ends_well();
}

#[test]
fn order_8_the_map_is_changed_before_the_start_and_after_the_core_is_free() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    assert_eq!(scene.vcore(many, 0).core, Some(ONE));
    scene.does(ONE, YIELD);
    scene.hears(ONE);
    assert_eq!(scene.leaving(ONE), Some(Leaving::Yield));
    assert_eq!(scene.vcore(many, 0).core, Some(ONE), "valid until the core is free");
    scene.core_takes(ONE);
    scene.hears(ONE);
    assert_eq!(scene.vcore(many, 0).core, None);
    scene.notify(many);
    scene.works();
    assert_eq!(scene.vcore(many, 0).core, Some(ONE), "valid from the send of the start");
    scene.console(Control::Preempt { core: ONE, warning: 0 });
    scene.ends_well();
}
