//! The experiments that `bench` runs.

use super::Command;
use super::args::Args;
use super::error::Problem;
use super::nearest::nearest;
use super::shootdown::to_ways;
use super::{Bench, UsageError};

/// The description of an experiment.
#[derive(Debug)]
pub struct Experiment {
    /// What it is called, at the console and in results.
    pub name: &'static str,
    /// What it measures.
    pub summary: &'static str,
}

/// All experiments, in the order in which they run.
pub static EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "message-cost",
        summary: "encoding, passing and decoding a message, by layout and batch",
    },
    Experiment { name: "ring-latency", summary: "round trips between cores, awake and asleep" },
    Experiment { name: "ring-throughput", summary: "streams of messages, by slots and batch" },
    Experiment { name: "poll-cost", summary: "a look at an empty inbox, by number of senders" },
    Experiment {
        name: "coordinator",
        summary: "a step of the coordinator, by operation, processes and cores",
    },
    Experiment { name: "process", summary: "what a single-core process asks for, by operation" },
    Experiment { name: "vcore", summary: "cores and threads of a many-core process, by operation" },
    Experiment {
        name: "user-ring",
        summary: "messages between processes that share memory, by operation and batch",
    },
    Experiment {
        name: "shootdown",
        summary: "having cores forget translations, by way, operation and vcores",
    },
    Experiment { name: "bring-up", summary: "starting the cores, by phase" },
];

/// Some of [`EXPERIMENTS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExperimentSet(u32);

impl ExperimentSet {
    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        Self((0..EXPERIMENTS.len()).fold(0, |set, at| set | 1 << at))
    }

    /// The names of those in the set, in the order of [`EXPERIMENTS`].
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = EXPERIMENTS.iter().enumerate();
        all.filter(move |(at, _)| self.0 >> at & 1 == 1).map(|(_, experiment)| experiment.name)
    }

    /// Puts the experiment of that name into the set; false if there is none.
    fn insert(&mut self, name: &str) -> bool {
        let at = EXPERIMENTS.iter().position(|experiment| experiment.name == name);
        self.0 |= at.map_or(0, |at| 1 << at);
        at.is_some()
    }
}

/// The most operations that may be asked for.
const MOST_ROUNDS: u32 = 1_000_000_000;

/// Makes the command `bench` from its arguments.
pub(super) fn parse<'a>(args: &mut Args<'a>) -> Result<Command<'a>, UsageError<'a>> {
    let mut bench = Bench::default();
    while let Some(word) = args.any_word() {
        match word {
            "--cores" => bench.cores = Some(args.core_list("LIST")?),
            "--rounds" => bench.rounds = Some(args.number("N", 1..=MOST_ROUNDS)?),
            "--warmup" => bench.warmup = Some(args.number("N", 0..=MOST_ROUNDS)?),
            "--strategy" => {
                let list = args.required("WAYS")?;
                bench.ways = to_ways(args, list)?;
            }
            _ if word.starts_with("--") => return Err(args.error(Problem::UnknownOption(word))),
            name if bench.experiments.insert(name) => {}
            name => {
                let nearest = nearest(name, EXPERIMENTS.iter().map(|experiment| experiment.name));
                return Err(args.error(Problem::UnknownExperiment { name, nearest }));
            }
        }
    }
    if bench.experiments == ExperimentSet::default() {
        bench.experiments = ExperimentSet::all();
    }
    Ok(Command::Bench(bench))
}
