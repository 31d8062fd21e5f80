//! What operations cost in messages: counted here, kept in `ledger.md` beside this file.
//!
//! `UPDATE_LEDGER=1 cargo test -p tests --test protocol ledger` writes the file anew.

use crate::scene::{ONE, Scene, TWO, YIELD, ZERO};
use monitor::ProcessId;
use proto::id::VcoreId;
use proto::message::Lane;
use proto::slot::{Message, Slot};
use std::fmt::Write;
use std::path::Path;
use tests::sim::{Action, Op, PAGE};

/// What one operation took until everything was quiet again.
#[derive(Debug, Default)]
struct Cost {
    to_cores: usize,
    from_cores: usize,
    bytes: usize,
    doorbells: usize,
    rounds: usize,
}

fn bytes<M: Message>(message: &M) -> usize {
    let mut slot = Slot::EMPTY;
    slot.encode(message)
}

/// Lets everything be delivered in rounds: all cores take all that waits for them, then the coordinator
/// all that waits for it.
fn measure(scene: &mut Scene) -> Cost {
    let mut cost = Cost::default();
    loop {
        let before = cost.to_cores + cost.from_cores;
        hear_all(scene, &mut cost);
        take_all(scene, &mut cost);
        if cost.to_cores + cost.from_cores == before {
            return cost;
        }
        cost.rounds += 1;
    }
}

fn hear_all(scene: &mut Scene, cost: &mut Cost) {
    for core in scene.cores() {
        for lane in [Lane::Immediate, Lane::Routine] {
            while let Some(message) = scene.says(core, lane) {
                cost.from_cores += 1;
                cost.bytes += bytes(&message);
                scene.act(Action::Deliver(core, lane));
            }
        }
    }
    while scene.setup.world.again {
        scene.act(Action::Continue);
    }
}

fn take_all(scene: &mut Scene, cost: &mut Cost) {
    for core in scene.cores() {
        let waiting = scene.waiting_for(core);
        cost.to_cores += waiting.len();
        cost.bytes += waiting.iter().map(bytes).sum::<usize>();
        cost.doorbells += usize::from(!waiting.is_empty());
        for _ in waiting {
            scene.act(Action::Handle(core));
        }
    }
}

/// A process on `cores` cores that has read its events, on a machine with as many to lease.
fn gang(cores: u16) -> (Scene, ProcessId) {
    let mut scene = Scene::new(usize::from(cores) + 1);
    let many = scene.setup.many(cores);
    for core in scene.setup.cores_of(many) {
        scene.does(core, Op::Look);
    }
    (scene, many)
}

fn of(mut scene: Scene, operation: impl FnOnce(&mut Scene)) -> Cost {
    operation(&mut scene);
    measure(&mut scene)
}

fn rows() -> Vec<(&'static str, Cost)> {
    let create = of(Scene::new(2), |it| {
        it.setup.created();
    });
    let run = {
        let mut scene = Scene::new(2);
        let made = scene.setup.created();
        of(scene, |it| it.console(monitor::Control::Run { pid: made.pid }))
    };
    let slice = {
        let mut scene = Scene::new(1);
        for _ in 0..2 {
            scene.setup.single();
        }
        of(scene, |it| it.act(Action::Tick))
    };
    let become_many = {
        let mut scene = Scene::new(2);
        scene.setup.single();
        of(scene, |it| it.does(ZERO, Op::ChangeToM))
    };
    let grant = {
        let mut scene = Scene::new(9);
        let core = scene.setup.many(1);
        let core = scene.setup.core_of(core).expect("it has one");
        of(scene, |it| it.does(core, Op::Poke(8)))
    };
    let kill = |cores| {
        let (scene, many) = gang(cores);
        of(scene, |it| it.kill(many))
    };
    let unmap = |cores| {
        let (mut scene, many) = gang(cores);
        scene.setup.maps(many, 1);
        of(scene, |it| it.does(ONE, Op::Unmap(PAGE, 1)))
    };
    let change = |keep| {
        let mut scene = Scene::new(3);
        scene.setup.many(1);
        scene.does(ONE, Op::Look);
        of(scene, |it| it.does(ONE, Op::ChangeVcore { to: VcoreId(1), keep }))
    };
    let notify = {
        let (scene, many) = gang(1);
        of(scene, |it| it.notify(many))
    };
    vec![
        ("create a process", create),
        ("run a single-core process", run),
        ("end a slice, start the next process", slice),
        ("become a many-core process, be granted a core", become_many),
        ("ask for 7 cores more, be granted them", grant),
        ("preempt a core and grant it again", of(gang(1).0, |it| it.preempt(ONE))),
        ("yield one vcore of two", of(gang(2).0, |it| it.does(TWO, YIELD))),
        ("yield the last vcore", of(gang(1).0, |it| it.does(ONE, YIELD))),
        ("change vcores", change(true)),
        ("notify a vcore that runs", notify),
        ("unmap on 1 core", unmap(1)),
        ("unmap on 8 cores", unmap(8)),
        ("kill with 1 core", kill(1)),
        ("kill with 8 cores", kill(8)),
    ]
}

fn ledger() -> String {
    let mut text = String::from(
        "# What operations cost in messages\n\n\
         Counted on the model by `tests/sim/ledger.rs`, which fails when a row changes. *To* and *from* are\n\
         messages from and to the coordinator, its own core's local queue included; *doorbells* are cores that\n\
         a round of sends wakes or interrupts; *rounds* are the times that everybody takes what waits for him.\n\n\
         | operation | to | from | bytes | doorbells | rounds |\n|---|---:|---:|---:|---:|---:|\n",
    );
    for (name, cost) in rows() {
        let Cost { to_cores, from_cores, bytes, doorbells, rounds } = cost;
        writeln!(text, "| {name} | {to_cores} | {from_cores} | {bytes} | {doorbells} | {rounds} |")
            .expect("a string takes everything");
    }
    text
}

#[test]
fn no_operation_gains_a_message_unnoticed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sim/ledger.md");
    let counted = ledger();
    if std::env::var_os("UPDATE_LEDGER").is_some() {
        std::fs::write(&path, &counted).expect("the ledger can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == counted, "the ledger has changed; counted now:\n{counted}");
}

#[test]
fn the_critical_paths_are_as_short_as_they_can_be() {
    let rows = rows();
    let cost = |name: &str| &rows.iter().find(|(row, _)| *row == name).expect("the row exists").1;
    // Saved, heard, started again: three messages, and the answer that nobody waits for.
    let preempt = cost("preempt a core and grant it again");
    assert_eq!((preempt.to_cores, preempt.from_cores), (2, 2));
    // One death a core and one answer each.
    let kill = cost("kill with 8 cores");
    assert_eq!((kill.to_cores, kill.from_cores), (8, 8));
    // Beside the call itself and the notify that its outcome brings.
    let unmap = cost("unmap on 8 cores");
    assert_eq!((unmap.to_cores, unmap.from_cores), (8 + 1, 1 + 8 + 1));
}
