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

/// The kinds that the kernel posts, and where those of programs begin.
pub mod kind {
    /// A core will be taken away: the vcore's number.
    pub const PREEMPT_PENDING: u16 = 1;
    /// A vcore was preempted and does not run: its number.
    pub const VCORE_PREEMPTED: u16 = 3;
    /// An alarm went off: its number.
    pub const ALARM: u16 = 7;
    /// Something has come to an event queue: the address of the [queue](crate::program::queue).
    pub const QUEUE: u16 = 8;
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
    /// From here on kinds mean what programs agree on. A process may send them to whoever shares memory with it, and
    /// others only to itself and its descendants.
    pub const OF_PROGRAMS: u16 = 64;
}

/// Bits of the flags of an event queue, which say who is told of an event, and how. The names are Akaros'.
pub mod flag {
    /// The vcore that is told is entered if it runs outside vcore context. Without this it finds out when it next
    /// looks at [`PENDING`](crate::program::data::PENDING), which the refusal of a yield makes it do.
    pub const IPI: u16 = 1;
    /// The event itself goes to the mailbox of a vcore that will look: see [`SPAM_INDIR`]. The queue's own mailbox is
    /// not used.
    pub const SPAM_PUBLIC: u16 = 1 << 1;
    /// The event goes to the queue's own mailbox, and [`QUEUE`](super::kind::QUEUE) tells a vcore to look there.
    pub const INDIR: u16 = 1 << 2;
    /// An event for a vcore's mailbox goes to its private one, which nobody else reads. Not if it is to reach whoever
    /// looks.
    pub const VCORE_PRIVATE: u16 = 1 << 3;
    /// With [`INDIR`]: what tells of the event reaches a vcore that will look. That is the chosen one if it has a core, or
    /// if its [`LOOKED_AT`](crate::program::data::LOOKED_AT) is set; else another that has a core; else the one that is
    /// started next, for which a process that waits is woken.
    pub const SPAM_INDIR: u16 = 1 << 4;
    /// Only a vcore that has a core is told: a mailbox that is looked at without one is no reason. If none has a core it
    /// is the one that is started next.
    pub const VCORE_MUST_RUN: u16 = 1 << 5;
    /// With [`INDIR`]: a vcore is told of each event. Without this none is told, nor entered, while
    /// [`ALERTED`](crate::program::queue::ALERTED) is set.
    pub const NOTHROTTLE: u16 = 1 << 6;
    /// Vcores that have a core are chosen in turn.
    pub const ROUNDROBIN: u16 = 1 << 7;
    /// The vcore that the event is about is chosen, rather than the queue's.
    pub const VCORE_APPRO: u16 = 1 << 8;
    /// A process that waits without cores is woken.
    pub const WAKEUP: u16 = 1 << 9;
}
