//! What the coordinator knows about each core as a member of the machine.

use crate::seat::{Held, Seat};
use proto::id::{CoreId, Pid};

/// Whether a core serves, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CoreState {
    /// In the firmware's list, but not usable.
    Absent,
    /// Its start-up has begun and it has not joined yet.
    Starting,
    /// It serves.
    Online,
    /// It did not answer in time. Whether it still runs is not known.
    Silent,
    /// It panicked, or could not be started.
    Failed,
    /// It was parked on request.
    Stopped,
}

impl CoreState {
    /// The state in one word, as the console shows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Starting => "starting",
            Self::Online => "online",
            Self::Silent => "silent",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// What the console may know about a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CoreView {
    /// Whether it serves.
    pub state: CoreState,
    /// A ping waits for its answer.
    pub ping_outstanding: bool,
    /// A dump waits for its answer.
    pub dump_outstanding: bool,
    /// `Stop` waits for its answer.
    pub stop_outstanding: bool,
    /// Messages from the core that nothing had asked for or that came too late.
    pub unexpected: u32,
    /// A shootdown waits for its answer.
    pub shootdown_outstanding: bool,
    /// The lease that it has.
    pub held: Option<Held>,
    /// The one that it was told to leave for it, and has not said that it has.
    pub leaver: Option<Held>,
}

/// A ping that has been sent and not been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ping {
    pub(crate) sent: u64,
    /// The console asked for this one; else it is a heartbeat.
    pub(crate) for_console: bool,
}

/// How far a request for a report has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Dump {
    #[default]
    None,
    Asked,
    ByNmi,
}

/// One core.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Core {
    pub(crate) state: CoreState,
    pub(crate) ping: Option<Ping>,
    /// The number of the last ping; an answer with another number is too late.
    pub(crate) nonce: u32,
    /// The console has asked for a ping while a heartbeat was outstanding.
    pub(crate) ping_waiting: bool,
    pub(crate) dump: Dump,
    /// `Dump` was sent and has not been answered, whether or not anybody still waits for that.
    pub(crate) dump_sent: bool,
    /// When the start-up began, and whether the console asked for it.
    pub(crate) started: u64,
    pub(crate) start_for_console: bool,
    pub(crate) stopping: bool,
    /// `Stop` was sent: the core will park, if it does anything any more.
    pub(crate) parks: bool,
    pub(crate) unexpected: u32,
    /// What runs on it.
    pub(crate) seat: Seat,
}

impl Core {
    pub(crate) fn new(state: CoreState, now: u64) -> Self {
        Self {
            state,
            ping: None,
            nonce: 0,
            ping_waiting: false,
            dump: Dump::None,
            dump_sent: false,
            started: now,
            start_for_console: false,
            stopping: false,
            parks: false,
            unexpected: 0,
            seat: Seat::default(),
        }
    }

    /// Does it serve, and go on serving?
    #[inline(always)]
    pub(crate) fn may_be_leased(&self) -> bool {
        self.state == CoreState::Online && !self.stopping
    }

    pub(crate) fn view(&self) -> CoreView {
        CoreView {
            state: self.state,
            ping_outstanding: self.ping.is_some(),
            dump_outstanding: self.dump != Dump::None,
            stop_outstanding: self.stopping,
            unexpected: self.unexpected,
            shootdown_outstanding: self.seat.shootdown.is_some(),
            held: self.seat.held,
            leaver: self.seat.leaver,
        }
    }
}

/// A timer of the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Timer {
    /// The next heartbeat is due.
    Heartbeat,
    /// The core's answer to a ping is overdue.
    Ping(CoreId),
    /// The core's report is overdue.
    Dump(CoreId),
    /// The core's `Join` or `Stopped` is overdue.
    Change(CoreId),
    /// The core's `Preempted` or `Released` is overdue.
    LetGo(CoreId),
    /// The process on the core was warned, and its time is up.
    Warning(CoreId),
    /// The slice of the single-core process that runs is over.
    Slice,
    /// A core changes hands if somebody waits for one.
    Share,
    /// Something of a process is due.
    Clock(Pid),
}

impl Timer {
    /// Is a core lost when it has run out?
    pub(crate) const fn judges(self) -> bool {
        matches!(self, Self::Ping(_) | Self::Change(_) | Self::LetGo(_))
    }
}
