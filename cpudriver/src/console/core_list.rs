//! Sets of cores as people write them: `1,3-5`.

use core::fmt;
use monitor::{CoreSet, MAX_CORES};
use proto::id::CoreId;

/// The greatest number that a core can have.
pub const MAX_CORE: u16 = MAX_CORES as u16 - 1; // a few hundred; `try_from` is not const

/// Reads a list of numbers and ranges; `None` if it is not one, or names a core beyond [`MAX_CORE`].
#[must_use]
pub fn parse(list: &str) -> Option<CoreSet> {
    let mut set = CoreSet::EMPTY;
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (core_number(first)?, core_number(last)?);
        if first > last {
            return None;
        }
        for core in first..=last {
            set.insert(CoreId(core));
        }
    }
    Some(set)
}

fn core_number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&core| digits && core <= MAX_CORE)
}

/// Displays the shortest list that [`parse`] reads as this set.
#[derive(Clone, Copy, Debug)]
pub struct CoreList(pub CoreSet);

impl fmt::Display for CoreList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |core: u16| self.0.contains(CoreId(core));
        let starts = self.0.iter().filter(|core| core.0 == 0 || !has(core.0 - 1));
        for (at, CoreId(first)) in starts.enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let last = (first..MAX_CORE).find(|&core| !has(core + 1)).unwrap_or(MAX_CORE);
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{CoreList, MAX_CORE, parse};
    use monitor::CoreSet;
    use proptest::prelude::*;
    use proto::id::CoreId;
    use std::collections::BTreeSet;
    use std::string::ToString;
    use std::vec::Vec;

    #[test]
    fn lists_and_ranges_are_read() {
        let set = parse("1,3-5,5,255").unwrap();
        let cores: Vec<u16> = set.iter().map(|core| core.0).collect();
        assert_eq!(cores, [1, 3, 4, 5, 255]);
        assert_eq!(CoreList(set).to_string(), "1,3-5,255");
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for list in ["", ",", "1,", "a", "3-1", "256", "1-", "-1", "+1", "1 2", "1-2-3", "99999"] {
            assert_eq!(parse(list), None, "{list:?}");
        }
    }

    proptest! {
        #[test]
        fn a_set_is_read_as_it_is_written(
            cores in prop::collection::btree_set(0..=MAX_CORE, 1..40)
        ) {
            let mut set = CoreSet::EMPTY;
            for &core in &cores {
                set.insert(CoreId(core));
            }
            prop_assert_eq!(set.iter().map(|core| core.0).collect::<BTreeSet<_>>(), cores);
            prop_assert_eq!(parse(&CoreList(set).to_string()), Some(set));
        }
    }
}
