//! `shootdown`: what it costs that cores forget translations, by the way in which they are told and how many there are.
//!
//! `raw` is the messages alone: core 0 tells cores that have nothing to forget, and hears from all. In all else a program of
//! the boot archive changes a page that all its vcores have used; all instructions of all cores are counted, polls of
//! those that wait among them.

use super::process::numbers;
use super::row::progress;
use super::{Measured, Plan, Result, Samples, Trouble};
use crate::console::command::{Way, Ways};
use crate::image::shell::Shell;
use crate::node::jobs::{Job, Part};
use crate::stats::Summary;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use monitor::{CoreSet, Strategy};
use proto::id::CoreId;

/// The program.
const PROGRAM: &str = "bench_shootdown";
/// Rounds that are measured, unless told otherwise.
const ROUNDS: u32 = 16;
/// Rounds before.
const WARMUP: u32 = 4;
/// The most rounds of the program.
const MOST: u32 = 256;

/// How many vcores: the caller's own is one of them.
const VCORES: [u16; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 254];
/// Ways in which cores are told.
const WAYS: [Way; 4] = [Way::Unicast, Way::Tree, Way::Package { cores: Some(16) }, Way::Latency];
/// Messages of cores 1 and up that poll a line which core 0 writes, to compare with.
const LINE: &str = "line";

/// Pages whose translations are forgotten one by one, and together with all others.
const FLUSHED: [u16; 6] = [1, 4, 8, 16, 32, 64];
const FLUSH: &str = "flush";
const SINGLY: &str = "singly";

/// 2 MiB are mapped and used, or given back: by one entry, page by page at once, or at the first use of each.
const BLOCK: &str = "block";
const UNBLOCK: &str = "unblock";
const BLOCKS: [(&str, &str); 5] =
    [(BLOCK, "huge"), (BLOCK, "small"), (BLOCK, "faults"), (UNBLOCK, "huge"), (UNBLOCK, "small")];

/// What the program does, with the way that is measured with it where there is only one.
const OPERATIONS: [(&str, Option<(&str, Way)>); 5] = [
    ("munmap", None),
    ("mprotect", None),
    // Rights that are added: nobody need be told, or all are told all the same.
    ("mprotect-add", Some(("lazy", Way::Unicast))),
    ("mprotect-add", Some(("eager", Way::Eager))),
    ("page-fault", Some(("lazy", Way::Unicast))),
];

/// A row to be measured.
#[derive(Clone, Debug)]
struct Case {
    operation: &'static str,
    /// As it is called, and as it is chosen; `None` for the line.
    name: String,
    way: Option<Way>,
    vcores: u16,
    /// How many pages, if it is about that.
    pages: Option<u16>,
}

impl Shell<'_> {
    pub(super) fn shootdown_costs(&mut self, plan: Plan<'_>) -> Result {
        let programs = self.hub.programs().map(|programs| programs.archive());
        if programs.is_none_or(|archive| archive.find(PROGRAM).is_none()) {
            return Err(Trouble::Skipped("it needs the program bench_shootdown in the archive"));
        }
        let cores = self.followers(plan);
        if cores.is_empty() {
            return Err(Trouble::Skipped("it needs two cores"));
        }
        let it = self.hub.coordinator();
        let (before, flush_pages) = (it.strategy(), it.flush_pages());
        let cases = cases(cores.len(), plan.bench.ways);
        let outcome = cases.iter().enumerate().try_for_each(|(done, case)| {
            progress(done, cases.len(), plan.format);
            self.measure_shootdown(case, plan)
        });
        self.flush_singly(flush_pages);
        let restored = self.set_strategy(before).map_err(|_| Trouble::Program);
        outcome.and(restored)
    }

    /// The cores that may take part, but for core 0.
    fn followers(&self, plan: Plan<'_>) -> Vec<CoreId> {
        let all = self.participants(plan).into_iter();
        all.filter(|core| *core != CoreId::MANAGEMENT).collect()
    }

    fn measure_shootdown(&mut self, case: &Case, plan: Plan<'_>) -> Result {
        let told: Vec<CoreId> = self.followers(plan).into_iter().take(case.vcores.into()).collect();
        if let Some(way) = case.way {
            self.choose_way(way).map_err(|_| Trouble::Program)?;
            let cores: CoreSet = told.iter().copied().collect();
            let strategy = self.hub.coordinator().strategy();
            if !self.hub.prepare_tree(self.cpu, &strategy, &cores) {
                return Err(Trouble::Program);
            }
        }
        if case.operation == FLUSH {
            self.flush_singly(if case.name == SINGLY { u32::MAX } else { 0 });
        }
        match case.operation {
            "raw" => self.raw(case, &told, plan),
            _ => self.by_program(case, plan),
        }
    }

    /// Messages to cores that poll, and their answers.
    fn raw(&mut self, case: &Case, told: &[CoreId], plan: Plan<'_>) -> Result {
        let part = if case.way.is_some() { Part::Awake } else { Part::Line };
        let job = Job { part, peer: CoreId(0), rounds: 0, warmup: 0, batch: 1 };
        let jobs: Vec<_> = told.iter().map(|&core| (core, job)).collect();
        self.hub.order_parts(self.cpu, &jobs)?;
        if part == Part::Awake {
            self.hub.collect_parts(self.cpu, &jobs)?;
        }
        self.hub.stay_awake(true);
        let strategy = self.hub.coordinator().strategy();
        let cores: CoreSet = told.iter().copied().collect();
        let (warmup, rounds) = (plan.warmup(WARMUP), plan.rounds(ROUNDS));
        let mut clocks = Vec::with_capacity(rounds as usize);
        let (mut region, mut done) = (0, true);
        for round in 0..warmup.saturating_add(rounds) {
            let open = self.bench.regions.begin();
            if round == warmup {
                region = self.bench.regions.begun();
            }
            done = match case.way {
                Some(_) => self.hub.tell_raw(self.cpu, &strategy, &cores),
                None => self.hub.tell_by_line(self.cpu, &cores),
            };
            let ended = open.end();
            if !done {
                break;
            }
            if round >= warmup {
                clocks.push(ended.clock);
            }
        }
        self.hub.stay_awake(false);
        let end = Job { part: Part::Asleep, ..job };
        match part {
            Part::Awake => {
                let jobs: Vec<_> = told.iter().map(|&core| (core, end)).collect();
                self.hub.play(self.cpu, &jobs)?;
            }
            _ => self.hub.call_off_parts(self.cpu, &jobs),
        }
        if !done {
            return Err(Trouble::Program);
        }
        self.print_case(case, (region, None), &mut clocks, plan)
    }

    fn by_program(&mut self, case: &Case, plan: Plan<'_>) -> Result {
        let warmup = plan.warmup(WARMUP).min(MOST - 1);
        let rounds = plan.rounds(ROUNDS).min(MOST - warmup);
        let region = self.bench.regions.begun() + 1 + warmup;
        let pages = case.pages.unwrap_or(1);
        let operation = match case.operation {
            BLOCK | UNBLOCK => format!("{}-{}", case.operation, case.name),
            operation => operation.to_string(),
        };
        let arguments = format!("{operation} {} {} {pages}", warmup + rounds, case.vcores);
        let cores = self.followers(plan);
        let printed = self.captured(|it| it.run_with_rights(PROGRAM, &arguments, &cores))?;
        let mut clocks = numbers(&printed);
        let caller = clocks.pop().and_then(|core| u16::try_from(core).ok());
        self.bench.regions.leave_to_another(clocks.len() as u32);
        let mut clocks: Vec<u64> = clocks.into_iter().skip(warmup as usize).collect();
        if clocks.len() != rounds as usize {
            return Err(Trouble::Program);
        }
        self.print_case(case, (region, caller), &mut clocks, plan)
    }

    /// Prints the rows of a case from its first region on, in which that core was the caller's.
    fn print_case(
        &self,
        case: &Case,
        (region, caller): (u32, Option<u16>),
        clocks: &mut [u64],
        plan: Plan<'_>,
    ) -> Result {
        let regions = clocks.len() as u32;
        let Some(summary) = Summary::of(clocks) else { return Err(Trouble::Program) };
        let samples = Samples { region, regions, clock: None, summary };
        let strategy = self.hub.coordinator().strategy();
        let roles = roles(case, caller, &strategy);
        // What the cores that are interrupted do has a row of its own, where there is one beside the caller's.
        let is_flushed = matches!(case.operation, "munmap" | "mprotect") && case.vcores > 1;
        let victim = (case.operation == "mprotect" && is_flushed).then_some("victim");
        for operation in core::iter::once(case.operation).chain(victim) {
            let params = [
                ("strategy", case.name.as_str().into()),
                ("operation", operation.trim_end_matches("-add").into()),
                ("vcores", u64::from(case.vcores).into()),
                ("pages", u64::from(case.pages.unwrap_or(1)).into()),
            ];
            Measured {
                experiment: "shootdown",
                // All but one operation are about one page.
                params: if case.pages.is_some() { &params } else { &params[..3] },
                operations: 1,
                samples,
                amounts: None,
                roles: if operation == "victim" { &roles[2..] } else { &roles },
            }
            .print(plan);
        }
        Ok(())
    }
}

/// All rows, or those of some ways, as far as so many cores go.
fn cases(most: usize, only: Ways) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |operation, name: &str, way: Option<Way>| {
        // A package is called so, however many cores it has.
        let name = name.split(':').next().unwrap_or_default();
        for vcores in VCORES.into_iter().filter(|it| usize::from(*it) <= most) {
            cases.push(Case { operation, name: name.to_string(), way, vcores, pages: None });
        }
    };
    let ways: Vec<Way> = if only.is_empty() { WAYS.to_vec() } else { only.all().collect() };
    for &way in &ways {
        add("raw", &way.to_string(), Some(way));
    }
    if only.is_empty() {
        add("raw", LINE, None);
    }
    for (operation, alone) in OPERATIONS {
        match alone {
            Some((name, way)) if only.is_empty() || ways.contains(&way) => {
                add(operation, name, Some(way));
            }
            Some(_) => {}
            None => ways.iter().for_each(|way| add(operation, &way.to_string(), Some(*way))),
        }
    }
    if only.is_empty() {
        for (pages, name) in FLUSHED.into_iter().flat_map(|it| [(it, SINGLY), (it, "all")]) {
            let (name, way) = (name.to_string(), Some(Way::Unicast));
            cases.push(Case { operation: FLUSH, name, way, vcores: 1, pages: Some(pages) });
        }
        for (operation, name) in BLOCKS {
            let (name, way) = (name.to_string(), Some(Way::Unicast));
            let pages = Some(proto::memory::BLOCK as u16);
            cases.push(Case { operation, name, way, vcores: 1, pages });
        }
    }
    cases
}

/// Who executes what. Vcores have the cores from 1 on. A leaf is the last of them that is not the caller's; an inner
/// core the first that hands on, of which the last in a tree of so many have none below.
fn roles(case: &Case, caller: Option<u16>, strategy: &Strategy) -> Vec<(&'static str, u16)> {
    let told = || (1..=case.vcores).filter(|core| Some(*core) != caller);
    let is_tree = !strategy.is_direct() && case.way.is_some();
    let inner = told().next().filter(|_| is_tree && case.vcores >= 4);
    let leaf = told().next_back().map(|core| ("leaf", core));
    let caller = caller.map(|core| ("caller", core));
    let inner = inner.map(|core| ("inner", core));
    [Some(("coordinator", 0)), caller, leaf, inner].into_iter().flatten().collect()
}
