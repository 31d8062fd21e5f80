//! What operations cost in messages: counted here, kept in `ledger.md` beside this file.
//!
//! `UPDATE_LEDGER=1 cargo test -p tests --test protocol ledger` writes the file anew.

use crate::scene::{ONE, Scene, TWO, YIELD, ZERO};
use monitor::{Config, ProcessId, Strategy};
use proto::id::{CoreId, VcoreId};
use proto::memory::{POPULATE, Rights};
use proto::message::Lane;
use proto::slot::{Message, Slot};
use std::fmt::Write;
use std::path::Path;
use tests::sim::explore::CONFIG;
use tests::sim::{Action, Op, PAGE, World};

/// What one operation took until everything was quiet again.
#[derive(Debug, Default)]
struct Cost {
    to_cores: usize,
    from_cores: usize,
    between: usize,
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
        let before = cost.to_cores + cost.from_cores + cost.between;
        hear_all(scene, &mut cost);
        take_all(scene, &mut cost);
        if cost.to_cores + cost.from_cores + cost.between == before {
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
    let mut all = Vec::new();
    for core in scene.cores() {
        let waiting = scene.waiting_for(core);
        let peers = &scene.setup.world.cores[core.index()].peers;
        let from: Vec<CoreId> =
            peers.iter().flat_map(|(&peer, ring)| ring.iter().map(move |_| peer)).collect();
        cost.to_cores += waiting.len();
        cost.between += from.len();
        cost.bytes += waiting.iter().map(bytes).sum::<usize>();
        cost.bytes += peers.values().flatten().map(bytes).sum::<usize>();
        cost.doorbells += usize::from(!waiting.is_empty() || !from.is_empty());
        all.push((core, waiting.len(), from));
    }
    // What is sent while the others take theirs is taken in the next round.
    for (core, waiting, from) in all {
        for _ in 0..waiting {
            scene.act(Action::Handle(core));
        }
        for peer in from {
            scene.act(Action::HandlePeer(core, peer));
        }
    }
}

/// A process on `cores` cores that has read its events, on a machine with as many to lease.
fn gang(cores: u16) -> (Scene, ProcessId) {
    gang_with(CONFIG, cores)
}

fn gang_with(config: Config, cores: u16) -> (Scene, ProcessId) {
    let mut scene = Scene::new(1);
    scene.setup.world = World::new(config, usize::from(cores) + 1);
    scene.setup.unchecked = cores > 20;
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

/// A page of a process on so many cores is unmapped, or loses rights.
fn unmap(strategy: Strategy, cores: u16) -> Cost {
    let (mut scene, many) = gang_with(Config { strategy, ..CONFIG }, cores);
    scene.setup.maps(many, 1);
    of(scene, |it| it.does(ONE, Op::Unmap(PAGE, 1)))
}

fn protect(cores: u16, rights: Rights) -> Cost {
    let (mut scene, many) = gang(cores);
    scene.setup.maps(many, 1);
    of(scene, |it| it.does(ONE, Op::Protect(PAGE, 1, rights)))
}

const TREE: Strategy = Strategy::Tree { package: 0 };
const PACKAGES: Strategy = Strategy::Tree { package: 16 };

fn memory_rows() -> Vec<(String, Cost)> {
    let fault = {
        let (mut scene, many) = gang(2);
        scene.setup.maps(many, 1);
        of(scene, |it| it.does(TWO, Op::Touch(PAGE)))
    };
    let map = {
        let (rights, flags) = (Rights::READ_WRITE, POPULATE);
        of(gang(1).0, |it| it.does(ONE, Op::Map { first: 0, pages: 64, rights, flags }))
    };
    let mut rows = vec![
        ("map and populate 64 pages".to_owned(), map),
        ("fault on a page".to_owned(), fault),
        ("add rights on 8 cores".to_owned(), protect(8, Rights::READ_WRITE)),
        ("take rights away on 8 cores".to_owned(), protect(8, Rights::READ)),
    ];
    for (way, strategy) in
        [("", Strategy::Unicast), (", by a tree", TREE), (", by packages of 16", PACKAGES)]
    {
        for cores in [1, 8, 64, 254] {
            let s = if cores == 1 { "" } else { "s" };
            rows.push((format!("unmap on {cores} core{s}{way}"), unmap(strategy, cores)));
        }
    }
    rows
}

fn rows() -> Vec<(String, Cost)> {
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
    let regrant = {
        let (mut scene, _) = gang(2);
        let owner = scene.setup.single();
        for core in [ONE, TWO] {
            scene.console(monitor::Control::Provision { core, to: Some(owner.pid) });
        }
        scene.does(ZERO, Op::ChangeToM);
        scene.settle();
        let core = scene.setup.core_of(owner).expect("it has a right to one");
        scene.does(core, Op::Look);
        of(scene, |it| it.does(core, Op::Poke(2)))
    };
    let processes = [
        ("create a process", create),
        ("run a single-core process", run),
        ("end a slice, start the next process", slice),
        ("become a many-core process, be granted a core", become_many),
        ("ask for 7 cores more, be granted them", grant),
        ("preempt a core and grant it again", of(gang(1).0, |it| it.preempt(ONE))),
        ("ask for a core that another process has", regrant),
        ("yield one vcore of two", of(gang(2).0, |it| it.does(TWO, YIELD))),
        ("yield the last vcore", of(gang(1).0, |it| it.does(ONE, YIELD))),
        ("change vcores", change(true)),
        ("notify a vcore that runs", notify),
        ("kill with 1 core", kill(1)),
        ("kill with 8 cores", kill(8)),
    ];
    processes.into_iter().map(|(name, cost)| (name.to_owned(), cost)).chain(memory_rows()).collect()
}

fn ledger() -> String {
    let mut text = String::from(
        "# What operations cost in messages\n\n\
         Counted on the model by `tests/sim/ledger.rs`, which fails when a row changes. *To* and *from* are\n\
         messages from and to the coordinator, its own core's local queue included; *between* are those from\n\
         core to core; *doorbells* are cores that a round of sends wakes or interrupts; *rounds* are the times\n\
         that everybody takes what waits for him.\n\n\
         | operation | to | from | between | bytes | doorbells | rounds |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
    );
    for (name, cost) in rows() {
        let Cost { to_cores, from_cores, between, bytes, doorbells, rounds } = cost;
        let messages = format!("{to_cores} | {from_cores} | {between}");
        writeln!(text, "| {name} | {messages} | {bytes} | {doorbells} | {rounds} |")
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
    // One message takes the core and starts it, and one answer says so: beside the call and the notify of its outcome.
    let regrant = cost("ask for a core that another process has");
    assert_eq!((regrant.to_cores, regrant.from_cores), (1 + 1, 1 + 1 + 1));
    // One death a core and one answer each.
    let kill = cost("kill with 8 cores");
    assert_eq!((kill.to_cores, kill.from_cores), (8, 8));
    // Beside the call itself and the notify that its outcome brings.
    let unmap = cost("unmap on 8 cores");
    assert_eq!((unmap.to_cores, unmap.from_cores), (8 + 1, 1 + 8 + 1));
    // Rights that are added trouble nobody, and a fault troubles nobody else.
    let add = cost("add rights on 8 cores");
    assert_eq!((add.to_cores, add.from_cores), (1, 1 + 1));
    let fault = cost("fault on a page");
    assert_eq!((fault.to_cores, fault.from_cores), (1, 1));
}

#[test]
fn a_tree_costs_the_coordinator_one_message_and_one_answer_and_is_as_deep_as_the_logarithm() {
    for cores in [1_u16, 8, 64, 254] {
        let [each, tree] = [Strategy::Unicast, TREE].map(|strategy| unmap(strategy, cores));
        let n = usize::from(cores);
        assert_eq!((each.to_cores, each.from_cores, each.between), (n + 1, 1 + n + 1, 0));
        assert_eq!((tree.to_cores, tree.from_cores), (1 + 1, 1 + 1 + 1));
        assert_eq!(tree.between, 2 * (n - 1), "each is told and answers");
        // The first core's two children are a level below it, and so on, and the answers come back the same way.
        let deepest = (cores - 1).checked_ilog2().map_or(0, |it| it as usize + 1);
        assert!(tree.rounds <= each.rounds + 2 * deepest, "{tree:?} against {each:?}");
    }
}
