//! Page faults: memory that is there by right and not yet in the page tables.

use crate::coordinator::Coordinator;
use crate::output::{Event as Told, Fault, Outbox, Output};
use crate::process::Process;
use crate::seat::Seat;
use core::ops::Range;
use proto::call::Outcome;
use proto::id::{CoreId, Lease};
use proto::memory::Rights;
use proto::message::{PageRange, ToCore};
use proto::program::layout::{STACK_BYTES, STACK_END};

/// The vector of page faults (Intel SDM vol. 3, 6.3.1).
const PAGE_FAULT: u8 = 14;

/// The pages of a program's stack, which have been reserved when it was loaded.
const STACK: Range<u64> = (STACK_END - STACK_BYTES) >> 12..STACK_END >> 12;

/// A page that is to be given a frame of zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mended {
    /// Physical address of the top page table of the space.
    pub root: u64,
    /// The page.
    pub range: PageRange,
    /// What the process may do with it.
    pub rights: Rights,
}

/// The page that a fault was about.
#[inline(always)]
const fn page_of(fault: Fault) -> PageRange {
    PageRange { first: fault.address >> 12, pages: 1 }
}

impl Coordinator {
    /// A vcore cannot go on. Where its process may do what it tried, the page is put there and it tries
    /// again; the others never stop. So it does if the page is there: another vcore was first, or the
    /// core's translation is from before rights were added.
    #[inline(always)]
    pub(crate) fn on_fault(&mut self, core: CoreId, lease: Lease, fault: Fault, out: &mut Outbox) {
        if self.requester(core, lease).is_some() && !self.mend(core, lease, fault, out) {
            self.on_exception(lease, fault, out);
        }
    }

    /// The same, where the program of a many-core process wants to hear of what cannot be mended.
    #[inline(never)]
    pub(crate) fn on_reflect(
        &mut self,
        core: CoreId,
        lease: Lease,
        fault: Fault,
        out: &mut Outbox,
    ) {
        if self.requester(core, lease).is_some() && !self.mend(core, lease, fault, out) {
            out.send(core, ToCore::Done { lease, outcome: Outcome::FAULT });
        }
    }

    /// Puts the page there if there is one by right; says whether.
    #[inline(always)]
    fn mend(&mut self, core: CoreId, lease: Lease, fault: Fault, out: &mut Outbox) -> bool {
        let process = self.table.at(lease.pid);
        let Some(rights) = process.rights_for(fault) else { return false };
        let (process, range) = (process.id, page_of(fault));
        out.push(Output::Populate { process, range, alike: 1, rights });
        out.send(core, ToCore::Done { lease, outcome: Outcome::OK });
        true
    }

    /// As a step with a [`ToMonitor::Fault`](proto::message::ToMonitor::Fault), if all that comes of it is that a page is put
    /// there and the vcore goes on: gives the page, and nobody needs to be told anything but what lets the vcore go on.
    /// Else nothing has happened.
    #[inline(always)]
    pub fn mend_at_once(
        &mut self,
        now: u64,
        core: CoreId,
        lease: Lease,
        fault: Fault,
    ) -> Option<Mended> {
        let Seat { held: Some(held), left: None, .. } = &self.cores.get(core.index())?.seat else {
            return None;
        };
        if held.lease != lease || !held.started || held.leaving.is_some() {
            return None;
        }
        let process = self.table.at(lease.pid);
        if process.is_dying() {
            return None;
        }
        let (root, rights) = (process.root, process.rights_for(fault)?);
        self.make_short_step(now).then_some(Mended { root, range: page_of(fault), rights })
    }

    /// An exception that nobody handles ends the process.
    #[inline(never)]
    fn on_exception(&mut self, lease: Lease, fault: Fault, out: &mut Outbox) {
        let process = self.table.at(lease.pid);
        let is_page_fault = fault.vector == PAGE_FAULT;
        let page = is_page_fault.then_some(fault.address >> 12);
        let overflowed = page.map_or(0, |page| process.stack_above(page));
        let (process, name) = (process.id, process.name);
        out.tell(Told::Faulted { process, name, vcore: lease.vcore, fault, overflowed });
        self.destroy(lease.pid, crate::death::FAULTED, out);
    }
}

impl Process {
    /// Has the pages of some bytes put there that are to be copied: a buffer need not have been used before.
    /// What the process may not use like this is left as it is.
    #[inline(always)]
    pub(crate) fn make_present(
        &self,
        (address, length): (u64, u32),
        needed: Rights,
        out: &mut Outbox,
    ) {
        let last = address.saturating_add(u64::from(length.saturating_sub(1))) >> 12;
        let mut next = address >> 12;
        while next <= last {
            let page = next;
            next += 1;
            if let Some(rights) = self.rights_at(page).filter(|it| it.include(needed)) {
                let range = PageRange { first: page, pages: 1 };
                out.push(Output::Populate { process: self.id, range, alike: 1, rights });
            }
        }
    }

    /// What a process may do with the page that it has missed, if it may do what it tried.
    #[inline(always)]
    fn rights_for(&self, fault: Fault) -> Option<Rights> {
        if fault.vector != PAGE_FAULT {
            return None;
        }
        let needed = Rights::of_fault(fault.code);
        self.rights_at(fault.address >> 12).filter(|rights| rights.include(needed))
    }

    /// What a process may do with a page of its stack, or of what it has mapped.
    #[inline(always)]
    fn rights_at(&self, page: u64) -> Option<Rights> {
        if STACK.contains(&page) {
            return Some(Rights::READ_WRITE);
        }
        let region = self.space.regions.find(page)?;
        region.has_memory(page).then_some(region.rights)
    }

    /// How many pages the stack has whose guard this page is; 0 if it is none.
    fn stack_above(&self, page: u64) -> u16 {
        if page + 1 == STACK.start {
            return (STACK.end - STACK.start) as u16;
        }
        let region = self.space.regions.find(page);
        region.map_or(0, |region| region.pages_above_guard(page))
    }
}
