//! The protocol on the host: random runs by seed, replays with a trace, the exhaustive explorer.

use clap::Parser;
use std::fmt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tests::sim::cases;
use tests::sim::explore::{self, Explored};
use tests::sim::mutants;
use tests::sim::random::{self, Failure, Plan};
use tests::sim::storm::storm;
use tests::sim::{Action, World};

/// Runs the protocol on the host.
#[derive(Debug, Parser)]
struct Options {
    /// Runs this seed and prints every action.
    #[arg(long)]
    seed: Option<u64>,
    /// Runs so many seeds, from 0.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// Actions of each run.
    #[arg(long, default_value_t = 1_000)]
    steps: usize,
    /// Cores, the management core included: 1 to 256.
    #[arg(long, default_value_t = 8, value_parser = cores)]
    cores: usize,
    /// Explores every order of delivery of small cases, to so many states each.
    #[arg(long)]
    explore: Option<usize>,
    /// Explores only cases whose name contains this.
    #[arg(long, default_value = "")]
    case: String,
    /// Proves that the checks can fail: hunts every mutant whose name contains this.
    #[arg(long, num_args = 0..=1, default_missing_value = "")]
    mutants: Option<String>,
    /// Has processes granted all cores and destroyed, until so many messages were sent, and tells the rate.
    #[arg(long)]
    storm: Option<u64>,
    /// Lets cores fail.
    #[arg(long)]
    faults: bool,
}

fn cores(text: &str) -> Result<usize, String> {
    let cores = text.parse().ok().filter(|cores| (1..=monitor::MAX_CORES).contains(cores));
    cores.ok_or_else(|| format!("a number of cores is 1 to {}", monitor::MAX_CORES))
}

impl Options {
    fn plan(&self) -> Plan {
        Plan { cores: self.cores, steps: self.steps, faults: self.faults }
    }

    fn replay_command(&self, seed: u64) -> String {
        let faults = if self.faults { " --faults" } else { "" };
        let Self { steps, cores, .. } = self;
        format!("cargo run -- sim --seed {seed} --steps {steps} --cores {cores}{faults}")
    }
}

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => return boot::cli::usage(&error),
    };
    let done = match &options {
        Options { mutants: Some(filter), .. } => mutants::hunt_all(filter),
        Options { seed: Some(seed), .. } => replay(&options, *seed),
        Options { explore: Some(limit), .. } => explore_all(*limit, &options.case),
        Options { storm: Some(messages), .. } => run_storm(&options, *messages),
        _ => run_all(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn replay(options: &Options, seed: u64) -> Result<(), String> {
    let mut step = 0;
    let trace = |world: &World, action| {
        println!("{step:5} {:8} {action:?}{}", world.now, what_is_taken(world, action));
        step += 1;
    };
    match random::run(seed, options.plan(), trace) {
        Ok(world) => {
            println!("seed={seed} ok: {:?}", world.coordinator.counters());
            Ok(())
        }
        Err(Failure { step, violation }) => {
            Err(format!("seed {seed} after {step} actions: {violation}"))
        }
    }
}

/// The message that an action takes from a ring.
fn what_is_taken(world: &World, action: Action) -> String {
    let taken = match action {
        Action::Handle(core) => world.cores[core.index()].to.iter().flatten().next().map(debug),
        Action::Deliver(core, lane) => {
            world.cores[core.index()].from[lane as usize].front().map(debug)
        }
        _ => None,
    };
    taken.map_or(String::new(), |message| format!(": {message}"))
}

fn debug(message: &impl fmt::Debug) -> String {
    format!("{message:?}")
}

fn explore_all(limit: usize, name: &str) -> Result<(), String> {
    for case in cases::all().into_iter().filter(|it| it.name.contains(name)) {
        let began = Instant::now();
        let found = explore::explore(&case, limit).map_err(|it| {
            let mut text = format!("{}: {}\n", case.name, it.violation);
            it.actions.iter().for_each(|action| text.push_str(&format!("  {action:?}\n")));
            text
        })?;
        let Explored { states, depth, ends, exhausted } = found;
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "{}: states={states} depth={depth} exhausted={exhausted} ends={ends} \
             seconds={seconds:.1}",
            case.name
        );
    }
    Ok(())
}

fn run_storm(options: &Options, messages: u64) -> Result<(), String> {
    let began = Instant::now();
    let done = storm(options.cores, messages).map_err(|violation| violation.to_string())?;
    let seconds = began.elapsed().as_secs_f64();
    let rate = done.messages as f64 / seconds;
    println!(
        "cores={} processes={} messages={} seconds={seconds:.1} messages-per-second={rate:.0}",
        options.cores, done.processes, done.messages
    );
    Ok(())
}

fn run_all(options: &Options) -> Result<(), String> {
    let began = Instant::now();
    let (next, tally) = (AtomicU64::new(0), Tally::default());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let failed = std::thread::scope(|scope| {
        let work = || run_some(options, &next, &tally);
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let results = workers.into_iter().filter_map(|it| it.join().expect("no worker panics"));
        results.min_by_key(|(seed, _)| *seed)
    });
    if let Some((seed, Failure { step, violation })) = failed {
        println!("{}", options.replay_command(seed));
        return Err(format!("seed {seed} after {step} actions: {violation}"));
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "seeds={} steps={} cores={} faults={} {tally} seconds={seconds:.1} ok",
        options.seeds, options.steps, options.cores, options.faults
    );
    Ok(())
}

/// What happened in all runs together.
#[derive(Debug, Default)]
struct Tally {
    messages: AtomicU64,
    lost: AtomicU64,
    stale: AtomicU64,
    refused: AtomicU64,
}

impl Tally {
    fn add(&self, world: &World) {
        let counters = world.coordinator.counters();
        self.messages.fetch_add(world.sent, Ordering::Relaxed);
        self.lost.fetch_add(counters.lost, Ordering::Relaxed);
        self.stale.fetch_add(counters.stale, Ordering::Relaxed);
        self.refused.fetch_add(world.refused, Ordering::Relaxed);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [messages, lost, stale, refused] =
            [&self.messages, &self.lost, &self.stale, &self.refused]
                .map(|it| it.load(Ordering::Relaxed));
        write!(f, "messages={messages} cores-lost={lost} stale={stale} refused={refused}")
    }
}

/// Runs seeds until there are none left, or one fails.
fn run_some(options: &Options, next: &AtomicU64, tally: &Tally) -> Option<(u64, Failure)> {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= options.seeds {
            return None;
        }
        match random::run(seed, options.plan(), |_, _| ()) {
            Ok(world) => tally.add(&world),
            Err(failure) => {
                next.store(options.seeds, Ordering::Relaxed);
                return Some((seed, failure));
            }
        }
    }
}
