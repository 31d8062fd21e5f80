//! Shootdowns that are handed on down a tree, and the answers that are gathered up it.
//!
//! A core that is told flushes, tells the cores next below it, and answers whoever has told it when all of these have
//! answered: so one answer stands for all cores below. It waits for one such shootdown at a time. The coordinator has no other
//! under way that this core takes part in, unless it has given the answers of this one up, and tells each core itself.

use super::{Driver, Effect, Sink};
use proto::core_set::CoreSet;
use proto::id::{CoreId, Generation, Pid};
use proto::message::{PageRange, Peer, ToMonitor};

/// A shootdown that came down a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shootdown {
    /// Whose address space.
    pub pid: Pid,
    /// Which process of that pid.
    pub generation: Generation,
    /// What to flush.
    pub range: PageRange,
    /// Returned in the answer.
    pub ticket: u32,
    /// To how many each core hands it on at most.
    pub fan_out: u8,
    /// The cores to hand it on to.
    pub below: CoreSet,
}

impl Shootdown {
    /// The cores that a core hands it on to, and what it says to each.
    #[inline]
    pub fn parts(&self) -> impl Iterator<Item = (CoreId, Peer)> {
        let Self { pid, generation, range, ticket, fan_out, below } = *self;
        below.subtrees(fan_out).map(move |(to, below)| {
            (to, Peer::TlbShootdown { pid, generation, range, ticket, fan_out, below })
        })
    }
}

/// Answers that are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Gather {
    ticket: u32,
    /// Who is answered then; `None` for the coordinator.
    above: Option<CoreId>,
    /// Cores next below that have not answered.
    missing: CoreSet,
}

impl Driver {
    /// Takes a message of another core about translations; others are not for this part.
    pub fn peer(&mut self, from: CoreId, message: Peer) -> super::Effects {
        let mut effects = super::Effects::none();
        self.on_peer(from, &message, &mut effects);
        effects
    }

    /// As [`Driver::peer`], with the effects put into `out`.
    #[inline(always)]
    pub fn on_peer(&mut self, from: CoreId, message: &Peer, out: &mut impl Sink) {
        match *message {
            Peer::TlbShootdown { pid, generation, range, ticket, fan_out, below } => {
                let it = Shootdown { pid, generation, range, ticket, fan_out, below };
                self.come_down(Some(from), it, out);
            }
            Peer::ShootdownDone { ticket } => self.gather(from, ticket, out),
            _ => {}
        }
    }

    /// Flushes, and hands the shootdown on or answers. Never stale: a core that has another space loaded, or none, only
    /// forgets what it has kept, but others may lie below it.
    #[inline(always)]
    pub(super) fn come_down(
        &mut self,
        above: Option<CoreId>,
        shootdown: Shootdown,
        out: &mut impl Sink,
    ) {
        let Shootdown { pid, generation, range, ticket, below, .. } = shootdown;
        self.flush_own((pid, generation), range, out);
        if below.is_empty() {
            return answer(above, ticket, out);
        }
        // One that was given up comes late, when the core above was held up: nobody waits for its answer.
        let is_older = |it: &Gather| ticket.wrapping_sub(it.ticket).cast_signed() < 0;
        if self.gather.as_ref().is_some_and(is_older) {
            return;
        }
        self.gather = Some(Gather { ticket, above, missing: CoreSet::EMPTY });
        out.add(Effect::HandOn(shootdown));
    }

    /// What the image must say when it has done [`Effect::HandOn`]: the cores next below that have been told, and those that
    /// could not be, with all that lie below them.
    ///
    /// The coordinator tells those. What it hears of this by hears also the answer, later, if it is the first of the
    /// tree; so the answer stands for the others. Any other core does not answer: the coordinator tells all.
    #[inline]
    pub fn handed_on(&mut self, told: CoreSet, unreached: CoreSet, out: &mut impl Sink) {
        let Some(gather) = &mut self.gather else { return };
        let (ticket, above) = (gather.ticket, gather.above);
        gather.missing = told;
        if !unreached.is_empty() {
            out.send(ToMonitor::Unreached { ticket, cores: unreached });
            if above.is_some() {
                self.gather = None;
                return;
            }
        }
        if told.is_empty() {
            self.gather = None;
            answer(above, ticket, out);
        }
    }

    /// A core below has answered. Of another shootdown than this core waits for, or once more, that means nothing.
    #[inline(always)]
    fn gather(&mut self, from: CoreId, ticket: u32, out: &mut impl Sink) {
        let Some(gather) = self.gather.as_mut().filter(|it| it.ticket == ticket) else { return };
        gather.missing.remove(from);
        if gather.missing.is_empty() {
            let above = gather.above;
            self.gather = None;
            answer(above, ticket, out);
        }
    }
}

/// All below have flushed, and so has this core: lets whoever has told it know.
#[inline(always)]
fn answer(above: Option<CoreId>, ticket: u32, out: &mut impl Sink) {
    match above {
        None => out.send(ToMonitor::ShootdownDone { ticket }),
        Some(to) => out.add(Effect::Answer { to, ticket }),
    }
}
