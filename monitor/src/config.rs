//! What the coordinator is told about the machine and about time when it is made.

use crate::space::Clusters;
use serde::{Deserialize, Serialize};

/// Pages up to which a core flushes their translations one by one, unless told otherwise; of more, all together.
///
/// One by one each page costs an instruction (5 with its loop, of which `bench shootdown`, operation `flush`, has the
/// count); all together, another look at the page tables for each page that is used afterwards, which no count shows. In
/// the emulator's time that is as much as 1.4 pages one by one, so with 64 pages in use 90 or so come to the same.
/// Processors look pages up faster than they execute INVLPG, so this is less; a machine's own is set by `shootdown flush`.
pub const FLUSH_PAGES: u32 = 32;

/// Deadlines and rates, all in ticks of the clock that `now` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Config {
    /// How long a core may take from its start-up (INIT) to `Join`.
    pub start_timeout: u64,
    /// How long a core may take to answer a message.
    pub answer_timeout: u64,
    /// Time between two heartbeat pings; each goes to the next core in turn.
    pub heartbeat_interval: u64,
    /// How long a single-core process runs before others that are runnable.
    pub slice: u64,
    /// How often a core changes hands while a many-core process waits for one.
    pub share: u64,
    /// How many processes there may be at once; at most 32,767, the number of pids.
    pub max_processes: u16,
    /// How many children a process may have that it has not reaped.
    pub max_children: u16,
    /// How many pipes there may be at once.
    pub max_pipes: u16,
    /// How many bytes a pipe holds.
    pub pipe_bytes: u16,
    /// How often a periodic alarm may ring at most: the least time between two times.
    pub shortest_period: u64,
    /// Who may control whom.
    pub policy: Policy,
    /// Frames of 4 KiB that there are for processes. All that a process may ever come to use is reserved
    /// when it asks, so there are always enough for what it was promised.
    pub frames: u32,
    /// How many of them one process may reserve by mapping memory.
    pub max_frames: u32,
    /// How many regions of memory a process may have, at most [`crate::MAX_REGIONS`].
    pub max_regions: u8,
    /// A core flushes translations of so many pages one by one, and of more all together.
    pub flush_pages: u32,
    /// How cores are told to flush.
    pub strategy: Strategy,
    /// To how many others a core of a tree hands a shootdown on at most; at least 1.
    pub fan_out: u8,
}

/// How the cores that have an address space are told to flush translations. But for [`Strategy::Eager`] nobody is
/// interrupted because rights were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Strategy {
    /// Each one by the coordinator.
    Unicast,
    /// By packages: the coordinator tells one core of each, which tells some others and so on, and answers for all.
    Tree {
        /// How many cores a package has: the first has those from 0. 0 for all that there are.
        package: u16,
    },
    /// By groups of cores that were measured to be equally far: in each as in a package.
    Clusters(Clusters),
    /// Each one by the coordinator, also when rights are added: to compare with.
    Eager,
    /// Nobody is told when rights are taken away, so cores go on with what they had: to show that it matters.
    Untold,
}

/// Who may control whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Policy {
    /// A process controls itself and its descendants, whether or not those in between live.
    Descendants,
    /// No process controls any, itself included: for tests.
    DenyAll,
}

/// To how many others a core of a tree hands a shootdown on, unless told otherwise.
pub const FAN_OUT: u8 = 8;

impl Config {
    /// The same with no more regions than there can be.
    pub(crate) fn within_limits(self) -> Self {
        Self { max_regions: self.max_regions.min(crate::MAX_REGIONS as u8), ..self }
    }

    /// The defaults for a clock of so many ticks a second: 2 s to start, 1 s to answer, ten pings a
    /// second, slices of 10 ms, a core shared every 100 ms; 1,024 processes with 256 children each; 256
    /// pipes of 1 KiB; at most 1,000 rings of an alarm a second; 64 MiB of memory, half of which one process
    /// may have in at most 64 regions; up to 32 pages flushed one by one, each core told by the coordinator.
    #[must_use]
    pub const fn with_ticks_per_second(ticks: u64) -> Self {
        Self {
            start_timeout: 2 * ticks,
            answer_timeout: ticks,
            heartbeat_interval: ticks / 10,
            slice: ticks / 100,
            share: ticks / 10,
            max_processes: 1_024,
            max_children: 256,
            max_pipes: 256,
            pipe_bytes: 1_024,
            shortest_period: ticks / 1_000,
            policy: Policy::Descendants,
            frames: 16_384,
            max_frames: 8_192,
            max_regions: crate::MAX_REGIONS as u8,
            flush_pages: FLUSH_PAGES,
            strategy: Strategy::Unicast,
            fan_out: FAN_OUT,
        }
    }
}
