//! `selftest`: shows that what the kernel does against stale translations is needed here, and that it works.
//!
//! A program takes the right to write from a page that all its vcores have written to, and then lets one of them write.
//! First nobody is told: on a machine whose cores keep translations the write goes through. Then cores are told, in each
//! way, and the same write must end the process. Where even the first doesn't happen, nothing is proven either way.
//!
//! All ways are lazy: nobody is told of rights that are added. So a core that has read a page faults when it writes to it, is
//! mended and goes on; and if the right is taken away again, it is told. A processor that looks the page up anew instead of
//! faulting, as the emulator does, shows nothing of the first.
//!
//! The line that `bench shootdown` compares with carries no change of a page, only a number, so it has nothing to be tested
//! here.

use super::{Failed, Outcome, Shell, say};
use crate::arch::uart;
use crate::console::command::Way;
use crate::console::output::{Format, Value, record};
use alloc::format;
use alloc::vec::Vec;
use core::fmt;
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
/// What is taken away: the right to write, as it was from the beginning, or after it was added when all had read.
const TAKEN: &str = "mprotect";
const REGAINED: &str = "regained";
/// What is added.
const ADDED: &str = "added";

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
    /// Faults on pages that were there already.
    looks: u64,
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

    /// Of writes by vcores after the right to write was added: each must go through, and all of so many vcores but one must
    /// have met an old translation, each at its first write.
    fn of_added(added: Writes, vcores: usize) -> Self {
        match (added.refused + added.odd > 0, added.looks + 1 >= vcores as u64) {
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
    /// Fails unless each way has passed; that old translations are mended need not be shown, but must not fail.
    pub(super) fn selftest(&mut self, format: Format) -> Outcome {
        let before = self.hub.coordinator().strategy();
        let mut outcome = Ok(());
        let lazy = (Way::Unicast, "lazy", REGAINED);
        let ways = WAYS.map(|way| (way, "", TAKEN)).into_iter().chain([lazy]);
        for (way, name, page) in ways {
            match self.stale_writes(way, page) {
                Ok((untold, told)) => {
                    let vcores = self.cores_for_programs().len();
                    let verdict = Verdict::of(untold, told, vcores, told_by_others(way));
                    let name: &dyn fmt::Display = if name.is_empty() { &way } else { &name };
                    show(name, untold, told, verdict, format);
                    if verdict != Verdict::Passed {
                        outcome = Err(Failed);
                    }
                }
                Err(Failed) => outcome = Err(Failed),
            }
        }
        let outcome = self.added_writes(format).and(outcome);
        self.set_strategy(before).and(outcome)
    }

    /// The writes after the right to write was added, of which nobody is told.
    fn added_writes(&mut self, format: Format) -> Outcome {
        self.choose_way(Way::Unicast)?;
        let added = self.all_writes(ADDED)?;
        let verdict = Verdict::of_added(added, self.cores_for_programs().len());
        show_added(added, verdict, format);
        if verdict == Verdict::Failed { Err(Failed) } else { Ok(()) }
    }

    /// The writes without and with cores being told in that way.
    fn stale_writes(&mut self, way: Way, change: &str) -> Result<(Writes, Writes), Failed> {
        self.set_strategy(Strategy::Untold)?;
        let untold = self.all_writes(change)?;
        self.choose_way(way)?;
        let cores = self.cores_for_programs();
        let strategy = self.hub.coordinator().strategy();
        if !self.hub.prepare_tree(self.cpu, &strategy, &cores.iter().copied().collect()) {
            say!("the rings of a tree could not be made");
            return Err(Failed);
        }
        Ok((untold, self.all_writes(change)?))
    }

    fn all_writes(&mut self, change: &str) -> Result<Writes, Failed> {
        let cores = self.cores_for_programs();
        if cores.len() < 2 {
            say!("it needs three cores");
            return Err(Failed);
        }
        let mut writes = Writes::default();
        let (before, looks) = (self.handed_on(&cores)?, self.looks());
        for victim in 0..cores.len() {
            // A page for itself, or one of 2 MiB that one entry maps.
            let part = if victim % 2 == 0 { "" } else { "part" };
            let arguments = format!("{} {victim} {change} {part}", cores.len());
            match self.run_quietly(PROGRAM, &arguments, &cores)? {
                call::Outcome::OK => writes.stale += 1,
                FAULTED => writes.refused += 1,
                _ => writes.odd += 1,
            }
        }
        writes.handed_on = self.handed_on(&cores)? - before;
        writes.looks = self.looks() - looks;
        Ok(writes)
    }

    /// Faults on pages that were there already.
    fn looks(&self) -> u64 {
        self.hub.programs().map_or(0, |programs| programs.looks())
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

fn show(way: &dyn fmt::Display, untold: Writes, told: Writes, verdict: Verdict, format: Format) {
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

fn show_added(added: Writes, verdict: Verdict, format: Format) {
    let Writes { stale: written, refused, looks, .. } = added;
    if format == Format::Json {
        let fields = [
            ("selftest", Value::from("shootdown")),
            ("added", "lazy".into()),
            ("written", written.into()),
            ("refused", refused.into()),
            ("mended", looks.into()),
            ("result", verdict.name().into()),
        ];
        let _ = record(&mut uart::Writer, format, &fields);
        return;
    }
    say!(
        "lazy, rights added: {written} vcores wrote and {refused} were stopped, {looks} faults by old translations were \
         mended: {}",
        verdict.name()
    );
    say!("the line of `bench shootdown` carries no change of a page and is not tested here");
}
