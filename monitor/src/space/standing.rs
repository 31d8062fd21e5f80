//! Vcores that stand still for a change to their memory: their cores are answered, and flush before they go on.
//!
//! So the core of such a vcore needs no shootdown, and no event. It uses no memory of the process until then, whatever
//! becomes of the vcore: where it is told to let go, it loads other tables. That it has page tables loaded of which some may
//! be given back is another matter: a processor walks them when it likes, so for those it has to flush as any other does.

use super::round::to_flush;
use super::work::Job;
use crate::config::Config;
use crate::coordinator::Coordinator;
use crate::cores::Core;
use crate::output::Outbox;
use proto::call::{Call, Outcome};
use proto::id::CoreId;
use proto::message::ToCore;

/// Does a vcore stand still on this core for a call that it has made there? It goes on while the call does, if it did
/// not ask for that or its core is told to let go.
#[inline(always)]
fn stands(cores: &[Core], core: CoreId, call: &Call) -> bool {
    // Looked at last, as few calls get so far.
    let held = || cores[core.index()].seat.held.as_ref();
    call.stands() && held().is_some_and(|it| it.lease == call.lease && it.leaving.is_none())
}

impl Job {
    /// Answers the vcore that stands still for it, now that it is done; false if none does, or it does not any more.
    #[inline(always)]
    pub(super) fn answer_stander(
        &self,
        (cores, config): (&[Core], &Config),
        outcome: Outcome,
        out: &mut Outbox,
    ) -> bool {
        let Some(core) = self.core.filter(|&core| stands(cores, core, &self.call)) else {
            return false;
        };
        let lease = self.call.lease;
        out.send(
            core,
            // What its core was not told to flush, it flushes now.
            match self.flushes_own {
                true => ToCore::Changed { lease, range: to_flush(config, self.range) },
                false => ToCore::Done { lease, outcome },
            },
        );
        true
    }
}

impl Coordinator {
    /// See [`stands`].
    #[inline(always)]
    pub(super) fn stands(&self, core: CoreId, call: &Call) -> bool {
        stands(&self.cores, core, call)
    }

    /// What a call is for takes longer, or is refused: its vcore, if it stands still, goes on.
    pub(super) fn let_go_on(&self, core: CoreId, call: &Call, out: &mut Outbox) {
        if self.stands(core, call) {
            out.send(core, ToCore::Done { lease: call.lease, outcome: Outcome::STARTED });
        }
    }
}
