//! The experiments: what `bench` runs.
//!
//! An experiment measures in *regions*, stretches of code between two markers. Under `-icount` the
//! host's QEMU plugin counts what all cores execute in them, and a row names the regions that are its
//! samples; otherwise each region's clock is the sample, in cycles. Both kinds of row are JSON objects,
//! one a line, read by the host tool; for people a row is a line of text.

mod bring_up;
mod coordinator;
mod latency;
mod message_cost;
mod poll;
mod process;
mod row;
mod shootdown;
mod throughput;
mod user_ring;
mod vcore;

use crate::results::{Measured, Samples};

use super::hub::LinkError;
use super::shell::{Failed, Outcome, Shell, say};
use crate::arch::marker::Regions;
use crate::console::command::Bench;
use crate::console::output::Format;
use alloc::vec::Vec;
use monitor::Input;
use proto::boot::Clock;
use proto::id::CoreId;

/// What experiments keep from one to the next.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The regions that were begun on this machine.
    pub(crate) regions: Regions,
    /// The rings of `message-cost`, once it has run.
    rings: Option<core::mem::ManuallyDrop<message_cost::Rings>>,
    /// The region of the start of all cores, when the machine booted.
    pub(crate) start: Option<crate::arch::marker::Region>,
}

/// What the person asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan<'a> {
    bench: &'a Bench,
    format: Format,
    clock: Clock,
}

impl Plan<'_> {
    fn rounds(&self, default: u32) -> u32 {
        self.bench.rounds.unwrap_or(default)
    }

    fn warmup(&self, default: u32) -> u32 {
        self.bench.warmup.unwrap_or(default)
    }
}

/// Why an experiment has no rows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    /// The machine is too small for it; not an error.
    Skipped(&'static str),
    /// It went wrong.
    Link(LinkError),
    /// Its program did not do what it should.
    Program,
}

impl From<LinkError> for Trouble {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

type Result = core::result::Result<(), Trouble>;

impl Shell<'_> {
    /// Runs the experiments that were asked for, with the heartbeat paused.
    pub(super) fn bench(&mut self, bench: &Bench, format: Format) -> Outcome {
        self.hub.tell(Input::PauseHeartbeat, &mut self.cpu.node);
        let clock = self.options.clock;
        let mut outcome = Ok(());
        for name in bench.experiments.names() {
            if self.experiment(name, Plan { bench, format, clock }).is_err() {
                outcome = Err(Failed);
            }
            if self.hub.interrupted() {
                say!("interrupted");
                outcome = Err(Failed);
                break;
            }
        }
        self.hub.tell(Input::ResumeHeartbeat, &mut self.cpu.node);
        outcome
    }

    fn experiment(&mut self, name: &'static str, plan: Plan<'_>) -> Outcome {
        let result = match name {
            "message-cost" => self.message_cost(plan),
            "ring-latency" => self.ring_latency(plan),
            "ring-throughput" => self.ring_throughput(plan),
            "poll-cost" => self.poll_cost(plan),
            "coordinator" => self.coordinator_steps(plan),
            "process" => self.process_costs(plan),
            "vcore" => self.vcore_costs(plan),
            "user-ring" => self.user_ring_costs(plan),
            "shootdown" => self.shootdown_costs(plan),
            "bring-up" => self.bring_up(plan),
            _ => Err(Trouble::Skipped("this kernel does not have it")),
        };
        match result {
            Ok(()) => Ok(()),
            Err(Trouble::Skipped(why)) => {
                row::skipped(name, why, plan.format);
                Ok(())
            }
            Err(Trouble::Link(error)) => {
                row::failed(name, &error, plan.format);
                Err(Failed)
            }
            Err(Trouble::Program) => {
                row::failed(name, &"its program failed", plan.format);
                Err(Failed)
            }
        }
    }

    /// The cores that may take part: those online, of those asked for.
    fn participants(&self, plan: Plan<'_>) -> Vec<CoreId> {
        let online = self.hub.coordinator().online();
        let asked = |core: &CoreId| plan.bench.cores.is_none_or(|cores| cores.contains(*core));
        online.iter().filter(asked).collect()
    }
}
