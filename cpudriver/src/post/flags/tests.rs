extern crate std;

use super::{Flags, LINE, WORD, each, first, first_of_all, words_of};
use crate::post::hardware::MAX_CORES;
use proto::id::CoreId;
use std::vec::Vec;

/// Sizes on both sides of each bound: one word, two, a line, two, all.
const SIZES: [u16; 12] = [1, 2, 8, 9, 16, 17, 64, 65, 128, 129, 255, 256];

struct Bytes([u8; MAX_CORES]);

impl Bytes {
    /// With these set.
    fn of(set: &[u16]) -> Self {
        let mut bytes = [0; MAX_CORES];
        set.iter().for_each(|&at| bytes[usize::from(at)] = 1);
        Self(bytes)
    }
}

impl Flags for Bytes {
    fn word(&self, at: usize) -> u64 {
        u64::from_le_bytes(*self.0[at * WORD..].first_chunk().expect("there is such a word"))
    }

    fn or_line<const LINE_INDEX: usize>(&self, any: u64) -> u64 {
        let first = LINE_INDEX * LINE / WORD;
        (first..first + LINE / WORD).fold(any, |any, at| any | self.word(at))
    }

    fn add_line<const LINE_INDEX: usize>(&self, sum: u64) -> u64 {
        let first = LINE_INDEX * LINE / WORD;
        (first..first + LINE / WORD).fold(sum, |sum, at| sum + self.word(at))
    }
}

fn words(cores: u16) -> u8 {
    words_of(cores.into())
}

/// What [`each`] visits, each once and in order.
fn visited(flags: &Bytes, from: u16, cores: u16) -> Vec<u16> {
    let mut all = Vec::new();
    each(flags, CoreId(from), words(cores), |core| all.push(core.0));
    assert!(all.is_sorted_by(|one, other| one < other), "{all:?}");
    all
}

#[test]
fn there_are_as_many_words_as_the_flags_need() {
    assert_eq!(SIZES.map(words), [1, 1, 1, 2, 2, 3, 8, 9, 16, 17, 32, 32]);
}

#[test]
fn nothing_is_found_where_nothing_is_set() {
    let flags = Bytes::of(&[]);
    for cores in SIZES {
        for from in 0..=cores {
            assert_eq!(first(&flags, from.into(), words(cores)), None, "{cores} from {from}");
        }
        assert_eq!(first_of_all(&flags, words(cores)), None);
        assert!(visited(&flags, 0, cores).is_empty());
    }
}

#[test]
#[cfg_attr(miri, ignore = "many cases, of code without anything unsafe")]
fn one_that_is_set_is_found_from_wherever_it_is_looked_for() {
    for cores in SIZES {
        for set in 0..cores {
            let flags = Bytes::of(&[set]);
            for from in 0..=cores {
                let found = first(&flags, from.into(), words(cores));
                let expected = (from <= set).then_some(CoreId(set));
                assert_eq!(found, expected, "{set} of {cores} from {from}");
            }
            for from in 0..=set {
                assert_eq!(visited(&flags, from, cores), [set], "{set} of {cores} from {from}");
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "many cases, of code without anything unsafe")]
fn of_two_that_are_set_the_first_is_found_and_both_are_visited() {
    for cores in SIZES {
        for one in 0..cores {
            for other in one + 1..cores {
                let flags = Bytes::of(&[one, other]);
                assert_eq!(first(&flags, 0, words(cores)), Some(CoreId(one)));
                let second = first(&flags, usize::from(one) + 1, words(cores));
                assert_eq!(second, Some(CoreId(other)), "{one}, {other} of {cores}");
                assert_eq!(visited(&flags, one, cores), [one, other]);
            }
        }
    }
}

#[test]
fn all_that_are_set_are_visited() {
    for cores in SIZES {
        let all: Vec<u16> = (0..cores).collect();
        let flags = Bytes::of(&all);
        assert_eq!(visited(&flags, 0, cores), all);
        let from = cores / 2;
        assert!(visited(&flags, from, cores).ends_with(&all[from.into()..]));
    }
}

#[test]
fn those_behind_the_words_that_are_looked_at_are_not_found() {
    for cores in SIZES.into_iter().filter(|cores| usize::from(*cores) + WORD < MAX_CORES) {
        let behind = u16::from(words(cores)) * WORD as u16;
        // Lines are or'ed whole, so that some are seen there and must still not be found.
        let flags = Bytes::of(&[behind, 255]);
        assert_eq!(first(&flags, 0, words(cores)), None, "{cores}");
        assert_eq!(first(&flags, 1, words(cores)), None, "{cores}");
        assert!(visited(&flags, 0, cores).is_empty(), "{cores}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "many cases, of code without anything unsafe")]
fn the_first_of_all_is_the_only_one_or_not() {
    for cores in SIZES {
        for one in 0..cores {
            let found = first_of_all(&Bytes::of(&[one]), words(cores));
            assert_eq!(found, Some((CoreId(one), true)), "{one} of {cores}");
            for other in one + 1..cores {
                let found = first_of_all(&Bytes::of(&[one, other]), words(cores));
                assert_eq!(found, Some((CoreId(one), false)), "{one} and {other} of {cores}");
            }
        }
        let all: Vec<u16> = (0..cores).collect();
        let found = first_of_all(&Bytes::of(&all), words(cores));
        assert_eq!(found, Some((CoreId(0), cores == 1)), "all of {cores}");
    }
}
