//! Events of the coordinator: kept for the command that waits for them, or told to the person at the console.

use super::{EVENTS, Hub, NOTICES, Node};
use monitor::Event;

impl Hub {
    #[inline(never)]
    pub(super) fn note(&mut self, event: &Event, node: &mut Node) {
        self.has_noted = true;
        match *event {
            Event::Joined { core, .. } => {
                // When the machine has booted the shell counts those that have joined.
                return self.clear_handoff(core, node);
            }
            Event::Started { core, .. } => self.clear_handoff(core, node),
            Event::CoreLost { core, .. } => {
                self.answers.lose(core);
                // Core 0 may be waiting for it in a part of an experiment.
                node.call_off();
                self.continue_trees(node);
            }
            Event::DumpUnanswered { .. } => self.interrupted_core = None,
            Event::Ended { process, code } => return self.family.ended(process, code),
            Event::Spawned { process } => self.family.born(process),
            _ => {}
        }
        let unasked = matches!(
            event,
            Event::CoreLost { .. }
                | Event::CoreBack { .. }
                | Event::GivenToEve { .. }
                | Event::Faulted { .. }
        );
        let (queue, most) = match unasked {
            true => (&mut self.notices, NOTICES),
            false => (&mut self.events, EVENTS),
        };
        if queue.len() == most {
            queue.pop_front();
        }
        queue.push_back(*event);
    }

    /// The next event that a command asked for.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next thing that the person at the console should know though nobody asked.
    pub(crate) fn next_notice(&mut self) -> Option<Event> {
        self.notices.pop_front()
    }

    /// Forgets such of these.
    pub(crate) fn forget_notices(&mut self, is_one: impl Fn(&Event) -> bool) {
        self.notices.retain(|notice| !is_one(notice));
    }

    /// Whether there is such a thing.
    pub(crate) fn has_notices(&self) -> bool {
        !self.notices.is_empty() || self.output_waits()
    }
}
