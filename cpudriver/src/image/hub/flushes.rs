//! Shootdowns: the same message for many cores, and the answers of many told together.

use super::raw::TICKET;
use super::stars::Stars;
use super::{Hub, Node};
use crate::arch::cpu;
use monitor::{CoreSet, Input, MOST_FLUSHED};
use proto::id::CoreId;
use proto::message::{ToCore, ToMonitor, said};

/// Answers to one shootdown that have come in this pass and that the coordinator has not been told of. Whatever else it is
/// told, it has been told of them before.
#[derive(Debug)]
pub(super) struct Flushed {
    /// The cores, if there are several.
    cores: CoreSet,
    /// The first of them, and how many there are.
    first: CoreId,
    count: u32,
    ticket: u32,
}

impl Flushed {
    /// None.
    pub(super) const NONE: Self =
        Self { cores: CoreSet::EMPTY, first: CoreId(0), count: 0, ticket: 0 };
}

impl Hub {
    /// A core has answered a shootdown; who has answered one of the console's own is kept for it.
    #[inline(always)]
    pub(super) fn hear_flushed(&mut self, core: CoreId, ticket: u32, node: &mut Node) {
        if ticket == TICKET {
            self.answers.flushed.insert(core);
            return;
        }
        let it = &mut self.flushed;
        if it.ticket == ticket && matches!(it.count, 1..MOST_FLUSHED) {
            if it.count == 1 {
                it.cores = [it.first].into_iter().collect();
            }
            if it.cores.insert(core) {
                it.count += 1;
                return;
            }
        }
        self.tell_flushed(node);
        let it = &mut self.flushed;
        (it.first, it.count, it.ticket) = (core, 1, ticket);
    }

    /// Tells the coordinator who has answered, if it does not know.
    #[inline(always)]
    pub(super) fn tell_flushed(&mut self, node: &mut Node) {
        if self.flushed.count > 0 {
            self.tell_all_flushed(node);
        }
    }

    #[inline(never)]
    fn tell_all_flushed(&mut self, node: &mut Node) {
        let Flushed { ref cores, first: core, count, ticket } = self.flushed;
        self.flushed.count = 0;
        if count > 1 {
            return self.tell_of_flushed(*cores, ticket, node);
        }
        self.tell(Input::Message { core, message: ToMonitor::ShootdownDone { ticket } }, node);
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
        self.tell_flushed(node);
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
