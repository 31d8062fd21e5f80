//! The messages between cores.
//!
//! [`ToCore`] goes from the coordinator to a CPU driver, [`ToMonitor`] back, [`Peer`] between two CPU
//! drivers. Variants are only ever added at the end: the position of a variant is its tag in the
//! slot, and a golden-bytes test holds each to it.
//!
//! Integers are fixed-width little-endian; pointers travel as `u64` and are allegations until the
//! receiver has checked whose they are.

mod peer;
mod to_core;
mod to_monitor;

pub use peer::Peer;
pub use to_core::ToCore;
pub use to_monitor::ToMonitor;

use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// Which ring of a pair a message travels in.
///
/// The immediate lane is drained first, also between two steps, and always rings the doorbell; the
/// routine lane is handled where the core has nothing to lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Shootdowns and dumps.
    Immediate,
    /// All else.
    Routine,
}

/// A range of virtual memory, in pages of 4 KiB. `pages == 0` means the whole address space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub struct PageRange {
    /// The first page's number (its address divided by 4,096).
    #[serde(with = "crate::fixed")]
    pub first: u64,
    /// How many pages; 0 for all of the address space.
    #[serde(with = "crate::fixed")]
    pub pages: u32,
}

impl PageRange {
    /// The whole address space.
    pub const ALL: Self = Self { first: 0, pages: 0 };
}

/// Tags of the messages that name a lease, the `kind` of [`ToMonitor::Stale`], and of those that have code of their own.
pub mod tag {
    /// [`super::ToCore::TlbShootdown`]
    pub const TLB_SHOOTDOWN: u8 = 3;
    /// [`super::ToCore::StartCore`]
    pub const START_CORE: u8 = 8;
    /// [`super::ToCore::Preempt`]
    pub const PREEMPT: u8 = 9;
    /// [`super::ToCore::Death`]
    pub const DEATH: u8 = 10;
    /// [`super::ToCore::Notify`]
    pub const NOTIFY: u8 = 11;
    /// [`super::ToCore::SetContext`]
    pub const SET_CONTEXT: u8 = 12;
    /// [`super::ToCore::Done`]
    pub const DONE: u8 = 13;
    /// [`super::ToCore::TlbMulticast`]
    pub const TLB_MULTICAST: u8 = 16;
    /// [`super::ToCore::Switch`]
    pub const SWITCH: u8 = 17;
    /// [`super::ToCore::Regrant`]
    pub const REGRANT: u8 = 18;
    /// [`super::ToCore::Changed`]
    pub const CHANGED: u8 = 19;
}

/// Tags of the messages to the coordinator that have code of their own on its core.
pub mod said {
    /// [`super::ToMonitor::ShootdownDone`]
    pub const SHOOTDOWN_DONE: u8 = 6;
    /// [`super::ToMonitor::Released`]
    pub const RELEASED: u8 = 14;
    /// [`super::ToMonitor::Fault`]
    pub const FAULT: u8 = 19;
    /// [`super::ToMonitor::NotifyVcore`]
    pub const NOTIFY_VCORE: u8 = 26;
    /// [`super::ToMonitor::Unmap`]
    pub const UNMAP: u8 = 28;
    /// [`super::ToMonitor::Protect`]
    pub const PROTECT: u8 = 43;
}
