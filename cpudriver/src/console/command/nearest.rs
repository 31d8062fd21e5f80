//! Which known word somebody may have meant.

/// Words longer than this are not looked at.
const LONGEST: usize = 20;

/// The known word that is nearest to `word`: the one it begins, else the one that the fewest typing
/// mistakes lead to, at most two of them, and fewer than half of the word.
pub(super) fn nearest(
    word: &str,
    known: impl Iterator<Item = &'static str> + Clone,
) -> Option<&'static str> {
    if let Some(longer) = known.clone().find(|name| name.starts_with(word)) {
        return Some(longer);
    }
    let most = 2.min(word.len().saturating_sub(1) / 2);
    known
        .filter_map(|name| Some((distance(word, name)?, name)))
        .filter(|&(distance, _)| distance <= most)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// How many letters have to be put in, left out, replaced or swapped with their neighbour to make one
/// word of the other (the optimal string alignment distance); `None` for long words.
fn distance(from: &str, to: &str) -> Option<usize> {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    if from.len() > LONGEST || to.len() > LONGEST {
        return None;
    }
    let mut before = [0; LONGEST + 1];
    let mut last: [usize; LONGEST + 1] = core::array::from_fn(|j| j);
    for i in 1..=from.len() {
        let mut row = [i; LONGEST + 1];
        for j in 1..=to.len() {
            let replaced = last[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            if swapped {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = core::mem::replace(&mut last, row);
    }
    Some(last[to.len()])
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn mistakes_are_counted() {
        assert_eq!(distance("ping", "ping"), Some(0));
        assert_eq!(distance("pnig", "ping"), Some(1));
        assert_eq!(distance("pin", "ping"), Some(1));
        assert_eq!(distance("pping", "ping"), Some(1));
        assert_eq!(distance("kitten", "sitting"), Some(3));
        assert_eq!(distance("", "abc"), Some(3));
        assert_eq!(distance("a word that is far too long", "a"), None);
    }

    #[test]
    fn the_nearest_word_is_near() {
        let nearest = |word| nearest(word, ["ping", "panic", "cores", "bt"].into_iter());
        assert_eq!(nearest("pnig"), Some("ping"));
        assert_eq!(nearest("core"), Some("cores"));
        assert_eq!(nearest("panc"), Some("panic"));
        assert_eq!(nearest("b"), Some("bt"));
        assert_eq!(nearest("xy"), None);
        assert_eq!(nearest("unrelated"), None);
    }
}
