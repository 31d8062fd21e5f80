//! `selftest`: shows that what the kernel does against stale translations is needed here, and that it works.
//!
//! A program takes the right to write from a page that all its vcores have written to, and then lets one of them write.
//! First nobody is told: on a machine whose cores keep translations the write goes through. Then cores are told, in each
//! way, and the same write must end the process. Where even the first doesn't happen, nothing is proven either way.

use super::{Failed, Outcome, Shell, say};
use crate::arch::uart;
use crate::console::command::Way;
use crate::console::output::{Format, Value, record};
use alloc::format;
use alloc::vec::Vec;
use monitor::{Control, Event, FAULTED, Strategy};
use proto::call;
use proto::id::CoreId;
use proto::message::{ToCore, ToMonitor};

/// The program.
const PROGRAM: &str = "stale";
/// Vcores, as far as there are so many: enough for a tree of which an inner core and a leaf are told by others.
const MOST: u16 = 6;
/// The ways, each of which is shown to be needed and to work.
const WAYS: [Way; 4] = [Way::Unicast, Way::Tree, Way::Package { cores: Some(2) }, Way::Latency];

/// What became of the writes of all vcores, each after the next one had taken the right away.
#[derive(Clone, Copy, Debug, Default)]
struct Writes {
    /// They went through: an old translation was used.
    stale: u64,
    /// They ended the process.
    refused: u64,
    /// Something else happened.
    odd: u64,
    /// Messages that cores handed on meanwhile.
    handed_on: u64,
}

/// What a way came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    Inconclusive,
    Failed,
}

impl Verdict {
    /// Of writes that nobody was told of and of such that all were, by others too in a tree; all of so many vcores but one
    /// must have shown both.
    fn of(untold: Writes, told: Writes, vcores: usize, is_tree: bool) -> Self {
        let went_wrong = told.stale > 0 || told.odd > 0 || untold.odd > 0;
        let has_shown = untold.stale.min(told.refused) + 1 >= vcores as u64;
        match (went_wrong, has_shown && (!is_tree || told.handed_on > 0)) {
            (true, _) => Self::Failed,
            (false, true) => Self::Passed,
            (false, false) => Self::Inconclusive,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Inconclusive => "inconclusive",
            Self::Failed => "failed",
        }
    }
}

impl Shell<'_> {
    /// Fails unless each way has passed.
    pub(super) fn selftest(&mut self, format: Format) -> Outcome {
        let before = self.hub.coordinator().strategy();
        let mut outcome = Ok(());
        for way in WAYS {
            match self.stale_writes(way) {
                Ok((untold, told)) => {
                    let vcores = self.cores_for_programs().len();
                    let verdict = Verdict::of(untold, told, vcores, told_by_others(way));
                    show(way, untold, told, verdict, format);
                    if verdict != Verdict::Passed {
                        outcome = Err(Failed);
                    }
                }
                Err(Failed) => outcome = Err(Failed),
            }
        }
        self.set_strategy(before).and(outcome)
    }

    /// The writes without and with cores being told in that way.
    fn stale_writes(&mut self, way: Way) -> Result<(Writes, Writes), Failed> {
        self.set_strategy(Strategy::Untold)?;
        let untold = self.all_writes()?;
        self.choose_way(way)?;
        let cores = self.cores_for_programs();
        let strategy = self.hub.coordinator().strategy();
        if !self.hub.prepare_tree(self.cpu, &strategy, &cores.iter().copied().collect()) {
            say!("the rings of a tree could not be made");
            return Err(Failed);
        }
        Ok((untold, self.all_writes()?))
    }

    fn all_writes(&mut self) -> Result<Writes, Failed> {
        let cores = self.cores_for_programs();
        if cores.len() < 2 {
            say!("it needs three cores");
            return Err(Failed);
        }
        let mut writes = Writes::default();
        let before = self.handed_on(&cores)?;
        for victim in 0..cores.len() {
            // A page for itself, or one of 2 MiB that one entry maps.
            let page = if victim % 2 == 0 { "mprotect" } else { "mprotect part" };
            let arguments = format!("{} {victim} {page}", cores.len());
            match self.run_quietly(PROGRAM, &arguments, &cores)? {
                call::Outcome::OK => writes.stale += 1,
                FAULTED => writes.refused += 1,
                _ => writes.odd += 1,
            }
        }
        writes.handed_on = self.handed_on(&cores)? - before;
        Ok(writes)
    }

    fn cores_for_programs(&self) -> Vec<CoreId> {
        self.others().take(MOST.into()).collect()
    }

    /// Messages that these cores have sent to others.
    fn handed_on(&mut self, cores: &[CoreId]) -> Result<u64, Failed> {
        let mut sum = 0;
        for &core in cores {
            match self.hub.order(self.cpu, core, ToCore::Count) {
                Ok(ToMonitor::Counters { peer_sent, .. }) => sum += peer_sent,
                Ok(_) => {}
                Err(error) => {
                    say!("{error}");
                    return Err(Failed);
                }
            }
        }
        Ok(sum)
    }

    /// Runs a program with the right to these cores; says nothing of what it prints, nor of a fault that ends it.
    fn run_quietly(
        &mut self,
        name: &str,
        arguments: &str,
        cores: &[CoreId],
    ) -> Result<call::Outcome, Failed> {
        let process = self.spawn(name, arguments)?;
        let to = Some(process.pid);
        cores.iter().try_for_each(|&core| self.control(Control::Provision { core, to }))?;
        self.control(Control::Run { pid: process.pid })?;
        self.hub.capture_output(true);
        let ended = self.hub.wait(self.cpu, None, |hub| {
            let code = hub.take_ended(process).map(Some);
            code.or_else(|| hub.interrupted().then_some(None))
        });
        self.hub.capture_output(false);
        let Some(Some(code)) = ended else {
            self.end_by_console(process, name)?;
            return Err(Failed);
        };
        self.settle();
        let its_end =
            |event: &Event| matches!(event, Event::Faulted { process: it, .. } if *it == process);
        self.hub.forget_notices(its_end);
        Ok(code)
    }
}

/// Do cores hear of a shootdown from others than the coordinator?
const fn told_by_others(way: Way) -> bool {
    matches!(way, Way::Tree | Way::Package { .. })
}

fn show(way: Way, untold: Writes, told: Writes, verdict: Verdict, format: Format) {
    let tried = untold.stale + untold.refused;
    if format == Format::Json {
        let fields = [
            ("selftest", Value::from("shootdown")),
            ("way", Value::Args(format_args!("{way}"))),
            ("tried", tried.into()),
            ("stale_untold", untold.stale.into()),
            ("stale_told", told.stale.into()),
            ("refused", told.refused.into()),
            ("handed_on", told.handed_on.into()),
            ("result", verdict.name().into()),
        ];
        let _ = record(&mut uart::Writer, format, &fields);
        return;
    }
    say!(
        "{way}: untold, {} of {tried} vcores used a stale translation; told, {} did and {} were \
         stopped, {} messages handed on: {}",
        untold.stale,
        told.stale,
        told.refused,
        told.handed_on,
        verdict.name()
    );
}
