//! Events: what a process finds in the mailbox of a vcore.

use serde::{Deserialize, Serialize};

/// One event.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Event {
    /// What happened: one of [`kind`], or a number that the sender chose.
    pub kind: u16,
    /// What goes with it, see the kind.
    pub value: u64,
}

/// The kinds that the kernel posts.
pub mod kind {
    /// A core will be taken away: the vcore's number.
    pub const PREEMPT_PENDING: u16 = 1;
    /// A vcore was preempted and does not run: its number.
    pub const VCORE_PREEMPTED: u16 = 3;
    /// An alarm went off: its number.
    pub const ALARM: u16 = 7;
    /// A call has its outcome: the address of its structure.
    pub const CALL_DONE: u16 = 10;
    /// A vcore gave its core away and will start anew; look for what it had not read: its number.
    pub const CHECK_MESSAGES: u16 = 11;
    /// A child has ended: its pid.
    pub const CHILD_ENDED: u16 = 12;
    /// A signal, as Unix has them; there are no default actions: its number.
    pub const SIGNAL: u16 = 13;
    /// A vcore's core has stopped for good: the vcore's number. Unless it is marked as preempted, what ran
    /// there is lost, and the vcore starts anew.
    pub const VCORE_LOST: u16 = 14;
}
