//! Shootdowns: the same message for many cores, and the answers of many told together.

use super::raw::TICKET;
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
    /// The last of them, and how many there are.
    last: CoreId,
    count: u32,
    ticket: u32,
}

impl Flushed {
    /// None.
    pub(super) const NONE: Self =
        Self { cores: CoreSet::EMPTY, last: CoreId(0), count: 0, ticket: 0 };
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
        if it.count > 0 {
            let is_more = it.ticket == ticket && it.count < MOST_FLUSHED && it.last != core;
            if is_more && (it.count == 1 || !it.cores.contains(core)) {
                if it.count == 1 {
                    it.cores = [it.last].into_iter().collect();
                }
                it.cores.insert(core);
                (it.last, it.count) = (core, it.count + 1);
                return;
            }
            self.tell_all_flushed(node);
        }
        let it = &mut self.flushed;
        (it.last, it.count, it.ticket) = (core, 1, ticket);
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
        let Flushed { ref cores, last: core, count, ticket } = self.flushed;
        self.flushed.count = 0;
        if count > 1 {
            return self.tell(Input::Flushed { cores: *cores, ticket }, node);
        }
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
        let ToCore::TlbShootdown { pid, generation, range, ticket } = *message else {
            return rest.iter().for_each(|core| self.deliver(core, message, node));
        };
        let (order, now) = (ToCore::TlbShootdown { pid, generation, range, ticket }, cpu::now());
        for core in rest.members() {
            self.stars.shoot_down(core, &order);
            if let Some(sent) = self.sent.get_mut(core.index()) {
                sent[1] = now;
            }
        }
        let platform = *node.platform();
        node.outbox().knock_at_all(&rest, &platform);
    }
}
