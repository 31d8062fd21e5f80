//! What the explorer explores.

mod memory;

use super::action::{Action, Mishap, Op};
use super::explore::{CONFIG, Case, Program};
use super::memory::{FRAMES, PAGE};
use super::world::World;
use monitor::{Control, Input, Name, ProcessId, State};
use proto::call::Outcome;
use proto::id::{CoreId, Pid, VcoreId};
use proto::memory::{FIXED, Rights};
use proto::message::Lane;

const ONE: CoreId = CoreId(1);
const TWO: CoreId = CoreId(2);
const YIELD: Op = Op::Yield { wanted: 0, nice: false };

/// A world being made ready: nothing here is explored, and everything must succeed.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The world so far.
    pub world: World,
    /// The rules about the state as a whole are not checked, which takes long with many cores.
    pub unchecked: bool,
}

impl Setup {
    /// So many cores, and no process.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        Self { world: World::new(CONFIG, cores), unchecked: false }
    }

    /// The same, where a core keeps translations of so many address spaces.
    #[must_use]
    pub fn keeping(cores: usize, spaces: u8) -> Self {
        let mut setup = Self::new(cores);
        setup.world.tell_apart(spaces);
        setup
    }

    /// Makes something happen.
    ///
    /// # Panics
    /// When a rule does not hold.
    pub fn act(&mut self, action: Action) {
        let world = &mut self.world;
        let happened = if self.unchecked { world.act_unchecked(action) } else { world.act(action) };
        happened.unwrap_or_else(|violation| panic!("{action:?}: {violation}"));
    }

    /// Delivers all messages until there are none.
    pub fn settle(&mut self) {
        while let Some(&action) = self.world.deliveries().first() {
            self.act(action);
        }
    }

    /// Makes a process that was not let run.
    ///
    /// # Panics
    /// When there is no room for one.
    pub fn created(&mut self) -> ProcessId {
        let root = 0x1000 * (1 + self.world.memory.len() as u64);
        let name = Name::new("it");
        self.act(Action::Tell(Input::Spawn { caller: None, name, root, frames: FRAMES }));
        let newest = self.world.coordinator.processes().max_by_key(|it| it.id.generation);
        newest.expect("it was made").id
    }

    /// Makes a process that runs or waits for the management core.
    pub fn single(&mut self) -> ProcessId {
        let made = self.created();
        self.act(Action::Tell(Input::Control(Control::Run { pid: made.pid })));
        self.settle();
        made
    }

    /// Makes a many-core process that wants so many cores.
    ///
    /// # Panics
    /// When another process has the management core.
    pub fn many(&mut self, wanted: u16) -> ProcessId {
        let made = self.single();
        let lease = self.world.cores[0].driver.lease().expect("the management core runs it");
        assert_eq!(lease.pid, made.pid);
        self.act(Action::User(CoreId(0), Op::ChangeToM));
        self.settle();
        let core = self.core_of(made).expect("it was granted a core");
        self.act(Action::User(core, Op::Look));
        self.act(Action::User(core, Op::Poke(wanted)));
        self.settle();
        for core in self.cores_of(made) {
            self.act(Action::User(core, Op::Look));
        }
        made
    }

    /// A process that runs maps pages at the first place, which get frames when they are first used.
    ///
    /// # Panics
    /// When it does not run.
    pub fn maps(&mut self, process: ProcessId, pages: u32) {
        let core = self.core_of(process).expect("it runs");
        let (first, rights) = (PAGE, Rights::READ_WRITE);
        self.act(Action::User(core, Op::Map { first, pages, rights, flags: FIXED }));
        self.settle();
        self.act(Action::User(core, Op::Look));
    }

    /// The cores that run a process.
    #[must_use]
    pub fn cores_of(&self, process: ProcessId) -> Vec<CoreId> {
        let runs = |core: &usize| {
            let lease = self.world.cores[*core].driver.lease();
            lease.map(super::world::process_of) == Some(process)
        };
        (0..self.world.cores.len()).filter(runs).map(|core| CoreId(core as u16)).collect()
    }

    /// The first of the cores that run a process.
    #[must_use]
    pub fn core_of(&self, process: ProcessId) -> Option<CoreId> {
        self.cores_of(process).first().copied()
    }

    /// What a process is doing.
    #[must_use]
    pub fn state(&self, process: ProcessId) -> Option<State> {
        self.world.coordinator.process(process.pid).map(|it| it.state)
    }
}

fn preempt(core: CoreId) -> Action {
    Action::Tell(Input::Control(Control::Preempt { core, warning: 0 }))
}

fn kill(pid: Pid) -> Action {
    Action::Tell(Input::Control(Control::Kill { pid, code: Outcome(9) }))
}

fn case(
    name: &'static str,
    setup: Setup,
    programs: &[(ProcessId, &[Op])],
    outside: &[Action],
) -> Case {
    let program = |&(process, ops): &(_, &[Op])| Program { process, ops: ops.to_vec() };
    let programs = programs.iter().map(program).collect();
    Case { name, world: setup.world, programs, outside: outside.to_vec() }
}

/// All cases, the quick ones first.
#[must_use]
pub fn all() -> Vec<Case> {
    let processes = vec![
        one_core_switch_and_kill(Setup::new(1), "1 core: switch, notify, unmap, kill"),
        one_core_switch_and_kill(Setup::keeping(1, 2), "1 core: keep, switch, unmap, kill"),
        two_cores_yield_and_preempt(),
        two_cores_become_many_and_kill(),
        two_cores_unmap_and_panic(),
        three_cores_change_and_preempt(),
        three_cores_grant_and_kill(),
        three_cores_unmap_and_preempt(
            Setup::new(3),
            "3 cores: unmap, preempt",
            &[preempt(TWO), preempt(ONE)],
        ),
        // What is kept makes more states.
        three_cores_unmap_and_preempt(
            Setup::keeping(3, 2),
            "3 cores: keep, unmap, preempt",
            &[preempt(TWO)],
        ),
        three_cores_notify_and_yield(),
        more_cores_than_a_step_tells(),
        two_cores_regrant_and_kill(),
        three_cores_regrant_and_panic(Setup::new(3), "3 cores: regrant, unmap, core failure"),
        three_cores_regrant_and_panic(
            Setup::keeping(3, 1),
            "3 cores: keep, regrant, unmap, core failure",
        ),
    ];
    processes.into_iter().chain(memory::all()).collect()
}

/// Two single-core processes that give way to each other, in one message each time.
fn one_core_switch_and_kill(mut setup: Setup, name: &'static str) -> Case {
    const NICE: Op = Op::Yield { wanted: 0, nice: true };
    let one = setup.single();
    setup.maps(one, 2);
    let other = setup.single();
    let programs: [(_, &[Op]); 2] = [
        (one, &[Op::Touch(PAGE), NICE, Op::Unmap(PAGE, 1), NICE, YIELD]),
        (other, &[Op::NotifyProcess(one.pid), NICE, YIELD, Op::Look, Op::Exit(0)]),
    ];
    let event = proto::event::Event { kind: 50, value: 0 };
    let notify = Action::Tell(Input::Control(Control::Notify { pid: other.pid, event }));
    case(name, setup, &programs, &[kill(one.pid), notify])
}

/// A process dies that has so many cores that not all are told in one step, and the others let go at once: what the last
/// one asks for may come before it is told.
fn more_cores_than_a_step_tells() -> Case {
    let last = CoreId(65);
    let mut setup = Setup::new(usize::from(last.0) + 2);
    setup.unchecked = true;
    let many = setup.many(last.0);
    let told_last = setup.cores_of(many).last().copied().expect("it runs");
    let inactive = VcoreId(last.0);
    setup.act(Action::User(told_last, Op::ChangeVcore { to: inactive, keep: true }));
    setup.unchecked = false;
    setup.act(kill(many.pid));
    for core in (1..last.0).map(CoreId) {
        setup.act(Action::Handle(core));
        setup.act(Action::Deliver(core, Lane::Routine));
    }
    case("67 cores: change vcore, kill", setup, &[], &[])
}

fn two_cores_yield_and_preempt() -> Case {
    let mut setup = Setup::new(2);
    let many = setup.many(1);
    let single = setup.single();
    let programs: [(_, &[Op]); 2] = [
        (many, &[YIELD, Op::Look, Op::Poke(1), YIELD, Op::NotifyVcore(VcoreId(0))]),
        (single, &[Op::NotifyProcess(single.pid), YIELD, Op::Look, YIELD, Op::Exit(0)]),
    ];
    let event = proto::event::Event { kind: 50, value: 0 };
    let notify = Action::Tell(Input::Control(Control::Notify { pid: many.pid, event }));
    case("2 cores: yield, notify, preempt", setup, &programs, &[preempt(ONE), notify])
}

fn two_cores_become_many_and_kill() -> Case {
    let mut setup = Setup::new(2);
    let many = setup.many(1);
    let single = setup.single();
    let programs: [(_, &[Op]); 2] = [
        (many, &[Op::Poke(2), YIELD, Op::Look, YIELD, Op::Exit(1)]),
        (single, &[Op::ChangeToM, Op::Look, Op::Poke(0), YIELD, Op::Fault]),
    ];
    case("2 cores: become many, share, kill", setup, &programs, &[kill(many.pid)])
}

fn two_cores_unmap_and_panic() -> Case {
    let mut setup = Setup::new(2);
    let many = setup.many(1);
    setup.maps(many, 4);
    let single = setup.single();
    setup.maps(single, 4);
    let programs: [(_, &[Op]); 2] = [
        (
            many,
            &[Op::Touch(PAGE), Op::Unmap(PAGE, 1), Op::Touch(PAGE + 1), Op::Unmap(PAGE, 4), YIELD],
        ),
        (
            single,
            &[
                Op::Touch(PAGE),
                Op::Unmap(PAGE, 2),
                Op::Spawn,
                Op::Wait { pid: Pid(0), no_hang: true },
                YIELD,
            ],
        ),
    ];
    let panic = Action::Fail(ONE, Mishap::Panic);
    case("2 cores: unmap, spawn, wait, core failure", setup, &programs, &[panic])
}

fn three_cores_change_and_preempt() -> Case {
    let mut setup = Setup::new(3);
    let many = setup.many(1);
    let single = setup.single();
    let change = |to, keep| Op::ChangeVcore { to: VcoreId(to), keep };
    let programs: [(_, &[Op]); 2] = [
        (many, &[change(1, true), Op::Poke(2), change(0, false), YIELD]),
        (single, &[Op::ChangeToM, Op::Look, Op::Poke(2), YIELD]),
    ];
    case("3 cores: change vcore, preempt", setup, &programs, &[preempt(ONE)])
}

fn three_cores_grant_and_kill() -> Case {
    let mut setup = Setup::new(3);
    let one = setup.many(2);
    let other = setup.single();
    let programs: [(_, &[Op]); 2] = [
        (one, &[Op::ChangeVcore { to: VcoreId(0), keep: true }, Op::Poke(1), YIELD, Op::Poke(2)]),
        (other, &[Op::ChangeToM, Op::Poke(2), Op::Look, YIELD]),
    ];
    case("3 cores: grant, yield, kill", setup, &programs, &[kill(one.pid)])
}

fn three_cores_unmap_and_preempt(mut setup: Setup, name: &'static str, outside: &[Action]) -> Case {
    let many = setup.many(2);
    setup.maps(many, 2);
    let single = setup.single();
    setup.maps(single, 2);
    let programs: [(_, &[Op]); 2] = [
        (many, &[Op::Touch(PAGE), Op::Touch(PAGE), Op::Unmap(PAGE, 1), Op::Touch(PAGE + 1)]),
        (single, &[Op::ChangeToM, Op::Touch(PAGE), Op::Unmap(PAGE, 1), YIELD]),
    ];
    case(name, setup, &programs, outside)
}

fn three_cores_notify_and_yield() -> Case {
    let mut setup = Setup::new(3);
    let many = setup.many(2);
    let single = setup.single();
    let programs: [(_, &[Op]); 2] = [
        (many, &[Op::Poke(0), Op::NotifyVcore(VcoreId(1)), YIELD, YIELD]),
        (single, &[Op::NotifyProcess(single.pid), YIELD, Op::Look, YIELD]),
    ];
    let event = proto::event::Event { kind: 50, value: 0 };
    let notify = Action::Tell(Input::Control(Control::Notify { pid: many.pid, event }));
    case(
        "3 cores: notify, yield, core failure",
        setup,
        &programs,
        &[notify, Action::Fail(TWO, Mishap::Panic)],
    )
}

/// A process asks for the core that it has a right to while the one that has it on loan asks for things as well.
fn two_cores_regrant_and_kill() -> Case {
    let mut setup = Setup::new(2);
    let holder = setup.many(1);
    let owner = setup.single();
    provision(&mut setup, ONE, owner);
    let programs: [(_, &[Op]); 2] = [
        (holder, &[Op::ChangeVcore { to: VcoreId(0), keep: true }, YIELD, Op::Look, Op::Poke(1)]),
        (owner, &[Op::ChangeToM, Op::NotifyProcess(owner.pid), Op::Look, YIELD]),
    ];
    let event = proto::event::Event { kind: 50, value: 0 };
    let notify = Action::Tell(Input::Control(Control::Notify { pid: holder.pid, event }));
    case("2 cores: regrant, notify, kill", setup, &programs, &[kill(holder.pid), notify])
}

/// The same, while the holder, which runs on another core as well, takes memory away.
fn three_cores_regrant_and_panic(mut setup: Setup, name: &'static str) -> Case {
    let holder = setup.many(2);
    setup.maps(holder, 2);
    let owner = setup.single();
    provision(&mut setup, ONE, owner);
    let programs: [(_, &[Op]); 2] = [
        (holder, &[Op::Touch(PAGE), Op::Touch(PAGE), Op::Unmap(PAGE, 1)]),
        (owner, &[Op::ChangeToM, YIELD]),
    ];
    let panic = Action::Fail(ONE, Mishap::Panic);
    case(name, setup, &programs, &[panic])
}

fn provision(setup: &mut Setup, core: CoreId, to: ProcessId) {
    let to = Some(to.pid);
    setup.act(Action::Tell(Input::Control(Control::Provision { core, to })));
}
