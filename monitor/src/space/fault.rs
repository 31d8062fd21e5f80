//! Page faults: memory that is there by right and not yet in the page tables.

use crate::coordinator::Coordinator;
use crate::output::{Event as Told, Fault, Outbox, Output};
use crate::process::Process;
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

impl Coordinator {
    /// A vcore cannot go on. Where its process may do what it tried, the page is put there and it tries
    /// again; the others never stop. So it does if the page is there: another vcore was first, or the
    /// core's translation is from before rights were added.
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
        let needed = Rights::of_fault(fault.code);
        let page = fault.address >> 12;
        let process = self.table.at(lease.pid);
        match process.rights_at(page).filter(|rights| rights.include(needed)) {
            Some(rights) if fault.vector == PAGE_FAULT => {
                let process = process.id;
                let range = PageRange { first: page, pages: 1 };
                out.push(Output::Populate { process, range, alike: 1, rights });
                out.send(core, ToCore::Done { lease, outcome: Outcome::OK });
                true
            }
            _ => false,
        }
    }

    /// An exception that nobody handles ends the process.
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

    /// What a process may do with a page of its stack, or of what it has mapped.
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
