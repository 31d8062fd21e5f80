//! The parts that a core plays in an experiment.
//!
//! A part runs between two passes of the core's loop and serves the inbox all the time, so a core
//! in an experiment still answers pings and shootdowns. What it measures goes to the coordinator as
//! messages: a summary of its samples, then `ExperimentDone`.

use super::peers::Stream;
use super::{Node, Platform};
use crate::stats::Summary;
use alloc::vec::Vec;
use proto::id::CoreId;
use proto::message::{Peer, ToCore, ToMonitor};

/// What a core is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Part {
    /// Poll instead of halting when there is nothing to do.
    Awake = 1,
    /// Halt again when there is nothing to do.
    Asleep = 2,
    /// Ping a linked peer, one at a time, and take each round trip as a sample.
    Ask = 3,
    /// Send a stream to every linked peer, and wait until all have summed it up.
    Stream = 4,
    /// Answer each number that core 0 writes to the shared line.
    Line = 5,
}

/// A part with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// What to do.
    pub part: Part,
    /// The other core, for [`Part::Ask`].
    pub peer: CoreId,
    /// Operations that are measured.
    pub rounds: u32,
    /// Operations before measuring starts.
    pub warmup: u32,
    /// Messages that are published together.
    pub batch: u16,
}

/// Samples that a part takes at most; further rounds run but are not sampled.
pub const MAX_SAMPLES: usize = 4096;

impl Job {
    /// Reads an order; `None` if it is not an experiment's or the part is unknown.
    #[must_use]
    pub fn read(order: &ToCore) -> Option<Self> {
        let ToCore::Experiment { role, peer, rounds, warmup, batch } = *order else { return None };
        let part = match role {
            1 => Part::Awake,
            2 => Part::Asleep,
            3 => Part::Ask,
            4 => Part::Stream,
            5 => Part::Line,
            _ => return None,
        };
        Some(Self { part, peer, rounds, warmup, batch })
    }

    /// The order that [`Job::read`] reads as this job.
    #[must_use]
    pub const fn order(&self) -> ToCore {
        let Self { part, peer, rounds, warmup, batch } = *self;
        ToCore::Experiment { role: part as u8, peer, rounds, warmup, batch }
    }
}

/// What a part came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The summary of the samples, if the part takes any.
    pub samples: Option<ToMonitor>,
    /// `ExperimentDone`.
    pub done: ToMonitor,
}

/// A core that plays a part: its node, and how it serves its inbox meanwhile.
pub trait Station {
    /// The machine.
    type Platform: Platform;

    /// The core's node.
    fn node(&mut self) -> &mut Node<Self::Platform>;

    /// Makes one pass over the inbox and lets others know what was sent; whether there was anything.
    fn pass(&mut self) -> bool;

    /// The machine.
    #[inline(always)]
    fn platform(&mut self) -> Self::Platform {
        *self.node().platform()
    }
}

/// Plays a part to its end, or until any other part is ordered. `samples` has its capacity already;
/// nothing is allocated.
pub fn play(job: &Job, station: &mut impl Station, samples: &mut Vec<u32>) -> Outcome {
    samples.clear();
    station.node().called_off = false;
    match job.part {
        Part::Ask => ask(job, station, samples),
        Part::Stream => stream(job, station),
        Part::Line => follow_line(station),
        Part::Awake | Part::Asleep => done(0, 0, 0),
    }
}

/// Sends what a part came to.
pub fn report<P: Platform>(node: &mut Node<P>, outcome: &Outcome) {
    outcome.samples.into_iter().for_each(|samples| node.answer(samples));
    node.answer(outcome.done);
}

fn done(begin: u64, end: u64, operations: u32) -> Outcome {
    Outcome { samples: None, done: ToMonitor::ExperimentDone { begin, end, operations } }
}

/// Serves and polls until something holds or the part is called off; false in the latter case.
#[inline]
fn wait<S: Station>(station: &mut S, holds: impl Fn(&mut Node<S::Platform>) -> bool) -> bool {
    while !holds(station.node()) {
        if station.node().called_off {
            return false;
        }
        if !station.pass() {
            station.platform().pause();
        }
    }
    true
}

fn ask(job: &Job, station: &mut impl Station, samples: &mut Vec<u32>) -> Outcome {
    for nonce in 0..job.warmup {
        if round_trip(nonce, job.peer, station).is_none() {
            break;
        }
    }
    let platform = station.platform();
    let begin = platform.now();
    let mut answered = 0;
    for nonce in 0..job.rounds {
        platform.mark_begin();
        let ticks = round_trip(nonce, job.peer, station);
        platform.mark_end();
        let Some(ticks) = ticks else { break };
        answered += 1;
        if samples.len() < samples.capacity() {
            samples.push(u32::try_from(ticks).unwrap_or(u32::MAX));
        }
    }
    let end = platform.now();
    Outcome { samples: summary(samples), ..done(begin, end, answered) }
}

/// Clock ticks from before the ping is encoded until after the pong is handled.
#[inline]
fn round_trip(nonce: u32, peer: CoreId, station: &mut impl Station) -> Option<u64> {
    let platform = station.platform();
    let sent = platform.now();
    let node = station.node();
    node.peers.pong = None;
    node.tell(peer, &Peer::Ping { nonce, value: sent });
    node.flush();
    let answered = wait(station, |node| node.peers.pong == Some(nonce));
    answered.then(|| platform.now() - sent)
}

/// Answers until it is called off.
fn follow_line(station: &mut impl Station) -> Outcome {
    let platform = station.platform();
    let (begin, mut answers) = (platform.now(), 0);
    while wait(station, |_| platform.line() != platform.answered()) {
        platform.answer(platform.line());
        answers += 1;
    }
    done(begin, platform.now(), answers)
}

fn stream(job: &Job, station: &mut impl Station) -> Outcome {
    let [warmup, expected] = [job.warmup, job.rounds].map(Stream::of_first);
    send_all(job.warmup, warmup, job.batch, station);
    let begin = station.platform().now();
    let operations = send_all(job.rounds, expected, job.batch, station);
    done(begin, station.platform().now(), operations)
}

/// Sends the values `1..=messages` to every peer, a batch to each in turn, and waits for the sums. Gives
/// the number of messages of which the sums prove that they arrived, in this order: all or none.
fn send_all(messages: u32, expected: Stream, batch: u16, station: &mut impl Station) -> u32 {
    let peers = station.node().peers.linked().len();
    (station.node().peers.sums, station.node().peers.total) = (0, 0);
    for first in (0..messages).step_by(batch.max(1).into()) {
        if station.node().called_off {
            break;
        }
        let last = messages.min(first.saturating_add(batch.max(1).into()));
        for at in 0..peers {
            let peer = station.node().peers.linked()[at];
            for value in (first + 1..=last).map(u64::from) {
                until_taken(peer, &Peer::Data { value }, station);
            }
            station.pass();
        }
    }
    for at in 0..peers {
        let peer = station.node().peers.linked()[at];
        until_taken(peer, &Peer::End, station);
    }
    station.node().flush();
    wait(station, |node| node.peers.sums as usize == peers);
    let expected = expected.sum.wrapping_mul(peers as u64);
    if station.node().peers.total == expected { messages * peers as u32 } else { 0 }
}

/// Sends to a peer, and while its ring is full lets it know, serves and tries again.
#[inline]
fn until_taken(peer: CoreId, message: &Peer, station: &mut impl Station) {
    wait(station, |node| node.tell(peer, message));
}

fn summary(samples: &mut [u32]) -> Option<ToMonitor> {
    let Summary { n, min, p50, p90, p99, max, mean_thousandths } = Summary::of(samples)?;
    Some(ToMonitor::Samples { n, min, p50, p90, p99, max, mean_thousandths })
}
