//! Room for the vcores of processes that become many-core. It is made when processes are, so that becoming many-core allocates
//! nothing and costs the same however many vcores there may be.
//!
//! There is room for each process that could be many-core at the same time as all others: for as many as there are, and for
//! no more than there are frames for the pages that such a process has. So it takes, at 24 bytes a vcore, less than a
//! hundredth of what those frames do.

use crate::gang::Vcore;
use crate::room;
use alloc::boxed::Box;
use alloc::vec::Vec;
use proto::program::layout::pages_of_many;

/// All vcores that one process may have.
pub(crate) type Vcores = Box<[Vcore]>;

/// The room of all processes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rooms {
    /// What nobody has, each as [`Vcore::fresh`] makes its vcores. Has room for what processes have.
    free: Vec<Vcores>,
    /// What is free, for how many vcores, to be copied.
    fresh: Vcores,
    /// How many there are, with those that processes have.
    total: usize,
    /// How many may ever be needed.
    most: usize,
}

impl Rooms {
    /// For a machine where a process may have so many vcores, and all together so many frames. None yet.
    pub(crate) fn new(vcores: u16, frames: u32) -> Self {
        let most = if vcores > 0 { frames / pages_of_many(vcores) } else { 0 };
        Self {
            free: Vec::new(),
            fresh: (0..vcores).map(|at| Vcore::fresh(at, vcores)).collect(),
            total: 0,
            most: most as usize,
        }
    }

    /// How many there are: free, and with those that processes have.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.free.len(), self.total)
    }

    /// How many there have to be for so many processes.
    pub(crate) fn needed(&self, processes: usize) -> usize {
        self.most.min(processes)
    }

    /// There will be so many processes, one more than now; false if there is no memory for that.
    pub(crate) fn extend(&mut self, processes: usize) -> bool {
        self.total >= self.needed(processes) || self.add().is_some()
    }

    fn add(&mut self) -> Option<()> {
        let more = self.total + 1 - self.free.len();
        self.free.try_reserve(more).ok()?;
        let mut new = room::list(self.fresh.len())?;
        new.extend_from_slice(&self.fresh);
        self.free.push(new.into_boxed_slice());
        self.total += 1;
        Some(())
    }

    /// Gives the vcores of a process that becomes many-core.
    pub(crate) fn take(&mut self) -> Option<Vcores> {
        self.free.pop()
    }

    /// A process is gone, or was not made, which had these vcores, and so many are left.
    pub(crate) fn shrink(&mut self, had: Option<Vcores>, processes: usize) {
        let is_needed = self.total <= self.needed(processes);
        if !is_needed {
            self.total -= 1;
        }
        match had {
            Some(mut vcores) if is_needed => {
                vcores.copy_from_slice(&self.fresh);
                self.free.push(vcores);
            }
            None if !is_needed => drop(self.free.pop()),
            _ => {}
        }
    }
}

impl Drop for Rooms {
    fn drop(&mut self) {
        // The last first: a heap that keeps a list of its holes by address finds the place of each at once.
        while self.free.pop().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Rooms, pages_of_many};
    use crate::gang::{Gang, Place};
    use proto::id::VcoreId;

    #[test]
    fn there_is_room_for_each_process_for_which_there_are_frames() {
        let mut rooms = Rooms::new(4, 3 * pages_of_many(4) - 1);
        for (processes, counts) in [(1, (1, 1)), (2, (2, 2)), (3, (2, 2))] {
            assert!(rooms.extend(processes));
            assert_eq!(rooms.counts(), counts);
        }
        let some = [rooms.take(), rooms.take()];
        assert!(some.iter().all(Option::is_some) && rooms.take().is_none());
        for ((vcores, left), counts) in some.into_iter().zip([2, 1]).zip([(1, 2), (1, 1)]) {
            rooms.shrink(vcores, left);
            assert_eq!(rooms.counts(), counts);
        }
        rooms.shrink(None, 0);
        assert_eq!(rooms.counts(), (0, 0));
    }

    #[test]
    fn vcores_that_were_used_are_fresh_again() {
        let mut rooms = Rooms::new(3, 1 << 20);
        assert!(rooms.extend(1) && rooms.extend(2));
        let fresh = rooms.clone();
        let mut gang = Gang::new(rooms.take().unwrap());
        gang.want(3);
        gang.move_to_tail(VcoreId(1), Place::Online);
        gang.move_to_tail(VcoreId(2), Place::Preempted);
        gang.retire(VcoreId(1), 7);
        rooms.shrink(Some(gang.into_vcores()), 2);
        assert_eq!(rooms, fresh);
    }

    #[test]
    fn a_machine_of_one_core_needs_none() {
        let mut rooms = Rooms::new(0, 1 << 20);
        assert!(rooms.extend(1));
        assert_eq!((rooms.counts(), rooms.take()), ((0, 0), None));
    }
}
