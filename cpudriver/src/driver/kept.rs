//! Translations that a core keeps of spaces which are not loaded, and when it may use them again.
//!
//! A processor with identifiers of address spaces (PCID; Intel SDM vol. 3, 4.10.1) uses a translation only while the
//! identifier is loaded under which it was made, so another space can be loaded without forgetting it. But only cores that
//! have a space loaded are told of its shootdowns. What makes it right to use again what was kept:
//!
//! - Each start says how often something was taken from the space so far ([`ToCore::StartCore`]). The coordinator counts
//!   that up where it sees whom it has to tell of a shootdown. So who is started later hears another number than it has kept,
//!   and forgets all of that space; also if it was told, and has flushed, while it had the space loaded.
//! - Who was told to start before is told of the shootdown as well, and may take that first: messages of the immediate lane
//!   overtake. A core that is told of a space which is not loaded loses what it has kept, before it answers.
//! - Who was told to leave before, and is not told of the shootdown, is waited for until it has left. What it has kept is too
//!   old then, and its next start says so.
//! - An identifier that changes hands, and one that a core uses for the first time since its own start, is flushed first.
//!   So it makes no difference what a dead process, or an earlier life of the core, has left under it, were it the
//!   address of a page table that is something else by now.
//!
//! Rights that were added need no flush: a core that lacks them faults, which makes it forget that translation.

use super::{Driver, Effect, Held, Sink};
use proto::id::{Generation, Lease, Pid};
use proto::message::PageRange;
#[cfg(doc)]
use proto::message::ToCore;

/// Spaces of which a core keeps translations at most, the one that is loaded among them. Few: there are not more translations
/// in a processor than those use.
pub const MOST_KEPT: u8 = 6;

/// A lease to be taken, and what its core is told with it: [`ToCore::StartCore`].
pub(super) struct Start {
    pub(super) lease: Lease,
    pub(super) root: u64,
    pub(super) notified: u32,
    pub(super) removals: u64,
}

/// Under which identifier a space is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Identifier {
    /// From 1 on. 0 where the machine tells no spaces apart; else that is the kernel's own tables.
    pub number: u16,
    /// What was kept under it holds still. Else it is to be forgotten with the load.
    pub holds: bool,
}

/// Which process of which pid.
type Whose = (Pid, Generation);

/// What is kept under an identifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Kept {
    /// Of whose space; pid 0, which is nobody's, if nothing is.
    whose: Whose,
    /// How often something had been taken from the space when it was loaded last.
    removals: u64,
}

/// The identifiers of a core: nothing is kept under any of them at first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Identifiers {
    /// Under the identifiers from 1 on.
    kept: [Kept; MOST_KEPT as usize],
    /// How many of them are used.
    count: u8,
    /// The one that is taken for the next space of which nothing is kept.
    next: u8,
    /// What is kept is not used again.
    are_doubtful: bool,
}

impl Identifiers {
    pub(super) fn new(count: u8) -> Self {
        Self { count: count.min(MOST_KEPT), ..Self::default() }
    }

    /// The identifier under which a space is loaded from now on.
    #[inline(always)]
    fn load(&mut self, whose: Whose, removals: u64) -> Identifier {
        if self.count == 0 { Identifier::default() } else { self.load_one(whose, removals) }
    }

    #[inline(never)]
    fn load_one(&mut self, whose: Whose, removals: u64) -> Identifier {
        let now = Kept { whose, removals };
        if core::mem::take(&mut self.are_doubtful) {
            self.kept = [Kept::default(); MOST_KEPT as usize];
        }
        let found = self.kept.iter().position(|kept| kept.whose == whose);
        let index = found.unwrap_or_else(|| self.take_next());
        let holds = core::mem::replace(&mut self.kept[index], now) == now;
        Identifier { number: 1 + index as u16, holds }
    }

    /// In turn, for who was loaded last is not told from the others.
    fn take_next(&mut self) -> usize {
        let index = self.next;
        self.next = (index + 1) % self.count;
        usize::from(index)
    }

    /// What is kept now is not used again. All of it, though one space would do, because to find that one costs each vcore
    /// that only flushes four instructions, for which registers are saved, and it comes seldom: a start is overtaken.
    #[inline(always)]
    const fn forget(&mut self) {
        self.are_doubtful = true;
    }
}

impl Driver {
    /// One of a core that tells so many spaces apart, beside the kernel's own tables, up to [`MOST_KEPT`].
    #[must_use]
    pub fn with_identifiers(count: u8) -> Self {
        Self { identifiers: Identifiers::new(count), ..Self::default() }
    }

    /// Loads the space of a lease that has just been taken.
    #[inline(always)]
    pub(super) fn load(&mut self, start: &Start, out: &mut impl Sink) {
        let Start { lease: Lease { pid, generation, .. }, root, removals, .. } = *start;
        let identifier = self.identifiers.load((pid, generation), removals);
        out.add(Effect::Load { root, identifier });
    }

    /// Flushes if that space is loaded; else nothing that was kept is used again.
    #[inline(always)]
    pub(super) fn flush_own(&mut self, whose: Whose, range: PageRange, out: &mut impl Sink) {
        let loaded = |held: &Held| (held.lease.pid, held.lease.generation);
        if self.held.as_ref().is_some_and(|held| loaded(held) == whose) {
            out.add(Effect::Flush { range });
        } else {
            self.identifiers.forget();
        }
    }
}
