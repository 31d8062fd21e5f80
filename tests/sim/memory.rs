//! Facts about address spaces: mapping, faults, limits, sharing, and what is given back.

use crate::scene::{ONE, Scene, TWO, ZERO};
use monitor::{Config, Coordinator, Input, Kind, Output, ProcessId};
use proto::call::{Call, Outcome};
use proto::id::{CoreId, Pid};
use proto::memory::{FIXED, GUARD, POPULATE, Rights, SHARED, guard_every};
use proto::message::{PageRange, ToMonitor};
use tests::sim::explore::CONFIG;
use tests::sim::{Op, PAGE, World};

pub(crate) const RW: Rights = Rights::READ_WRITE;

pub(crate) fn map(first: u64, pages: u32, rights: Rights, flags: u8) -> Op {
    Op::Map { first, pages, rights, flags: flags | FIXED }
}

/// What a request would come to, if it is answered at once; nothing changes.
fn outcome(
    scene: &Scene,
    core: CoreId,
    request: impl Fn(Call) -> ToMonitor,
) -> Option<(Outcome, u64)> {
    let call = scene.setup.world.cores[core.index()].driver.call(0x9000).expect("it runs");
    let outputs = scene.would(Input::Message { core, message: request(call) });
    outputs.into_iter().find_map(|output| match output {
        Output::Complete { outcome, value, .. } => Some((outcome, value)),
        _ => None,
    })
}

fn would_map(scene: &Scene, first: u64, pages: u32, rights: Rights, flags: u8) -> Outcome {
    let map = |call| ToMonitor::Map { call, first, pages, rights, flags };
    outcome(scene, ONE, map).expect("it is answered at once").0
}

/// A process on so many cores.
pub(crate) fn gang(cores: u16) -> (Scene, ProcessId) {
    gang_with(CONFIG, cores)
}

fn gang_with(config: Config, cores: u16) -> (Scene, ProcessId) {
    let mut scene = Scene::new(1);
    scene.setup.world = World::new(config, usize::from(cores) + 1);
    let many = scene.setup.many(cores);
    (scene, many)
}

fn coordinator(scene: &Scene) -> &Coordinator {
    &scene.setup.world.coordinator
}

fn regions(scene: &Scene, process: ProcessId) -> Vec<(u64, u32, Kind, Rights)> {
    let all = coordinator(scene).regions(process.pid);
    all.map(|it| (it.range.first - PAGE, it.range.pages, it.kind, it.rights)).collect()
}

/// The frame that a core uses for a page.
pub(crate) fn used(scene: &Scene, core: CoreId, page: u64) -> Option<u64> {
    scene.setup.world.cores[core.index()].cached.translations.get(&page).map(|it| it.frame)
}

fn frames(scene: &Scene, process: ProcessId) -> usize {
    scene.setup.world.memory[&process].frames_used()
}

#[test]
fn a_page_gets_a_frame_when_it_is_first_used_and_the_other_vcores_go_on() {
    let (mut scene, many) = gang(2);
    scene.does(ONE, map(PAGE, 4, RW, 0));
    scene.settle();
    assert_eq!(frames(&scene, many), 0);
    scene.does(ONE, Op::Touch(PAGE + 1));
    assert!(!scene.setup.world.cores[1].can_run(), "it waits for the page");
    assert!(scene.setup.world.cores[2].can_run(), "and nobody else does");
    scene.settle();
    assert!(scene.setup.world.cores[1].can_run() && used(&scene, ONE, PAGE + 1).is_some());
    assert_eq!(frames(&scene, many), 1 + 3);
    scene.ends_well();
}

#[test]
fn two_vcores_that_fault_on_one_page_get_one_frame() {
    let (mut scene, many) = gang(2);
    scene.setup.maps(many, 1);
    scene.does(ONE, Op::Touch(PAGE));
    scene.does(TWO, Op::Read(PAGE));
    scene.settle();
    assert!(used(&scene, ONE, PAGE).is_some());
    assert_eq!(used(&scene, ONE, PAGE), used(&scene, TWO, PAGE));
    scene.ends_well();
}

#[test]
fn populated_memory_faults_never() {
    let (mut scene, many) = gang(1);
    scene.does(ONE, map(PAGE, 3, RW, POPULATE));
    scene.settle();
    assert_eq!(frames(&scene, many), 3 + 3);
    for page in PAGE..PAGE + 3 {
        scene.does(ONE, Op::Touch(page));
        assert!(used(&scene, ONE, page).is_some());
    }
    scene.ends_well();
}

#[test]
fn a_use_that_is_not_allowed_ends_the_process_and_no_other() {
    for (rights, op) in [
        (RW, Op::Touch(PAGE + 1)),
        (RW, Op::Read(5)),
        (Rights::READ, Op::Touch(PAGE)),
        (Rights::NONE, Op::Read(PAGE)),
    ] {
        let (mut scene, many) = gang(1);
        let other = scene.setup.single();
        scene.does(ONE, map(PAGE, 1, rights, 0));
        scene.settle();
        scene.does(ONE, op);
        scene.settle();
        assert_eq!(scene.state(many), None, "{op:?} with {rights:?}");
        assert!(scene.state(other).is_some());
        scene.ends_well();
    }
}

#[test]
fn memory_that_is_mapped_anywhere_is_put_at_the_lowest_place() {
    let (mut scene, many) = gang(1);
    scene.does(ONE, map(PAGE + 2, 1, Rights::READ, 0));
    scene.settle();
    for (pages, at) in [(2, PAGE), (3, PAGE + 3)] {
        let map = |call| ToMonitor::Map { call, first: 0, pages, rights: RW, flags: 0 };
        assert_eq!(outcome(&scene, ONE, map), Some((Outcome::OK, at << 12)));
    }
    assert_eq!(regions(&scene, many), [(2, 1, Kind::Memory, Rights::READ)]);
}

#[test]
fn a_map_without_meaning_is_refused() {
    let (scene, _) = gang(1);
    for (first, pages, rights, flags) in [
        (PAGE, 0, RW, FIXED),
        (PAGE - 1, 2, RW, FIXED),
        (PAGE, u32::MAX, RW, FIXED),
        (u64::MAX, 2, RW, FIXED),
        (0, 1, RW, FIXED),
        (PAGE, 1, Rights(6), 0),
        (PAGE, 8, RW, guard_every(8) | POPULATE),
        (PAGE, 8, RW, guard_every(8) | SHARED),
        (PAGE, 8, Rights::NONE, guard_every(8) | GUARD),
        (PAGE, 1, RW, GUARD),
        (PAGE, 1, Rights::NONE, GUARD | POPULATE),
        (PAGE, 1, Rights::NONE, GUARD | SHARED),
    ] {
        let refused = would_map(&scene, first, pages, rights, flags);
        assert_eq!(refused, Outcome::INVALID, "{first:#x} {pages} {rights:?} {flags}");
    }
}

#[test]
fn nothing_is_put_where_something_is() {
    let (mut scene, many) = gang(1);
    scene.setup.maps(many, 4);
    scene.does(ONE, map(PAGE + 6, 1, Rights::NONE, GUARD));
    scene.settle();
    for (first, pages) in [(PAGE, 1), (PAGE + 3, 2), (PAGE + 5, 3), (PAGE + 6, 1)] {
        assert_eq!(would_map(&scene, first, pages, RW, FIXED), Outcome::BUSY);
    }
    assert_eq!(would_map(&scene, PAGE + 4, 2, RW, FIXED), Outcome::OK);
}

#[test]
fn a_guard_takes_no_frames_and_may_be_taken_out() {
    let (mut scene, many) = gang(1);
    let before = coordinator(&scene).frames_left();
    scene.does(ONE, map(PAGE, 1 << 20, Rights::NONE, GUARD));
    scene.settle();
    assert_eq!(coordinator(&scene).frames_left(), before);
    let unmap = |call| ToMonitor::Unmap { call, range: PageRange { first: PAGE + 8, pages: 2 } };
    assert_eq!(outcome(&scene, ONE, unmap), Some((Outcome::OK, 0)), "nobody has to flush");
    scene.does(ONE, Op::Unmap(PAGE + 8, 2));
    scene.settle();
    assert_eq!(
        regions(&scene, many),
        [(0, 8, Kind::Guard, Rights::NONE), (10, (1 << 20) - 10, Kind::Guard, Rights::NONE)]
    );
    scene.ends_well();
}

#[test]
fn a_guard_among_memory_is_never_given_any_whatever_is_done_around_it() {
    let (mut scene, many) = gang(2);
    let spaced = guard_every(4);
    scene.does(ONE, map(PAGE, 8, RW, spaced));
    scene.settle();
    scene.does(ONE, map(PAGE + 8, 8, RW, spaced));
    scene.settle();
    assert_eq!(regions(&scene, many), [(0, 16, Kind::Memory, RW)], "one region");
    for page in [1, 3, 5, 9] {
        scene.does(ONE, Op::Touch(PAGE + page));
        scene.settle();
        assert!(used(&scene, ONE, PAGE + page).is_some(), "page {page}");
    }
    // Around guards, with one at each end, and behind one.
    for (first, pages) in [(3, 6), (4, 1), (5, 3), (8, 1)] {
        scene.does(ONE, Op::Protect(PAGE + first, pages, Rights::READ));
        scene.settle();
        scene.does(ONE, Op::Protect(PAGE + first, pages, RW));
        scene.settle();
    }
    assert_eq!(regions(&scene, many).len(), 1, "what is alike again is one region again");
    scene.does(ONE, Op::Unmap(PAGE + 9, 3));
    scene.settle();
    scene.does(TWO, Op::Touch(PAGE + 12));
    scene.settle();
    assert!(scene.state(many).is_none(), "the guard ends whoever uses it");
    assert_eq!(coordinator(&scene).frames_left(), CONFIG.frames);
    scene.ends_well();
}

#[test]
fn a_process_has_as_many_regions_as_it_may() {
    let (mut scene, many) = gang(1);
    let most = u64::from(CONFIG.max_regions);
    for n in 0..most {
        scene.does(ONE, map(PAGE + 4 * n, 2, RW, 0));
        scene.settle();
        scene.does(ONE, Op::Look);
    }
    assert_eq!(would_map(&scene, PAGE + 3, 1, Rights::READ, FIXED), Outcome::NO_MEMORY);
    assert_eq!(would_map(&scene, PAGE + 2, 1, RW, FIXED), Outcome::OK, "it only grows one");
    let range = PageRange { first: PAGE, pages: 1 };
    let protect = |call| ToMonitor::Protect { call, range, rights: Rights::READ };
    assert_eq!(outcome(&scene, ONE, protect), Some((Outcome::NO_MEMORY, 0)));
    assert_eq!(regions(&scene, many).len() as u64, most);
    // A part of one can go, which is one more as long as it is leaving, but not so that two stay.
    scene.does(ONE, Op::Unmap(PAGE + 1, 1));
    scene.hears(ONE);
    assert_eq!(regions(&scene, many).len() as u64, most + 1);
    let range = PageRange { first: PAGE + 4, pages: 2 };
    let protect = |call| ToMonitor::Protect { call, range, rights: RW };
    assert_ne!(outcome(&scene, ONE, protect), Some((Outcome::NO_MEMORY, 0)), "it cuts nothing");
    scene.settle();
    scene.does(ONE, Op::Look);
    assert_eq!(regions(&scene, many).len() as u64, most);
    scene.does(ONE, map(PAGE + 6, 2, RW, 0));
    scene.settle();
    scene.does(ONE, Op::Look);
    assert_eq!(regions(&scene, many).len() as u64, most - 1, "two have become one");
    scene.does(ONE, map(PAGE + 2, 1, RW, 0));
    scene.settle();
    scene.does(ONE, Op::Look);
    let range = PageRange { first: PAGE + 5, pages: 1 };
    let unmap = |call| ToMonitor::Unmap { call, range };
    assert_eq!(outcome(&scene, ONE, unmap), Some((Outcome::NO_MEMORY, 0)));
    scene.ends_well();
}

#[test]
fn a_process_reserves_no_more_frames_than_it_may() {
    let (mut scene, many) = gang_with(Config { max_frames: 20, ..CONFIG }, 1);
    assert_eq!(would_map(&scene, PAGE, 18, RW, FIXED), Outcome::NO_MEMORY, "with its tables");
    scene.does(ONE, map(PAGE, 17, RW, 0));
    scene.settle();
    scene.does(ONE, Op::Look);
    assert_eq!(would_map(&scene, PAGE + 17, 1, RW, FIXED), Outcome::NO_MEMORY);
    scene.does(ONE, Op::Unmap(PAGE, 1));
    scene.settle();
    assert_eq!(would_map(&scene, PAGE + 17, 1, RW, FIXED), Outcome::OK);
    assert!(scene.state(many).is_some());
    scene.ends_well();
}

#[test]
fn when_memory_is_exhausted_callers_are_told_and_nothing_else_happens() {
    let frames_of_programs = 20;
    let of_vcores = 3;
    let config = Config { frames: frames_of_programs + of_vcores + 30, ..CONFIG };
    let (mut scene, many) = gang_with(config, 1);
    scene.does(ONE, map(PAGE, 20, RW, POPULATE));
    scene.settle();
    scene.does(ONE, Op::Look);
    assert_eq!(coordinator(&scene).frames_left(), 7);
    assert_eq!(would_map(&scene, PAGE + 20, 8, RW, FIXED), Outcome::NO_MEMORY);
    assert_eq!(would_map(&scene, PAGE + 510, 7, RW, FIXED), Outcome::NO_MEMORY, "for tables");
    assert_eq!(would_map(&scene, PAGE + 510, 6, RW, FIXED), Outcome::OK);
    let name = monitor::Name::new("late");
    let spawn = scene.would(Input::Spawn { caller: None, name, root: 0x7000, frames: 8 });
    assert!(spawn.contains(&Output::Discard { root: 0x7000 }));
    scene.kill(many);
    scene.settle();
    assert_eq!(coordinator(&scene).frames_left(), config.frames);
    scene.ends_well();
}

#[test]
fn many_requests_about_memory_are_refused_before_they_pile_up() {
    let (mut scene, many) = gang_with(Config { max_regions: 20, ..CONFIG }, 2);
    scene.setup.maps(many, 12);
    for page in 0..8 {
        scene.does(ONE, Op::Unmap(PAGE + page, 1));
        scene.hears(ONE);
    }
    let range = PageRange { first: PAGE + 9, pages: 1 };
    let unmap = |call| ToMonitor::Unmap { call, range };
    assert_eq!(outcome(&scene, ONE, unmap), Some((Outcome::AGAIN, 0)));
    assert_eq!(scene.open_calls(), 8);
    scene.settle();
    assert_eq!(scene.open_calls(), 0);
    scene.ends_well();
}

/// Pages that the outputs of one step are about.
fn pages_of(outputs: &[Output]) -> u32 {
    let pages = |output: &Output| match output {
        Output::Populate { range, .. }
        | Output::Protect { range, .. }
        | Output::Share { range, .. }
        | Output::Unmap { range, .. } => range.pages,
        Output::Release { frames, .. } => *frames,
        _ => 0,
    };
    outputs.iter().map(pages).sum()
}

#[test]
fn long_work_is_done_in_slices_and_others_are_served_between_them() {
    let (mut scene, many) = gang(1);
    let mut steps = 0;
    let mut finish = |scene: &mut Scene| {
        while scene.setup.world.again {
            assert!(pages_of(&scene.would(Input::Continue)) <= 70, "of 64, and some tables");
            scene.act(tests::sim::Action::Continue);
            steps += 1;
        }
    };
    for op in [map(PAGE, 300, RW, POPULATE), Op::Protect(PAGE, 300, RW), Op::Unmap(PAGE, 150)] {
        scene.does(ONE, op);
        scene.hears(ONE);
        assert!(scene.setup.world.again);
        finish(&mut scene);
        scene.settle();
        scene.does(ONE, Op::Look);
    }
    assert_eq!(frames(&scene, many), 150 + 3);
    scene.kill(many);
    scene.core_takes(ONE);
    scene.hears(ONE);
    assert!(scene.setup.world.again, "its memory comes back in slices too");
    finish(&mut scene);
    assert!(steps >= 12, "{steps}");
    assert!(scene.setup.world.memory.is_empty());
    scene.ends_well();
}

/// A process with shared memory, and its child, which has run and waits.
fn family() -> (Scene, ProcessId, ProcessId) {
    let mut scene = Scene::new(3);
    let parent = scene.setup.single();
    scene.does(ZERO, Op::Spawn);
    let child = Pid(parent.pid.0 + 1);
    let child = coordinator(&scene).process(child).expect("it was made").id;
    scene.does(ZERO, map(PAGE, 2, RW, SHARED));
    scene.settle();
    scene.does(ZERO, Op::Look);
    (scene, parent, child)
}

#[test]
fn a_child_that_is_given_shared_memory_has_the_same_frames_until_the_last_lets_go() {
    let (mut scene, parent, child) = family();
    scene.does(ZERO, Op::Share(child.pid, PAGE));
    scene.settle();
    let memory = |scene: &Scene, process| scene.setup.world.memory[&process].pages.clone();
    assert_eq!(memory(&scene, parent).len(), 2);
    assert_eq!(memory(&scene, parent), memory(&scene, child));
    scene.does(ZERO, Op::Unmap(PAGE, 2));
    scene.settle();
    assert_eq!(memory(&scene, child).len(), 2);
    scene.does(ZERO, Op::Run(child.pid));
    scene.settle();
    scene.kill(parent);
    scene.settle();
    assert_eq!(scene.setup.world.frames.len(), frames(&scene, child));
    scene.kill(child);
    scene.settle();
    assert!(scene.setup.world.frames.is_empty());
    scene.ends_well();
}

#[test]
fn a_child_may_do_no_more_with_shared_memory_than_it_was_given() {
    let (mut scene, _, child) = family();
    scene.does(ZERO, Op::Protect(PAGE, 2, Rights::READ));
    scene.settle();
    scene.does(ZERO, Op::Share(child.pid, PAGE));
    scene.settle();
    scene.does(ZERO, Op::Run(child.pid));
    scene.settle();
    scene.does(ZERO, crate::scene::YIELD);
    scene.settle();
    while scene.runs(ZERO).map(|(pid, _)| pid) != Some(child.pid) {
        scene.does(ZERO, Op::Look);
        scene.does(ZERO, crate::scene::YIELD);
        scene.settle();
    }
    let range = PageRange { first: PAGE, pages: 2 };
    let protect = |rights| move |call| ToMonitor::Protect { call, range, rights };
    assert_eq!(outcome(&scene, ZERO, protect(RW)), Some((Outcome::NOT_PERMITTED, 0)));
    scene.does(ZERO, Op::Touch(PAGE));
    scene.settle();
    assert_eq!(scene.state(child).map(|it| it.is_dying()), Some(true), "it could only read");
    scene.ends_well();
}

#[test]
fn memory_is_shared_with_whom_one_controls_if_it_is_to_be_shared_and_there_is_room() {
    let (mut scene, parent, child) = family();
    let share = |pid, first| move |call| ToMonitor::Share { call, pid, first };
    let refused = |scene: &Scene, pid, first| {
        outcome(scene, ZERO, share(pid, first)).expect("it is answered at once").0
    };
    let stranger = scene.setup.created();
    assert_eq!(refused(&scene, stranger.pid, PAGE), Outcome::NOT_PERMITTED);
    assert_eq!(refused(&scene, Pid(99), PAGE), Outcome::NO_PROCESS);
    assert_eq!(refused(&scene, parent.pid, PAGE), Outcome::INVALID);
    assert_eq!(refused(&scene, child.pid, PAGE + 1), Outcome::INVALID);
    scene.does(ZERO, map(PAGE + 8, 1, RW, 0));
    scene.settle();
    assert_eq!(refused(&scene, child.pid, PAGE + 8), Outcome::INVALID, "it is not to be shared");
    scene.does(ZERO, Op::Share(child.pid, PAGE));
    scene.settle();
    assert_eq!(refused(&scene, child.pid, PAGE), Outcome::BUSY);
    scene.ends_well();
}

#[test]
fn a_child_that_dies_while_it_is_given_memory_loses_nothing_of_it() {
    let mut scene = Scene::new(2);
    let parent = scene.setup.single();
    scene.does(ZERO, Op::Spawn);
    let child = Pid(parent.pid.0 + 1);
    scene.does(ZERO, map(PAGE, 200, RW, SHARED));
    scene.settle();
    scene.does(ZERO, Op::Look);
    scene.does(ZERO, Op::Share(child, PAGE));
    while scene.says(ZERO, proto::message::Lane::Routine).is_some() {
        scene.hears(ZERO);
    }
    assert!(scene.setup.world.again, "it takes more than one step");
    scene.does(ZERO, Op::Destroy(child, 9));
    scene.does(ZERO, Op::Wait { pid: child, no_hang: false });
    scene.settle();
    assert_eq!(scene.open_calls(), 0);
    assert_eq!(scene.setup.world.frames.len(), frames(&scene, parent));
    scene.ends_well();
}
