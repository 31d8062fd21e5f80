//! What processes can do, and what becomes of them.

use crate::scene::{ONE, Scene, TWO, YIELD, ZERO};
use monitor::{Config, Control, FAULTED, LOST_CORE, Place, Policy, State};
use proto::call::Outcome;
use proto::event::kind;
use proto::id::{CoreId, Pid, VcoreId};
use tests::sim::explore::CONFIG;
use tests::sim::{Action, Mishap, Op, World};

#[test]
fn a_process_does_not_run_before_it_is_let() {
    let mut scene = Scene::new(2);
    let made = scene.setup.created();
    scene.settle();
    assert_eq!((scene.state(made), scene.runs(ZERO)), (Some(State::Created), None));
    scene.console(Control::Run { pid: made.pid });
    scene.settle();
    assert_eq!(scene.runs(ZERO), Some((made.pid, 0)));
    scene.ends_well();
}

#[test]
fn single_core_processes_run_in_turn() {
    let mut scene = Scene::new(1);
    let all: Vec<_> = (0..3).map(|_| scene.setup.single()).collect();
    for round in 0..6 {
        assert_eq!(scene.runs(ZERO), Some((all[round % 3].pid, 0)));
        scene.act(Action::Tick);
        scene.settle();
    }
    scene.ends_well();
}

#[test]
fn a_nice_yield_lets_the_next_one_run_and_comes_back() {
    let mut scene = Scene::new(1);
    let (first, second) = (scene.setup.single(), scene.setup.single());
    for process in [first, second, first] {
        assert_eq!(scene.runs(ZERO), Some((process.pid, 0)));
        scene.does(ZERO, Op::Yield { wanted: 0, nice: true });
        scene.settle();
    }
    scene.ends_well();
}

#[test]
fn one_core_cannot_be_leased() {
    let mut scene = Scene::new(1);
    let process = scene.setup.single();
    scene.does(ZERO, Op::ChangeToM);
    scene.settle();
    assert_eq!(scene.state(process), Some(State::RunningS));
    scene.ends_well();
}

#[test]
fn a_process_gets_the_cores_that_it_asks_for_and_no_more_than_there_are() {
    let mut scene = Scene::new(5);
    let many = scene.setup.many(3);
    assert_eq!(scene.setup.cores_of(many).len(), 3);
    let core = scene.setup.core_of(many).expect("it has three");
    scene.does(core, Op::Poke(200));
    scene.settle();
    assert_eq!(scene.setup.cores_of(many).len(), 4);
    assert_eq!(scene.setup.world.coordinator.process(many.pid).map(|it| it.wanted), Some(4));
    scene.ends_well();
}

#[test]
fn the_last_yield_makes_a_process_wait_and_an_event_wakes_it() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(2);
    for core in [ONE, TWO] {
        scene.does(core, Op::Look);
        scene.does(core, YIELD);
    }
    scene.settle();
    assert_eq!(scene.state(many), Some(State::Waiting));
    assert!(scene.is_idle(ONE) && scene.is_idle(TWO));
    scene.notify(many);
    scene.settle();
    assert_eq!(scene.setup.cores_of(many).len(), 1);
    scene.ends_well();
}

#[test]
fn cores_that_a_process_has_a_right_to_are_taken_back_for_it() {
    let mut scene = Scene::new(3);
    let greedy = scene.setup.many(2);
    let owner = scene.setup.single();
    scene.console(Control::Provision { core: TWO, to: Some(owner.pid) });
    assert_eq!(scene.setup.cores_of(greedy).len(), 2, "a right that is not used is lent out");
    scene.does(ZERO, Op::ChangeToM);
    scene.settle();
    assert_eq!(scene.runs(TWO).map(|(pid, _)| pid), Some(owner.pid));
    assert_eq!(scene.setup.cores_of(greedy), [ONE]);
    // The one that lost a core was told which of its vcores does not run.
    let told = [scene.kinds(greedy, 0), scene.kinds(greedy, 1)].concat();
    assert!(told.contains(&kind::VCORE_PREEMPTED), "{told:?}");
    scene.ends_well();
}

#[test]
fn nobody_waits_for_a_core_longer_than_its_place_in_the_queue_times_the_quantum() {
    let mut scene = Scene::new(3);
    let greedy = scene.setup.many(2);
    let others: Vec<_> = (0..2)
        .map(|_| {
            let process = scene.setup.single();
            scene.does(ZERO, Op::ChangeToM);
            scene.settle();
            process
        })
        .collect();
    assert_eq!(scene.setup.cores_of(greedy).len(), 2);
    let began = scene.setup.world.now;
    let mut served = Vec::new();
    while served.len() < others.len() {
        scene.act(Action::Tick);
        scene.settle();
        let has_core = |it: &&monitor::ProcessId| !scene.setup.cores_of(**it).is_empty();
        let new: Vec<_> =
            others.iter().filter(has_core).filter(|it| !served.contains(*it)).collect();
        let waited = scene.setup.world.now - began;
        assert!(waited <= CONFIG.share * 2 * (others.len() as u64), "{waited} ticks");
        served.extend(new.into_iter().copied());
    }
    scene.ends_well();
}

#[test]
fn a_warned_vcore_that_gives_way_goes_on_where_it_can_and_one_that_does_not_is_preempted() {
    for yields in [true, false] {
        let mut scene = Scene::new(2);
        let many = scene.setup.many(1);
        scene.console(Control::Preempt { core: ONE, warning: 50 });
        scene.settle();
        assert!(scene.kinds(many, 0).contains(&kind::PREEMPT_PENDING));
        scene.does(ONE, Op::Look);
        if yields {
            scene.does(ONE, Op::Yield { wanted: 0, nice: true });
            scene.settle();
            // Nobody else wants the core, and who gives way has something to do still.
            assert_eq!(scene.state(many), Some(State::RunningM));
            scene.act(Action::Tick);
            assert_eq!(scene.leaving(ONE), None);
        } else {
            scene.act(Action::Tick);
            // That is a step of its own.
            assert_eq!(scene.leaving(ONE), None);
            scene.act(Action::Continue);
            assert_eq!(scene.leaving(ONE), Some(monitor::Leaving::Preempt));
        }
        scene.ends_well();
    }
}

#[test]
fn a_warned_vcore_that_gives_way_when_its_time_is_up_but_before_it_is_preempted_goes_on() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.console(Control::Preempt { core: ONE, warning: 50 });
    scene.settle();
    scene.does(ONE, Op::Look);
    scene.does(ONE, Op::Yield { wanted: 0, nice: true });
    scene.act(Action::Tick);
    scene.hears(ONE);
    assert_eq!(scene.leaving(ONE), Some(monitor::Leaving::Yield));
    scene.act(Action::Continue);
    assert_eq!(scene.leaving(ONE), Some(monitor::Leaving::Yield));
    scene.settle();
    assert_eq!(scene.state(many), Some(State::RunningM));
    assert_eq!(scene.leaving(ONE), None);
    scene.ends_well();
}

#[test]
fn a_last_vcore_that_gives_way_nicely_goes_on_when_there_is_a_core_again_without_an_event() {
    let mut scene = Scene::new(2);
    let nice = scene.setup.many(1);
    let other = scene.setup.single();
    scene.does(ZERO, Op::ChangeToM);
    scene.settle();
    scene.console(Control::Preempt { core: ONE, warning: 50 });
    scene.settle();
    scene.does(ONE, Op::Look);
    // It wants nothing, as far as it says; but it has only given way.
    scene.does(ONE, Op::Yield { wanted: 0, nice: true });
    scene.settle();
    assert_eq!(scene.runs(ONE), Some((other.pid, 0)));
    assert_eq!(scene.state(nice), Some(State::RunnableM));
    scene.kill(other);
    scene.settle();
    assert_eq!(scene.runs(ONE), Some((nice.pid, 0)));
    scene.ends_well();
}

#[test]
fn a_vcore_that_wants_as_many_cores_as_it_has_cannot_yield() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.does(ONE, Op::Yield { wanted: 1, nice: false });
    scene.settle();
    assert_eq!(scene.state(many), Some(State::RunningM));
    scene.does(ONE, Op::Yield { wanted: 0, nice: true });
    scene.settle();
    assert_eq!(scene.state(many), Some(State::RunningM), "nobody asked it to be nice");
    scene.ends_well();
}

#[test]
fn a_parent_reaps_its_child_once() {
    let mut scene = Scene::new(1);
    let parent = scene.setup.single();
    scene.does(ZERO, Op::Spawn);
    let child = Pid(parent.pid.0 + 1);
    scene.does(ZERO, Op::Wait { pid: child, no_hang: true });
    scene.settle();
    assert!(scene.setup.world.coordinator.process(child).is_some());
    scene.does(ZERO, Op::Destroy(child, 5));
    scene.settle();
    let view = scene.setup.world.coordinator.process(child).expect("not reaped yet");
    assert_eq!((view.ended, view.exit), (true, Some(Outcome(5))));
    scene.does(ZERO, Op::Wait { pid: Pid(0), no_hang: false });
    scene.settle();
    assert_eq!(scene.setup.world.coordinator.process(child), None);
    scene.does(ZERO, Op::Wait { pid: Pid(0), no_hang: false });
    scene.settle();
    assert_eq!(scene.open_calls(), 0, "no child is left to wait for");
    scene.ends_well();
}

#[test]
fn a_fault_ends_the_process_and_the_code_tells_that_the_kernel_did_it() {
    let mut scene = Scene::new(1);
    scene.setup.single();
    scene.does(ZERO, Op::Spawn);
    scene.does(ZERO, Op::Run(Pid(2)));
    scene.does(ZERO, Op::Wait { pid: Pid(9), no_hang: true });
    scene.settle();
    scene.does(ZERO, Op::Look);
    scene.does(ZERO, Op::Yield { wanted: 0, nice: true });
    scene.settle();
    assert_eq!(scene.runs(ZERO).map(|(pid, _)| pid), Some(Pid(2)));
    scene.does(ZERO, Op::Fault);
    scene.settle();
    let child =
        scene.setup.world.coordinator.process(Pid(2)).expect("its parent has not reaped it");
    assert_eq!(child.exit, Some(FAULTED));
    scene.ends_well();
}

#[test]
fn nobody_controls_a_stranger_and_a_policy_can_deny_everything() {
    let mut scene = Scene::new(1);
    let stranger = scene.setup.created();
    scene.setup.single();
    for op in [Op::Run(stranger.pid), Op::Destroy(stranger.pid, 1), Op::NotifyProcess(stranger.pid)]
    {
        scene.does(ZERO, op);
        scene.settle();
    }
    assert_eq!(scene.state(stranger), Some(State::Created));
    scene.ends_well();

    let mut scene = Scene::new(1);
    scene.setup.world = World::new(Config { policy: Policy::DenyAll, ..CONFIG }, 1);
    let own = scene.setup.single();
    scene.does(ZERO, Op::Destroy(own.pid, 1));
    scene.settle();
    assert_eq!(scene.state(own), Some(State::RunningS));
    scene.ends_well();
}

#[test]
fn a_process_on_a_core_that_panics_is_destroyed_and_the_others_go_on() {
    let mut scene = Scene::new(3);
    let victim = scene.setup.many(1);
    let other = scene.setup.many(1);
    scene.panics(ONE);
    scene.settle();
    assert_eq!(scene.state(victim), None);
    assert_eq!(scene.runs(TWO), Some((other.pid, 0)));
    assert!(!scene.setup.world.memory.contains_key(&victim));
}

#[test]
fn a_vcore_on_a_core_that_panics_is_reported_to_another_and_starts_anew() {
    let mut scene = Scene::new(3);
    let many = scene.setup.many(2);
    let (lost, other) = (scene.runs(ONE).expect("it has two").1, scene.runs(TWO).expect("both").1);
    scene.panics(ONE);
    scene.hears(ONE);
    assert_eq!(scene.state(many), Some(State::RunningM));
    assert_eq!(scene.place(many, lost), Place::Inactive);
    assert_eq!(scene.kinds(many, other), [kind::VCORE_LOST]);
    assert_eq!(scene.vcore(many, other).mailbox[0].value, u64::from(lost));
    scene.act(Action::Tell(monitor::Input::Console(monitor::Command::Start { core: ONE })));
    scene.act(Action::Fail(ONE, Mishap::Join));
    scene.settle();
    assert_eq!(scene.runs(ONE), Some((many.pid, lost)), "it wanted two cores still");
    scene.ends_well();
}

#[test]
fn both_vcores_of_a_change_that_was_under_way_on_a_core_that_panics_are_reported() {
    for (keep, told) in [(true, kind::VCORE_LOST), (false, kind::CHECK_MESSAGES)] {
        let mut scene = Scene::new(4);
        let many = scene.setup.many(2);
        let (from, other) =
            (scene.runs(ONE).expect("it has two").1, scene.runs(TWO).expect("both").1);
        scene.does(ONE, Op::ChangeVcore { to: VcoreId(2), keep });
        scene.hears(ONE);
        scene.panics(ONE);
        scene.hears(ONE);
        assert_eq!(scene.kinds(many, other), [kind::VCORE_LOST, told]);
        let values: Vec<_> = scene.vcore(many, other).mailbox.iter().map(|it| it.value).collect();
        assert_eq!(values, [2, u64::from(from)]);
        scene.ends_well();
    }
}

#[test]
fn a_yield_that_was_accepted_on_a_core_that_panics_has_happened() {
    let mut scene = Scene::new(2);
    let many = scene.setup.many(1);
    scene.does(ONE, YIELD);
    scene.hears(ONE);
    scene.panics(ONE);
    scene.settle();
    assert_eq!(scene.state(many), Some(State::Waiting));
    scene.ends_well();
}

#[test]
fn a_process_with_a_vcore_on_a_silent_core_is_destroyed_and_the_core_serves_again_when_it_answers()
{
    let mut scene = Scene::new(3);
    scene.setup.world = World::new(Config { answer_timeout: 10, ..CONFIG }, 3);
    let many = scene.setup.many(2);
    scene.act(Action::Fail(ONE, Mishap::FallSilent));
    scene.preempt(ONE);
    scene.act(Action::Tick);
    scene.settle();
    assert_eq!(scene.state(many), None, "the vcore might write its memory at any time");
    scene.act(Action::Fail(ONE, Mishap::Recover));
    scene.settle();
    assert!(scene.is_idle(ONE) && scene.is_idle(TWO));
    assert!(!scene.setup.world.memory.contains_key(&many));
    scene.ends_well();
}

#[test]
fn the_memory_of_a_process_on_a_silent_core_stays_until_the_core_is_known_to_have_stopped() {
    let mut scene = Scene::new(2);
    scene.setup.world = World::new(Config { answer_timeout: 10, ..CONFIG }, 2);
    let many = scene.setup.many(1);
    scene.act(Action::Fail(ONE, Mishap::FallSilent));
    scene.preempt(ONE);
    scene.act(Action::Tick);
    assert_eq!(scene.state(many), None, "destroyed, and nobody to reap it");
    assert!(scene.setup.world.memory.contains_key(&many), "but the core may still run it");
    let start = monitor::Command::Start { core: ONE };
    scene.act(Action::Tell(monitor::Input::Console(start)));
    assert!(!scene.setup.world.memory.contains_key(&many));
    scene.act(Action::Fail(ONE, Mishap::Join));
    scene.settle();
    let next = scene.setup.many(1);
    assert_eq!(scene.runs(ONE), Some((next.pid, 0)), "the core serves again");
    scene.ends_well();
}

#[test]
fn the_exit_code_of_a_process_on_a_lost_core_tells_so() {
    let mut scene = Scene::new(2);
    scene.setup.single();
    scene.does(ZERO, Op::Spawn);
    scene.does(ZERO, Op::Run(Pid(2)));
    scene.settle();
    scene.does(ZERO, Op::Look);
    scene.does(ZERO, Op::Yield { wanted: 0, nice: true });
    scene.settle();
    scene.does(ZERO, Op::ChangeToM);
    scene.settle();
    assert_eq!(scene.runs(ONE).map(|(pid, _)| pid), Some(Pid(2)));
    scene.panics(ONE);
    scene.settle();
    let child =
        scene.setup.world.coordinator.process(Pid(2)).expect("its parent has not reaped it");
    assert_eq!(child.exit, Some(LOST_CORE));
}

#[test]
fn change_vcore_tells_the_vcore_that_goes_on() {
    for (keep, told) in [(true, kind::VCORE_PREEMPTED), (false, kind::CHECK_MESSAGES)] {
        let mut scene = Scene::new(3);
        let many = scene.setup.many(1);
        scene.does(ONE, Op::ChangeVcore { to: VcoreId(1), keep });
        scene.settle();
        assert_eq!(scene.runs(ONE), Some((many.pid, 1)));
        assert_eq!(scene.kinds(many, 1), [told]);
        assert_eq!(scene.place(many, 0), Place::Inactive);
        scene.ends_well();
    }
}

#[test]
fn calls_that_wait_are_bounded() {
    let mut scene = Scene::new(1);
    scene.setup.single();
    scene.does(ZERO, Op::Spawn);
    for _ in 0..monitor::MAX_WAITS + 3 {
        scene.does(ZERO, Op::Wait { pid: Pid(0), no_hang: false });
    }
    scene.settle();
    assert_eq!(scene.open_calls(), monitor::MAX_WAITS, "the others were refused");
    scene.ends_well();
}

#[test]
fn a_vcore_of_a_dying_process_that_has_not_been_told_yet_cannot_change() {
    let mut scene = Scene::new(82);
    let many = scene.setup.many(70);
    let told = |scene: &Scene, core: &CoreId| scene.leaving(*core).is_some();
    scene.kill(many);
    let untold = scene.setup.cores_of(many).into_iter().rfind(|core| !told(&scene, core));
    let untold = untold.expect("one step does not tell 70 cores");
    scene.does(untold, Op::ChangeVcore { to: VcoreId(75), keep: true });
    scene.hears(untold);
    assert!(scene.waiting_for(untold).is_empty(), "its death is the answer, and will come");
    scene.settle();
    assert_eq!(scene.state(many), None);
    scene.ends_well();
}
