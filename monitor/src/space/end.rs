//! The end of an address space: no core has it loaded, and what it had mapped comes back, in slices.

use super::MAX_PAGES;
use crate::coordinator::Coordinator;
use crate::output::{Outbox, Output};
use proto::id::Pid;
use proto::message::PageRange;

impl Coordinator {
    /// Do shootdowns of a process that is dying wait for an answer? The cores that have let go of it are
    /// not free before.
    pub(crate) fn is_shooting_down(&self, pid: Pid) -> bool {
        !self.table.at(pid).space.all_answered()
    }

    /// Gives back all that a process had mapped. False when this step may do no more.
    pub(crate) fn free_mapped(&mut self, pid: Pid, out: &mut Outbox) -> bool {
        while !self.table.at(pid).space.jobs.is_empty() {
            if !self.release(pid, 0, out) {
                return false;
            }
            self.table.at_mut(pid).space.jobs.remove(0);
        }
        while let Some(rest) = self.first_mapped(pid) {
            let pages = self.spend_some(rest.pages.min(MAX_PAGES / 2));
            if pages == 0 {
                return false;
            }
            self.free_slice(pid, PageRange { pages, ..rest }, rest.pages, out);
        }
        true
    }

    /// The first pages that are mapped, side by side in one region. Forgets what has none.
    fn first_mapped(&mut self, pid: Pid) -> Option<PageRange> {
        let regions = &mut self.table.at_mut(pid).space.regions;
        loop {
            let first = regions.all().first()?;
            if let Some((page, end)) = first.occupied() {
                let pages = u32::try_from(end - page).expect("a region's pages");
                return Some(PageRange { first: page, pages });
            }
            regions.remove_first();
        }
    }

    fn free_slice(&mut self, pid: Pid, range: PageRange, alike: u32, out: &mut Outbox) {
        let ticket = self.take_ticket();
        let it = self.table.at_mut(pid);
        let process = it.id;
        let (unused, mut frames) = it.space.clear(range);
        out.push(Output::Unmap { process, range, alike, unused, ticket });
        while frames > 0 {
            let some = frames.min(MAX_PAGES);
            self.spend_some(some);
            self.release_some(pid, ticket, some, out);
            frames -= some;
        }
    }
}
