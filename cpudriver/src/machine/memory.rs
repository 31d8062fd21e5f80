//! Ranges of physical memory: which are free, and taking pieces of them.
//!
//! [`Ranges`] is a short list without allocation, because it is what the first allocation comes from.

/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// How many ranges a list holds. Firmware lists up to 130 entries, of which few are usable and apart.
const CAPACITY: usize = 64;

/// Addresses `start..end`, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The first address.
    pub start: u64,
    /// The address after the last.
    pub end: u64,
}

impl Range {
    /// The length in bytes; 0 for a range that ends before it starts.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// The whole pages inside, rounded inwards to multiples of `page`, a power of two.
    #[must_use]
    pub fn pages_inside(&self, page: u64) -> Self {
        let start = self.start.checked_next_multiple_of(page).unwrap_or(self.end);
        Self { start, end: (self.end & !(page - 1)).max(start) }
    }

    /// The whole pages that it touches, rounded outwards to multiples of `page`, a power of two.
    #[must_use]
    pub fn pages_around(&self, page: u64) -> Self {
        let end = self.end.checked_next_multiple_of(page).unwrap_or(!(page - 1));
        Self { start: self.start & !(page - 1), end }
    }
}

/// A list of ranges that don't overlap, in ascending order.
#[derive(Clone, Debug)]
pub struct Ranges {
    list: [Range; CAPACITY],
    count: usize,
    lost_bytes: u64,
}

impl Default for Ranges {
    fn default() -> Self {
        Self { list: [Range::default(); CAPACITY], count: 0, lost_bytes: 0 }
    }
}

impl Ranges {
    /// The ranges in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = &Range> {
        self.as_slice().iter()
    }

    /// The ranges in ascending order.
    #[must_use]
    pub fn as_slice(&self) -> &[Range] {
        &self.list[..self.count]
    }

    /// The bytes of all ranges.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.iter().map(Range::bytes).sum()
    }

    /// Bytes that were left out because the list was full.
    #[must_use]
    pub fn lost_bytes(&self) -> u64 {
        self.lost_bytes
    }

    /// Adds a range, joined with those that it overlaps or touches.
    pub fn add(&mut self, range: Range) {
        if range.bytes() == 0 {
            return;
        }
        let mut joined = range;
        let mut kept = 0;
        for at in 0..self.count {
            let old = self.list[at];
            if old.start <= joined.end && joined.start <= old.end {
                joined = Range { start: old.start.min(joined.start), end: old.end.max(joined.end) };
            } else {
                self.list[kept] = old;
                kept += 1;
            }
        }
        self.count = kept;
        self.insert(joined);
    }

    /// Takes a range out; what is left of the ranges that it overlaps stays.
    pub fn remove(&mut self, range: Range) {
        if range.bytes() == 0 {
            return;
        }
        let (old, count) = (self.list, self.count);
        self.count = 0;
        for piece in &old[..count] {
            let below = Range { start: piece.start, end: piece.end.min(range.start) };
            let above = Range { start: piece.start.max(range.end), end: piece.end };
            for rest in [below, above] {
                if rest.bytes() > 0 {
                    self.insert(rest);
                }
            }
        }
    }

    /// Takes `bytes` from the lowest range that has them at a multiple of `align`, a power of two, and
    /// returns the address; `None` if there is no such range.
    pub fn take(&mut self, bytes: u64, align: u64) -> Option<u64> {
        let fits = |range: &Range| {
            let start = range.start.checked_next_multiple_of(align)?;
            (start.checked_add(bytes)? <= range.end).then_some(start)
        };
        let start = self.iter().find_map(fits)?;
        self.remove(Range { start, end: start + bytes });
        Some(start)
    }

    /// Puts a range that touches no other into its place; the smallest makes room when the list is full.
    fn insert(&mut self, range: Range) {
        let mut range = range;
        if self.count == CAPACITY {
            let smallest = (0..CAPACITY).min_by_key(|&at| self.list[at].bytes()).unwrap_or(0);
            let out = self.list[smallest];
            if out.bytes() >= range.bytes() {
                self.lost_bytes += range.bytes();
                return;
            }
            self.lost_bytes += out.bytes();
            self.list.copy_within(smallest + 1.., smallest);
            self.count -= 1;
        }
        let at = self.as_slice().partition_point(|other| other.start < range.start);
        for slot in &mut self.list[at..=self.count] {
            core::mem::swap(slot, &mut range);
        }
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY, PAGE, Range, Ranges};

    fn range(start: u64, end: u64) -> Range {
        Range { start, end }
    }

    fn ranges(list: &[(u64, u64)]) -> Ranges {
        let mut ranges = Ranges::default();
        for &(start, end) in list {
            ranges.add(range(start, end));
        }
        ranges
    }

    #[test]
    fn ranges_that_touch_or_overlap_become_one() {
        let joined =
            ranges(&[(0x5000, 0x6000), (0x1000, 0x2000), (0x2000, 0x3000), (0x2800, 0x5800)]);
        assert_eq!(joined.as_slice(), [range(0x1000, 0x6000)]);
        assert_eq!(ranges(&[(4, 5), (1, 2)]).as_slice(), [range(1, 2), range(4, 5)]);
    }

    #[test]
    fn what_is_removed_is_gone_and_the_rest_stays() {
        let mut free = ranges(&[(0, 10), (20, 30)]);
        free.remove(range(5, 22));
        free.remove(range(25, 26));
        free.remove(range(40, 50));
        assert_eq!(free.as_slice(), [range(0, 5), range(22, 25), range(26, 30)]);
        assert_eq!(free.bytes(), 12);
    }

    #[test]
    fn memory_is_taken_from_the_lowest_place_that_fits() {
        let mut free = ranges(&[(0x1800, 0x3000), (0x10_0000, 0x20_0000)]);
        assert_eq!(free.take(PAGE, PAGE), Some(0x2000));
        assert_eq!(free.take(2 * PAGE, PAGE), Some(0x10_0000));
        assert_eq!(free.take(PAGE, 0x8_0000), Some(0x18_0000));
        assert_eq!(free.take(1 << 30, PAGE), None);
        assert_eq!(free.bytes(), 0x800 + 0x10_0000 - 3 * PAGE);
    }

    #[test]
    fn rounding_never_leaves_the_range_nor_wraps() {
        assert_eq!(range(1, 0x2fff).pages_inside(PAGE), range(0x1000, 0x2000));
        assert_eq!(range(1, 0xfff).pages_inside(PAGE).bytes(), 0);
        assert_eq!(range(u64::MAX - 5, u64::MAX).pages_inside(PAGE).bytes(), 0);
        assert_eq!(range(0x1fff, 0x2001).pages_around(PAGE), range(0x1000, 0x3000));
    }

    #[test]
    fn a_full_list_gives_up_its_smallest_range_and_says_so() {
        let mut free = Ranges::default();
        for i in 0..CAPACITY as u64 {
            free.add(range(i * 100, i * 100 + 10 + i));
        }
        free.add(range(1_000_000, 1_000_050));
        assert_eq!(free.lost_bytes(), 10);
        assert_eq!(free.iter().count(), CAPACITY);
        assert!(free.as_slice().is_sorted_by_key(|range| range.start));
        free.add(range(2_000_000, 2_000_001));
        assert_eq!(free.lost_bytes(), 11);
    }
}
