//! What cores answer to orders that the console gives them past the coordinator.
//!
//! Links, experiments and counters are instruments, not state of the system: the hub orders them and
//! waits for their answers itself.

use alloc::collections::VecDeque;
use monitor::CoreSet;
use proto::id::CoreId;
use proto::message::ToMonitor;

/// Answers that wait to be looked at, at most: two from each core.
const ROOM: usize = 512;

/// Answers in the order in which they came, and cores that will not answer any more.
#[derive(Debug)]
pub(crate) struct Answers {
    kept: VecDeque<(CoreId, ToMonitor)>,
    lost: Option<CoreId>,
    /// Cores that have answered a shootdown that was about nothing.
    pub(super) flushed: CoreSet,
}

impl Answers {
    /// Makes room for all answers that can be awaited at once.
    pub(crate) fn new() -> Self {
        Self { kept: VecDeque::with_capacity(ROOM), lost: None, flushed: CoreSet::EMPTY }
    }

    /// Keeps a message if it is such an answer; false if it is the coordinator's.
    pub(crate) fn keep(&mut self, core: CoreId, message: &ToMonitor) -> bool {
        let ours = matches!(
            message,
            ToMonitor::Linked { .. }
                | ToMonitor::Unlinked { .. }
                | ToMonitor::ExperimentDone { .. }
                | ToMonitor::Samples { .. }
                | ToMonitor::Counters { .. }
        );
        if ours && self.kept.len() < ROOM {
            self.kept.push_back((core, *message));
        }
        ours
    }

    /// Notes that a core is lost.
    pub(crate) const fn lose(&mut self, core: CoreId) {
        self.lost = Some(core);
    }

    /// Forgets all, before something new is ordered.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
        self.lost = None;
    }

    /// The oldest answer.
    pub(crate) fn next(&mut self) -> Option<(CoreId, ToMonitor)> {
        self.kept.pop_front()
    }

    /// The last core that was lost since the last [`Answers::clear`].
    pub(crate) const fn lost(&self) -> Option<CoreId> {
        self.lost
    }
}
