//! What many cores are told in one go, and what many answer to that told together: shootdowns, and that a process ends.

use super::raw::TICKET;
use super::stars::Stars;
use super::{Hub, Node};
use crate::arch::cpu;
use monitor::{CoreSet, Input, MOST_FLUSHED, MOST_RELEASED};
use proto::id::{CoreId, Pid};
use proto::message::{ToCore, ToMonitor, said};

/// What cores have answered that is told together: that they have flushed, to the shootdown with a ticket, or that they have let
/// go of a process, which is destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer(u64);

impl Answer {
    /// Above all tickets.
    const RELEASED: u64 = 1 << 32;

    const fn flushed(ticket: u32) -> Self {
        Self(ticket as u64)
    }

    const fn released(pid: Pid) -> Self {
        Self(Self::RELEASED | pid.0 as u64)
    }

    /// The ticket of the shootdown, if it was one.
    const fn ticket(self) -> Option<u32> {
        if self.0 < Self::RELEASED { Some(self.0 as u32) } else { None }
    }
}

/// Answers of one kind that have come in this pass and that the coordinator has not been told of. Whatever else it is
/// told, it has been told of them before.
#[derive(Debug)]
pub(super) struct Gathered {
    /// The cores, if there are several.
    cores: CoreSet,
    /// The first of them, and how many there are.
    first: CoreId,
    count: u32,
    answer: Answer,
}

impl Gathered {
    /// None.
    pub(super) const NONE: Self =
        Self { cores: CoreSet::EMPTY, first: CoreId(0), count: 0, answer: Answer::flushed(0) };

    /// Adds the answer of a core to others of its kind, if there are any, but fewer than `MOST`; says whether.
    #[inline(always)]
    fn add<const MOST: u32>(&mut self, core: CoreId, answer: Answer) -> bool {
        if self.answer != answer || !(1..MOST).contains(&self.count) {
            return false;
        }
        if self.count == 1 {
            self.cores = [self.first].into_iter().collect();
        }
        let is_new = self.cores.insert(core);
        if is_new {
            self.count += 1;
        }
        is_new
    }

    /// Begins with the answer of a core.
    #[inline(always)]
    const fn begin(&mut self, core: CoreId, answer: Answer) {
        (self.first, self.count, self.answer) = (core, 1, answer);
    }
}

impl Hub {
    /// A core has answered a shootdown; who has answered one of the console's own is kept for it.
    #[inline(always)]
    pub(super) fn hear_flushed(&mut self, core: CoreId, ticket: u32, node: &mut Node) {
        if ticket == TICKET {
            self.answers.flushed.insert(core);
            return;
        }
        self.gather::<MOST_FLUSHED>(core, Answer::flushed(ticket), node);
    }

    /// A core says that it has let go of a lease of this process, which is destroyed.
    #[inline(always)]
    pub(super) fn hear_killed(&mut self, core: CoreId, pid: Pid, node: &mut Node) {
        self.gather::<MOST_RELEASED>(core, Answer::released(pid), node);
    }

    /// Keeps an answer with the others of its kind, if they are not `MOST`; else those are told before.
    #[inline(always)]
    fn gather<const MOST: u32>(&mut self, core: CoreId, answer: Answer, node: &mut Node) {
        if !self.gathered.add::<MOST>(core, answer) {
            self.tell_gathered(node);
            self.gathered.begin(core, answer);
        }
    }

    /// Tells the coordinator what was gathered, if it does not know.
    #[inline(always)]
    pub(super) fn tell_gathered(&mut self, node: &mut Node) {
        if self.gathered.count > 0 {
            self.tell_all_gathered(node);
        }
    }

    #[inline(never)]
    fn tell_all_gathered(&mut self, node: &mut Node) {
        let Gathered { ref cores, first: core, count, answer } = self.gathered;
        self.gathered.count = 0;
        let all = if count > 1 { *cores } else { [core].into_iter().collect() };
        match answer.ticket() {
            None => self.tell_of_released(all, node),
            Some(ticket) if count > 1 => self.tell_of_flushed(all, ticket, node),
            Some(ticket) => {
                let message = ToMonitor::ShootdownDone { ticket };
                self.tell(Input::Message { core, message }, node);
            }
        }
    }

    /// Tells the coordinator of an answer at once; who has answered a shootdown of the console's own is kept for it.
    #[inline(always)]
    pub(super) fn hear_answer(&mut self, core: CoreId, ticket: u32, node: &mut Node) {
        if ticket == TICKET {
            self.answers.flushed.insert(core);
        } else {
            self.tell_of_answer(core, ticket, node);
        }
    }

    #[inline(never)]
    fn tell_of_answer(&mut self, core: CoreId, ticket: u32, node: &mut Node) {
        self.tell_gathered(node);
        let message = ToMonitor::ShootdownDone { ticket };
        self.tell_of_memory::<{ said::SHOOTDOWN_DONE }>(core, message, node);
    }

    /// Tells all of these cores to flush.
    #[inline(never)]
    pub(super) fn send_all(&mut self, cores: &CoreSet, message: &ToCore, node: &mut Node) {
        let mut rest = *cores;
        if rest.remove(CoreId::MANAGEMENT) {
            self.deliver(CoreId::MANAGEMENT, message, node);
        }
        let ToCore::TlbShootdown { .. } = *message else {
            return rest.iter().for_each(|core| self.deliver(core, message, node));
        };
        shoot_down_all(&mut self.stars, &mut self.sent, &rest, message, node);
    }

    /// Tells all of these cores, of which this one is none, to let go of the leases that they have.
    #[inline(never)]
    pub(super) fn let_go_all(&mut self, cores: &CoreSet, node: &mut Node) {
        let Self { coordinator, stars, .. } = self;
        let platform = *node.platform();
        node.outbox().tell_all_at_once(cores, &platform, |core| {
            if let Some(lease) = coordinator.leased(core) {
                stars.let_go(core, lease);
            }
        });
    }
}

/// Tells all of these cores, of which this one is none, to flush, and notes when they were told.
#[inline(never)]
pub(super) fn shoot_down_all(
    stars: &mut Stars,
    sent: &mut [[u64; 2]],
    cores: &CoreSet,
    message: &ToCore,
    node: &mut Node,
) {
    let ToCore::TlbShootdown { pid, generation, range, ticket } = *message else { return };
    let (order, now) = (ToCore::TlbShootdown { pid, generation, range, ticket }, cpu::now());
    let platform = *node.platform();
    node.outbox().knock_at_all(cores, &platform, |core| {
        stars.shoot_down(core, &order);
        if let Some(sent) = sent.get_mut(core.index()) {
            sent[1] = now;
        }
    });
}
