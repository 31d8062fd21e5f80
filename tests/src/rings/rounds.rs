//! Rounds: all cases one after the other, again and again, with a probe between each two.
//!
//! On a virtual machine the two CPUs may be near each other for a while (in one core's caches, say) and
//! then far, and every number changes with it. So each measurement stands between two probes, counts
//! only if both saw the same regime, and is compared only with what was measured in that regime.

use super::cases::{Amounts, Case, probe};
use super::pair::Pair;

/// Rounds beyond those asked for, as a factor, that are tried until every case has enough samples.
const PATIENCE: usize = 4;

/// How far from each other the CPUs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Regime {
    /// The raw bounce of two lines takes less than 250 ns.
    Near,
    /// It takes 250 to 2,000 ns.
    Far,
}

impl Regime {
    /// The regime in which a probe takes so many nanoseconds; `None` if it was disturbed.
    #[must_use]
    pub fn of(probe: f64) -> Option<Self> {
        match probe {
            ..250.0 => Some(Self::Near),
            250.0..2000.0 => Some(Self::Far),
            _ => None,
        }
    }

    /// Its name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Far => "far",
        }
    }
}

/// A measurement that counts.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// In which round.
    pub round: usize,
    /// Index of the case.
    pub case: usize,
    /// What both probes saw.
    pub regime: Regime,
    /// Nanoseconds of an operation.
    pub ns: f64,
    /// Nanoseconds of the raw bounce of two lines, the mean of both probes.
    pub probe: f64,
}

/// Runs rounds until there were so many and every case has `least` samples in some regime, or four times
/// as many, which a busy machine needs. `watch` is told how many there were.
pub fn collect(
    pair: &Pair,
    cases: &[Case],
    amounts: &Amounts,
    rounds: usize,
    least: usize,
    mut watch: impl FnMut(usize),
) -> Vec<Sample> {
    let mut samples = Vec::new();
    for round in 0..rounds * PATIENCE {
        if round >= rounds && enough(&samples, cases.len(), least) {
            break;
        }
        watch(round);
        play(pair, cases, amounts, round, &mut samples);
    }
    samples
}

fn play(pair: &Pair, cases: &[Case], amounts: &Amounts, round: usize, samples: &mut Vec<Sample>) {
    let mut before = probe(pair, amounts);
    for (at, case) in cases.iter().enumerate() {
        let ns = case.run(pair, amounts);
        let after = probe(pair, amounts);
        samples.extend(judge(before, ns, after).map(|(regime, ns, probe)| Sample {
            round,
            case: at,
            regime,
            ns,
            probe,
        }));
        before = after;
    }
}

/// The regime, the time and the probe of a measurement that counts.
fn judge(before: Option<f64>, ns: Option<f64>, after: Option<f64>) -> Option<(Regime, f64, f64)> {
    let (before, ns, after) = (before?, ns?, after?);
    let regime = Regime::of(before)?;
    (Regime::of(after) == Some(regime)).then_some((regime, ns, f64::midpoint(before, after)))
}

/// Whether every case has so many samples in one regime.
fn enough(samples: &[Sample], cases: usize, least: usize) -> bool {
    let count = |case, regime| {
        samples.iter().filter(|sample| (sample.case, sample.regime) == (case, regime)).count()
    };
    let fine =
        |case| [Regime::Near, Regime::Far].iter().any(|&regime| count(case, regime) >= least);
    (0..cases).all(fine)
}
