//! `shootdown`: in which way cores are told to flush translations, and who tells whom then.

use super::{Failed, Outcome, Shell, print, say};
use crate::arch::{cpu, uart};
use crate::console::command::{Shootdown, Way};
use crate::console::output::{Format, Table, Value, number};
use crate::image::clock;
use alloc::vec::Vec;
use monitor::{Clusters, Command, CoreSet, Edge, Event, Input, Strategy};
use proto::id::CoreId;

/// Round trips to each core, of which the shortest counts.
const PINGS: u32 = 8;
/// Seconds that shootdowns which are under way may take before the way is changed.
const PATIENCE: u64 = 10;

impl Shell<'_> {
    pub(super) fn shootdown(&mut self, what: Shootdown, format: Format) -> Outcome {
        match what {
            Shootdown::Show => {
                say!("{}", in_words(&self.hub.coordinator().strategy()));
                Ok(())
            }
            Shootdown::Choose(way) => self.choose_way(way),
            Shootdown::Flush { pages: Some(pages) } => {
                self.flush_singly(pages);
                Ok(())
            }
            Shootdown::Flush { pages: None } => {
                let pages = self.hub.coordinator().flush_pages();
                say!("cores flush up to {pages} pages one by one, and more all together");
                Ok(())
            }
            Shootdown::Plan { cores } => {
                self.show_plan(cores, format);
                Ok(())
            }
        }
    }

    /// Has cores told of shootdowns in that way from now on.
    pub(in crate::image) fn choose_way(&mut self, way: Way) -> Outcome {
        let strategy = match way {
            Way::Unicast => Strategy::Unicast,
            Way::Eager => Strategy::Eager,
            Way::Tree => Strategy::Tree { package: 0 },
            Way::Package { cores } => {
                let package = cores.unwrap_or_else(cpu::cores_per_package);
                Strategy::Tree { package }
            }
            Way::Latency => Strategy::Clusters(self.measured_clusters()?),
        };
        self.set_strategy(strategy)
    }

    /// Has cores flush so many pages one by one, and more all together.
    pub(in crate::image) fn flush_singly(&mut self, pages: u32) {
        self.hub.tell(Input::SetFlushPages(pages), &mut self.cpu.node);
    }

    pub(in crate::image) fn set_strategy(&mut self, strategy: Strategy) -> Outcome {
        let until = cpu::now() + clock::ticks(u128::from(PATIENCE) * 1_000_000);
        while self.hub.coordinator().strategy() != strategy {
            self.hub.tell(Input::SetStrategy(strategy), &mut self.cpu.node);
            if cpu::now() > until {
                say!("shootdowns are under way that cores do not answer; nothing is changed");
                return Err(Failed);
            }
            self.hub.breathe(self.cpu);
        }
        Ok(())
    }

    /// How far each core is, by the shortest of some round trips.
    fn measured_clusters(&mut self) -> Result<Clusters, Failed> {
        let mut measured: Vec<(CoreId, u64)> = Vec::new();
        for core in self.others() {
            let mut nearest = u64::MAX;
            for _ in 0..PINGS {
                match self.ask(Command::Ping { core })? {
                    Event::Pong { round_trip, .. } => nearest = nearest.min(round_trip),
                    _ => break,
                }
            }
            if nearest < u64::MAX {
                measured.push((core, nearest));
            }
        }
        Ok(Clusters::by_latency(&mut measured))
    }

    /// All cores that are online, but for core 0.
    pub(super) fn others(&self) -> impl Iterator<Item = CoreId> + use<> {
        self.hub.coordinator().online().iter().filter(|core| *core != CoreId::MANAGEMENT)
    }

    fn show_plan(&self, cores: Option<u16>, format: Format) {
        let most = cores.map_or(usize::MAX, usize::from);
        let told: CoreSet = self.others().take(most).collect();
        let strategy = self.hub.coordinator().strategy();
        let mut edges: Vec<Edge> = Vec::with_capacity(told.len());
        strategy.plan(&told, self.hub.coordinator().fan_out(), &mut |edge| edges.push(edge));
        match format {
            Format::Json => table(&edges),
            Format::Text => {
                say!("{}", in_words(&strategy));
                explain(&edges);
            }
        }
    }
}

fn table(edges: &[Edge]) {
    let table = Table::new(Format::Json, [number("from", 4), number("to", 4), number("depth", 5)]);
    for edge in edges {
        let from = edge.from.map_or(Value::None, |from| u64::from(from.0).into());
        let row = [from, u64::from(edge.to.0).into(), u64::from(edge.depth).into()];
        let _ = table.row(&mut uart::Writer, row);
    }
}

/// Who tells whom, a line for each that tells any; and what it comes to.
fn explain(edges: &[Edge]) {
    let tellers = edges.iter().map(|edge| Some(edge.to));
    for from in core::iter::once(None).chain(tellers) {
        let told = || edges.iter().filter(move |edge| edge.from == from).map(|edge| edge.to);
        if told().next().is_none() {
            continue;
        }
        match from {
            None => print(format_args!("  the coordinator tells")),
            Some(core) => print(format_args!("  core {core} tells")),
        }
        for (at, core) in told().enumerate() {
            print(format_args!("{} {core}", if at == 0 { "" } else { "," }));
        }
        say!("");
    }
    let sent = edges.iter().filter(|edge| edge.from.is_none()).count();
    let depth = edges.iter().map(|edge| edge.depth).max().unwrap_or(0);
    let cores = edges.len();
    say!(
        "  of {cores} cores the coordinator tells {sent} and others tell {}; the last one hears of it \
         after {depth} in a row; each answers the coordinator",
        cores - sent
    );
}

/// What a way is.
fn in_words(strategy: &Strategy) -> &'static str {
    match strategy {
        Strategy::Unicast => "unicast: the coordinator tells each core itself",
        Strategy::Tree { package: 0 } => {
            "tree: the coordinator tells one core, and each tells some others and answers for them"
        }
        Strategy::Tree { .. } => {
            "package: the coordinator tells one core of each package, and each tells some others and answers for them"
        }
        Strategy::Clusters(_) => {
            "latency: the coordinator tells one core of each group that is equally far, the farthest \
             group first, and each tells some others and answers for them"
        }
        Strategy::Eager => "eager: as unicast, also when rights are added",
        Strategy::Untold => "none: cores are not told of rights that are taken away",
    }
}
