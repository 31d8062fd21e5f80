//! What is measured: every layout in both experiments.

use super::layout::{Between, Layout, Queue};
use super::measure::{Amount, round_trip, stream};
use super::pair::Pair;
use super::queues::{Crossbeam, Locked, Mpsc};
use super::raw::{Raw1, Raw2};
use super::slots::{Postcard, RtrbLine, RtrbTyped};

/// Slots of a lane in the kernel: what round trips are measured with.
const SLOTS: usize = cpudriver::post::lanes::SLOTS;
/// Slots and batches of the streams. A batch fits its ring.
const STREAMS: [(usize, u64); 5] = [(16, 1), (16, 8), (SLOTS, 1), (SLOTS, 8), (SLOTS, 32)];

/// The two experiments that run on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Experiment {
    /// Round trips.
    Latency,
    /// Streams.
    Throughput,
}

impl Experiment {
    /// Its name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency => "ring-latency",
            Self::Throughput => "ring-throughput",
        }
    }
}

/// How much the measurements do.
#[derive(Clone, Copy, Debug)]
pub struct Amounts {
    /// Round trips of a probe.
    pub probe: Amount,
    /// Round trips of a layout.
    pub trips: Amount,
    /// Messages of a stream; fewer where they are slow.
    pub messages: Amount,
}

impl Amounts {
    /// Little enough that most measurements end before the system gives the CPU to another.
    pub const FULL: Self = Self {
        probe: Amount { warmup: 16, timed: 150 },
        trips: Amount { warmup: 64, timed: 400 },
        messages: Amount { warmup: 512, timed: 8_192 },
    };

    /// Just so much that everything ran.
    pub const QUICK: Self = Self {
        probe: Amount { warmup: 4, timed: 20 },
        trips: Amount { warmup: 4, timed: 40 },
        messages: Amount { warmup: 64, timed: 512 },
    };
}

impl Amount {
    /// This amount over `share`: a measurement that takes long is more often disturbed.
    const fn over(self, share: u64) -> Self {
        Self { warmup: self.warmup.div_ceil(share), timed: self.timed.div_ceil(share) }
    }
}

/// One thing that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Of which experiment.
    pub experiment: Experiment,
    /// Name of the layout.
    pub layout: &'static str,
    /// Slots of each ring; the raw layouts have none.
    pub slots: usize,
    /// Messages that are published and taken together.
    pub batch: u64,
    /// How both ends poll.
    pub between: Between,
    run: fn(&Pair, &Self, &Amounts) -> Option<f64>,
}

impl Case {
    /// Measures once: nanoseconds of an operation, unless the system disturbed it.
    #[must_use]
    pub fn run(&self, pair: &Pair, amounts: &Amounts) -> Option<f64> {
        (self.run)(pair, self, amounts)
    }

    /// What this case is compared with, all else the same: the bounce of two raw lines, or plain lines in
    /// a ring.
    #[must_use]
    pub const fn base(&self) -> &'static str {
        match self.experiment {
            Experiment::Latency => <Raw2 as Layout>::NAME,
            Experiment::Throughput => <RtrbLine as Queue>::NAME,
        }
    }

    /// Whether `other` is the case to compare with.
    #[must_use]
    pub fn is_base(&self, other: &Self) -> bool {
        let all_else = |case: &Self| (case.experiment, case.slots, case.batch, case.between);
        other.layout == self.base() && all_else(other) == all_else(self)
    }
}

/// The raw bounce of two lines, whose time tells the regime: nanoseconds of a round trip.
#[must_use]
pub fn probe(pair: &Pair, amounts: &Amounts) -> Option<f64> {
    round_trip::<Raw2>(pair, SLOTS, Between::Pause, amounts.probe)
}

/// All cases, in the order in which a round measures them.
#[must_use]
pub fn all() -> Vec<Case> {
    let latency = |between| {
        [
            trips::<Raw1>(between),
            trips::<Raw2>(between),
            trips::<Postcard>(between),
            trips::<RtrbLine>(between),
            trips::<RtrbTyped>(between),
            trips::<Crossbeam>(between),
            trips::<Mpsc>(between),
            trips::<Locked>(between),
        ]
    };
    let throughput = |(slots, batch)| {
        [
            messages::<Postcard, 1>(slots, batch),
            messages::<RtrbLine, 1>(slots, batch),
            messages::<RtrbTyped, 1>(slots, batch),
            messages::<Crossbeam, 1>(slots, batch),
            messages::<Mpsc, 8>(slots, batch),
            messages::<Locked, 16>(slots, batch),
        ]
    };
    let latencies = [Between::Pause, Between::Nothing].into_iter().flat_map(latency);
    latencies.chain(STREAMS.into_iter().flat_map(throughput)).collect()
}

fn trips<L: Layout>(between: Between) -> Case {
    Case {
        experiment: Experiment::Latency,
        layout: L::NAME,
        slots: SLOTS,
        batch: 1,
        between,
        run: |pair, case, amounts| round_trip::<L>(pair, case.slots, case.between, amounts.trips),
    }
}

fn messages<Q: Queue, const SHARE: u64>(slots: usize, batch: u64) -> Case {
    Case {
        experiment: Experiment::Throughput,
        layout: Q::NAME,
        slots,
        batch,
        between: Between::Pause,
        run: |pair, case, amounts| {
            stream::<Q>(pair, case.slots, case.batch, amounts.messages.over(SHARE))
        },
    }
}
