//! Cases about memory: rights taken away and given back, places used again, memory shared, trees whose cores
//! are lost.

use super::{ONE, Setup, TWO, YIELD, case, kill, preempt};
use crate::sim::action::{Action, Mishap, Op};
use crate::sim::explore::{CONFIG, Case};
use crate::sim::memory::PAGE;
use crate::sim::world::World;
use monitor::{Command, Config, Input, MAX_PAGES, Strategy};
use proto::id::{CoreId, Pid};
use proto::memory::{FIXED, POPULATE, Rights, SHARED};
use proto::message::Lane;

const TREE: Strategy = Strategy::Tree { package: 0 };
const RW: Rights = Rights::READ_WRITE;

fn map(pages: u32, flags: u8) -> Op {
    Op::Map { first: PAGE, pages, rights: RW, flags: flags | FIXED }
}

/// All of them, the quick ones first.
pub(super) fn all() -> Vec<Case> {
    vec![
        three_cores_unmap_during_a_round(),
        standing(three_cores_unmap_during_a_round(), "3 cores: stand, unmap, preempt"),
        a_tree_whose_first_core_is_lost(),
        a_tree_whose_last_core_is_late(),
        a_tree_of_more_cores_than_a_step_tells(),
        a_tree_that_is_told_twice("4 cores: unmap by a tree twice, preempt, core failure", 3, 2),
        a_tree_that_is_told_twice("5 cores: unmap by a chain twice, preempt, core failure", 4, 1),
        two_cores_populate_and_protect(),
        two_cores_map_again_and_kill(),
        standing(two_cores_map_again_and_kill(), "2 cores: stand, map, protect, unmap, kill"),
        two_cores_share_and_kill(),
        three_cores_protect_and_preempt(Setup::new(3), "3 cores: protect, preempt"),
        three_cores_protect_and_preempt(Setup::keeping(3, 2), "3 cores: keep, protect, preempt"),
        standing(
            three_cores_protect_and_preempt(Setup::new(3), ""),
            "3 cores: stand, protect, preempt",
        ),
        three_cores_protect_and_panic(),
        standing(three_cores_protect_and_panic(), "3 cores: stand, grant, protect, core failure"),
    ]
}

/// The same case where vcores stand still while their memory changes.
fn standing(mut case: Case, name: &'static str) -> Case {
    case.world.stands = true;
    Case { name, ..case }
}

/// What is unmapped while others flush waits for the next round, all together.
fn three_cores_unmap_during_a_round() -> Case {
    let mut setup = Setup::new(3);
    let many = setup.many(2);
    setup.maps(many, 3);
    let unmap = |page| Op::Unmap(page, 1);
    let programs: [(_, &[Op]); 1] =
        [(many, &[Op::Touch(PAGE + 1), unmap(PAGE), unmap(PAGE + 1), unmap(PAGE + 2)])];
    case("3 cores: unmap, unmap meanwhile, preempt", setup, &programs, &[preempt(TWO)])
}

/// Core 1 tells core 2 of a shootdown, unless it lets go before and then fails.
fn a_tree_whose_first_core_is_lost() -> Case {
    let mut setup = Setup::new(3);
    setup.world = World::new(Config { strategy: TREE, ..CONFIG }, 3);
    let many = setup.many(2);
    setup.maps(many, 2);
    let programs: [(_, &[Op]); 1] = [(
        many,
        &[
            Op::Touch(PAGE),
            Op::Touch(PAGE),
            Op::Unmap(PAGE, 1),
            Op::Protect(PAGE + 1, 1, Rights::READ),
        ],
    )];
    let panic = Action::Fail(ONE, Mishap::Panic);
    case(
        "3 cores: unmap by a tree, preempt, core failure",
        setup,
        &programs,
        &[preempt(ONE), panic],
    )
}

/// Core 3 hears of a shootdown through core 2, if that one lives; it may have let go before, and be late.
fn a_tree_whose_last_core_is_late() -> Case {
    let mut setup = Setup::new(5);
    let config = Config { strategy: TREE, heartbeat_interval: 1 << 50, ..CONFIG };
    setup.world = World::new(config, 5);
    let many = setup.many(4);
    setup.maps(many, 1);
    setup.act(Action::User(ONE, Op::Unmap(PAGE, 1)));
    setup.act(Action::Deliver(ONE, Lane::Routine));
    setup.act(Action::Handle(ONE));
    let three = CoreId(3);
    let ping = Action::Tell(Input::Console(Command::Ping { core: three }));
    let (silence, panic) = (Mishap::FallSilent, Mishap::Panic);
    let outside = [
        preempt(three),
        ping,
        Action::Fail(three, silence),
        Action::Tick,
        Action::Fail(TWO, panic),
    ];
    case("5 cores: unmap by a tree, silence, core failure", setup, &[], &outside)
}

/// A core that has let go of the process falls silent, of a tree so large that the coordinator cannot tell all of it in one
/// step. All others have answered when it recovers.
fn a_tree_of_more_cores_than_a_step_tells() -> Case {
    let last = CoreId(80);
    let cores = usize::from(last.0) + 1;
    let mut setup = Setup::new(cores);
    setup.world =
        World::new(Config { strategy: TREE, heartbeat_interval: 1 << 50, ..CONFIG }, cores);
    let many = setup.many(last.0);
    setup.maps(many, 1);
    setup.act(Action::User(ONE, Op::Unmap(PAGE, 1)));
    setup.act(Action::Deliver(ONE, Lane::Routine));
    setup.act(preempt(last));
    setup.act(Action::Handle(last));
    setup.act(Action::Deliver(last, Lane::Routine));
    setup.act(Action::Tell(Input::Console(Command::Ping { core: last })));
    setup.act(Action::Fail(last, Mishap::FallSilent));
    setup.act(Action::Tick);
    setup.settle();
    let recover = Action::Fail(last, Mishap::Recover);
    case("81 cores: unmap by a tree, silence", setup, &[], &[recover])
}

/// The answers of two rounds, one after the other, are gathered in a tree of so many cores, of which core 2 may let go of
/// the process in the first one and fail: what it has told others, and they answer, comes late.
fn a_tree_that_is_told_twice(name: &'static str, cores: u16, fan_out: u8) -> Case {
    let mut setup = Setup::new(usize::from(cores) + 1);
    setup.world = World::new(Config { strategy: TREE, fan_out, ..CONFIG }, usize::from(cores) + 1);
    let many = setup.many(cores);
    setup.maps(many, 2);
    for core in (1..=cores).map(CoreId) {
        for page in [PAGE, PAGE + 1] {
            setup.act(Action::User(core, Op::Touch(page)));
            setup.settle();
        }
    }
    for page in [PAGE, PAGE + 1] {
        setup.act(Action::User(ONE, Op::Unmap(page, 1)));
    }
    setup.act(Action::Deliver(ONE, Lane::Routine));
    case(name, setup, &[], &[preempt(TWO), Action::Fail(TWO, Mishap::Panic)])
}

/// Other rights are taken from the last pages of a region before all of it is there, which takes several steps.
fn two_cores_populate_and_protect() -> Case {
    let mut setup = Setup::new(2);
    let many = setup.many(1);
    let pages = MAX_PAGES + 36;
    let protect = Op::Protect(PAGE + u64::from(pages) - 4, 2, Rights::READ);
    let programs: [(_, &[Op]); 1] =
        [(many, &[map(pages, POPULATE), protect, Op::Unmap(PAGE, pages), YIELD])];
    case("2 cores: populate, protect meanwhile, preempt", setup, &programs, &[preempt(ONE)])
}

/// A place is used again as soon as that is possible, while another core may have old translations.
fn two_cores_map_again_and_kill() -> Case {
    let mut setup = Setup::new(2);
    let many = setup.many(1);
    setup.maps(many, 1);
    let single = setup.single();
    let programs: [(_, &[Op]); 2] = [
        (many, &[Op::Touch(PAGE), Op::Unmap(PAGE, 1), map(1, 0), Op::Touch(PAGE), YIELD]),
        (single, &[map(2, 0), Op::Touch(PAGE + 1), Op::Protect(PAGE, 2, Rights::NONE), YIELD]),
    ];
    case("2 cores: map, protect, unmap, kill", setup, &programs, &[kill(many.pid)])
}

fn two_cores_share_and_kill() -> Case {
    let mut setup = Setup::new(2);
    let parent = setup.single();
    setup.act(Action::User(CoreId(0), Op::Spawn));
    setup.settle();
    setup.act(Action::User(CoreId(0), Op::Look));
    let child = Pid(parent.pid.0 + 1);
    let programs: [(_, &[Op]); 1] = [(
        parent,
        &[map(2, SHARED), Op::Share(child, PAGE), Op::Touch(PAGE), Op::Unmap(PAGE, 1), YIELD],
    )];
    case("2 cores: share, unmap, kill", setup, &programs, &[kill(child), kill(parent.pid)])
}

fn three_cores_protect_and_preempt(mut setup: Setup, name: &'static str) -> Case {
    let many = setup.many(2);
    setup.maps(many, 1);
    let protect = |rights| Op::Protect(PAGE, 1, rights);
    let programs: [(_, &[Op]); 1] = [(
        many,
        &[Op::Touch(PAGE), Op::Read(PAGE), protect(Rights::READ), protect(RW), Op::Touch(PAGE)],
    )];
    case(name, setup, &programs, &[preempt(TWO)])
}

fn three_cores_protect_and_panic() -> Case {
    let mut setup = Setup::new(3);
    let many = setup.many(1);
    setup.maps(many, 1);
    let single = setup.single();
    let programs: [(_, &[Op]); 2] = [
        (many, &[Op::Touch(PAGE), Op::Poke(2), Op::Protect(PAGE, 1, Rights::READ)]),
        (single, &[map(1, 0), Op::Touch(PAGE)]),
    ];
    let panic = Action::Fail(TWO, Mishap::Panic);
    case("3 cores: grant, protect, core failure", setup, &programs, &[panic])
}
