//! Who tells whom to flush.

use crate::config::Strategy;
use crate::core_set::CoreSet;
use proto::id::CoreId;

impl Strategy {
    /// The cores that are told together with this one.
    pub(crate) fn group(self, core: CoreId) -> CoreSet {
        match self {
            Self::Unicast => CoreSet::range(core, 1),
            Self::Tree { package: 0 } => CoreSet::ALL,
            Self::Tree { package } => CoreSet::range(CoreId(core.0 - core.0 % package), package),
        }
    }

    /// The cores that hear of a shootdown through this one, when `told` are all that were told of it.
    pub(crate) fn below(self, told: &CoreSet, core: CoreId) -> CoreSet {
        let mut below = told.and(&self.group(core));
        let Some(mut at) = below.at_or_after(CoreId(0)) else { return CoreSet::EMPTY };
        below.remove(at);
        while at != core {
            let mut subtrees = below.subtrees().into_iter().flatten();
            let way = subtrees.find(|(child, below)| *child == core || below.contains(core));
            let Some(next) = way else { return CoreSet::EMPTY };
            (at, below) = next;
        }
        below
    }
}

#[cfg(test)]
mod tests {
    use super::{CoreId, CoreSet, Strategy};

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

    /// Walks down as the cores do, and checks what is said to lie below each.
    fn check(strategy: Strategy, told: &CoreSet, core: CoreId, below: CoreSet) {
        assert_eq!(strategy.below(told, core), below, "{core}");
        for (child, below) in below.subtrees().into_iter().flatten() {
            check(strategy, told, child, below);
        }
    }

    #[test]
    fn what_lies_below_a_core_is_what_its_parent_hands_it() {
        let told = set((1..60).filter(|core| core % 7 != 0));
        for strategy in
            [Strategy::Unicast, Strategy::Tree { package: 16 }, Strategy::Tree { package: 0 }]
        {
            let mut left = told;
            while let Some(group) = first_group(strategy, &left) {
                left = left.without(&group);
                let root = group.at_or_after(CoreId(0)).unwrap();
                let mut below = group;
                below.remove(root);
                check(strategy, &told, root, below);
            }
        }
        assert_eq!(Strategy::Tree { package: 0 }.below(&told, CoreId(7)), CoreSet::EMPTY);
    }
}
