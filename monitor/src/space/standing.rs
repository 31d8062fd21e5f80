//! Vcores that stand still for a change to their memory: their cores are answered, and flush before they go on.
//!
//! So the core of such a vcore needs no shootdown, and no event. It uses no memory of the process until then, whatever
//! becomes of the vcore: where it is told to let go, it loads other tables. That it has page tables loaded of which some may
//! be given back is another matter: a processor walks them when it likes, so for those it has to flush as any other does.

use super::work::Job;
use crate::coordinator::Coordinator;
use crate::output::Outbox;
use proto::call::{Call, Outcome};
use proto::id::CoreId;
use proto::message::{PageRange, ToCore};

/// A vcore that has stood still for a job, and is to be answered.
#[derive(Clone, Copy)]
pub(super) struct Stander {
    core: CoreId,
    call: Call,
    /// What its core was not told to flush.
    flush: Option<PageRange>,
}

impl Job {
    #[inline(always)]
    pub(super) fn stander(&self) -> Option<Stander> {
        let flush = self.flushes_own.then_some(self.range);
        self.core.map(|core| Stander { core, call: self.call, flush })
    }
}

impl Coordinator {
    /// Does a vcore stand still on this core for a call that it has made there? It goes on while the call does, if it did
    /// not ask for that or its core is told to let go.
    #[inline(always)]
    pub(super) fn stands(&self, core: CoreId, call: &Call) -> bool {
        let held = self.cores[core.index()].seat.held.as_ref();
        call.stands() && held.is_some_and(|it| it.lease == call.lease && it.leaving.is_none())
    }

    /// Answers a vcore that stands still for a job that is done; false if it does not any more.
    #[inline(always)]
    pub(super) fn answer_stander(&self, it: &Stander, outcome: Outcome, out: &mut Outbox) -> bool {
        let Stander { core, ref call, flush } = *it;
        if !self.stands(core, call) {
            return false;
        }
        let lease = call.lease;
        out.send(
            core,
            match flush {
                Some(range) => ToCore::Changed { lease, range: self.to_flush(range) },
                None => ToCore::Done { lease, outcome },
            },
        );
        true
    }

    /// What a call is for takes longer, or is refused: its vcore, if it stands still, goes on.
    pub(super) fn let_go_on(&self, core: CoreId, call: &Call, out: &mut Outbox) {
        if self.stands(core, call) {
            out.send(core, ToCore::Done { lease: call.lease, outcome: Outcome::STARTED });
        }
    }
}
