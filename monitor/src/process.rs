//! One process, as the coordinator knows it.

use crate::ancestry::Ancestry;
use crate::core_set::CoreSet;
use crate::gang::{Gang, Place};
use crate::io::Io;
use crate::lifecycle::{Lifecycle, State};
use crate::space::Space;
use crate::table::{Link, List};
use crate::vcores::Vcores;
use crate::waits::Waits;
use proto::call::Outcome;
use proto::id::{Generation, Pid, VcoreId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names one process for ever: pids are used again, generations are not.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ProcessId {
    /// Its number.
    pub pid: Pid,
    /// Which process of that number.
    pub generation: Generation,
}

/// A program's name: at most 19 bytes, the rest is cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Name {
    bytes: [u8; Self::LEN],
    len: u8,
}

impl Name {
    /// The longest name in bytes.
    pub const LEN: usize = 19;

    /// Makes a name of the beginning of a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let len = text.floor_char_boundary(Self::LEN);
        let mut bytes = [0; Self::LEN];
        bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
        Self { bytes, len: u8::try_from(len).expect("at most LEN") }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or("")
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_str().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&str>::deserialize(deserializer).map(Self::new)
    }
}

/// How far destroying a process has come. Each step is repeated until it has nothing left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Demise {
    /// It lives.
    None,
    /// Tell its cores to let go.
    Revoke,
    /// Set its children free.
    Disown,
    /// Close its handles.
    Close,
    /// Abort its waits and give back what it holds.
    Abort,
    /// Wait until no core runs it.
    Cores,
    /// The parent knows, or there is none.
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) id: ProcessId,
    pub(crate) life: Lifecycle,
    pub(crate) name: Name,
    /// Physical address of the address space's top page table.
    pub(crate) root: u64,
    /// How often something was taken from the address space, pages or rights to them: once for each round of shootdowns, also
    /// where no core had to be told. A core that has kept translations from a time with another number flushes them. With
    /// 64 bits it never comes back to a number that it had.
    pub(crate) removals: u64,
    pub(crate) parent: Option<ProcessId>,
    pub(crate) ancestry: Ancestry,
    /// Children that live, and those that have ended and wait to be reaped.
    pub(crate) children: List,
    pub(crate) ended_children: List,
    pub(crate) child_count: u16,
    pub(crate) exit: Option<Outcome>,
    pub(crate) demise: Demise,
    /// Nobody will ask for its exit code any more.
    pub(crate) reaped: bool,
    /// Notifies routed to it while single-core, ever.
    pub(crate) notified: u32,
    /// There is something to look for that its core was not told of: it does not wait before it has looked.
    pub(crate) quiet: bool,
    /// An event came while it was already letting go of its last core to wait.
    pub(crate) woken: bool,
    pub(crate) gang: Option<Gang>,
    /// Its vcores, while it is becoming a many-core process.
    pub(crate) vcores_to_be: Option<Vcores>,
    /// Clock ticks on the management core.
    pub(crate) ticks: u64,
    /// Cores that may have its address space loaded.
    pub(crate) pinned: CoreSet,
    /// Those of them that have fallen silent: they pin the memory, but nobody waits for them.
    pub(crate) lost: CoreSet,
    /// Those of them that were told to go on with another process, and have not said that they do.
    pub(crate) parting: CoreSet,
    /// Cores that it has a right to.
    pub(crate) provisioned: CoreSet,
    pub(crate) waits: Waits,
    pub(crate) io: Io,
    /// Its memory.
    pub(crate) space: Space,
    pub(crate) siblings: Link,
}

impl Process {
    /// One that has just been made.
    #[inline(always)]
    pub(crate) fn new(id: ProcessId, name: Name, root: u64, space: Space) -> Self {
        Self {
            id,
            life: Lifecycle::new(),
            name,
            root,
            removals: 0,
            parent: None,
            ancestry: Ancestry::NONE,
            children: List::default(),
            ended_children: List::default(),
            child_count: 0,
            exit: None,
            demise: Demise::None,
            reaped: false,
            notified: 0,
            quiet: false,
            woken: false,
            gang: None,
            vcores_to_be: None,
            ticks: 0,
            pinned: CoreSet::EMPTY,
            lost: CoreSet::EMPTY,
            parting: CoreSet::EMPTY,
            provisioned: CoreSet::EMPTY,
            waits: Waits::NONE,
            io: Io::NONE,
            space,
            siblings: Link::default(),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.life.state()
    }

    pub(crate) fn is_dying(&self) -> bool {
        self.state().is_dying()
    }

    /// How many notifies have been routed to a vcore (of a single-core process: 0).
    pub(crate) fn notified(&self, vcore: VcoreId) -> u32 {
        match &self.gang {
            Some(gang) => gang.get(vcore).map_or(0, |it| it.notified),
            None => self.notified,
        }
    }

    /// Does a vcore know all that it was to be told? What its core was not told of it finds when it looks.
    pub(crate) fn knows_all(&mut self, vcore: VcoreId, seen: u32) -> bool {
        let quiet = match self.gang.as_mut().map(|gang| gang.get_mut(vcore)) {
            Some(it) => it.is_some_and(|it| core::mem::take(&mut it.quiet)),
            None => core::mem::take(&mut self.quiet),
        };
        !quiet && self.notified(vcore) == seen
    }

    /// How many cores it is short of.
    pub(crate) fn shortage(&self) -> u16 {
        let Some(gang) = &self.gang else { return 0 };
        let least = match self.state() {
            State::RunnableM => 1,
            State::RunningM => 0,
            _ => return 0,
        };
        gang.wanted.max(least).saturating_sub(gang.count(Place::Online))
    }

    /// Is it short of a core, and has it a vcore to run on one?
    #[inline]
    pub(crate) fn could_use_core(&self) -> bool {
        self.shortage() > 0 && self.gang.as_ref().is_some_and(|gang| gang.next_to_start().is_some())
    }

    /// Is it to be told of a vcore that was preempted and got no core?
    #[inline(always)]
    pub(crate) fn is_to_report(&self) -> bool {
        self.gang.as_ref().is_some_and(|gang| gang.to_report().is_some())
    }

    /// Has it a right to cores that it does not have?
    #[inline(always)]
    pub(crate) fn has_lent(&self) -> bool {
        !self.provisioned.is_within(&self.pinned)
    }

    /// Has no core that could still answer.
    pub(crate) fn is_off_all_cores(&self) -> bool {
        self.pinned.is_within(&self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn a_name_is_cut_at_a_character() {
        assert_eq!(Name::new("short").as_str(), "short");
        assert_eq!(Name::new("nineteen bytes and ä").as_str(), "nineteen bytes and ");
        assert_eq!(Name::new("just nineteen bytes").as_str(), "just nineteen bytes");
        assert_eq!(Name::new("exactly twenty bytes").as_str(), "exactly twenty byte");
    }
}
