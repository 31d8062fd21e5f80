//! Deadlines: a wheel of buckets, each coarser than the one before.
//!
//! A timer lies in the bucket of the highest digit in which its deadline differs from `base`, so the lowest
//! bucket that is not empty holds the soonest. Each bucket knows when its soonest comes, so setting a timer takes
//! the same few instructions however many are set, and so does asking for the soonest; nothing is allocated after
//! construction. The price is that when the soonest of a bucket with more than [`FEW`] timers goes, the next one's
//! moment is not looked for: the bucket is spread over finer ones when that of the one that went has come.

use alloc::vec;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::num::NonZeroU32;

/// Later than every deadline.
pub(crate) const NEVER: u64 = u64::MAX;

const NONE: u16 = u16::MAX;
/// Bits of a deadline that tell the buckets of one level apart.
const DIGIT: u32 = 4;
const SLOTS: usize = 1 << DIGIT;
const LEVELS: usize = (u64::BITS / DIGIT) as usize;
const BUCKETS: usize = LEVELS * SLOTS;
/// So many timers of a bucket are looked at for the soonest.
const FEW: usize = 8;

/// Names one of the timers that were asked for at construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TimerId(pub(crate) u16);

#[derive(Clone, Copy, Debug)]
struct Entry {
    deadline: u64,
    prev: u16,
    next: u16,
    /// Where it lies, or [`NONE`]: it is not set.
    bucket: u16,
}

const UNSET: Entry = Entry { deadline: NEVER, prev: NONE, next: NONE, bucket: NONE };

#[derive(Clone, Copy, Debug)]
struct Bucket {
    first: u16,
    /// No timer that lies here comes earlier.
    soonest: u64,
}

/// The timers that are set.
#[derive(Clone, Debug)]
pub(crate) struct Timers {
    entries: Vec<Entry>,
    buckets: [Bucket; BUCKETS],
    /// Which buckets of a level are not empty, and which levels.
    slots: [u16; LEVELS],
    levels: u16,
    /// The first bucket that is not empty, or [`NONE`].
    first: u16,
    /// A moment that is not later than any that will be asked about.
    base: u64,
    /// The bucket that is being spread over finer ones, because its moment has come.
    spreading: Option<u16>,
}

// What timers are set is all that matters: where they lie follows from what was set and asked earlier.
impl PartialEq for Timers {
    fn eq(&self, other: &Self) -> bool {
        self.deadlines().eq(other.deadlines())
    }
}

impl Eq for Timers {}

impl Hash for Timers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.deadlines().for_each(|deadline| deadline.hash(state));
    }
}

impl Timers {
    /// Makes room for timers 0 to `count`, fewer than 2^16, none of them set.
    pub(crate) fn new(count: usize) -> Self {
        Self {
            entries: vec![UNSET; count],
            buckets: [Bucket { first: NONE, soonest: NEVER }; BUCKETS],
            slots: [0; LEVELS],
            levels: 0,
            first: NONE,
            base: 0,
            spreading: None,
        }
    }

    fn deadlines(&self) -> impl Iterator<Item = Option<u64>> + '_ {
        self.entries.iter().map(|entry| (entry.bucket != NONE).then_some(entry.deadline))
    }

    /// The soonest deadline, or an earlier moment at which to look again; [`NEVER`] if no timer is set.
    #[inline]
    pub(crate) fn soonest(&self) -> u64 {
        if self.spreading.is_some() {
            return self.base;
        }
        if self.first == NONE {
            return NEVER;
        }
        self.buckets[usize::from(self.first) % BUCKETS].soonest
    }

    /// When a timer comes, if it is set.
    pub(crate) fn deadline(&self, timer: TimerId) -> Option<u64> {
        let entry = self.entries.get(usize::from(timer.0))?;
        (entry.bucket != NONE).then_some(entry.deadline)
    }

    /// Sets a timer, or moves one that is set; when it would have come, or [`NEVER`] if it was not set.
    #[inline(always)]
    pub(crate) fn set(&mut self, timer: TimerId, deadline: u64) -> u64 {
        let was = self.cancel(timer);
        self.put(timer.0, deadline);
        was
    }

    /// Sets a timer that is not set.
    #[inline(always)]
    pub(crate) fn set_anew(&mut self, timer: TimerId, deadline: u64) {
        debug_assert!(self.deadline(timer).is_none(), "it is not set yet");
        self.put(timer.0, deadline);
    }

    /// Cancels a timer; when it would have come, or [`NEVER`] if it was not set.
    #[inline(always)]
    pub(crate) fn cancel(&mut self, timer: TimerId) -> u64 {
        if self.entries[usize::from(timer.0)].bucket == NONE { NEVER } else { self.take_out(timer) }
    }

    /// Cancels a timer that is set.
    fn take_out(&mut self, timer: TimerId) -> u64 {
        let Entry { deadline, bucket, .. } = self.unlink(timer);
        let at = usize::from(bucket) % BUCKETS;
        if self.buckets[at].first != NONE
            && self.buckets[at].soonest == deadline
            && let Some((_, soonest)) = self.soonest_of(bucket)
        {
            self.buckets[at].soonest = soonest;
        }
        deadline
    }

    /// Takes a timer that is set out of its bucket; what it was.
    #[inline(always)]
    fn unlink(&mut self, timer: TimerId) -> Entry {
        let entry = &mut self.entries[usize::from(timer.0)];
        let was = *entry;
        let Entry { prev, next, bucket, .. } = was;
        entry.bucket = NONE;
        if let Some(next) = self.entries.get_mut(usize::from(next)) {
            next.prev = prev;
        }
        if let Some(prev) = self.entries.get_mut(usize::from(prev)) {
            prev.next = next;
            return was;
        }
        let at = usize::from(bucket) % BUCKETS;
        self.buckets[at].first = next;
        if next == NONE {
            let level = at / SLOTS;
            self.slots[level] &= !(1 << (at % SLOTS));
            self.levels &= !(u16::from(self.slots[level] == 0) << level);
            if bucket == self.first {
                self.first = self.first_of_all();
            }
        }
        was
    }

    /// Takes a timer whose deadline has come. It may take several calls, each of which spends some of
    /// `budget` on spreading timers, before there is one; meanwhile [`Timers::soonest`] is not later than
    /// `now`.
    #[inline(always)]
    pub(crate) fn expired(&mut self, now: u64, budget: &mut u32) -> Option<TimerId> {
        self.take_lone(now).or_else(|| self.take_expired(now, budget))
    }

    /// Takes the only timer of the soonest bucket, if there is just one and its deadline has come.
    #[inline(always)]
    fn take_lone(&mut self, now: u64) -> Option<TimerId> {
        let at = usize::from(self.first) % BUCKETS;
        let first = self.buckets[at].first;
        // There is none at all where the first bucket is none, or empty.
        let entry = self.entries.get_mut(usize::from(first))?;
        if entry.next != NONE || entry.deadline > now || self.spreading.is_some() {
            return None;
        }
        entry.bucket = NONE;
        self.buckets[at].first = NONE;
        // It is the lowest of all.
        let slots = &mut self.slots[at / SLOTS];
        *slots &= *slots - 1;
        if *slots == 0 {
            self.levels &= self.levels - 1;
        }
        self.first = self.first_of_all();
        Some(TimerId(first))
    }

    #[inline(never)]
    fn take_expired(&mut self, now: u64, budget: &mut u32) -> Option<TimerId> {
        while self.spread(budget) {
            let Some(bucket) = self.first_bucket() else {
                self.base = self.base.max(now);
                return None;
            };
            let at = usize::from(bucket) % BUCKETS;
            if self.buckets[at].soonest > now {
                return None;
            }
            if let Some((timer, soonest)) = self.soonest_of(bucket) {
                // What was known of a bucket with many timers may be too early.
                self.buckets[at].soonest = soonest;
                return (soonest <= now).then(|| {
                    self.take_out(timer);
                    timer
                });
            }
            if at < SLOTS {
                let timer = TimerId(self.buckets[at].first);
                self.unlink(timer);
                return Some(timer);
            }
            self.base = self.base.max(self.begin(bucket));
            self.spreading = Some(bucket);
        }
        None
    }

    /// Goes on with spreading a bucket, as far as `budget` goes; says whether none is left to be spread.
    fn spread(&mut self, budget: &mut u32) -> bool {
        let Some(bucket) = self.spreading else { return true };
        loop {
            let timer = self.buckets[usize::from(bucket) % BUCKETS].first;
            if timer == NONE {
                break;
            }
            if *budget == 0 {
                return false;
            }
            *budget -= 1;
            self.unlink(TimerId(timer));
            self.put(timer, self.entries[usize::from(timer)].deadline);
        }
        self.spreading = None;
        true
    }

    /// Puts a timer that lies nowhere where its deadline says.
    fn put(&mut self, timer: u16, deadline: u64) {
        let moment = deadline.max(self.base);
        // The lowest digit counts as different if none is.
        let level = ((moment ^ self.base) | 1).ilog2() / DIGIT;
        let slot = (moment >> (level * DIGIT)) as usize % SLOTS;
        let level = level as usize;
        let at = level * SLOTS + slot;
        let bucket = &mut self.buckets[at];
        let next = core::mem::replace(&mut bucket.first, timer);
        let others = if next == NONE { NEVER } else { bucket.soonest };
        bucket.soonest = deadline.min(others);
        if let Some(next) = self.entries.get_mut(usize::from(next)) {
            next.prev = timer;
        }
        self.entries[usize::from(timer)] = Entry { deadline, prev: NONE, next, bucket: at as u16 };
        self.slots[level] |= 1 << slot;
        self.levels |= 1 << level;
        self.first = self.first.min(at as u16);
    }

    /// The bucket of the soonest, if there is one.
    fn first_bucket(&self) -> Option<u16> {
        (self.first != NONE).then_some(self.first)
    }

    /// The first bucket that is not empty, or [`NONE`].
    #[inline(always)]
    fn first_of_all(&self) -> u16 {
        // Of a number that is not 0 it takes one instruction.
        let Some(levels) = NonZeroU32::new(self.levels.into()) else { return NONE };
        let level = levels.trailing_zeros() as usize % LEVELS;
        (level * SLOTS) as u16 + u32::from(self.slots[level]).trailing_zeros() as u16
    }

    /// The soonest of a bucket, if there are few, of two the one with the smaller number; and when it comes.
    #[inline(always)]
    fn soonest_of(&self, bucket: u16) -> Option<(TimerId, u64)> {
        let first = self.buckets[usize::from(bucket) % BUCKETS].first;
        let entry = self.entries[usize::from(first)];
        if entry.next == NONE {
            return Some((TimerId(first), entry.deadline));
        }
        self.soonest_of_some(first)
    }

    fn soonest_of_some(&self, first: u16) -> Option<(TimerId, u64)> {
        let (mut at, mut soonest, mut deadline) = (first, first, NEVER);
        for _ in 0..FEW {
            let Some(entry) = self.entries.get(usize::from(at)) else { break };
            if entry.deadline < deadline || entry.deadline == deadline && at < soonest {
                (soonest, deadline) = (at, entry.deadline);
            }
            at = entry.next;
        }
        (at == NONE).then_some((TimerId(soonest), deadline))
    }

    /// When a bucket begins.
    fn begin(&self, bucket: u16) -> u64 {
        let (level, slot) = (u32::from(bucket) / SLOTS as u32, u64::from(bucket) % SLOTS as u64);
        let place = level * DIGIT;
        let above = self.base.checked_shr(place + DIGIT).unwrap_or(0);
        (above.checked_shl(DIGIT).unwrap_or(0) | slot) << place
    }
}

#[cfg(test)]
mod tests;
