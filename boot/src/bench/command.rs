//! `atoll bench`: what the user asks for, and the order in which it happens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use proto::boot::Clock;

use super::environment::Environment;
use super::lab::{Host, Machines};
use super::limits::Limits;
use super::output::{Results, prepare};
use super::plugin::{self, QemuVersion};
use super::profile::{self, By, Profiler};
use super::progress::Progress;
use super::row::{Mode, Row};
use super::runner::{Ended, Task, run_all};
use super::table::tables;
use crate::machine::{Machine, Memory};
use crate::options::MachineArgs;
use crate::{image, say};

/// The experiments, and what they measure.
pub const EXPERIMENTS: [(&str, &str); 10] = [
    ("message-cost", "push, encode, decode and pop of each message kind, by layout and batch"),
    ("ring-latency", "round trips between all pairs of cores, and coordinator and core"),
    ("ring-throughput", "messages and bytes in streams, by slots, batch and pattern"),
    ("poll-cost", "one look at an empty inbox, by number of senders"),
    ("coordinator", "a step of the coordinator, by operation, processes and cores, on one core"),
    ("process", "what a single-core process asks for, by operation, in user mode on core 0"),
    ("vcore", "cores, vcores and threads of a many-core process, by operation, from two cores on"),
    (
        "user-ring",
        "messages between processes that share memory, by operation and batch, on three cores",
    ),
    ("shootdown", "having cores forget translations, by way, operation and number of vcores"),
    ("bring-up", "time by phase and number of cores from reset to all cores online"),
];

/// Those that core 0 runs alone, whatever other cores there are, so that one machine is enough.
const ON_ONE_MACHINE: [&str; 2] = ["coordinator", "process"];

/// In which cores can be told of a shootdown.
const WAYS: [&str; 5] = ["unicast", "tree", "package", "latency", "eager"];

/// Those that two threads of the host can run.
const ON_HOST: [&str; 2] = ["ring-latency", "ring-throughput"];

/// The project's own limits, in the workspace.
const LIMITS: &str = "tests/experiments/limits.toml";

/// Options of `atoll bench`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The experiments to run [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Numbers of cores, one machine each
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,2,4,8")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=255))]
    cores: Vec<u16>,
    /// Ways of telling cores that shootdown measures [default: all but eager, which is measured where it differs]
    #[arg(long, value_name = "WAYS", value_delimiter = ',', value_parser = way)]
    strategy: Vec<String>,
    /// How to measure
    #[arg(long, value_enum, default_value = "count")]
    mode: Mode,
    /// Where to write results.json and results.csv
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Compares the results with the limits, and fails if one is broken
    #[arg(long)]
    check: bool,
    /// A file of limits to check, instead of tests/experiments/limits.toml
    #[arg(long, value_name = "PATH", requires = "check")]
    limits: Option<PathBuf>,
    /// Shows which functions executed the instructions, of what the plugin counts, instead of lines of memory
    #[arg(long, value_name = "BY", value_enum, conflicts_with = "check")]
    #[arg(num_args = 0..=1, default_missing_value = "functions", require_equals = true)]
    profile: Option<By>,
    /// Prints the rows as JSON, one object a line, instead of tables
    #[arg(long)]
    json: bool,
    /// Lists the experiments and leaves
    #[arg(long)]
    list: bool,
    /// How long one machine may take
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Measures as told, prints and writes the results, and returns the exit status: 1 if `--check` found a
/// broken limit.
///
/// # Errors
///
/// When something is missing, or a machine does not end well; Ctrl-C is no error but status 130.
pub fn run(args: &Args) -> Result<u8> {
    if args.list {
        list();
        return Ok(0);
    }
    let names = names(&args.names, args.mode)?;
    let can_profile = args.profile.is_none() || args.mode == Mode::Count;
    ensure!(can_profile, "--profile counts instructions: use --mode count");
    let limits = args.check.then(|| limits(args.limits.as_deref())).transpose()?;
    args.out.as_deref().map_or(Ok(()), prepare)?;
    let results = match measure(args, &names) {
        Ok(results) => results,
        Err(error) => return ended(error),
    };
    show(&results, args.json)?;
    if let Some(dir) = &args.out {
        results.write(dir)?;
        say(&format!("wrote results.json and results.csv to {}", dir.display()));
    }
    let Some(limits) = limits else { return Ok(0) };
    let findings = limits.check(&results.results, args.mode, &names);
    for finding in &findings {
        // Standard output is for rows alone, if these were asked for.
        if args.json { eprintln!("{finding}") } else { println!("{finding}") }
    }
    let broken = findings.iter().filter(|finding| !finding.pass).count();
    say(&format!("{broken} of {} limits broken", findings.len()));
    Ok(u8::from(broken > 0))
}

/// The kernel's own names: `package` may say how many cores it has.
fn way(word: &str) -> Result<String, String> {
    let cores = word.strip_prefix("package:").map(str::parse::<u16>);
    let is_known = WAYS.contains(&word) || cores.is_some_and(|it| it.is_ok_and(|it| it > 0));
    let known = || format!("there are {}, and package:CORES", WAYS.join(", "));
    is_known.then(|| word.to_owned()).ok_or_else(known)
}

fn limits(explicit: Option<&Path>) -> Result<Limits> {
    match explicit {
        Some(path) => Limits::read(path),
        None => Limits::read(&image::workspace()?.join(LIMITS)),
    }
}

fn list() {
    for (name, what) in EXPERIMENTS {
        println!("{name:<16} {what}");
    }
}

/// The experiments that were asked for, each once, in the order of the list.
fn names(asked: &[String], mode: Mode) -> Result<Vec<String>> {
    let here = |name: &&str| mode != Mode::Host || ON_HOST.contains(name);
    let known: Vec<&str> = EXPERIMENTS.iter().map(|(name, _)| *name).filter(here).collect();
    for name in asked {
        ensure!(
            known.contains(&name.as_str()),
            "no experiment {name} in mode {}; there are: {}",
            mode.name(),
            known.join(", ")
        );
    }
    let wanted = |name: &&&str| asked.is_empty() || asked.iter().any(|asked| asked == **name);
    Ok(known.iter().filter(wanted).map(ToString::to_string).collect())
}

fn measure(args: &Args, names: &[String]) -> Result<Results> {
    match args.mode {
        Mode::Host => measure_on_host(names),
        Mode::Count | Mode::Time => measure_in_qemu(args, names),
    }
}

fn measure_on_host(names: &[String]) -> Result<Results> {
    let workspace = image::workspace()?;
    let here = Environment::of_this_host(&workspace, Mode::Host);
    let environment = Environment {
        qemu: "none".into(),
        machine: "host".into(),
        accelerator: "none".into(),
        cpu: here.host_cpu.clone(),
        cores: vec![2],
        ..here
    };
    let all = [Task { experiment: "rings".into(), cores: 2 }];
    let mut results = run_tasks(&mut Host { workspace }, &all, Mode::Host, None)?;
    results.retain(|row| names.contains(&row.experiment));
    Ok(Results { environment, results, profiles: Vec::new() })
}

fn measure_in_qemu(args: &Args, names: &[String]) -> Result<Results> {
    let clock = if args.mode == Mode::Count { Clock::Count } else { Clock::Time };
    let machine = args.machine.prepare(clock)?;
    let version = QemuVersion::ask(&machine.qemu)?;
    let environment = environment(args, &machine, &version)?;
    let plugin =
        (clock == Clock::Count).then(|| plugin::build(&plugin_dir()?, &version)).transpose()?;
    let mut profiler = args.profile.map(|by| profiler(by, args, &machine)).transpose()?;
    let mut lab = Machines::new(machine, Duration::from_secs(args.timeout), plugin)?;
    lab = lab.telling(&args.strategy);
    if profiler.is_some() {
        lab = lab.profiled();
    }
    let tasks = tasks(names, &args.cores);
    let results = run_tasks(&mut lab, &tasks, args.mode, profiler.as_mut())?;
    let profiles = profiler.map(Profiler::profiles).unwrap_or_default();
    Ok(Results { environment, results, profiles })
}

/// Programs lie in the archive without symbols, so their files are needed, if they are the sources' own.
fn profiler(by: By, args: &Args, machine: &Machine) -> Result<Profiler> {
    let own = args.machine.image.is_none() && args.machine.initrd.is_none();
    let programs = if own { image::build_programs()? } else { Vec::new() };
    Ok(Profiler::new(by, &machine.image, programs))
}

/// Beside this program, so in the target directory.
fn plugin_dir() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().context("this program is in no directory")?.join("plugin"))
}

fn environment(args: &Args, machine: &Machine, version: &QemuVersion) -> Result<Environment> {
    let memory = |&cores: &u16| {
        machine.memory.unwrap_or_else(|| Memory::for_cores(cores.into())).mebibytes()
    };
    Ok(Environment {
        qemu: version.text.clone(),
        machine: machine.board.to_string(),
        accelerator: machine.accel.name().into(),
        cpu: machine.cpu.clone(),
        cores: args.cores.iter().copied().map(u32::from).collect(),
        memory: args.cores.iter().map(memory).collect(),
        ..Environment::of_this_host(&image::workspace()?, args.mode)
    })
}

fn tasks(names: &[String], cores: &[u16]) -> Vec<Task> {
    let on_all = |experiment: &String| {
        let alone = ON_ONE_MACHINE.contains(&experiment.as_str());
        let least = cores.iter().min().filter(|_| alone).map(std::slice::from_ref);
        let task = |&cores: &u16| Task { experiment: experiment.clone(), cores };
        least.unwrap_or(cores).iter().map(task).collect::<Vec<_>>()
    };
    names.iter().flat_map(on_all).collect()
}

fn run_tasks(
    lab: &mut dyn super::runner::Lab,
    tasks: &[Task],
    mode: Mode,
    profiler: Option<&mut Profiler>,
) -> Result<Vec<Row>> {
    let mut progress = Progress::new(tasks.len(), profiler);
    let rows = run_all(lab, tasks, mode, &mut progress);
    progress.finish();
    rows
}

fn show(results: &Results, json: bool) -> Result<()> {
    if !json {
        println!("{}\n", tables(&results.environment, &results.results).trim());
        print!("{}", profile::listing(&results.profiles));
        return Ok(());
    }
    for row in &results.results {
        println!("{}", serde_json::to_string(row)?);
    }
    for profile in &results.profiles {
        println!("{}", serde_json::to_string(profile)?);
    }
    Ok(())
}

/// A guest that did not end well decides the exit status, unless it says that all is well.
fn ended(error: anyhow::Error) -> Result<u8> {
    match error.downcast_ref::<Ended>().map(|ended| ended.verdict.status()) {
        None | Some(0) => Err(error),
        Some(status) => {
            say(&format!("{error:#}"));
            Ok(status)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EXPERIMENTS, names, tasks, way};
    use crate::bench::row::Mode;

    fn asked(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_experiments_run_unless_some_are_named() {
        assert_eq!(names(&[], Mode::Count).unwrap().len(), EXPERIMENTS.len());
        let two = asked(&["poll-cost", "message-cost", "poll-cost"]);
        assert_eq!(names(&two, Mode::Time).unwrap(), ["message-cost", "poll-cost"]);
    }

    #[test]
    fn ways_have_the_kernels_names() {
        for known in ["unicast", "tree", "package", "package:8", "latency", "eager"] {
            assert_eq!(way(known).as_deref(), Ok(known));
        }
        for wrong in ["", "unicasts", "package:", "package:0", "tree:8"] {
            assert!(way(wrong).unwrap_err().contains("unicast, tree, package"), "{wrong}");
        }
    }

    #[test]
    fn an_unknown_experiment_lists_the_known_ones() {
        let error = names(&asked(&["ping"]), Mode::Count).unwrap_err().to_string();
        assert!(
            error.contains("no experiment ping") && error.contains("ring-latency, "),
            "{error}"
        );
        let error = names(&asked(&["bring-up"]), Mode::Host).unwrap_err().to_string();
        assert!(
            error.ends_with("in mode host; there are: ring-latency, ring-throughput"),
            "{error}"
        );
    }

    #[test]
    fn each_experiment_runs_on_each_number_of_cores() {
        let tasks = tasks(&asked(&["poll-cost", "bring-up"]), &[1, 4]);
        let shown: Vec<_> = tasks.iter().map(ToString::to_string).collect();
        let on = ["poll-cost on 1 core", "poll-cost on 4 cores", "bring-up on 1 core"];
        assert_eq!((shown.len(), &shown[..3]), (4, &on.map(String::from)[..]));
    }

    #[test]
    fn what_core_0_does_alone_needs_one_machine() {
        let tasks = tasks(&asked(&["coordinator"]), &[4, 1, 2]);
        assert_eq!(
            tasks.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["coordinator on 1 core"]
        );
    }
}
