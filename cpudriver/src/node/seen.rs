//! What a core has seen of traced calls, on its way to the trace.
//!
//! It travels like a request: it leaves the slots of answers alone, and when there is no room it is left out and
//! counted, so a program that is traced never waits.

use super::Star;
use crate::post::Outbox;
use crate::post::bounds::ANSWERS;
use crate::program::seen::{PARTS, Seen};
use alloc::collections::VecDeque;
use proto::id::CoreId;
use proto::message::{Lane, ToMonitor};

/// Messages that the management core keeps for itself.
const KEPT: usize = 512;

#[derive(Debug)]
pub(super) struct SeenCalls {
    /// On the management core, which has no ring to itself.
    kept: VecDeque<ToMonitor>,
    dropped: u64,
}

impl SeenCalls {
    pub(super) fn new(core: CoreId) -> Self {
        let room = if core == CoreId::MANAGEMENT { KEPT } else { 0 };
        Self { kept: VecDeque::with_capacity(room), dropped: 0 }
    }

    /// Passes it on, or counts it when there is no room for all of its parts.
    pub(super) fn pass_on(&mut self, it: Seen, mut star: Option<&mut Star>, outbox: &mut Outbox) {
        self.tell_dropped(star.as_deref_mut(), outbox);
        if !self.send(it, star, outbox) {
            self.dropped += 1;
        }
    }

    /// Says how much was left out, if there is room to say so.
    pub(super) fn tell_dropped(&mut self, star: Option<&mut Star>, outbox: &mut Outbox) {
        if self.dropped > 0
            && star.is_some()
            && self.send(Seen::Dropped(self.dropped), star, outbox)
        {
            self.dropped = 0;
        }
    }

    fn send(&mut self, it: Seen, star: Option<&mut Star>, outbox: &mut Outbox) -> bool {
        let (parts, count) = it.parts();
        let parts = &parts[..count];
        let Some(star) = star else {
            let fits = self.kept.len() + count <= KEPT;
            if fits {
                self.kept.extend(parts);
            }
            return fits;
        };
        let fits = star.sender.has_more_than(ANSWERS + PARTS, Lane::Routine);
        fits && parts
            .iter()
            .all(|part| outbox.send(CoreId::MANAGEMENT, &mut star.sender, part).is_ok())
    }

    pub(super) fn take(&mut self) -> Option<ToMonitor> {
        self.kept.pop_front()
    }

    pub(super) fn take_dropped(&mut self) -> u64 {
        core::mem::take(&mut self.dropped)
    }
}
