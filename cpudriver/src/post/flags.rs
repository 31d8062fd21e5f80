//! Which flag bytes of a doorstep are set: the search, by size of machine.
//!
//! Nobody keeps a summary of the flags: a sender would have to write it too, so that each message would move one more
//! line from core to core, which costs more than to read all that there are when they are in the cache.

use super::hardware::MAX_CORES;
use proto::id::CoreId;

/// Flag bytes in a word.
pub const WORD: usize = 8;
/// Flag bytes on a cache line.
pub const LINE: usize = 64;
/// Words of a line.
const LINE_WORDS: usize = LINE / WORD;

/// The flag bytes of a doorstep, [`MAX_CORES`] of them: 0, or 1 if it is set.
pub trait Flags {
    /// Eight flags at once, the first in the lowest byte.
    ///
    /// # Panics
    /// When there is no such word.
    fn word(&self, at: usize) -> u64;

    /// `any`, or'ed with all words of a line.
    fn or_line<const LINE_INDEX: usize>(&self, any: u64) -> u64;

    /// `sum`, with all words of a line added: each of its bytes counts flags, of which there are too few to fill one.
    fn add_line<const LINE_INDEX: usize>(&self, sum: u64) -> u64;
}

/// Words that hold the flags of so many cores.
#[must_use]
pub const fn words_of(cores: usize) -> u8 {
    assert!(cores <= MAX_CORES);
    cores.div_ceil(WORD) as u8
}

/// The number of the first flag that is set, from number `from` on, in so many words. That there is none is seen without a
/// call.
#[inline(always)]
#[must_use]
pub fn first(flags: &impl Flags, from: usize, words: u8) -> Option<CoreId> {
    if words == 1 {
        // All flags of a small machine at once, or of a core that hears few.
        let of_interest = u64::MAX.checked_shl(from as u32 * 8).unwrap_or(0);
        return first_in(flags.word(0) & of_interest, 0);
    }
    let words = usize::from(words);
    // On a large machine most looks find nothing.
    if words > LINE_WORDS && from == 0 && !is_any_of_lines(flags, words) {
        return None;
    }
    // Most often it is the coordinator.
    if from == 0
        && let some @ Some(_) = first_in(flags.word(0), 0)
    {
        return some;
    }
    if words > LINE_WORDS {
        return first_of_lines(flags, from, words);
    }
    let any = if words == 2 { flags.word(0) | flags.word(1) } else { flags.or_line::<0>(0) };
    if any == 0 {
        return None;
    }
    // The first word is empty then.
    first_of_words(flags, if from == 0 { WORD } else { from }, words)
}

/// The number of the first flag that is set in so many words, and whether it is the only one.
#[inline(always)]
#[must_use]
pub fn first_of_all(flags: &impl Flags, words: u8) -> Option<(CoreId, bool)> {
    if words == 1 {
        let set = flags.word(0);
        return first_in(set, 0).map(|first| (first, set & (set - 1) == 0));
    }
    let words = usize::from(words);
    // On a large machine most looks find nothing.
    let sum = if words > LINE_WORDS {
        sum_of_lines(flags, words)
    } else if words == 2 {
        flags.word(0) + flags.word(1)
    } else {
        flags.add_line::<0>(0)
    };
    if sum == 0 {
        return None;
    }
    let first = first_in(flags.word(0), 0).or_else(|| first_behind(flags, words))?;
    // All bytes together in the highest one: there are fewer than 257.
    Some((first, sum.wrapping_mul(u64::MAX / 0xff) >> 56 == 1))
}

/// The first flag that is set behind the first word.
#[cold]
#[inline(never)]
fn first_behind(flags: &impl Flags, words: usize) -> Option<CoreId> {
    if words > LINE_WORDS {
        return first_of_lines(flags, WORD, words);
    }
    first_in_words(flags, WORD, words)
}

/// Visits the flags that are set, from that of `first` on, which is, and maybe others before it.
#[inline(always)]
pub fn each(flags: &impl Flags, first: CoreId, words: u8, mut visit: impl FnMut(CoreId)) {
    let (mut at, words) = (first.index() / WORD, usize::from(words));
    if words <= LINE_WORDS {
        (at..words).for_each(|at| each_in(flags.word(at), at, &mut visit));
        return;
    }
    while at < words {
        let end = (at / LINE_WORDS + 1) * LINE_WORDS;
        (at..end.min(words)).for_each(|at| each_in(flags.word(at), at, &mut visit));
        at = end;
        while at < words && !is_any_of_line(flags, at / LINE_WORDS) {
            at += LINE_WORDS;
        }
    }
}

/// Visits those of a word. Each is one bit.
#[inline(always)]
fn each_in(mut set: u64, at: usize, visit: &mut impl FnMut(CoreId)) {
    while set != 0 {
        visit(CoreId((at * WORD) as u16 + (set.trailing_zeros() / 8) as u16));
        set &= set - 1;
    }
}

/// Whether any flag is set in more than a line of words: an instruction for each word.
#[inline(always)]
fn is_any_of_lines(flags: &impl Flags, words: usize) -> bool {
    const { assert!(MAX_CORES == 4 * LINE, "these are all lines") };
    let any = flags.or_line::<1>(flags.or_line::<0>(0));
    if words <= 2 * LINE_WORDS {
        return any != 0;
    }
    flags.or_line::<3>(flags.or_line::<2>(any)) != 0
}

/// The words of all lines of more than one, added.
#[inline(always)]
fn sum_of_lines(flags: &impl Flags, words: usize) -> u64 {
    let sum = flags.add_line::<1>(flags.add_line::<0>(0));
    if words <= 2 * LINE_WORDS {
        return sum;
    }
    flags.add_line::<3>(flags.add_line::<2>(sum))
}

#[inline(always)]
fn is_any_of_line(flags: &impl Flags, line: usize) -> bool {
    let any = match line {
        0 => flags.or_line::<0>(0),
        1 => flags.or_line::<1>(0),
        2 => flags.or_line::<2>(0),
        _ => flags.or_line::<3>(0),
    };
    any != 0
}

/// The number of the first flag that is set, from number `from` on, a line at a time.
#[cold]
#[inline(never)]
fn first_of_lines(flags: &impl Flags, from: usize, words: usize) -> Option<CoreId> {
    let mut from = from;
    while from / WORD < words {
        let line = from / LINE;
        let end = (line + 1) * LINE;
        if is_any_of_line(flags, line)
            && let some @ Some(_) = first_in_words(flags, from, words.min(end / WORD))
        {
            return some;
        }
        from = end;
    }
    None
}

/// As [`first_in_words`], of a machine of more than a word.
#[cold]
#[inline(never)]
fn first_of_words(flags: &impl Flags, from: usize, words: usize) -> Option<CoreId> {
    first_in_words(flags, from, words)
}

/// The number of the first flag that is set, from number `from` on, a word at a time.
#[inline(always)]
fn first_in_words(flags: &impl Flags, from: usize, words: usize) -> Option<CoreId> {
    // In the first word, flags before `from` count as not set.
    let mut of_interest = u64::MAX << (from % WORD * 8);
    for at in from / WORD..words.min(MAX_CORES / WORD) {
        if let some @ Some(_) = first_in(flags.word(at) & of_interest, at) {
            return some;
        }
        of_interest = u64::MAX;
    }
    None
}

/// The number of the first flag that is set in the contents of a word.
#[inline(always)]
fn first_in(set: u64, at: usize) -> Option<CoreId> {
    // There are fewer than 2^16.
    (set != 0).then(|| CoreId((at * WORD) as u16 + (set.trailing_zeros() / 8) as u16))
}

#[cfg(test)]
mod tests;
