//! A set of cores: one bit each, every operation in constant time.

use crate::fixed::Whole;
use crate::id::CoreId;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The greatest number of cores of a machine.
pub const MAX_CORES: usize = 256;

const WORDS: usize = MAX_CORES / 64;

/// Up to how many members it costs less to count one by one.
const FEW: u32 = 16;

/// A set of cores; core numbers of [`MAX_CORES`] and above are never members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CoreSet([u64; WORDS]);

impl MaxSize for CoreSet {
    const POSTCARD_MAX_SIZE: usize = MAX_CORES / 8;
}

// Not derived, because what is derived is not inlined everywhere.
impl Serialize for CoreSet {
    #[inline(always)]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [a, b, c, d] = self.0;
        (Whole(a), Whole(b), Whole(c), Whole(d)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CoreSet {
    #[inline(always)]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (Whole(a), Whole(b), Whole(c), Whole(d)) = Deserialize::deserialize(deserializer)?;
        Ok(Self([a, b, c, d]))
    }
}

impl CoreSet {
    /// No core.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// Every core that there can be.
    pub const ALL: Self = Self([!0; WORDS]);

    /// So many cores from this one, as far as there can be so many.
    #[must_use]
    pub fn range(first: CoreId, count: u16) -> Self {
        let (first, end) = (first.index(), first.index() + usize::from(count));
        // The ones below a bit of a word, which may lie outside of it.
        let below = |bit: usize, word: usize| match bit.saturating_sub(word * 64) {
            bit @ 0..64 => (1 << bit) - 1,
            _ => !0_u64,
        };
        Self(core::array::from_fn(|word| below(end, word) & !below(first, word)))
    }

    /// The set whose members are the ones of these words, core 0 in the lowest bit of the first.
    #[must_use]
    pub const fn from_words(words: [u64; WORDS]) -> Self {
        Self(words)
    }

    /// The members as bits, core 0 in the lowest of the first word.
    #[must_use]
    pub const fn words(self) -> [u64; WORDS] {
        self.0
    }

    fn place(core: CoreId) -> Option<(usize, u64)> {
        (core.index() < MAX_CORES).then(|| (core.index() / 64, 1 << (core.index() % 64)))
    }

    /// Adds a core; says whether it was new.
    pub fn insert(&mut self, core: CoreId) -> bool {
        let Some((word, bit)) = Self::place(core) else { return false };
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    /// Takes a core out; says whether it was a member.
    pub fn remove(&mut self, core: CoreId) -> bool {
        let Some((word, bit)) = Self::place(core) else { return false };
        let member = self.0[word] & bit != 0;
        self.0[word] &= !bit;
        member
    }

    /// Takes the first member out.
    #[inline(always)]
    pub fn take_first(&mut self) -> Option<CoreId> {
        let at = self.0.iter().position(|&word| word != 0)?;
        let bit = self.0[at].trailing_zeros();
        self.0[at] &= self.0[at] - 1;
        Some(CoreId((at * 64) as u16 + bit as u16))
    }

    /// Is this core a member?
    #[must_use]
    pub fn contains(&self, core: CoreId) -> bool {
        Self::place(core).is_some_and(|(word, bit)| self.0[word] & bit != 0)
    }

    /// How many members it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The same, in fewer instructions where the members are few.
    #[inline(always)]
    #[must_use]
    pub fn count_few(&self) -> u32 {
        let mut count = 0;
        for mut word in self.0 {
            while word != 0 {
                word &= word - 1;
                count += 1;
                if count > FEW {
                    return self.len() as u32;
                }
            }
        }
        count
    }

    /// The member, if there is exactly one.
    #[inline(always)]
    #[must_use]
    pub fn only(&self) -> Option<CoreId> {
        // Written out: a loop would cost as much again.
        let [a, b, c, d] = self.0;
        let (word, others, first) = match (a, b, c) {
            (0, 0, 0) => (d, 0, 192),
            (0, 0, _) => (c, d, 128),
            (0, _, _) => (b, c | d, 64),
            _ => (a, b | c | d, 0),
        };
        (word.is_power_of_two() && others == 0)
            .then(|| CoreId(first + word.trailing_zeros() as u16))
    }

    /// Has it no member?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // Compared with an array of zeros this would be a call.
        self.0.iter().fold(0, |all, word| all | word) == 0
    }

    /// The members of both sets.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    /// The members of either set.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    /// The members of this set that are not in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i] & !other.0[i]))
    }

    /// Whether every core of this set is in the other one as well.
    #[inline(always)]
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        // Word by word: mostly the first one that has any core tells.
        self.0.iter().zip(&other.0).all(|(word, other)| word & !other == 0)
    }

    /// The smallest member that is at least `from`.
    #[must_use]
    pub fn at_or_after(&self, from: CoreId) -> Option<CoreId> {
        let (first, bit) = Self::place(from)?;
        let here = self.0[first] & !(bit - 1);
        if here != 0 {
            return Some(Self::name(first, here.trailing_zeros()));
        }
        let word = (first + 1..WORDS).find(|&word| self.0[word] != 0)?;
        Some(Self::name(word, self.0[word].trailing_zeros()))
    }

    /// The greatest member that is at most `from`.
    #[must_use]
    pub fn at_or_before(&self, from: CoreId) -> Option<CoreId> {
        let (last, bit) = Self::place(from)?;
        let here = self.0[last] & (bit | (bit - 1));
        if here != 0 {
            return Some(Self::name(last, here.ilog2()));
        }
        let word = (0..last).rev().find(|&word| self.0[word] != 0)?;
        Some(Self::name(word, self.0[word].ilog2()))
    }

    /// The member whose number is nearest to `to`, the smaller one of two.
    #[must_use]
    pub fn nearest(&self, to: CoreId) -> Option<CoreId> {
        match (self.at_or_before(to), self.at_or_after(to)) {
            (Some(below), Some(above)) => {
                Some(if above.0 - to.0 < to.0 - below.0 { above } else { below })
            }
            (below, above) => below.or(above),
        }
    }

    /// The members in rising order.
    pub fn iter(&self) -> impl Iterator<Item = CoreId> + use<> {
        let set = *self;
        let mut next = Some(CoreId(0));
        core::iter::from_fn(move || {
            let found = set.at_or_after(next?)?;
            next = found.0.checked_add(1).map(CoreId);
            Some(found)
        })
    }

    /// The members in rising order, for who visits them all: in fewer instructions than [`CoreSet::iter`].
    #[inline(always)]
    pub fn members(&self) -> impl Iterator<Item = CoreId> + use<> {
        let mut rest = *self;
        core::iter::from_fn(move || rest.take_first())
    }

    /// Visits the members in rising order: in fewer instructions than [`CoreSet::members`] gives them.
    #[inline(always)]
    pub fn for_each(&self, mut visit: impl FnMut(CoreId)) {
        self.all(|core| {
            visit(core);
            true
        });
    }

    /// Is it so of all members? They are visited in rising order, up to one of which it is not.
    #[inline(always)]
    pub fn all(&self, mut is_so: impl FnMut(CoreId) -> bool) -> bool {
        for at in 0..WORDS {
            let mut word = self.0[at];
            while word != 0 {
                if !is_so(CoreId((at * 64) as u16 + word.trailing_zeros() as u16)) {
                    return false;
                }
                word &= word - 1;
            }
        }
        true
    }

    /// The first `count` members, and the others.
    #[must_use]
    pub fn split(&self, mut count: usize) -> (Self, Self) {
        let mut first = Self::EMPTY;
        for (of_first, &word) in first.0.iter_mut().zip(&self.0) {
            let ones = word.count_ones() as usize;
            *of_first = if ones <= count { word } else { lowest(word, count) };
            count = count.saturating_sub(ones);
        }
        (first, self.without(&first))
    }

    /// The subtrees of a node of a tree whose descendants are the members and in which no node has more than `fan_out`
    /// children, of which there is at least one: each a child, the first of its part, and that child's descendants. A tree
    /// of n members is as deep as the logarithm of n.
    #[must_use]
    pub fn subtrees(&self, fan_out: u8) -> Subtrees {
        Subtrees { rest: *self, members: self.len(), parts: usize::from(fan_out.max(1)) }
    }

    fn name(word: usize, bit: u32) -> CoreId {
        CoreId((word * 64) as u16 + bit as u16)
    }
}

/// See [`CoreSet::subtrees`].
#[derive(Clone, Debug)]
pub struct Subtrees {
    rest: CoreSet,
    members: usize,
    /// Into so many parts the rest is to be divided, or fewer.
    parts: usize,
}

impl Iterator for Subtrees {
    type Item = (CoreId, CoreSet);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let child = self.rest.take_first()?;
        let part = self.members.div_ceil(self.parts);
        self.members -= part;
        // The last part takes all that is left, so there is none left to divide by then.
        self.parts = self.parts.saturating_sub(1).max(1);
        if part == 1 {
            return Some((child, CoreSet::EMPTY));
        }
        let (below, rest) = self.rest.split(part - 1);
        self.rest = rest;
        Some((child, below))
    }
}

impl FromIterator<CoreId> for CoreSet {
    fn from_iter<T: IntoIterator<Item = CoreId>>(cores: T) -> Self {
        let mut set = Self::EMPTY;
        for core in cores {
            set.insert(core);
        }
        set
    }
}

/// The lowest `count` ones of a word.
fn lowest(word: u64, count: usize) -> u64 {
    let mut rest = word;
    for _ in 0..count {
        rest &= rest.wrapping_sub(1);
    }
    word & !rest
}

#[cfg(test)]
mod tests {
    use super::{CoreId, CoreSet};

    fn set(cores: &[u16]) -> CoreSet {
        let mut set = CoreSet::EMPTY;
        for &core in cores {
            assert!(set.insert(CoreId(core)));
        }
        set
    }

    #[test]
    fn members_come_in_rising_order() {
        let numbers = set(&[255, 0, 64, 63, 7]).iter().map(|core| core.0);
        assert!(numbers.eq([0, 7, 63, 64, 255]));
    }

    #[test]
    fn the_nearest_member_is_found_across_words() {
        let cores = set(&[3, 60, 130]);
        assert_eq!(cores.nearest(CoreId(90)), Some(CoreId(60)));
        assert_eq!(cores.nearest(CoreId(100)), Some(CoreId(130)));
        assert_eq!(cores.nearest(CoreId(0)), Some(CoreId(3)));
        assert_eq!(cores.nearest(CoreId(255)), Some(CoreId(130)));
        assert_eq!(CoreSet::EMPTY.nearest(CoreId(9)), None);
    }

    /// Walks a tree and takes everybody whom it reaches out of `left`; returns its depth.
    fn depth(below: &CoreSet, fan_out: u8, left: &mut CoreSet) -> usize {
        assert!(below.subtrees(fan_out).count() <= usize::from(fan_out));
        let depths = below.subtrees(fan_out).map(|(child, below)| {
            assert!(left.remove(child), "{child} is reached twice");
            1 + depth(&below, fan_out, left)
        });
        depths.max().unwrap_or(0)
    }

    #[test]
    fn a_tree_reaches_every_member_once_and_is_as_deep_as_the_logarithm() {
        let binary = [(0, 0), (1, 1), (2, 1), (6, 2), (7, 3), (62, 5), (254, 7)].map(|it| (2, it));
        let wide = [(1, 1), (8, 1), (9, 2), (72, 2), (73, 3), (254, 3)].map(|it| (8, it));
        for (fan_out, (cores, deepest)) in binary.into_iter().chain(wide).chain([(1, (5, 5))]) {
            let numbers = (0..cores).map(|n| CoreId(255 - n));
            let mut all = CoreSet::EMPTY;
            numbers.for_each(|core| assert!(all.insert(core)));
            let mut left = all;
            assert_eq!(depth(&all, fan_out, &mut left), deepest, "{cores} cores, {fan_out} each");
            assert!(left.is_empty());
        }
    }

    #[test]
    fn a_range_holds_its_cores_and_no_others() {
        for (first, count) in [(0, 0), (3, 0), (0, 1), (5, 60), (63, 2), (60, 140), (200, 300)] {
            let expected = (first..first + count).filter(|&core| core < 256);
            let members = CoreSet::range(CoreId(first), count).iter().map(|core| core.0);
            assert!(members.eq(expected), "{count} from {first}");
        }
        assert_eq!(CoreSet::range(CoreId(0), 256), CoreSet::ALL);
    }

    #[test]
    fn a_core_out_of_range_is_no_member() {
        let mut cores = CoreSet::EMPTY;
        assert!(!cores.insert(CoreId(256)));
        assert!(!cores.contains(CoreId(256)) && cores.is_empty());
        assert!(!cores.remove(CoreId(300)));
    }
}
