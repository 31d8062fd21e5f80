//! Who tells whom to flush: the ways, behind one trait, and what they come to for a set of cores.

use crate::config::Strategy;
use crate::core_set::CoreSet;
use proto::id::CoreId;

/// A way by which the cores that have an address space are told to flush.
pub(crate) trait Route {
    /// The cores that are told together with this one, itself among them: the coordinator tells the first, which tells
    /// some others and so on ([`CoreSet::subtrees`]), and answers for all. Itself alone unless the way says otherwise.
    fn group(&self, core: CoreId) -> CoreSet {
        CoreSet::range(core, 1)
    }

    /// Must cores be interrupted because rights have changed, some of which were taken away or none? Who goes on
    /// with fewer than there are faults, and looks again. Whatever is unmapped, all are interrupted.
    fn interrupts(&self, takes_rights: bool) -> bool {
        takes_rights
    }

    /// The group that is told first, of those with cores that were not told.
    fn next_group(&self, untold: &CoreSet) -> Option<CoreSet> {
        untold.at_or_after(CoreId(0)).map(|first| self.group(first))
    }
}

/// Each core by the coordinator.
struct Unicast;

impl Route for Unicast {}

/// As [`Unicast`], also where nobody would have to be interrupted.
struct Eager;

impl Route for Eager {
    fn interrupts(&self, _: bool) -> bool {
        true
    }
}

/// As [`Unicast`], but nobody hears of rights that are taken away.
struct Untold;

impl Route for Untold {
    fn interrupts(&self, _: bool) -> bool {
        false
    }
}

/// By packages of so many cores, from core 0 on; 0 for one of all that there are.
struct Packages(u16);

impl Route for Packages {
    fn group(&self, core: CoreId) -> CoreSet {
        match self.0 {
            0 => CoreSet::ALL,
            package => CoreSet::range(CoreId(core.0 - core.0 % package), package),
        }
    }
}

/// The most groups of cores that are told apart by their distance.
const MOST_CLUSTERS: usize = 6;

/// Cores in groups of which all are about as far from the coordinator, the farthest first: what has the
/// longest way goes out first (Baumann et al., The Multikernel, 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Clusters([CoreSet; MOST_CLUSTERS]);

impl Clusters {
    /// Makes groups of what was measured: cores, and how long each took to answer, in any unit. A group's cores
    /// take at most a quarter longer than its nearest. Sorts `measured`.
    #[must_use]
    pub fn by_latency(measured: &mut [(CoreId, u64)]) -> Self {
        measured.sort_unstable_by_key(|&(core, latency)| (latency, core));
        let mut clusters = Self([CoreSet::EMPTY; MOST_CLUSTERS]);
        // Filled from behind, so that the nearest is told last; one that is left over takes all that are farther.
        let (mut at, mut nearest) = (MOST_CLUSTERS - 1, None);
        for &mut (core, latency) in measured {
            let first = *nearest.get_or_insert(latency);
            if latency - first > first / 4 && at > 0 {
                (at, nearest) = (at - 1, Some(latency));
            }
            clusters.0[at].insert(core);
        }
        clusters
    }
}

impl Route for Clusters {
    /// A core that was not measured is told alone.
    fn group(&self, core: CoreId) -> CoreSet {
        let cluster = self.0.iter().find(|cluster| cluster.contains(core));
        cluster.copied().unwrap_or_else(|| Unicast.group(core))
    }

    fn next_group(&self, untold: &CoreSet) -> Option<CoreSet> {
        let waits = |cluster: &&CoreSet| !cluster.and(untold).is_empty();
        let cluster = self.0.iter().find(waits).copied();
        cluster.or_else(|| untold.at_or_after(CoreId(0)).map(|core| Unicast.group(core)))
    }
}

impl Strategy {
    /// Does the coordinator tell each core itself?
    #[must_use]
    pub const fn is_direct(&self) -> bool {
        matches!(self, Self::Unicast | Self::Eager | Self::Untold)
    }

    /// Whom the coordinator tells when these cores are told, in order, and the cores that each hands it on to.
    pub fn groups(&self, cores: &CoreSet, visit: &mut impl FnMut(CoreId, CoreSet)) {
        let mut untold = *cores;
        while let Some(group) = self.next_group(&untold) {
            let mut there = group.and(&untold);
            untold = untold.without(&group);
            let Some(first) = there.at_or_after(CoreId(0)) else { return };
            there.remove(first);
            visit(first, there);
        }
    }

    /// Who tells whom when these cores are told, from above: a core is told before it tells others.
    pub fn plan(&self, cores: &CoreSet, fan_out: u8, visit: &mut impl FnMut(Edge)) {
        self.groups(cores, &mut |first, below| {
            visit(Edge { from: None, to: first, depth: 1 });
            descend((first, &below), fan_out, 2, visit);
        });
    }
}

/// That a core is told, in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// By whom; `None` for the coordinator.
    pub from: Option<CoreId>,
    /// Who is told.
    pub to: CoreId,
    /// How many messages, one after the other, it takes until then.
    pub depth: u32,
}

/// Visits what a core hands on, and what those do.
fn descend(
    (from, below): (CoreId, &CoreSet),
    fan_out: u8,
    depth: u32,
    visit: &mut impl FnMut(Edge),
) {
    for (to, below) in below.subtrees(fan_out) {
        visit(Edge { from: Some(from), to, depth });
        descend((to, &below), fan_out, depth + 1, visit);
    }
}

impl Route for Strategy {
    fn group(&self, core: CoreId) -> CoreSet {
        match self {
            Self::Unicast => Unicast.group(core),
            Self::Eager => Eager.group(core),
            Self::Untold => Untold.group(core),
            Self::Tree { package } => Packages(*package).group(core),
            Self::Clusters(clusters) => clusters.group(core),
        }
    }

    fn interrupts(&self, takes_rights: bool) -> bool {
        match self {
            Self::Unicast => Unicast.interrupts(takes_rights),
            Self::Eager => Eager.interrupts(takes_rights),
            Self::Untold => Untold.interrupts(takes_rights),
            Self::Tree { package } => Packages(*package).interrupts(takes_rights),
            Self::Clusters(clusters) => clusters.interrupts(takes_rights),
        }
    }

    fn next_group(&self, untold: &CoreSet) -> Option<CoreSet> {
        match self {
            Self::Clusters(clusters) => clusters.next_group(untold),
            // The others tell the groups in the order of the cores.
            _ => untold.at_or_after(CoreId(0)).map(|first| self.group(first)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Clusters, CoreId, CoreSet, Edge, Route, Strategy};
    use alloc::vec::Vec;

    fn set(cores: impl IntoIterator<Item = u16>) -> CoreSet {
        let mut set = CoreSet::EMPTY;
        for core in cores {
            set.insert(CoreId(core));
        }
        set
    }

    #[test]
    fn groups_are_packages() {
        let cores = set([3, 5, 8, 9, 20]);
        let group = |strategy: Strategy| first_group(strategy, &cores).unwrap();
        assert_eq!(group(Strategy::Unicast), set([3]));
        assert_eq!(group(Strategy::Tree { package: 4 }), set([3]));
        assert_eq!(group(Strategy::Tree { package: 8 }), set([3, 5]));
        assert_eq!(group(Strategy::Tree { package: 0 }), cores);
    }

    fn first_group(strategy: Strategy, cores: &CoreSet) -> Option<CoreSet> {
        cores.at_or_after(CoreId(0)).map(|first| cores.and(&strategy.group(first)))
    }

    #[test]
    fn cores_that_are_equally_far_are_told_together_and_the_farthest_first() {
        let near = [(3, 100), (1, 110), (4, 124)];
        let far = [(2, 301), (5, 300)];
        let mut all: Vec<_> =
            near.iter().chain(&far).map(|&(core, it)| (CoreId(core), it)).collect();
        let clusters = Clusters::by_latency(&mut all);
        let strategy = Strategy::Clusters(clusters);
        assert_eq!(strategy.next_group(&set(1..6)), Some(set([2, 5])));
        assert_eq!(strategy.next_group(&set([1, 3])), Some(set([1, 3, 4])));
        assert_eq!(strategy.next_group(&set([7, 8])), Some(set([7])), "not measured");
        let mut steps: Vec<_> = (0..40).map(|n| (CoreId(n), 2_u64.pow(n.into()))).collect();
        let Clusters(many) = Clusters::by_latency(&mut steps);
        assert_eq!(many[0].len(), 35, "more groups than there may be");
        assert!(many[1..].iter().all(|cluster| cluster.len() == 1));
    }

    #[test]
    fn a_plan_reaches_every_core_once_through_cores_that_were_told_before() {
        let told = set((1..255).filter(|core| core % 5 != 0));
        for (strategy, fan_out, deepest, roots) in [
            (Strategy::Unicast, 2, 1, 204),
            (Strategy::Tree { package: 16 }, 2, 4, 16),
            (Strategy::Tree { package: 0 }, 2, 8, 1),
            (Strategy::Tree { package: 0 }, 8, 4, 1),
        ] {
            let mut reached: Vec<CoreId> = Vec::new();
            let (mut depth, mut direct) = (0, 0);
            strategy.plan(&told, fan_out, &mut |edge: Edge| {
                assert!(edge.from.is_none_or(|from| reached.contains(&from)));
                assert!(!reached.contains(&edge.to));
                reached.push(edge.to);
                depth = depth.max(edge.depth);
                direct += u32::from(edge.from.is_none());
            });
            assert!(reached.len() == told.len() && reached.iter().all(|it| told.contains(*it)));
            assert_eq!((depth, direct), (deepest, roots), "{strategy:?}");
        }
    }
}
