//! The states of a process and all transitions between them.
//!
//! The state is private to this file and [`Lifecycle::follow`] is its only mutator, so a transition
//! that is not in the table cannot be written.

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Made, and not yet let run.
    Created,
    /// Single-core: waits for the management core.
    RunnableS,
    /// Single-core: has the management core.
    RunningS,
    /// Waits for an event; has no core.
    Waiting,
    /// Many-core: has no core and wants one.
    RunnableM,
    /// Many-core: has at least one core.
    RunningM,
    /// Being destroyed: its handles are being closed.
    Dying,
    /// Being destroyed: its waits are being aborted, and its cores and memory come back.
    DyingAbort,
}

impl State {
    /// Is the process being destroyed?
    #[must_use]
    pub const fn is_dying(self) -> bool {
        matches!(self, Self::Dying | Self::DyingAbort)
    }

    /// The state in one word, as the console shows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::RunnableS => "RUNNABLE_S",
            Self::RunningS => "RUNNING_S",
            Self::Waiting => "WAITING",
            Self::RunnableM => "RUNNABLE_M",
            Self::RunningM => "RUNNING_M",
            Self::Dying => "DYING",
            Self::DyingAbort => "DYING_ABORT",
        }
    }
}

/// What moves a process from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Trigger {
    /// It is let run, or what a single-core process waited for has come.
    WakeSingle,
    /// What a many-core process waited for has come.
    WakeMany,
    /// It gets the management core.
    RunSingle,
    /// Its slice is over, or it gave way.
    SliceOver,
    /// It waits; it has no core any more.
    Wait,
    /// It becomes a many-core process.
    BecomeMany,
    /// It gets its first core.
    RunMany,
    /// Its last core was taken away.
    LoseLast,
    /// It is destroyed.
    Kill,
    /// Its handles are closed.
    Abort,
}

/// The transition is not in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Illegal;

/// The state of one process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lifecycle {
    state: State,
}

impl Lifecycle {
    pub(crate) const fn new() -> Self {
        Self { state: State::Created }
    }

    pub(crate) const fn state(&self) -> State {
        self.state
    }

    /// Makes the transition, or leaves everything as it is when there is none.
    pub(crate) fn follow(&mut self, trigger: Trigger) -> Result<(), Illegal> {
        self.state = match (self.state, trigger) {
            (State::Created | State::Waiting, Trigger::WakeSingle)
            | (State::RunningS, Trigger::SliceOver) => State::RunnableS,
            (State::RunnableS, Trigger::RunSingle) => State::RunningS,
            (State::RunningS | State::RunningM, Trigger::Wait) => State::Waiting,
            (State::RunningS, Trigger::BecomeMany)
            | (State::RunningM, Trigger::LoseLast)
            | (State::Waiting, Trigger::WakeMany) => State::RunnableM,
            (State::RunnableM, Trigger::RunMany) => State::RunningM,
            (alive, Trigger::Kill) if !alive.is_dying() => State::Dying,
            (State::Dying, Trigger::Abort) => State::DyingAbort,
            _ => return Err(Illegal),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Lifecycle, State, Trigger};
    use alloc::vec::Vec;

    const STATES: [State; 8] = [
        State::Created,
        State::RunnableS,
        State::RunningS,
        State::Waiting,
        State::RunnableM,
        State::RunningM,
        State::Dying,
        State::DyingAbort,
    ];
    const TRIGGERS: [Trigger; 10] = [
        Trigger::WakeSingle,
        Trigger::WakeMany,
        Trigger::RunSingle,
        Trigger::SliceOver,
        Trigger::Wait,
        Trigger::BecomeMany,
        Trigger::RunMany,
        Trigger::LoseLast,
        Trigger::Kill,
        Trigger::Abort,
    ];

    #[test]
    fn exactly_the_listed_transitions_exist() {
        let mut found = Vec::new();
        for from in STATES {
            for trigger in TRIGGERS {
                let mut life = Lifecycle { state: from };
                if life.follow(trigger).is_ok() {
                    found.push((from.name(), life.state().name()));
                } else {
                    assert_eq!(life.state(), from);
                }
            }
        }
        found.sort_unstable();
        assert_eq!(
            found,
            [
                ("CREATED", "DYING"),
                ("CREATED", "RUNNABLE_S"),
                ("DYING", "DYING_ABORT"),
                ("RUNNABLE_M", "DYING"),
                ("RUNNABLE_M", "RUNNING_M"),
                ("RUNNABLE_S", "DYING"),
                ("RUNNABLE_S", "RUNNING_S"),
                ("RUNNING_M", "DYING"),
                ("RUNNING_M", "RUNNABLE_M"),
                ("RUNNING_M", "WAITING"),
                ("RUNNING_S", "DYING"),
                ("RUNNING_S", "RUNNABLE_M"),
                ("RUNNING_S", "RUNNABLE_S"),
                ("RUNNING_S", "WAITING"),
                ("WAITING", "DYING"),
                ("WAITING", "RUNNABLE_M"),
                ("WAITING", "RUNNABLE_S"),
            ]
        );
    }
}
