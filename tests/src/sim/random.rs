//! Random runs: a seed decides what happens in which order.

use super::action::{Action, Mishap, Op};
use super::core::Health;
use super::io::IoOp;
use super::memory::FRAMES;
use super::panics::caught;
use super::seed::Seed;
use super::world::{Violation, World};
use monitor::{Command, Config, Control, CoreState, Input, Name, Policy, Strategy};
use proto::call::Outcome;
use proto::event::Event;
use proto::id::{CoreId, Pid, VcoreId};

/// How a random run is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Cores, the management core included.
    pub cores: usize,
    /// Actions before the world comes to rest.
    pub steps: usize,
    /// Do cores fail?
    pub faults: bool,
}

/// Deadlines that random runs reach, in ticks: an action takes about five.
pub const CONFIG: Config = Config {
    start_timeout: 8_000,
    answer_timeout: 4_000,
    heartbeat_interval: 900,
    slice: 100,
    share: 250,
    max_processes: 12,
    max_children: 4,
    max_pipes: 6,
    pipe_bytes: 16,
    shortest_period: 20,
    policy: Policy::Descendants,
    frames: 900,
    max_frames: 300,
    max_regions: 8,
    flush_pages: 4,
    strategy: Strategy::Unicast,
};

/// A run that broke a rule.
#[derive(Clone, Debug)]
pub struct Failure {
    /// After how many actions.
    pub step: usize,
    /// Which rule.
    pub violation: Violation,
}

/// Runs a seed; `watch` sees every action before it happens.
///
/// # Errors
/// The rule that was broken, and when.
pub fn run(seed: u64, plan: Plan, mut watch: impl FnMut(&World, Action)) -> Result<World, Failure> {
    let strategy = match seed % 3 {
        0 => Strategy::Unicast,
        1 => Strategy::Tree { package: 4 },
        _ => Strategy::Tree { package: 0 },
    };
    let mut world = World::new(Config { strategy, ..CONFIG }, plan.cores);
    world.unlinked = seed % 2 == 1;
    let mut seed = Seed::new(seed);
    let mut step = 0;
    let done = caught(|| {
        while step < plan.steps {
            let action = choose(&world, &mut seed, plan.faults);
            watch(&world, action);
            world.act(action)?;
            step += 1;
        }
        world.end(&mut watch)
    });
    done.map(|()| world).map_err(|violation| Failure { step, violation })
}

/// The next action.
fn choose(world: &World, seed: &mut Seed, faults: bool) -> Action {
    let pick = seed.below(100);
    match pick {
        0..55 => {
            if let Some(action) = seed.one_of(&world.deliveries()) {
                return action;
            }
            program(world, seed)
        }
        55..88 => program(world, seed),
        88..92 => Action::Pass(seed.below(60) as u64),
        92 => Action::Tick,
        93..99 => console(world, seed, faults),
        _ if faults => mishap(world, seed),
        _ => Action::Pass(1),
    }
}

fn program(world: &World, seed: &mut Seed) -> Action {
    let running: Vec<CoreId> = (0..world.cores.len())
        .filter(|&core| world.cores[core].can_run())
        .map(|core| CoreId(core as u16))
        .collect();
    match seed.one_of(&running) {
        Some(core) => Action::User(core, op(world, core, seed)),
        None => console(world, seed, false),
    }
}

fn any_pid(world: &World, seed: &mut Seed) -> Pid {
    let pids: Vec<Pid> = world.coordinator.processes().map(|it| it.id.pid).collect();
    if seed.once_in(20) {
        return Pid(seed.below(40_000) as u16);
    }
    seed.one_of(&pids).unwrap_or(Pid(1))
}

fn any_vcore(world: &World, seed: &mut Seed) -> VcoreId {
    VcoreId(seed.below(usize::from(world.coordinator.max_vcores()) + 1) as u16)
}

fn any_core(world: &World, seed: &mut Seed) -> CoreId {
    CoreId(seed.below(world.cores.len() + 1) as u16)
}

fn op(world: &World, core: CoreId, seed: &mut Seed) -> Op {
    let lease = world.cores[core.index()].driver.lease();
    let pid = lease.map_or(Pid(1), |lease| lease.pid);
    let single = core == CoreId::MANAGEMENT;
    let max = usize::from(world.coordinator.max_vcores());
    match seed.below(200) {
        0..20 => Op::Io(IoOp::any(world, any_pid(world, seed), seed)),
        20..28 | 190..194 => world.any_mapping(pid, any_pid(world, seed), seed),
        28..48 => world.any_use(pid, seed),
        48..60 => Op::RunThread,
        60..85 => Op::Yield { wanted: seed.below(max) as u16, nice: seed.once_in(4) },
        85..97 if single => Op::ChangeToM,
        85..105 => Op::ChangeVcore { to: any_vcore(world, seed), keep: seed.once_in(2) },
        105 => Op::Exit(3),
        106 => Op::Fault,
        107..125 => Op::Poke(seed.below(max + 2) as u16),
        125..135 => Op::Spawn,
        135..145 => Op::Run(any_pid(world, seed)),
        145 => Op::Destroy(any_pid(world, seed), 7),
        146..154 => Op::Wait {
            pid: if seed.once_in(2) { Pid(0) } else { any_pid(world, seed) },
            no_hang: seed.once_in(2),
        },
        154..170 => Op::NotifyProcess(match lease {
            Some(lease) if seed.once_in(2) => lease.pid,
            _ => any_pid(world, seed),
        }),
        170..185 => Op::NotifyVcore(any_vcore(world, seed)),
        185..190 => Op::Provision(any_pid(world, seed), any_core(world, seed)),
        _ => Op::Look,
    }
}

fn console(world: &World, seed: &mut Seed, faults: bool) -> Action {
    let core = any_core(world, seed);
    let control = match seed.below(16) {
        12..16 => {
            let event = Event { kind: 50, value: world.now };
            Control::Notify { pid: any_pid(world, seed), event }
        }
        0..3 => {
            let root = 0x1000_0000 + world.now * 0x1000;
            let name = Name::new("program");
            return Action::Tell(Input::Spawn { caller: None, name, root, frames: FRAMES });
        }
        3 if seed.once_in(2) => return Action::Tell(Input::Keys { bytes: keys(world, seed) }),
        3..6 => Control::Run { pid: any_pid(world, seed) },
        6 if seed.once_in(6) => Control::Kill { pid: any_pid(world, seed), code: Outcome(1) },
        7 | 8 => Control::Provision { core, to: (!seed.once_in(4)).then(|| any_pid(world, seed)) },
        9 if faults && seed.once_in(3) => {
            return Action::Tell(Input::Console(Command::Stop { core }));
        }
        9 | 10 if faults => return Action::Tell(Input::Console(start_or_ping(world, core))),
        _ => Control::Preempt { core, warning: if seed.once_in(2) { 0 } else { 60 } },
    };
    Action::Tell(Input::Control(control))
}

/// As many keys as there is room for, or none: the end.
fn keys(world: &World, seed: &mut Seed) -> &'static [u8] {
    let keys = b"ls\nps\nexit\n";
    &keys[..seed.below(world.coordinator.room_for_keys().min(keys.len()) + 1)]
}

fn start_or_ping(world: &World, core: CoreId) -> Command {
    match world.coordinator.core(core).map(|it| it.state) {
        Some(CoreState::Online) | None => Command::Ping { core },
        Some(_) => Command::Start { core },
    }
}

fn mishap(world: &World, seed: &mut Seed) -> Action {
    let core = CoreId(seed.below(world.cores.len() - 1) as u16 + 1);
    let mishap = match world.cores[core.index()].health {
        Health::Starting => Mishap::Join,
        Health::Silent => Mishap::Recover,
        _ => match seed.below(8) {
            0 => Mishap::Panic,
            1 => Mishap::FallSilent,
            2..5 => Mishap::ReplayToCore,
            _ => Mishap::ReplayToMonitor,
        },
    };
    Action::Fail(core, mishap)
}
