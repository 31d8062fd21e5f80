//! What a process has beside cores and memory.

use crate::clocks::Alarms;
use crate::handles::Handles;
use crate::queues::Queues;
use crate::user::User;

/// A process's user, handles and alarms, and what is counted for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Io {
    pub(crate) user: User,
    pub(crate) handles: Handles,
    pub(crate) alarms: Alarms,
    /// Which of its events go to queues.
    pub(crate) queues: Queues,
    /// Events that have been posted to it, those not counted that say that a call is done.
    pub(crate) posted: u32,
    /// Pipes that it made and that are still open.
    pub(crate) pipes: u8,
}

impl Io {
    pub(crate) const NONE: Self = Self {
        user: User::EVE,
        handles: Handles::NONE,
        alarms: Alarms::NONE,
        queues: Queues::NONE,
        posted: 0,
        pipes: 0,
    };
}
