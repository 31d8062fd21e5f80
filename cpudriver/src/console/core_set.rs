//! A set of cores, as people write it: `1,3-5`.

use core::fmt;
use proto::id::CoreId;

/// The greatest core that can be named. The kernel keeps tables of 256 entries, one for each core.
pub const MAX_CORE: u16 = 255;

/// Some of the cores 0 to [`MAX_CORE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreSet {
    words: [u64; 4],
}

impl CoreSet {
    /// Reads a list of numbers and ranges (`1,3-5`); `None` if it is not one, or names a core beyond
    /// [`MAX_CORE`].
    #[must_use]
    pub fn parse(list: &str) -> Option<Self> {
        let mut set = Self::default();
        for part in list.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (core_number(first)?, core_number(last)?);
            if first > last {
                return None;
            }
            (first..=last).for_each(|core| set.insert(CoreId(core)));
        }
        Some(set)
    }

    /// Puts a core into the set; one beyond [`MAX_CORE`] is left out.
    pub fn insert(&mut self, core: CoreId) {
        if let Some(word) = self.words.get_mut(core.index() / 64) {
            *word |= 1 << (core.index() % 64);
        }
    }

    /// Whether the core is in the set.
    #[must_use]
    pub fn contains(&self, core: CoreId) -> bool {
        let word = self.words.get(core.index() / 64);
        word.is_some_and(|word| word >> (core.index() % 64) & 1 == 1)
    }

    /// How many cores are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether no core is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words == [0; 4]
    }

    /// The cores in the set, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = CoreId> + '_ {
        (0..=MAX_CORE).map(CoreId).filter(|&core| self.contains(core))
    }
}

fn core_number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&core| digits && core <= MAX_CORE)
}

/// Writes the shortest list that [`CoreSet::parse`] reads as this set.
impl fmt::Display for CoreSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |core: u16| self.contains(CoreId(core));
        let mut separator = "";
        let starts = (0..=MAX_CORE).filter(|&core| has(core) && (core == 0 || !has(core - 1)));
        for first in starts {
            let last = (first..MAX_CORE).find(|&core| !has(core + 1)).unwrap_or(MAX_CORE);
            match last - first {
                0 => write!(f, "{separator}{first}")?,
                _ => write!(f, "{separator}{first}-{last}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{CoreSet, MAX_CORE};
    use proptest::prelude::*;
    use proto::id::CoreId;
    use std::collections::BTreeSet;
    use std::string::ToString;
    use std::vec::Vec;

    #[test]
    fn lists_and_ranges_are_read() {
        let set = CoreSet::parse("1,3-5,5,255").unwrap();
        let cores: Vec<u16> = set.iter().map(|core| core.0).collect();
        assert_eq!(cores, [1, 3, 4, 5, 255]);
        assert_eq!((set.len(), set.to_string().as_str()), (5, "1,3-5,255"));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for list in ["", ",", "1,", "a", "3-1", "256", "1-", "-1", "+1", "1 2", "1-2-3", "99999"] {
            assert_eq!(CoreSet::parse(list), None, "{list:?}");
        }
    }

    #[test]
    fn a_core_out_of_bounds_is_not_in_any_set() {
        let mut set = CoreSet::default();
        set.insert(CoreId(MAX_CORE + 1));
        assert!(set.is_empty() && !set.contains(CoreId(u16::MAX)));
    }

    proptest! {
        #[test]
        fn a_set_is_read_as_it_is_written(
            cores in prop::collection::btree_set(0..=MAX_CORE, 1..40)
        ) {
            let mut set = CoreSet::default();
            cores.iter().for_each(|&core| set.insert(CoreId(core)));
            prop_assert_eq!(set.iter().map(|core| core.0).collect::<BTreeSet<_>>(), cores);
            prop_assert_eq!(CoreSet::parse(&set.to_string()), Some(set));
        }
    }
}
