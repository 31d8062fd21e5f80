//! `message-cost`: a message put into a ring and taken out again on one core, by layout and batch, for
//! every kind of message.

use super::row::progress;
use super::{Measured, Plan, Result, Samples};
use crate::arch::marker;
use crate::image::shell::Shell;
use crate::post::lanes::SLOTS;
use crate::post::layouts::hand::Hand;
use crate::post::layouts::hand::InWords;
use crate::post::layouts::line::Pair;
use crate::post::layouts::{Path, Plain, Postcard, Slots};
use crate::post::ring::Codec;
use crate::stats::Summary;
use alloc::vec::Vec;
use core::hint::black_box;
use core::mem::ManuallyDrop;
use proto::message::{Peer, ToCore, ToMonitor};
use proto::sample::{PEER, Sample, TO_CORE, TO_MONITOR};
use proto::slot::{Message, NoMessage};

/// Messages in each sample, a multiple of every batch.
const MESSAGES: usize = 64;
/// Samples, unless told otherwise.
const ROUNDS: u32 = 2;

const BATCHES: [usize; 3] = [1, 8, 32];

/// The rings of all layouts for messages of one type. Made once: no ring is ever freed.
#[derive(Debug)]
struct Paths<M> {
    plain: Plain<M>,
    postcard: Slots<Postcard>,
    hand: Slots<Hand>,
    line: Pair,
}

impl<M: Message + InWords> Paths<M>
where
    Hand: Codec<M>,
{
    fn new() -> Self {
        Self {
            plain: <Plain<M> as Path<M>>::new(SLOTS),
            postcard: <Slots<Postcard> as Path<M>>::new(SLOTS),
            hand: <Slots<Hand> as Path<M>>::new(SLOTS),
            line: <Pair as Path<M>>::new(SLOTS),
        }
    }
}

/// The rings of the experiment.
#[derive(Debug)]
pub(super) struct Rings {
    to_core: Paths<ToCore>,
    to_monitor: Paths<ToMonitor>,
    peer: Paths<Peer>,
}

impl Rings {
    fn new() -> Self {
        Self { to_core: Paths::new(), to_monitor: Paths::new(), peer: Paths::new() }
    }
}

impl Shell<'_> {
    pub(super) fn message_cost(&mut self, plan: Plan<'_>) -> Result {
        let mut rings = self.bench.rings.take().unwrap_or_else(|| ManuallyDrop::new(Rings::new()));
        let kinds = TO_CORE.len() + TO_MONITOR.len() + PEER.len();
        let mut done = 0;
        self.kinds(TO_CORE, &mut rings.to_core, plan, &mut done, kinds);
        self.kinds(TO_MONITOR, &mut rings.to_monitor, plan, &mut done, kinds);
        self.kinds(PEER, &mut rings.peer, plan, &mut done, kinds);
        self.bench.rings = Some(rings);
        Ok(())
    }

    fn kinds<M: Message + InWords + PartialEq>(
        &mut self,
        samples: &[Sample<M>],
        paths: &mut Paths<M>,
        plan: Plan<'_>,
        done: &mut usize,
        kinds: usize,
    ) where
        Hand: Codec<M>,
    {
        for kind in samples {
            progress(*done, kinds, plan.format);
            *done += 1;
            for batch in BATCHES {
                self.cost("plain", &mut paths.plain, kind, batch, plan);
                self.cost("postcard", &mut paths.postcard, kind, batch, plan);
                self.cost("hand", &mut paths.hand, kind, batch, plan);
                self.cost("line", &mut paths.line, kind, batch, plan);
            }
        }
    }

    fn cost<M: Message + PartialEq>(
        &mut self,
        layout: &'static str,
        path: &mut impl Path<M>,
        kind: &Sample<M>,
        batch: usize,
        plan: Plan<'_>,
    ) {
        let message = black_box(kind.message);
        let batched = [message; MESSAGES];
        let rounds = plan.rounds(ROUNDS);
        let mut clocks = Vec::with_capacity(rounds as usize);
        // Once without measuring, so that caches and the ring's own copies are warm; and to see that what
        // goes in comes out.
        assert!(path.put(&message) && path.take() == Ok(message), "{layout} loses {}", kind.name);
        let region = self.bench.regions.begun() + 1;
        for _ in 0..rounds {
            let open = self.bench.regions.begin();
            let arrived = if batch == 1 {
                singly(path, &message)
            } else {
                in_batches(path, &batched[..batch])
            };
            clocks.push(open.end().clock);
            assert!(arrived, "{layout} loses {}", kind.name);
        }
        let clock = Some(clocks.iter().sum());
        let summary = Summary::of(&mut clocks).expect("at least one round is asked for");
        Measured {
            experiment: "message-cost",
            params: &[
                ("layout", layout.into()),
                ("message", kind.name.into()),
                ("batch", (batch as u64).into()),
            ],
            operations: MESSAGES as u64,
            samples: Samples { region, regions: rounds, clock, summary },
            amounts: None,
            roles: &[],
        }
        .print(plan);
    }
}

/// Puts and takes one message at a time; whether all were decoded.
#[inline(always)]
fn singly<M: Message>(path: &mut impl Path<M>, message: &M) -> bool {
    for _ in 0..MESSAGES {
        // The message itself must be there, not only the knowledge that it could be decoded.
        if !path.put(message) || black_box(&path.take()).is_err() {
            return false;
        }
        marker::lap();
    }
    true
}

/// Puts and takes batches.
#[inline(always)]
fn in_batches<M: Message>(path: &mut impl Path<M>, batch: &[M]) -> bool {
    let mut arrived = 0;
    for _ in 0..MESSAGES / batch.len() {
        path.put_all(batch);
        path.take_all(batch.len(), |message: &core::result::Result<M, NoMessage>| {
            arrived += usize::from(black_box(message).is_ok());
        });
        marker::lap();
    }
    arrived == MESSAGES
}
