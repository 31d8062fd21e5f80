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
        let sample = |(regime, ns)| Sample { round, case: at, regime, ns };
        samples.extend(judge(before, ns, after).map(sample));
        before = after;
    }
}

/// The regime and the time of a measurement between two probes, if it counts.
fn judge(before: Option<f64>, ns: Option<f64>, after: Option<f64>) -> Option<(Regime, f64)> {
    let regime = Regime::of(before?)?;
    (Regime::of(after?) == Some(regime)).then_some((regime, ns?))
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

#[cfg(test)]
mod tests {
    use super::{Regime, Sample, enough, judge};

    #[test]
    fn a_measurement_counts_if_both_probes_saw_the_same_regime() {
        assert_eq!(judge(Some(115.0), Some(7.0), Some(130.0)), Some((Regime::Near, 7.0)));
        assert_eq!(judge(Some(510.0), Some(7.0), Some(480.0)), Some((Regime::Far, 7.0)));
        let not = [
            (Some(115.0), Some(7.0), Some(510.0)),
            (Some(9000.0), Some(7.0), Some(9000.0)),
            (None, Some(7.0), Some(115.0)),
            (Some(115.0), None, Some(115.0)),
            (Some(115.0), Some(7.0), None),
        ];
        assert!(not.iter().all(|&(before, ns, after)| judge(before, ns, after).is_none()));
    }

    #[test]
    fn rounds_go_on_until_every_case_has_samples_of_one_regime() {
        let sample = |case, regime| Sample { round: 0, case, regime, ns: 1.0 };
        let mut samples = vec![sample(0, Regime::Near), sample(0, Regime::Near)];
        assert!(!enough(&samples, 2, 2), "nothing of case 1");
        samples.extend([sample(1, Regime::Near), sample(1, Regime::Far)]);
        assert!(!enough(&samples, 2, 2), "one of each regime");
        samples.push(sample(1, Regime::Far));
        assert!(enough(&samples, 2, 2));
    }
}
