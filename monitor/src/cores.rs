//! What the coordinator knows about each core as a member of the machine.

use proto::id::CoreId;

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
    /// When the start-up began, and whether the console asked for it.
    pub(crate) started: u64,
    pub(crate) start_for_console: bool,
    pub(crate) stopping: bool,
    pub(crate) unexpected: u32,
}

impl Core {
    pub(crate) fn new(state: CoreState, now: u64) -> Self {
        Self {
            state,
            ping: None,
            nonce: 0,
            ping_waiting: false,
            dump: Dump::None,
            started: now,
            start_for_console: false,
            stopping: false,
            unexpected: 0,
        }
    }

    pub(crate) fn view(&self) -> CoreView {
        CoreView {
            state: self.state,
            ping_outstanding: self.ping.is_some(),
            dump_outstanding: self.dump != Dump::None,
            stop_outstanding: self.stopping,
            unexpected: self.unexpected,
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
}

/// Timers of a core.
pub(crate) const TIMERS_PER_CORE: u32 = 3;

impl Timer {
    /// The timer's number: 0 for the heartbeat, then the cores' in turn.
    pub(crate) fn number(self) -> u32 {
        let of = |core: CoreId, which: u32| 1 + u32::from(core.0) * TIMERS_PER_CORE + which;
        match self {
            Self::Heartbeat => 0,
            Self::Ping(core) => of(core, 0),
            Self::Dump(core) => of(core, 1),
            Self::Change(core) => of(core, 2),
        }
    }

    /// The timer of that number.
    pub(crate) fn from_number(number: u32) -> Self {
        let Some(number) = number.checked_sub(1) else { return Self::Heartbeat };
        let core = u16::try_from(number / TIMERS_PER_CORE).expect("numbers are made from 16 bits");
        match number % TIMERS_PER_CORE {
            0 => Self::Ping(CoreId(core)),
            1 => Self::Dump(CoreId(core)),
            _ => Self::Change(CoreId(core)),
        }
    }
}
