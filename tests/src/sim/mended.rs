//! What the kernel does about most page faults: it asks the coordinator for the page at once, and for no outputs. It must
//! come to what the step with the fault comes to.

use super::world::{Happened, Violation, World, violation};
use monitor::{Coordinator, Fault, Input, Output, ProcessId};
use proto::call::Outcome;
use proto::message::{ToCore, ToMonitor};

/// What a fault comes to at once.
pub(crate) struct Mended {
    coordinator: Coordinator,
    outputs: [Output; 2],
}

impl World {
    /// What this comes to if it is a fault that is mended at once; if not, it must leave the coordinator as it was.
    pub(crate) fn mended_at_once(&self, input: &Input<'_>) -> Result<Option<Mended>, Violation> {
        let Input::Message { core, message } = *input else { return Ok(None) };
        let ToMonitor::Fault { lease, address, vector, code, at } = message else {
            return Ok(None);
        };
        let mut coordinator = self.coordinator.clone();
        let fault = Fault { vector, code, address, at };
        let Some(page) = coordinator.mend_at_once(self.now, core, lease, fault) else {
            return match coordinator == self.coordinator {
                true => Ok(None),
                false => violation("a fault that is not mended at once has changed something"),
            };
        };
        let process = ProcessId { pid: lease.pid, generation: lease.generation };
        if coordinator.root(process) != Some(page.root) {
            return violation("a page is put into another address space");
        }
        let (range, alike, rights) = (page.range, page.range.pages, page.rights);
        let message = ToCore::Done { lease, outcome: Outcome::OK };
        let outputs =
            [Output::Populate { process, range, alike, rights }, Output::Send { core, message }];
        Ok(Some(Mended { coordinator, outputs }))
    }

    /// The step has been made, with these outputs.
    pub(crate) fn check_mended(&self, mended: Option<Mended>, outputs: &[Output]) -> Happened {
        match mended {
            Some(it) if it.outputs != *outputs || it.coordinator != self.coordinator => {
                violation("a fault that is mended at once comes to something else than its step")
            }
            _ => Ok(()),
        }
    }
}
