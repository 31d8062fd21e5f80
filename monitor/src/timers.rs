//! Deadlines: a wheel of buckets, each coarser than the one before.
//!
//! A timer lies in the bucket of the highest digit in which its deadline differs from `base`, so the lowest
//! bucket that is not empty holds the soonest. Setting and cancelling take the same few instructions
//! however many timers are set, and nothing is allocated after construction. The price is that of a bucket
//! with more than [`FEW`] timers only its beginning is known: when that has come they are spread over finer
//! ones, and the moment that is asked for next is nearer to theirs.

use alloc::vec;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

/// Later than every deadline.
pub(crate) const NEVER: u64 = u64::MAX;

const NONE: u16 = u16::MAX;
/// Bits of a deadline that tell the buckets of one level apart.
const DIGIT: u32 = 4;
const SLOTS: usize = 1 << DIGIT;
const LEVELS: usize = (u64::BITS / DIGIT) as usize;
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

/// The timers that are set.
#[derive(Clone, Debug)]
pub(crate) struct Timers {
    entries: Vec<Entry>,
    /// The first of each bucket.
    heads: [u16; LEVELS * SLOTS],
    /// Which buckets of a level are not empty, and which levels.
    slots: [u16; LEVELS],
    levels: u16,
    /// A moment that is not later than any that will be asked about.
    base: u64,
    /// The bucket that is being spread over finer ones, because its beginning has come.
    spreading: Option<u16>,
    /// What [`Timers::soonest`] said last, and whether that timer is gone.
    soonest: u64,
    is_stale: bool,
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
            heads: [NONE; LEVELS * SLOTS],
            slots: [0; LEVELS],
            levels: 0,
            base: 0,
            spreading: None,
            soonest: NEVER,
            is_stale: false,
        }
    }

    fn deadlines(&self) -> impl Iterator<Item = Option<u64>> + '_ {
        self.entries.iter().map(|entry| (entry.bucket != NONE).then_some(entry.deadline))
    }

    /// The soonest deadline, or an earlier moment at which to look again; [`NEVER`] if no timer is set.
    #[inline]
    pub(crate) fn soonest(&mut self) -> u64 {
        if self.is_stale {
            self.is_stale = false;
            self.soonest = self.look();
        }
        self.soonest
    }

    fn look(&self) -> u64 {
        if self.spreading.is_some() {
            return self.base;
        }
        let Some(bucket) = self.first_bucket() else { return NEVER };
        match self.least(bucket) {
            Some(timer) => self.entries[usize::from(timer)].deadline,
            None => self.begin(bucket),
        }
    }

    /// When a timer comes, if it is set.
    pub(crate) fn deadline(&self, timer: TimerId) -> Option<u64> {
        let entry = self.entries.get(usize::from(timer.0))?;
        (entry.bucket != NONE).then_some(entry.deadline)
    }

    /// Sets a timer, or moves one that is set.
    pub(crate) fn set(&mut self, timer: TimerId, deadline: u64) {
        self.cancel(timer);
        self.entries[usize::from(timer.0)].deadline = deadline;
        self.put(timer.0);
        self.soonest = self.soonest.min(deadline);
    }

    /// Cancels a timer; says whether it was set.
    pub(crate) fn cancel(&mut self, timer: TimerId) -> bool {
        let entry = &mut self.entries[usize::from(timer.0)];
        let Entry { deadline, prev, next, bucket } = *entry;
        if bucket == NONE {
            return false;
        }
        entry.bucket = NONE;
        self.is_stale |= deadline <= self.soonest;
        if let Some(next) = self.entries.get_mut(usize::from(next)) {
            next.prev = prev;
        }
        if let Some(prev) = self.entries.get_mut(usize::from(prev)) {
            prev.next = next;
            return true;
        }
        self.heads[usize::from(bucket)] = next;
        if next == NONE {
            let level = usize::from(bucket) / SLOTS;
            self.slots[level] &= !(1 << (usize::from(bucket) % SLOTS));
            self.levels &= !(u16::from(self.slots[level] == 0) << level);
        }
        true
    }

    /// Takes a timer whose deadline has come. It may take several calls, each of which spends some of
    /// `budget` on spreading timers, before there is one; meanwhile [`Timers::soonest`] is not later than
    /// `now`.
    #[inline]
    pub(crate) fn expired(&mut self, now: u64, budget: &mut u32) -> Option<TimerId> {
        if self.soonest() > now { None } else { self.find_expired(now, budget) }
    }

    fn find_expired(&mut self, now: u64, budget: &mut u32) -> Option<TimerId> {
        while self.spread(budget) {
            let Some(bucket) = self.first_bucket() else {
                (self.base, self.soonest) = (self.base.max(now), NEVER);
                return None;
            };
            if let Some(timer) = self.least(bucket) {
                // What was known of a bucket with many timers may be too early by now.
                self.soonest = self.entries[usize::from(timer)].deadline;
                let is_due = self.soonest <= now;
                return (is_due && self.cancel(TimerId(timer))).then_some(TimerId(timer));
            }
            let begin = self.begin(bucket);
            if begin > now {
                // Between here and there no timer is set.
                (self.base, self.soonest) = (self.base.max(now), begin);
                return None;
            }
            if usize::from(bucket) < SLOTS {
                let timer = TimerId(self.heads[usize::from(bucket)]);
                self.cancel(timer);
                return Some(timer);
            }
            self.base = self.base.max(begin);
            self.spreading = Some(bucket);
            self.is_stale = true;
        }
        None
    }

    /// Goes on with spreading a bucket, as far as `budget` goes; says whether none is left to be spread.
    fn spread(&mut self, budget: &mut u32) -> bool {
        let Some(bucket) = self.spreading else { return true };
        while let Some(timer) = Some(self.heads[usize::from(bucket)]).filter(|&it| it != NONE) {
            if *budget == 0 {
                return false;
            }
            *budget -= 1;
            self.cancel(TimerId(timer));
            self.put(timer);
        }
        self.spreading = None;
        true
    }

    /// Puts a timer that lies nowhere where its deadline says.
    fn put(&mut self, timer: u16) {
        let moment = self.entries[usize::from(timer)].deadline.max(self.base);
        let level = (moment ^ self.base).checked_ilog2().unwrap_or(0) / DIGIT;
        let slot = (moment >> (level * DIGIT)) as usize % SLOTS;
        let level = level as usize;
        let bucket = level * SLOTS + slot;
        let next = core::mem::replace(&mut self.heads[bucket], timer);
        if let Some(next) = self.entries.get_mut(usize::from(next)) {
            next.prev = timer;
        }
        let entry = &mut self.entries[usize::from(timer)];
        (entry.prev, entry.next, entry.bucket) = (NONE, next, bucket as u16);
        self.slots[level] |= 1 << slot;
        self.levels |= 1 << level;
    }

    /// The bucket of the soonest.
    fn first_bucket(&self) -> Option<u16> {
        let level = self.levels.trailing_zeros() as usize;
        let slots = self.slots.get(level)?;
        Some((level * SLOTS) as u16 + slots.trailing_zeros() as u16)
    }

    /// The soonest of a bucket, if there are few, of two the one with the smaller number.
    fn least(&self, bucket: u16) -> Option<u16> {
        let mut at = self.heads[usize::from(bucket)];
        let (mut least, mut deadline) = (at, NEVER);
        for _ in 0..FEW {
            let Some(entry) = self.entries.get(usize::from(at)) else { break };
            if entry.deadline < deadline || entry.deadline == deadline && at < least {
                (least, deadline) = (at, entry.deadline);
            }
            at = entry.next;
        }
        (at == NONE).then_some(least)
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
mod tests {
    use super::{NEVER, TimerId, Timers};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// All timers that have come by `now`, however many calls that takes.
    fn all_expired(timers: &mut Timers, now: u64) -> Vec<u16> {
        let mut found = Vec::new();
        while timers.soonest() <= now && timers.soonest() != NEVER {
            found.extend(timers.expired(now, &mut 3).map(|timer| timer.0));
        }
        found
    }

    #[test]
    fn a_timer_that_is_set_again_moves() {
        let mut timers = Timers::new(2);
        timers.set(TimerId(0), 10);
        timers.set(TimerId(1), 20);
        timers.set(TimerId(0), 30);
        assert_eq!(timers.soonest(), 20);
        assert_eq!(timers.expired(25, &mut 9), Some(TimerId(1)));
        assert_eq!(timers.expired(25, &mut 9), None);
        assert!(timers.cancel(TimerId(0)) && !timers.cancel(TimerId(0)));
        assert_eq!(timers.soonest(), NEVER);
    }

    #[test]
    fn many_timers_of_one_bucket_are_spread_a_few_at_a_time() {
        let mut timers = Timers::new(100);
        (0..100).for_each(|timer| timers.set(TimerId(timer), 0x1000 + u64::from(timer)));
        assert_eq!(timers.soonest(), 0x1000);
        let mut budget = 30;
        assert_eq!(timers.expired(0x1000, &mut budget), None);
        assert_eq!((budget, timers.soonest()), (0, 0x1000));
        assert_eq!(all_expired(&mut timers, 0x1000), [0]);
        assert_eq!(all_expired(&mut timers, 0x1062), (1..99).collect::<Vec<_>>());
        assert_eq!(timers.soonest(), 0x1063);
    }

    #[derive(Clone, Debug)]
    enum Deed {
        Set(u16, u64),
        Cancel(u16),
        Pass(u64),
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let moment = prop_oneof![0u64..100, 0u64..100_000, any::<u64>(), Just(NEVER)];
        prop_oneof![
            4 => (0u16..40, moment).prop_map(|(timer, moment)| Deed::Set(timer, moment)),
            1 => (0u16..40).prop_map(Deed::Cancel),
            1 => prop_oneof![0u64..50, 0u64..100_000].prop_map(Deed::Pass),
        ]
    }

    proptest! {
        #[test]
        fn timers_expire_in_order_and_in_time_whatever_was_set_and_cancelled(
            deeds in prop::collection::vec(deed(), 0..120),
        ) {
            let mut timers = Timers::new(40);
            let mut model = [None; 40];
            let mut now = 0u64;
            for deed in deeds {
                match deed {
                    Deed::Set(timer, deadline) => {
                        timers.set(TimerId(timer), deadline);
                        model[usize::from(timer)] = Some(deadline);
                    }
                    Deed::Cancel(timer) => {
                        let was_set = model[usize::from(timer)].take().is_some();
                        prop_assert_eq!(timers.cancel(TimerId(timer)), was_set);
                    }
                    Deed::Pass(ticks) => {
                        now += ticks;
                        let expired = all_expired(&mut timers, now);
                        let deadlines: Vec<u64> =
                            expired.iter().filter_map(|&timer| model[usize::from(timer)]).collect();
                        prop_assert_eq!(deadlines.len(), expired.len());
                        // What was late when it was set comes in any order.
                        let mut due: Vec<u16> =
                            (0..40).filter(|&it| model[usize::from(it)] <= Some(now)).collect();
                        due.retain(|&it| model[usize::from(it)].is_some());
                        expired.iter().for_each(|&timer| model[usize::from(timer)] = None);
                        let mut sorted = expired.clone();
                        sorted.sort_unstable();
                        prop_assert_eq!(sorted, due);
                    }
                }
                let soonest = model.iter().flatten().min().copied().unwrap_or(NEVER);
                prop_assert!(timers.soonest() <= soonest);
                for (timer, deadline) in (0..).map(TimerId).zip(model) {
                    prop_assert_eq!(timers.deadline(timer), deadline);
                }
            }
        }

        #[test]
        fn few_timers_are_known_to_the_tick(
            deadlines in prop::collection::vec(any::<u64>(), 1..8),
        ) {
            let mut timers = Timers::new(8);
            for (timer, &deadline) in (0..).zip(&deadlines) {
                timers.set(TimerId(timer), deadline);
            }
            let mut expected: Vec<(u64, u16)> = deadlines.into_iter().zip(0..).collect();
            expected.sort_unstable();
            for (deadline, timer) in expected {
                prop_assert_eq!(timers.soonest(), deadline);
                prop_assert_eq!(timers.expired(deadline, &mut 0), Some(TimerId(timer)));
            }
        }
    }
}
