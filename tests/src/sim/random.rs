//! Random runs: a seed decides what happens in which order.

use super::action::{Action, Mishap, Op};
use super::core::Health;
use super::io::IoOp;
use super::memory::FRAMES;
use super::panics::caught;
use super::queues::ModelQueue;
use super::seed::Seed;
use super::world::{Violation, World, violation};
use monitor::{Clusters, Command, Config, Control, CoreState, Input, Name, Policy, Strategy};
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

/// Deadlines that random runs reach, in ticks: an action takes about five, but a tick lets all the time pass until the
/// next deadline. Where nothing fails, no core has less time to answer than a run of a thousand actions takes.
const CONFIG: Config = Config {
    start_timeout: 100_000,
    answer_timeout: 100_000,
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
    fan_out: 2,
};

/// Where cores fail, one that is silent for long is lost.
const FAULTY: Config = Config { answer_timeout: 1_200, start_timeout: 2_400, ..CONFIG };

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
    let strategy = strategy(&mut Seed::new(seed));
    let config = if plan.faults { FAULTY } else { CONFIG };
    let mut world = World::new(Config { strategy, ..config }, plan.cores);
    world.unlinked = seed % 2 == 1;
    world.stands = !seed.is_multiple_of(4);
    world.tell_apart((seed % 5) as u8);
    let mut chooser = Chooser { seed: Seed::new(seed), faults: plan.faults, stall: None };
    let mut step = 0;
    let done = caught(|| {
        while step < plan.steps {
            let action = chooser.choose(&world);
            watch(&world, action);
            world.act(action)?;
            step += 1;
        }
        world.end(&mut watch)?;
        match world.coordinator.counters().lost {
            lost @ 1.. if !plan.faults => {
                violation(format!("no core fails, and {lost} were taken for lost"))
            }
            _ => Ok(()),
        }
    });
    done.map(|()| world).map_err(|violation| Failure { step, violation })
}

/// One direction of a core's rings that nobody drains for a while.
#[derive(Clone, Copy, Debug)]
struct Stall {
    core: CoreId,
    /// The coordinator does not take what the core says; else the core takes nothing.
    deaf: bool,
    actions: usize,
}

impl Stall {
    fn stops(self, action: Action) -> bool {
        match action {
            Action::Deliver(core, _) => self.deaf && core == self.core,
            Action::Handle(core) | Action::HandlePeer(core, _) => !self.deaf && core == self.core,
            _ => false,
        }
    }
}

/// Decides what happens next.
struct Chooser {
    seed: Seed,
    faults: bool,
    stall: Option<Stall>,
}

impl Chooser {
    fn choose(&mut self, world: &World) -> Action {
        if self.faults {
            self.stall_something(world);
        }
        let seed = &mut self.seed;
        match seed.below(100) {
            0..55 => {
                let mut possible = world.deliveries();
                possible.retain(|&it| self.stall.is_none_or(|stall| !stall.stops(it)));
                seed.one_of(&possible).unwrap_or_else(|| self.program(world))
            }
            55..88 => self.program(world),
            88..92 => Action::Pass(seed.below(60) as u64),
            92 => Action::Tick,
            93..97 => console(world, seed, self.faults),
            _ if self.faults => mishap(world, seed),
            _ => console(world, seed, false),
        }
    }

    /// Now and then nobody drains a core's rings, for up to as long as a third of a run.
    fn stall_something(&mut self, world: &World) {
        self.stall = match self.stall {
            Some(Stall { actions: 0, .. }) => None,
            Some(stall) => Some(Stall { actions: stall.actions - 1, ..stall }),
            None if self.seed.once_in(250) => {
                let core = CoreId(self.seed.below(world.cores.len()) as u16);
                let deaf = self.seed.once_in(2);
                Some(Stall { core, deaf, actions: self.seed.below(330) })
            }
            None => None,
        }
    }

    fn program(&mut self, world: &World) -> Action {
        let seed = &mut self.seed;
        let can_run = |core: &CoreId| world.cores[core.index()].can_run();
        let running: Vec<_> =
            (0..world.cores.len()).map(|core| CoreId(core as u16)).filter(can_run).collect();
        // To whom nobody listens, he talks much.
        let unheard = self.stall.filter(|stall| stall.deaf && can_run(&stall.core));
        if let Some(stall) = unheard.filter(|_| !seed.once_in(3)) {
            return Action::User(stall.core, talk(world, stall.core, seed));
        }
        match seed.one_of(&running) {
            Some(core) => Action::User(core, op(world, core, seed)),
            None => console(world, seed, false),
        }
    }
}

/// A request that a program does not stand still for.
fn talk(world: &World, core: CoreId, seed: &mut Seed) -> Op {
    let pid = world.cores[core.index()].driver.lease().map_or(Pid(1), |lease| lease.pid);
    match seed.below(6) {
        0 => Op::NotifyProcess(any_pid(world, seed)),
        1 => Op::NotifyVcore(any_vcore(world, seed)),
        2 => Op::Poke(seed.below(4) as u16),
        3 => Op::Io(IoOp::any(world, any_pid(world, seed), seed)),
        4 => world.any_mapping(pid, any_pid(world, seed), seed),
        _ => Op::Again,
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
    match seed.below(216) {
        0..20 => Op::Io(IoOp::any(world, any_pid(world, seed), seed)),
        20..28 | 190..194 => world.any_mapping(pid, any_pid(world, seed), seed),
        28..48 => world.any_use(pid, seed),
        48..60 => Op::RunThread,
        60..85 => Op::Yield { wanted: seed.below(max) as u16, nice: seed.once_in(4) },
        85..97 if single => Op::ChangeToM,
        85..105 => Op::ChangeVcore { to: any_vcore(world, seed), keep: seed.once_in(2) },
        105 => Op::Exit(3),
        106 if single || seed.once_in(3) => Op::Fault,
        106 => Op::ReflectedFault,
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
        200..204 => Op::Again,
        204..214 => Op::Send(ModelQueue::any(seed, max), any_vcore(world, seed)),
        214..216 => Op::SetQueue(any_queue_for_all(seed, max)),
        _ => Op::Look,
    }
}

/// A way in which cores are told of shootdowns, of those with which no translation is too old.
fn strategy(seed: &mut Seed) -> Strategy {
    match seed.below(5) {
        0 => Strategy::Unicast,
        1 => Strategy::Tree { package: 4 },
        2 => Strategy::Tree { package: 0 },
        3 => Strategy::Eager,
        _ => {
            let mut measured = [1, 2, 3, 4, 5, 6].map(|it| (CoreId(it), 1 << seed.below(4)));
            Strategy::Clusters(Clusters::by_latency(&mut measured))
        }
    }
}

/// A queue for events that somebody must see, or none.
fn any_queue_for_all(seed: &mut Seed, vcores: usize) -> Option<ModelQueue> {
    let queue = ModelQueue::any(seed, vcores);
    let queue = ModelQueue { is_alerted: false, ..queue };
    Some(queue).filter(|queue| queue.is_for_all() && seed.once_in(2))
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
        6 if seed.once_in(4) => Control::Kill { pid: victim(world, seed), code: Outcome(1) },
        7 | 8 => Control::Provision { core, to: (!seed.once_in(4)).then(|| any_pid(world, seed)) },
        9 if faults && seed.once_in(3) => {
            return Action::Tell(Input::Console(Command::Stop { core }));
        }
        10 if faults && seed.once_in(4) => {
            return Action::Tell(Input::Console(Command::Dump { core }));
        }
        11 if seed.once_in(4) => return Action::Tell(Input::SetStrategy(strategy(seed))),
        11 if seed.once_in(8) => {
            return Action::Tell(Input::SetFlushPages(seed.below(9) as u32));
        }
        9 | 10 if faults => return Action::Tell(Input::Console(start_or_ping(world, core))),
        _ => Control::Preempt { core, warning: if seed.once_in(2) { 0 } else { 60 } },
    };
    Action::Tell(Input::Control(control))
}

/// A process to be killed: often one that is dying already, or that is just being granted a core.
fn victim(world: &World, seed: &mut Seed) -> Pid {
    let dying = |it: &monitor::ProcessView| it.state.is_dying() && !it.ended;
    let twice = world.coordinator.processes().find(dying).map(|it| it.id.pid);
    let starts = |held: &monitor::Held| !held.started && held.leaving.is_none();
    let cores = (0..world.cores.len()).filter_map(|it| world.coordinator.core(CoreId(it as u16)));
    let granted = cores.filter_map(|it| it.held).find(starts).map(|held| held.lease.pid);
    let pick = seed.below(3);
    [twice, granted, None][pick].unwrap_or_else(|| any_pid(world, seed))
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
    let others = world.cores.len() - 1;
    if others == 0 {
        return Action::Pass(1);
    }
    let core = CoreId(seed.below(others) as u16 + 1);
    let mishap = match world.cores[core.index()].health {
        Health::Starting => Mishap::Join,
        // Some are silent for good.
        Health::Silent if core.0 % 3 == 2 => Mishap::Panic,
        Health::Silent => Mishap::Recover,
        _ => match seed.below(8) {
            0 => Mishap::Panic,
            1 => Mishap::FallSilent,
            2..5 => Mishap::ReplayToCore(seed.below(6) as u8),
            _ => Mishap::ReplayToMonitor(seed.below(6) as u8),
        },
    };
    Action::Fail(core, mishap)
}
