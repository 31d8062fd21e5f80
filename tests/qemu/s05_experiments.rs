//! Experiments in count mode: the same numbers in every run, on which clock and plugin agree.

use boot::bench::lab::Machines;
use boot::bench::plugin::{self, QemuVersion};
use boot::bench::row::{Line, Mode, Row};
use boot::bench::runner::{Lab as _, Task, Watcher, run_all};
use boot::machine::Machine;
use boot::{image, tools};
use cpudriver::steps::{Class, OPERATIONS};
use proto::boot::Clock;
use proto::sample::{PEER, TO_CORE, TO_MONITOR};
use std::path::Path;
use std::time::Duration;
use tests::guest::Guest;

struct Nobody;

impl Watcher for Nobody {
    fn begin(&mut self, _: usize, _: &Task) {}

    fn step(&mut self, _: u64, _: u64) {}

    fn skipped(&mut self, task: &Task, why: &str) {
        panic!("{task} was skipped: {why}");
    }
}

fn task(experiment: &str, cores: u16) -> Task {
    Task { experiment: experiment.into(), cores }
}

fn lab() -> Machines {
    let qemu = tools::qemu(None).expect("QEMU is there or can be installed");
    let version = QemuVersion::ask(&qemu).expect("QEMU says its version");
    let plugin =
        plugin::build(Path::new(env!("CARGO_TARGET_TMPDIR")), &version).expect("the plugin builds");
    let image = image::build().expect("the image builds");
    let programs = Some(tests::guest::programs().to_owned());
    let machine = Machine { clock: Clock::Count, programs, ..Machine::new(qemu, image) };
    Machines::new(machine, Duration::from_secs(120), Some(plugin)).expect("a temporary folder")
}

/// Runs one in a machine of its own. That the plugin agrees with the guest's clock wherever no core has
/// halted is part of it.
fn rows(task: &Task) -> Vec<Row> {
    let tasks = std::slice::from_ref(task);
    let rows = run_all(&mut lab(), tasks, Mode::Count, &mut Nobody);
    rows.unwrap_or_else(|error| panic!("{error:#}"))
}

/// Runs one twice, and returns its rows.
fn repeated(experiment: &str, cores: u16) -> Vec<Row> {
    let task = task(experiment, cores);
    let (first, second) = (rows(&task), rows(&task));
    assert_eq!(first, second, "{task}");
    first
}

fn has(rows: &[Row], metric: &str) -> bool {
    rows.iter().any(|row| row.metric == metric && row.stats.max > 0.0)
}

#[test]
fn ring_latency_is_the_same_in_every_run() {
    let rows = repeated("ring-latency", 3);
    assert!(["instructions", "fences", "lines", "transfers"].iter().all(|m| has(&rows, m)));
    let totals = |row: &&Row| row.metric == "instructions" && row.params["role"] == "total";
    let pairs = rows.iter().filter(totals).filter(|row| row.params["via"] == "peer").count();
    assert_eq!(pairs, 6, "all ordered pairs of three cores");
}

#[test]
fn ring_throughput_is_the_same_in_every_run() {
    let rows = repeated("ring-throughput", 2);
    assert!(["instructions", "messages", "bytes"].iter().all(|metric| has(&rows, metric)));
}

#[test]
fn poll_cost_is_the_same_in_every_run() {
    let rows = repeated("poll-cost", 1);
    let rings = rows.iter().filter(|row| row.metric == "instructions");
    let rings: Vec<u64> = rings.filter_map(|row| row.params["rings"].as_u64()).collect();
    assert_eq!(rings, [1, 8, 64, 255]);
}

#[test]
fn message_cost_is_the_same_in_every_run() {
    let rows = repeated("message-cost", 1);
    let instructions = rows.iter().filter(|row| row.metric == "instructions");
    let kinds = TO_CORE.len() + TO_MONITOR.len() + PEER.len();
    assert_eq!(instructions.count(), kinds * 4 * 3, "each kind, in four layouts and three batches");
    assert!(has(&rows, "lines"));
}

#[test]
fn coordinator_is_the_same_in_every_run_and_allocates_for_what_begins_alone() {
    let rows = repeated("coordinator", 1);
    let of = |metric: &str, class: Class| {
        let class = class.name();
        let is = move |row: &&Row| row.metric == metric && row.params["class"] == class;
        rows.iter().filter(is).collect::<Vec<_>>()
    };
    // Each operation with 10, 1,000 and 30,000 processes, times 8, 64 and 255 cores.
    let messages = OPERATIONS.iter().filter(|it| it.class == Class::Message).count();
    assert_eq!(of("instructions", Class::Message).len(), messages * 9);
    for class in [Class::Message, Class::Slice] {
        let allocated = of("allocated", class);
        assert_eq!(allocated.len(), of("instructions", class).len());
        assert!(allocated.iter().all(|row| row.stats.max == 0.0), "{allocated:?}");
    }
    assert!(of("allocated", Class::Lifetime).iter().any(|row| row.stats.min > 0.0));
}

#[test]
fn process_is_the_same_in_every_run() {
    let rows = repeated("process", 1);
    let totals = rows.iter().filter(|row| row.metric == "instructions" && row.stats.min > 0.0);
    let operations: Vec<_> = totals.filter_map(|row| row.params["operation"].as_str()).collect();
    for operation in ["state-save", "null-syscall", "switch", "page-fault", "spawn-exit-wait"] {
        assert!(operations.contains(&operation), "{operation} is not among {operations:?}");
    }
}

#[test]
fn vcore_is_the_same_in_every_run() {
    let rows = repeated("vcore", 3);
    let totals = rows.iter().filter(|row| row.metric == "instructions" && row.stats.min > 0.0);
    let measured: Vec<_> = totals
        .filter(|row| row.params["role"] == "total")
        .filter_map(|row| Some((row.params["operation"].as_str()?, row.params["vcores"].as_u64()?)))
        .collect();
    let expected = [
        ("thread-switch", 1),
        ("thread-create-join", 1),
        ("thread-create-join", 2),
        ("grant", 2),
        ("regrant", 2),
        ("event", 2),
        ("kill", 1),
        ("kill", 2),
        ("kill-until-free", 1),
        ("kill-until-free", 2),
        ("compute", 1),
        ("compute", 2),
    ];
    assert_eq!(measured, expected);
}

#[test]
fn user_ring_is_the_same_in_every_run_and_a_batch_is_cheaper_than_its_messages() {
    let rows = repeated("user-ring", 3);
    let of = |operation: &str, batch: u64, indices: &str| {
        let is = |row: &&Row| {
            let params = &row.params;
            let same = params["operation"] == operation && params["batch"] == batch;
            let total = params["role"] == "total" && row.metric == "instructions";
            same && total && params["indices"] == indices
        };
        let row = rows.iter().find(is);
        row.unwrap_or_else(|| panic!("{operation} {batch} {indices}")).stats.max
    };
    for operation in ["put", "take"] {
        for indices in ["checked", "trusted"] {
            assert!(of(operation, 32, indices) < of(operation, 1, indices), "{operation}");
        }
        assert!(of(operation, 32, "trusted") < of(operation, 32, "checked"), "{operation}");
    }
    assert!(of("pass", 32, "checked") < of("pass", 8, "checked"));
    assert!(of("pass", 8, "checked") < of("pass", 1, "checked"));
    assert!(of("round-trip", 1, "checked") < of("round-trip-asleep", 1, "checked"));
}

#[test]
fn shootdown_is_the_same_in_every_run() {
    let rows = repeated("shootdown", 5);
    let of = |strategy: &str, operation: &str, vcores: u64, role: &str, metric: &str| {
        let is = |row: &&Row| {
            let params = &row.params;
            let same = params["strategy"] == strategy && params["operation"] == operation;
            same && params["vcores"] == vcores && params["role"] == role && row.metric == metric
        };
        let row = rows.iter().find(is);
        row.unwrap_or_else(|| panic!("{strategy} {operation} {vcores} {role} {metric}")).stats.max
    };
    for strategy in ["unicast", "tree", "package", "latency"] {
        for operation in ["raw", "munmap", "mprotect", "victim"] {
            assert!(of(strategy, operation, 4, "total", "instructions") > 0.0);
        }
    }
    for (strategy, operation) in [("line", "raw"), ("lazy", "mprotect"), ("lazy", "page-fault")] {
        assert!(of(strategy, operation, 4, "total", "instructions") > 0.0);
    }
    // One entry is less work than 512, and those at once are less than a fault for each.
    let [huge, small, faults] =
        ["huge", "small", "faults"].map(|how| of(how, "block", 1, "total", "instructions"));
    assert!(huge < small && small < faults);
    let [huge, small] = ["huge", "small"].map(|how| of(how, "unblock", 1, "total", "instructions"));
    assert!(huge < small);
    // Nobody else is interrupted for rights that are added.
    assert!(of("lazy", "mprotect", 4, "leaf", "kernel") == 0.0);
    assert!(of("eager", "mprotect", 4, "leaf", "kernel") > 0.0);
    // An inner core hands on, beside all that a leaf does.
    let inner = of("tree", "victim", 4, "inner", "kernel");
    assert!(inner > of("tree", "victim", 4, "leaf", "kernel"));
}

#[test]
fn bring_up_is_the_same_in_every_run() {
    assert!(has(&repeated("bring-up", 4), "instructions"));
}

/// The guest's clock, if no core halts, and the plugin count the same instructions.
fn assert_agreement(experiment: &str) {
    let mut rows = Vec::new();
    let mut keep = |text: &str| match Line::parse(text) {
        Ok(Some(Line::Counted(row))) => rows.push(row),
        Ok(_) => {}
        Err(error) => panic!("{error:#}"),
    };
    let regions = lab().run(&task(experiment, 1), &mut keep);
    let regions = regions.unwrap_or_else(|error| panic!("{error:#}"));
    assert!(!rows.is_empty(), "{experiment} has no rows");
    for row in rows {
        let first = usize::try_from(row.region - 1).expect("few regions");
        let last = first + usize::try_from(row.regions).expect("few regions");
        let samples = &regions[first..last];
        let counted: u64 = samples.iter().map(|s| s.total.instructions + s.markers).sum();
        assert_eq!(row.clock, Some(counted), "{row:?}");
    }
}

#[test]
fn clock_and_plugin_agree_on_message_cost() {
    assert_agreement("message-cost");
}

#[test]
fn clock_and_plugin_agree_on_coordinator() {
    assert_agreement("coordinator");
}

#[test]
fn clock_and_plugin_agree_on_poll_cost() {
    assert_agreement("poll-cost");
}

#[test]
fn an_experiment_that_is_interrupted_leaves_nothing_behind() {
    let after = [
        ("latency --rounds 400", "from=0 to=1"),
        ("latency --rounds 8", "via=coordinator"),
        ("throughput --rounds 64", "pattern=fan-out"),
    ];
    for (experiment, row) in after {
        let run = Guest::new()
            .timeout(Duration::from_secs(120))
            .reply("atoll> ", format!("bench ring-{experiment} --cores 0-2\r"))
            .reply(row, "\x03")
            .reply("\ninterrupted\n", "")
            .reply(
                "atoll> ",
                "mem --json; bench ring-latency ring-throughput --cores 0-2 --rounds 4\r",
            )
            .reply("streams=6 slots=64 batch=32", "")
            .reply("atoll> ", "sleep 1; cores --json; mem --json; exit 7\r")
            .run();
        run.exited(7);
        let states = run.json().into_iter().filter(|row| row["state"].is_string());
        let states: Vec<_> = states.map(|row| row["state"].clone()).collect();
        run.check(
            states.iter().filter(|state| *state == "halted").count() == 3,
            &format!("cores halt: {states:?}"),
        );
        let used = run.json().into_iter().filter(|row| row["memory"] == "coordinator");
        let used: Vec<_> = used.map(|row| row["used"].clone()).collect();
        run.check(used.len() == 2 && used[0] == used[1], &format!("rings are freed: {used:?}"));
    }
}

#[test]
fn as_many_rounds_as_can_be_typed_do_not_exhaust_memory() {
    let script = "bench poll-cost --rounds 1000000000; exit";
    Guest::new().cores(1).script(script).run().exited(0).printed(&["rings=255"]);
}

#[test]
fn a_parallel_computation_on_up_to_8_vcores_executes_few_more_instructions_than_on_one() {
    let on = |vcores: u16| {
        let script = format!("run bench_vcore compute 10 {vcores};exit 0");
        let run = Guest::new().count().cores(9).script(&script).run();
        run.exited(0);
        // The clock counts instructions of all cores; it jumps only where all halt, and then too far.
        let ticks = run.outcome.lines.iter().filter_map(|line| line.trim().parse::<u64>().ok());
        let ticks: Vec<_> = ticks.skip(4).collect();
        run.check(ticks.len() == 6, "each time is told");
        ticks.into_iter().max().unwrap_or_default()
    };
    let alone = on(1);
    assert!(alone > 1_000_000, "it is a computation: {alone}");
    for vcores in [2, 4, 8] {
        let efficiency = alone as f64 / on(vcores) as f64;
        assert!(efficiency >= 0.95, "on {vcores} vcores: {efficiency}");
    }
}

/// The same of the programs that compute in parallel, none of which was written to be measured: instructions of all cores while
/// threads compute on several vcores, which share the work.
#[test]
fn programs_that_compute_in_parallel_execute_few_more_instructions_on_up_to_8_vcores_than_on_one() {
    for program in ["matmul 8 256", "hash 8 256", "search 8 10"] {
        let on = |vcores: u16| {
            let script = format!("run {program} {vcores};exit 0");
            let run = Guest::new().count().cores(9).script(&script).run();
            run.exited(0).printed(&["right: true"]);
            let line = run.line("ticks in parallel");
            let shared = line.split_whitespace().rev().nth(1).and_then(|it| it.parse::<u16>().ok());
            // There may be so few pieces that one of eight comes too late for any.
            run.check(shared >= Some(vcores - vcores / 8), &format!("all have a share: {line}"));
            let ticks = line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
            ticks.unwrap_or_default()
        };
        let alone = on(1);
        assert!(alone > 1_000_000, "it is a computation: {alone}");
        for vcores in [2, 4, 8] {
            let efficiency = alone as f64 / on(vcores) as f64;
            assert!(efficiency >= 0.95, "{program} on {vcores} vcores: {efficiency}");
        }
    }
}
