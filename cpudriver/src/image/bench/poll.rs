//! `poll-cost`: one look at an empty inbox, by number of senders.
//!
//! The inbox is the kernel's own, and so is what it looks at: the flag bytes of this core's doorstep.

use super::{Measured, Plan, Result, Samples};
use crate::arch::shared::{self, ThisCore};
use crate::image::shell::Shell;
use crate::node::jobs::MAX_SAMPLES;
use crate::post::{Handler, Inbox};
use crate::stats::Summary;
use alloc::vec::Vec;
use proto::id::CoreId;

/// Looks in each turn of the loop, so that the loop's own instructions hardly count.
const UNROLLED: usize = 16;
/// Looks in each sample.
const LOOKS: u64 = 64;
/// Samples, unless told otherwise.
const ROUNDS: u32 = 16;

impl Shell<'_> {
    pub(super) fn poll_cost(&mut self, plan: Plan<'_>) -> Result {
        for rings in [1, 8, 64, 255] {
            let samples = self.look(rings, plan.rounds(ROUNDS).min(MAX_SAMPLES as u32));
            Measured {
                experiment: "poll-cost",
                params: &[("rings", u64::from(rings).into())],
                operations: LOOKS,
                samples,
                amounts: None,
                roles: &[],
            }
            .print(plan);
        }
        Ok(())
    }

    fn look(&mut self, senders: u16, rounds: u32) -> Samples {
        let machine = shared::this_core().as_if_of(usize::from(senders) + 1);
        let mut inbox = Inbox::new(usize::from(senders));
        let mut samples = Vec::with_capacity(rounds as usize);
        let region = self.bench.regions.begun() + 1;
        for _ in 0..rounds {
            let open = self.bench.regions.begin();
            let found = (0..LOOKS / UNROLLED as u64).any(|_| looks(&mut inbox, &machine));
            samples.push(open.end().clock);
            assert!(!found, "nobody sends while core 0 measures");
        }
        let clock = Some(samples.iter().sum());
        let summary = Summary::of(&mut samples).expect("at least one round is asked for");
        Samples { region, regions: rounds, clock, summary }
    }
}

/// As in the loop of a core: what a look finds decides what comes next.
#[inline(always)]
fn looks(inbox: &mut Inbox, machine: &ThisCore) -> bool {
    let mut look = || inbox.serve(machine, &mut Nobody);
    look()
        || look()
        || look()
        || look()
        || look()
        || look()
        || look()
        || look()
        || look()
        || look()
        || look()
        || look()
        || look()
        || look()
        || look()
        || look()
}

/// Nothing ever comes.
struct Nobody;

impl Handler for Nobody {
    fn immediate(&mut self, _: CoreId) -> bool {
        false
    }

    fn routine(&mut self, _: CoreId) -> bool {
        false
    }
}
