//! Nobody starves for cores to which nobody else has a right.

use crate::scene::{Scene, ZERO};
use monitor::{Config, Control, Place, ProcessId, State};
use proto::id::CoreId;
use tests::sim::explore::CONFIG;
use tests::sim::{Action, Op, World};

const SHARE: u64 = 100;

/// A process that has become many-core and wants so many cores, or waits for one.
fn many(scene: &mut Scene, wanted: u16) -> ProcessId {
    let process = scene.setup.single();
    scene.does(ZERO, Op::ChangeToM);
    scene.settle();
    if let Some(core) = scene.setup.core_of(process) {
        scene.does(core, Op::Poke(wanted));
        scene.settle();
    }
    process
}

#[test]
fn nobody_without_a_core_waits_longer_than_its_place_in_the_queue_times_the_share() {
    let mut scene = Scene::new(4);
    let config = Config { share: SHARE, max_processes: 8, ..CONFIG };
    scene.setup.world = World::new(config, 4);
    let owner = many(&mut scene, 3);
    scene.console(Control::Provision { core: CoreId(3), to: Some(owner.pid) });
    // All of these together have core 1 and core 2; the owner would like to have those, too.
    let others: Vec<_> = (0..6).map(|_| many(&mut scene, 2)).collect();
    let mut since = vec![None; others.len()];
    let mut times = vec![0; others.len()];
    for _ in 0..60 {
        let now = scene.setup.world.now;
        let without: Vec<bool> =
            others.iter().map(|it| scene.state(*it) == Some(State::RunnableM)).collect();
        let waiting = without.iter().filter(|without| **without).count() as u64;
        for (at, without) in without.into_iter().enumerate() {
            match (since[at], without) {
                (None, true) => since[at] = Some((now, waiting)),
                (Some((began, place)), false) => {
                    let waited = now - began;
                    assert!(waited <= place * SHARE, "place {place}: {waited} ticks");
                    times[at] += 1;
                    since[at] = None;
                }
                _ => {}
            }
        }
        scene.act(Action::Tick);
        scene.settle();
        assert_eq!(scene.runs(CoreId(3)).map(|(pid, _)| pid), Some(owner.pid), "its own");
    }
    let (least, most) = (times.iter().min(), times.iter().max());
    assert!(
        least.zip(most).is_some_and(|(least, most)| *least >= 5 && most - least <= 1),
        "{times:?}"
    );
    scene.ends_well();
}

#[test]
fn a_preempted_vcore_is_reported_when_an_urgent_one_gets_the_core_before_it() {
    let mut scene = Scene::new(4);
    let process = scene.setup.many(2);
    let _other = many(&mut scene, 1);
    let [one, two] = [1, 2].map(CoreId);
    scene.preempt(one);
    scene.preempt(two);
    // No vcore runs or is saved: vcore 2, which is free, is to see the event.
    scene.notify(process);
    scene.core_takes(one);
    scene.hears(one);
    scene.works();
    assert_eq!(scene.place(process, 0), Place::Inactive, "reported, not kept for the next core");
    scene.core_takes(one);
    assert_eq!(scene.runs(one), Some((process.pid, 2)));
    assert!(scene.kinds(process, 2).contains(&proto::event::kind::VCORE_PREEMPTED));
    scene.ends_well();
}
