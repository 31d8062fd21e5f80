//! The end of the vcore that runs here, on a core that was interrupted for it: nothing of the vcore is kept, so there is no need
//! to have it leave user mode as one that goes on later does.

use super::{Node, Platform};
use proto::message::{Lane, tag};

/// Names the code for it, see [`proto::slot::Slot::encode_for`].
struct Passing;

impl<P: Platform> Node<P> {
    /// Is the first order in the routine lane that the vcore which runs here is to be dropped?
    #[inline(always)]
    pub(super) fn is_to_die(&self) -> bool {
        let slot = self.star.as_ref().and_then(|star| star.receiver.first(Lane::Routine));
        slot.is_some_and(|slot| slot.tag() == tag::DEATH)
    }

    /// Does so, if that is the first order there, on a core that was interrupted and whose immediate lane was found empty; says
    /// whether it was. Not inlined: whoever only flushes would save more registers.
    #[inline(never)]
    pub(super) fn dies_in_passing(&mut self) -> bool {
        let slot = self.star.as_ref().and_then(|star| star.receiver.first(Lane::Routine));
        let Some(slot) = slot.filter(|slot| slot.tag() == tag::DEATH) else { return false };
        let order = slot.decode_known::<Passing, { tag::DEATH }, _>();
        self.follow_known_for::<Passing, { tag::DEATH }>(order);
        true
    }
}
