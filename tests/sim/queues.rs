//! Event queues: who is told by the coordinator, whatever vcores do meanwhile.

use super::scene::{ONE, Scene, TWO, YIELD, ZERO};
use monitor::State;
use proto::event::{flag, kind};
use proto::id::VcoreId;
use tests::sim::{ModelQueue, Op};

const QUEUE: ModelQueue =
    ModelQueue { flags: 0, vcore: 0, has_mailbox: false, is_full: false, is_alerted: false };

fn with(flags: u16, vcore: u8) -> ModelQueue {
    ModelQueue { flags, vcore, ..QUEUE }
}

/// Sends and lets all be delivered.
fn send(scene: &mut Scene, core: proto::id::CoreId, queue: ModelQueue) {
    scene.does(core, Op::Send(queue, VcoreId(1)));
    scene.settle();
}

/// Both vcores run and have read everything.
fn two_vcores() -> (Scene, monitor::ProcessId) {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(2);
    for core in [ONE, TWO] {
        scene.does(core, Op::Look);
        scene.does(core, Op::RunThread);
    }
    (scene, many)
}

#[test]
fn a_vcore_that_is_not_interrupted_does_not_leave_before_it_has_looked() {
    for flags in [0, flag::SPAM_PUBLIC] {
        let (mut scene, many) = two_vcores();
        let (_, vcore) = scene.runs(TWO).expect("it runs");
        scene.does(TWO, YIELD);
        // The core has asked to leave; the event comes before that is heard.
        scene.does(ONE, Op::Send(with(flags, vcore as u8), VcoreId(0)));
        scene.hears(ONE);
        assert!(scene.vcore(many, vcore).pending);
        scene.settle();
        assert_eq!(scene.runs(TWO), Some((many.pid, vcore)), "it is still there");
        assert!(!scene.vcore(many, vcore).in_vcore_context, "and was not interrupted");
        scene.does(TWO, Op::Look);
        scene.does(TWO, YIELD);
        scene.settle();
        assert_eq!(scene.runs(TWO), None, "it has looked");
        scene.ends_well();
    }
}

#[test]
fn a_queue_interrupts_its_vcore_only_if_it_says_so() {
    for (flags, interrupts) in [(0, false), (flag::IPI, true)] {
        let (mut scene, many) = two_vcores();
        let (_, vcore) = scene.runs(TWO).expect("it runs");
        send(&mut scene, ONE, with(flags, vcore as u8));
        assert_eq!(scene.vcore(many, vcore).in_vcore_context, interrupts);
        let told = scene.kinds(many, vcore);
        assert_eq!(told.iter().filter(|kind| **kind != kind::CALL_DONE).count(), 1);
        scene.ends_well();
    }
}

#[test]
fn an_event_that_was_throttled_tells_nobody() {
    let (mut scene, many) = two_vcores();
    let flags = flag::IPI | flag::INDIR;
    let queue = ModelQueue { has_mailbox: true, ..with(flags, 1) };
    send(&mut scene, ONE, ModelQueue { is_alerted: true, ..queue });
    assert!(!scene.vcore(many, 1).pending && scene.kinds(many, 1).is_empty());
    send(
        &mut scene,
        ONE,
        ModelQueue { flags: flags | flag::NOTHROTTLE, is_alerted: true, ..queue },
    );
    assert!(scene.vcore(many, 1).pending);
    scene.ends_well();
}

/// A single-core process sends to itself when a many-core process can't: the console's events go to its queue.
#[test]
fn a_process_that_waits_is_woken_only_by_events_that_must_be_seen_or_say_so() {
    let cases = [
        (0, false, false),
        (flag::IPI, false, false),
        (flag::IPI | flag::VCORE_MUST_RUN, false, false),
        (flag::INDIR | flag::IPI, true, false),
        (flag::WAKEUP, false, true),
        (flag::SPAM_PUBLIC, false, true),
        (flag::INDIR | flag::SPAM_INDIR, true, true),
        (flag::INDIR | flag::WAKEUP | flag::ROUNDROBIN, true, true),
    ];
    for many in [false, true] {
        for (flags, has_mailbox, wakes) in cases {
            let mut scene = Scene::new(3);
            let process = if many { scene.setup.many(1) } else { scene.setup.single() };
            let core = if many { ONE } else { ZERO };
            let queue = ModelQueue { has_mailbox, ..with(flags, 0) };
            scene.does(core, Op::SetQueue(Some(queue)));
            scene.settle();
            scene.does(core, Op::Look);
            scene.does(core, YIELD);
            scene.settle();
            assert_eq!(scene.state(process), Some(State::Waiting));
            scene.notify(process);
            scene.settle();
            let waits = scene.state(process) == Some(State::Waiting);
            assert_eq!(waits, !wakes, "{flags:#x} of {process:?}");
        }
    }
}

#[test]
fn vcores_that_run_are_told_in_turn_and_none_that_does_not() {
    let (mut scene, many) = two_vcores();
    let queue = with(flag::ROUNDROBIN, 0);
    // The model's queues say that any vcore was told last.
    for _ in 0..8 {
        send(&mut scene, ONE, queue);
    }
    let count = |scene: &Scene, vcore| {
        scene.kinds(many, vcore).iter().filter(|kind| **kind != kind::CALL_DONE).count()
    };
    let told = [0, 1].map(|vcore| count(&scene, vcore));
    assert!(told[0] + told[1] == 8 && told[0] > 0 && told[1] > 0, "{told:?}");
    scene.does(TWO, Op::Look);
    let (_, vcore) = scene.runs(TWO).expect("it runs");
    // The first is refused: the coordinator cannot know that it has looked.
    for _ in 0..2 {
        scene.does(TWO, YIELD);
        scene.settle();
    }
    assert_eq!(scene.runs(TWO), None);
    for _ in 0..4 {
        send(&mut scene, ONE, queue);
    }
    assert_eq!(count(&scene, vcore), 0);
    scene.ends_well();
}

#[test]
fn a_queue_that_is_none_refuses_programs_and_the_kernels_events_go_to_a_vcore() {
    let (mut scene, many) = two_vcores();
    let full = ModelQueue { is_full: true, has_mailbox: true, ..with(0, 0) };
    let none = with(0, 200);
    scene.does(ONE, Op::SetQueue(Some(none)));
    scene.settle();
    scene.notify(many);
    scene.settle();
    let all = [0, 1].map(|vcore| scene.kinds(many, vcore)).concat();
    assert_eq!(all.iter().filter(|it| **it == 50).count(), 1);
    for queue in [full, none] {
        let calls = scene.setup.world.calls.clone();
        send(&mut scene, ONE, queue);
        assert_eq!(scene.setup.world.calls, calls, "it is answered");
    }
    assert!(!all.contains(&kind::QUEUE));
    scene.ends_well();
}
