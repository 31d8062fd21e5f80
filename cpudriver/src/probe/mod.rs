//! The test build: points at which a core can be held up, and what crossed what.
//!
//! A crossing is something that a core does while something that was decided against it is under way. Which it is can
//! be told where the two meet: by the coordinator, which hears a request of a vcore whose core it has told to let go
//! ([`heard`]), and by the core, which takes one order behind another without having been in user mode in between
//! ([`Orders::take`]). A test holds a core up at a [`Point`], decides something, lets it go, and asks whether the
//! crossing that it wanted has been counted.
//!
//! Built for tests and with the feature `probes` alone: the normal image has nothing of it.

mod orders;
#[cfg(test)]
mod tests;

use monitor::{Control, Coordinator, Held, Input, Leaving, Place, State};
use proto::id::{CoreId, Lease, Pid, VcoreId};
use proto::message::ToMonitor;

pub use orders::Orders;

/// Where a core can be held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// A vcore has asked to yield, and the coordinator does not know.
    Yield,
    /// The same, of a request to go on as another vcore.
    Change,
    /// The same, of the end of its process.
    Exit,
    /// The same, of a call, for which it does not stand still.
    Call,
    /// Orders have come, and none was taken.
    Orders,
    /// Orders were obeyed, and their sender does not know.
    Answers,
    /// The core is about to leave for user mode.
    User,
    /// The core is about to halt.
    Halt,
    /// On core 0, which goes on with all else: orders of the coordinator to core 0 itself are not taken.
    Own,
}

impl Point {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Yield,
        Self::Change,
        Self::Exit,
        Self::Call,
        Self::Orders,
        Self::Answers,
        Self::User,
        Self::Halt,
        Self::Own,
    ];

    /// As it is typed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yield => "yield",
            Self::Change => "change",
            Self::Exit => "exit",
            Self::Call => "call",
            Self::Orders => "orders",
            Self::Answers => "answers",
            Self::User => "user",
            Self::Halt => "halt",
            Self::Own => "own",
        }
    }

    /// Where a core is held up that is about to send this, if anywhere.
    #[must_use]
    pub const fn before(request: &ToMonitor) -> Option<Self> {
        Some(match request {
            ToMonitor::Yield { .. } => Self::Yield,
            ToMonitor::ChangeVcore { .. } => Self::Change,
            ToMonitor::Exit { .. } => Self::Exit,
            // The program does not ask: whether memory was used before hangs on what it has done so far.
            ToMonitor::Fault { .. } | ToMonitor::Reflect { .. } => return None,
            _ => Self::Call,
        })
    }
}

macro_rules! crossings {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What crossed what: first what the core does, then what was decided against it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Crossing { $($(#[$doc])* $name,)* }

        impl Crossing {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

crossings! {
    /// A vcore ran, and its core was taken.
    UserPreempt = "user-preempt",
    /// A vcore ran, and its process was destroyed.
    UserDeath = "user-death",
    /// A vcore ran, and was told of an event.
    UserNotify = "user-notify",
    /// A yield is heard of a core that was told to let go.
    YieldPreempt = "yield-preempt",
    /// A yield is heard of a process that is being destroyed.
    YieldDeath = "yield-death",
    /// A yield is heard of a vcore that does not know of the last event.
    YieldNotify = "yield-notify",
    /// An event comes for a process after the yield of its last vcore was accepted.
    YieldedNotify = "yielded-notify",
    /// A vcore that has no core is told of an event.
    OfflineNotify = "offline-notify",
    /// Another process wants a core while one is being given back.
    YieldedWanted = "yielded-wanted",
    /// A core that a vcore has given back is started for another process.
    YieldedStart = "yielded-start",
    /// A request to go on as another vcore is heard of a core that was told to let go.
    ChangePreempt = "change-preempt",
    /// The same, of a process that is being destroyed.
    ChangeDeath = "change-death",
    /// The same, of a vcore that does not know of the last event.
    ChangeNotify = "change-notify",
    /// A request to go on as a vcore that is not known to be saved.
    ChangeUnsaved = "change-unsaved",
    /// A vcore was put on its core by a change, and told of an event before it ran.
    ChangedNotify = "changed-notify",
    /// The same, and its core was taken.
    ChangedPreempt = "changed-preempt",
    /// The same, and its process was destroyed.
    ChangedDeath = "changed-death",
    /// A vcore was started, and its core was taken before it ran.
    StartPreempt = "start-preempt",
    /// The same, and its process was destroyed.
    StartDeath = "start-death",
    /// A process has a core idle for it while one of its vcores is not known to be saved.
    UnsavedStart = "unsaved-start",
    /// A process is destroyed that has calls which wait.
    WaitDeath = "wait-death",
    /// Any other call is heard of a core that was told to let go.
    CallPreempt = "call-preempt",
    /// The same, of a process that is being destroyed.
    CallDeath = "call-death",
    /// A single-core process is being destroyed when the time of its slice is looked at.
    TickDeath = "tick-death",
    /// A single-core process becomes a many-core one, and its slice is over.
    ManySlice = "many-slice",
    /// A process that is being destroyed ends itself, or is to be destroyed again.
    DeathDeath = "death-death",
    /// A process is destroyed that waits for a child which is being destroyed.
    ParentDeath = "parent-death",
}

/// Says what crosses when the coordinator is told this; it has not been told yet.
pub fn heard(it: &Coordinator, input: &Input<'_>, count: &mut impl FnMut(Crossing)) {
    match *input {
        Input::Message { core, ref message } => heard_of_core(it, core, message, count),
        Input::Control(Control::Kill { pid, .. }) => killed(it, pid, count),
        Input::Control(Control::Notify { pid, .. }) => {
            let yielded = |held: &Held| held.leaving == Some(Leaving::Yield);
            if it.cores_of(pid).filter_map(|core| held(it, core)).any(|it| yielded(&it)) {
                count(Crossing::YieldedNotify);
            }
        }
        Input::Tick => {
            let leaving = held(it, CoreId::MANAGEMENT).and_then(|held| held.leaving);
            let others_wait = it.processes().any(|it| it.state == State::RunnableS);
            if leaving == Some(Leaving::Killed) && others_wait {
                count(Crossing::TickDeath);
            }
        }
        _ => {}
    }
}

fn held(it: &Coordinator, core: CoreId) -> Option<Held> {
    it.core(core).and_then(|core| core.held)
}

fn heard_of_core(
    it: &Coordinator,
    core: CoreId,
    message: &ToMonitor,
    count: &mut impl FnMut(Crossing),
) {
    let mine = |lease: Lease| held(it, core).filter(|held| held.lease == lease);
    match *message {
        ToMonitor::Yield { lease, seen, .. } => {
            let Some(held) = mine(lease) else { return };
            against(&held, [Crossing::YieldPreempt, Crossing::YieldDeath], count);
            if held.told != seen {
                count(Crossing::YieldNotify);
            }
        }
        ToMonitor::ChangeVcore { lease, to, .. } => {
            let Some(held) = mine(lease) else { return };
            against(&held, [Crossing::ChangePreempt, Crossing::ChangeDeath], count);
            if held.notify.is_some() {
                count(Crossing::ChangeNotify);
            }
            if is_unsaved(it, lease.pid, to) {
                count(Crossing::ChangeUnsaved);
            }
        }
        ToMonitor::Exit { lease, .. }
            if mine(lease).is_some_and(|held| held.leaving == Some(Leaving::Killed)) =>
        {
            count(Crossing::DeathDeath);
        }
        ToMonitor::NotifyVcore { ref call, vcore, .. } => {
            let place = it.vcore(call.lease.pid, vcore).map(|vcore| vcore.place);
            if place == Some(Place::Inactive) {
                count(Crossing::OfflineNotify);
            }
        }
        ToMonitor::Started { lease } => {
            let mut others = (0..it.max_vcores()).map(VcoreId).filter(|id| *id != lease.vcore);
            if others.any(|other| is_unsaved(it, lease.pid, other)) {
                count(Crossing::UnsavedStart);
            }
        }
        ToMonitor::ChangeToM { lease } => {
            if mine(lease).is_some_and(|held| held.leaving == Some(Leaving::Slice)) {
                count(Crossing::ManySlice);
            }
            let yielded =
                |core| held(it, core).is_some_and(|it| it.leaving == Some(Leaving::Yield));
            if it.online().iter().any(yielded) {
                count(Crossing::YieldedWanted);
            }
        }
        _ => {}
    }
    // Calls are all alike: their outcome is written when they are over. These stand for them.
    if let ToMonitor::Poke { call, .. } | ToMonitor::Sleep { call, .. } = *message
        && let Some(held) = mine(call.lease)
    {
        against(&held, [Crossing::CallPreempt, Crossing::CallDeath], count);
    }
}

fn is_unsaved(it: &Coordinator, pid: Pid, vcore: VcoreId) -> bool {
    let place = it.vcore(pid, vcore).map(|vcore| vcore.place);
    matches!(place, Some(Place::Leaving | Place::Saving))
}

/// A core whose holder asks for something was told to let go: because it is taken, or because of death.
fn against(held: &Held, [preempt, death]: [Crossing; 2], count: &mut impl FnMut(Crossing)) {
    match held.leaving {
        Some(Leaving::Preempt) => count(preempt),
        Some(Leaving::Killed) => count(death),
        _ => {}
    }
}

fn killed(it: &Coordinator, pid: Pid, count: &mut impl FnMut(Crossing)) {
    let Some(process) = it.process(pid) else { return };
    if is_dying(process.state) {
        return count(Crossing::DeathDeath);
    }
    if process.waits > 0 {
        count(Crossing::WaitDeath);
    }
    if process.waits > 0 && it.children(pid).any(|child| is_dying(child.state)) {
        count(Crossing::ParentDeath);
    }
}

const fn is_dying(state: State) -> bool {
    matches!(state, State::Dying | State::DyingAbort)
}
