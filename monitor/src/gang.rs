//! The vcores of a many-core process: each on exactly one list.
//!
//! - *online*: has a core and keeps it. Their number is what the process is granted.
//! - *leaving*: its core was told to let go and has not said that it has. Still on the core's map.
//! - *saving*: it gave its core to another vcore, and the core has not said that it is saved.
//! - *preempted*: saved when all others went too; restarted first.
//! - *inactive*: may be started at any time, last left first.

use crate::core_set::CoreSet;
use crate::vcores::Vcores;
use proto::id::{CoreId, VcoreId};

const NONE: u16 = u16::MAX;

/// The list that a vcore is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Has a core and keeps it.
    Online,
    /// Its core was told to let go.
    Leaving,
    /// Another vcore got its core; its context is being saved.
    Saving,
    /// Saved; restarted before any inactive one.
    Preempted,
    /// May be started.
    Inactive,
}

const PLACES: usize = 5;

/// One vcore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Vcore {
    place: Place,
    prev: u16,
    next: u16,
    /// Where it is online or leaving.
    pub(crate) core: CoreId,
    /// Notifies routed to it, ever.
    pub(crate) notified: u32,
    /// See [`Process::quiet`](crate::process::Process::quiet).
    pub(crate) quiet: bool,
    /// Clock ticks on cores up to when it last left one.
    pub(crate) ticks: u64,
}

impl Vcore {
    /// One that was never started, of so many that are all on one list, in the order of their numbers.
    pub(crate) const fn fresh(at: u16, count: u16) -> Self {
        Self {
            place: Place::Inactive,
            prev: if at == 0 { NONE } else { at - 1 },
            next: if at + 1 == count { NONE } else { at + 1 },
            core: CoreId::MANAGEMENT,
            notified: 0,
            quiet: false,
            ticks: 0,
        }
    }

    pub(crate) const fn place(&self) -> Place {
        self.place
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Ends {
    head: u16,
    tail: u16,
    count: u16,
}

/// All vcores of a process, and what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Gang {
    vcores: Vcores,
    lists: [Ends; PLACES],
    /// How many cores the process wants.
    pub(crate) wanted: u16,
    /// The process has not said yet what it wants: only vcore 0 is started, which prepares the pages of the others.
    pub(crate) only_first: bool,
    /// The vcore that must be started first, because an event waits in its mailbox.
    pub(crate) urgent: Option<VcoreId>,
    /// The core that it got last; new ones are sought nearby.
    pub(crate) last_core: CoreId,
}

impl Gang {
    /// Makes a gang of vcores as [`Vcores`] has them: all inactive, 0 to be started first.
    pub(crate) fn new(vcores: Vcores) -> Self {
        let mut gang = Self {
            vcores,
            lists: [Ends { head: NONE, tail: NONE, count: 0 }; PLACES],
            wanted: 1,
            only_first: true,
            urgent: None,
            last_core: CoreId::MANAGEMENT,
        };
        let count = gang.max();
        if let Some(last) = count.checked_sub(1) {
            gang.lists[Place::Inactive as usize] = Ends { head: 0, tail: last, count };
        }
        gang
    }

    /// What it was made of, however it has been used.
    pub(crate) fn into_vcores(self) -> Vcores {
        self.vcores
    }

    /// How many vcores the process may ever have.
    pub(crate) fn max(&self) -> u16 {
        u16::try_from(self.vcores.len()).expect("made of u16")
    }

    pub(crate) fn get(&self, vcore: VcoreId) -> Option<&Vcore> {
        self.vcores.get(usize::from(vcore.0))
    }

    pub(crate) fn get_mut(&mut self, vcore: VcoreId) -> Option<&mut Vcore> {
        self.vcores.get_mut(usize::from(vcore.0))
    }

    pub(crate) fn place(&self, vcore: VcoreId) -> Option<Place> {
        self.get(vcore).map(|it| it.place)
    }

    pub(crate) fn count(&self, place: Place) -> u16 {
        self.lists[place as usize].count
    }

    pub(crate) fn first(&self, place: Place) -> Option<VcoreId> {
        let head = self.lists[place as usize].head;
        (head != NONE).then_some(VcoreId(head))
    }

    /// The process has said how many cores it wants.
    pub(crate) fn want(&mut self, cores: u16) {
        self.wanted = cores.min(self.max());
        self.only_first = false;
    }

    /// The vcores on a list, in its order.
    pub(crate) fn on(&self, place: Place) -> impl Iterator<Item = VcoreId> + '_ {
        let mut at = self.lists[place as usize].head;
        core::iter::from_fn(move || {
            let found = self.vcores.get(usize::from(at))?;
            let vcore = VcoreId(at);
            at = found.next;
            Some(vcore)
        })
    }

    /// The vcore to start on the next core, if one can be: the urgent one and no other, else one that
    /// was preempted, else the one that left last.
    pub(crate) fn next_to_start(&self) -> Option<VcoreId> {
        match self.urgent {
            Some(urgent) => self.is_startable(urgent).then_some(urgent),
            None if self.only_first => self.is_startable(VcoreId(0)).then_some(VcoreId(0)),
            None => self.first(Place::Preempted).or_else(|| self.first(Place::Inactive)),
        }
    }

    /// A vcore that has a core, or would be started next.
    pub(crate) fn soonest(&self) -> Option<VcoreId> {
        self.first(Place::Online).or_else(|| self.next_to_start())
    }

    /// The vcore that has a core behind this one, or the first.
    pub(crate) fn after(&self, vcore: VcoreId) -> Option<VcoreId> {
        let next = self.get(vcore).filter(|it| it.place == Place::Online).map(|it| it.next);
        next.filter(|next| *next != NONE).map(VcoreId).or_else(|| self.first(Place::Online))
    }

    /// A vcore that runs, and one that was preempted and of which it is to be told.
    pub(crate) fn to_report(&self) -> Option<(VcoreId, VcoreId)> {
        self.first(Place::Online).zip(self.first(Place::Preempted))
    }

    fn is_startable(&self, vcore: VcoreId) -> bool {
        matches!(self.place(vcore), Some(Place::Preempted | Place::Inactive))
    }

    /// Moves a vcore to the head of another list.
    pub(crate) fn move_to_head(&mut self, vcore: VcoreId, to: Place) {
        self.unlink(vcore.0);
        let head = self.lists[to as usize].head;
        self.lists[to as usize].head = vcore.0;
        self.vcores[usize::from(vcore.0)].prev = NONE;
        self.join(to, vcore.0, head);
        self.enter(to, vcore.0);
    }

    /// Moves a vcore to the tail of another list.
    pub(crate) fn move_to_tail(&mut self, vcore: VcoreId, to: Place) {
        self.unlink(vcore.0);
        self.link_back(to, vcore.0);
    }

    /// Moves so many vcores from the head of a list to the tail of another, as far as there are so many: the first of
    /// them, and their number. They follow each other there.
    pub(crate) fn move_many(
        &mut self,
        from: Place,
        to: Place,
        most: u16,
    ) -> (Option<VcoreId>, u16) {
        let first = self.lists[from as usize].head;
        let (mut last, mut rest, mut count) = (NONE, first, 0);
        while let Some(it) = self.vcores.get_mut(usize::from(rest)).filter(|_| count < most) {
            it.place = to;
            (last, rest, count) = (rest, it.next, count + 1);
        }
        if count == 0 {
            return (None, 0);
        }
        self.join(from, NONE, rest);
        self.lists[from as usize].count -= count;
        let tail = self.lists[to as usize].tail;
        self.join(to, tail, first);
        self.join(to, last, NONE);
        self.lists[to as usize].count += count;
        (Some(VcoreId(first)), count)
    }

    /// A vcore, and the one behind it on its list.
    pub(crate) fn with_next(&self, vcore: VcoreId) -> Option<(&Vcore, Option<VcoreId>)> {
        let it = self.get(vcore)?;
        Some((it, (it.next != NONE).then_some(VcoreId(it.next))))
    }

    /// A vcore has a core from now on; how often it has been notified.
    #[inline(always)]
    pub(crate) fn begin(&mut self, vcore: VcoreId, core: CoreId) -> u32 {
        self.last_core = core;
        self.move_to_tail(vcore, Place::Online);
        let it = &mut self.vcores[usize::from(vcore.0)];
        it.core = core;
        it.notified
    }

    /// A vcore is off its core, on which it was for so many ticks that were not counted yet, and will not be started again
    /// before the others.
    pub(crate) fn retire(&mut self, vcore: VcoreId, ticks: u64) {
        if let Some(it) = self.get_mut(vcore) {
            it.ticks += ticks;
            self.move_to_head(vcore, Place::Inactive);
        }
    }

    /// Those that leave are off these cores, all of which they leave if `are_all`; their time is counted.
    #[inline(always)]
    pub(crate) fn retire_all(&mut self, cores: &CoreSet, are_all: bool) {
        if are_all {
            self.move_many(Place::Leaving, Place::Inactive, u16::MAX);
            return;
        }
        let is_off = |it: &Self, vcore| it.get(vcore).is_some_and(|it| cores.contains(it.core));
        loop {
            let first = self.on(Place::Leaving).find(|&vcore| is_off(self, vcore));
            let Some(vcore) = first else { return };
            self.move_to_head(vcore, Place::Inactive);
        }
    }

    fn link_back(&mut self, to: Place, at: u16) {
        let tail = self.lists[to as usize].tail;
        self.join(to, tail, at);
        self.lists[to as usize].tail = at;
        self.vcores[usize::from(at)].next = NONE;
        self.enter(to, at);
    }

    fn enter(&mut self, to: Place, at: u16) {
        self.lists[to as usize].count += 1;
        self.vcores[usize::from(at)].place = to;
        if to == Place::Online && self.urgent == Some(VcoreId(at)) {
            self.urgent = None;
        }
    }

    fn unlink(&mut self, at: u16) {
        let Vcore { place, prev, next, .. } = self.vcores[usize::from(at)];
        self.join(place, prev, next);
        self.lists[place as usize].count -= 1;
    }

    /// Makes `next` follow `prev`; [`NONE`] stands for the list's own ends.
    fn join(&mut self, list: Place, prev: u16, next: u16) {
        match self.vcores.get_mut(usize::from(prev)) {
            Some(it) => it.next = next,
            None => self.lists[list as usize].head = next,
        }
        match self.vcores.get_mut(usize::from(next)) {
            Some(it) => it.prev = prev,
            None => self.lists[list as usize].tail = prev,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Gang, Place, Vcore};
    use alloc::vec::Vec;
    use proto::id::VcoreId;

    fn gang_of(count: u16) -> Gang {
        Gang::new((0..count).map(|at| Vcore::fresh(at, count)).collect())
    }

    fn on(gang: &Gang, place: Place) -> Vec<u16> {
        gang.on(place).map(|vcore| vcore.0).collect()
    }

    #[test]
    fn vcores_are_started_in_the_order_of_their_numbers() {
        let mut gang = gang_of(3);
        gang.want(3);
        for vcore in [0, 1, 2].map(VcoreId) {
            assert_eq!(gang.next_to_start(), Some(vcore));
            gang.move_to_tail(vcore, Place::Online);
        }
        assert_eq!((gang.next_to_start(), gang.count(Place::Inactive)), (None, 0));
        assert_eq!(gang_of(0).next_to_start(), None);
    }

    #[test]
    fn the_vcore_that_left_last_is_started_first() {
        let mut gang = gang_of(3);
        gang.want(1);
        for vcore in [0, 1, 2].map(VcoreId) {
            gang.move_to_tail(vcore, Place::Online);
        }
        gang.move_to_head(VcoreId(1), Place::Inactive);
        gang.move_to_head(VcoreId(0), Place::Inactive);
        assert_eq!(on(&gang, Place::Inactive), [0, 1]);
        assert_eq!(on(&gang, Place::Online), [2]);
        assert_eq!(gang.next_to_start(), Some(VcoreId(0)));
    }

    #[test]
    fn several_move_at_once_and_in_their_order() {
        let mut gang = gang_of(5);
        [3, 1, 4].into_iter().for_each(|vcore| gang.move_to_tail(VcoreId(vcore), Place::Online));
        gang.move_to_tail(VcoreId(0), Place::Leaving);
        assert_eq!(gang.move_many(Place::Online, Place::Leaving, 2), (Some(VcoreId(3)), 2));
        assert_eq!(on(&gang, Place::Online), [4]);
        assert_eq!(on(&gang, Place::Leaving), [0, 3, 1]);
        assert_eq!(gang.move_many(Place::Online, Place::Leaving, 2), (Some(VcoreId(4)), 1));
        assert_eq!(gang.move_many(Place::Online, Place::Leaving, 2), (None, 0));
        assert_eq!((gang.count(Place::Online), gang.count(Place::Leaving)), (0, 4));
        // Both lists are whole: who is taken from their middle or end leaves the others.
        [0, 1, 4, 3]
            .into_iter()
            .for_each(|vcore| gang.move_to_tail(VcoreId(vcore), Place::Inactive));
        assert_eq!(on(&gang, Place::Inactive), [2, 0, 1, 4, 3]);
        assert_eq!(gang.move_many(Place::Inactive, Place::Preempted, 0), (None, 0));
        assert_eq!(gang.move_many(Place::Inactive, Place::Online, 9), (Some(VcoreId(2)), 5));
        assert_eq!(on(&gang, Place::Online), [2, 0, 1, 4, 3]);
        assert!(on(&gang, Place::Inactive).is_empty());
    }

    #[test]
    fn a_preempted_vcore_goes_before_inactive_ones_and_an_urgent_one_before_all() {
        let mut gang = gang_of(3);
        gang.want(1);
        gang.move_to_tail(VcoreId(2), Place::Preempted);
        assert_eq!(gang.next_to_start(), Some(VcoreId(2)));
        gang.urgent = Some(VcoreId(1));
        assert_eq!(gang.next_to_start(), Some(VcoreId(1)));
        gang.move_to_tail(VcoreId(1), Place::Leaving);
        assert_eq!(gang.next_to_start(), None);
        gang.move_to_tail(VcoreId(1), Place::Online);
        assert_eq!(gang.urgent, None);
    }

    #[test]
    fn only_vcore_0_is_started_until_the_process_says_what_it_wants() {
        let mut gang = gang_of(3);
        assert_eq!(gang.next_to_start(), Some(VcoreId(0)));
        gang.move_to_tail(VcoreId(0), Place::Leaving);
        assert_eq!(gang.next_to_start(), None, "the others may not be ready");
        gang.move_to_tail(VcoreId(0), Place::Preempted);
        assert_eq!(gang.next_to_start(), Some(VcoreId(0)));
        gang.move_to_tail(VcoreId(0), Place::Leaving);
        gang.want(2);
        assert_eq!(gang.next_to_start(), Some(VcoreId(1)));
    }
}
