//! What the coordinator is told about the machine and about time when it is made.

/// Deadlines and rates, all in ticks of the clock that `now` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// How long a core may take from its start-up (INIT) to `Join`.
    pub start_timeout: u64,
    /// How long a core may take to answer a message.
    pub answer_timeout: u64,
    /// Time between two heartbeat pings; each goes to the next core in turn.
    pub heartbeat_interval: u64,
}

impl Config {
    /// The defaults for a clock of so many ticks a second: 2 s to start, 1 s to answer, ten pings a
    /// second.
    #[must_use]
    pub const fn with_ticks_per_second(ticks: u64) -> Self {
        Self { start_timeout: 2 * ticks, answer_timeout: ticks, heartbeat_interval: ticks / 10 }
    }
}
