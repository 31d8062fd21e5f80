//! From a CPU driver to the coordinator: answers, and what vcores ask for.

use super::{Lane, PageRange};
#[cfg(doc)]
use super::{Peer, ToCore};
use crate::call::{Call, HandlePair};
use crate::core_set::CoreSet;
use crate::id::{ApicId, CoreId, Lease, Pid, VcoreId};
use crate::memory::Rights;
use postcard::experimental::max_size::MaxSize;
use serde::{Deserialize, Serialize};

/// From a CPU driver to the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, MaxSize)]
pub enum ToMonitor {
    /// The core is up and serves its rings.
    Join {
        /// What the hardware calls it.
        apic: ApicId,
    },
    /// Answers [`ToCore::Ping`].
    Pong {
        /// The ping's number.
        #[serde(with = "crate::fixed")]
        nonce: u32,
    },
    /// The core has panicked and is parked; its report buffer holds its last words.
    CoreFailed {
        /// Length of the report in bytes.
        #[serde(with = "crate::fixed")]
        report: u32,
    },
    /// Answers [`ToCore::Dump`].
    Dumped {
        /// Length of the report in bytes.
        #[serde(with = "crate::fixed")]
        report: u32,
    },
    /// Answers [`ToCore::Stop`]: the last message before the core parks.
    Stopped,
    /// The message named a lease that this core does not hold.
    Stale {
        /// Tag of the message that was stale (its variant's position in [`ToCore`]).
        kind: u8,
        /// The lease that the message named.
        lease: Lease,
    },
    /// Answers [`ToCore::TlbShootdown`], after the flush.
    ShootdownDone {
        /// The request's ticket.
        #[serde(with = "crate::fixed")]
        ticket: u32,
    },
    /// Answers [`ToCore::Link`].
    Linked {
        /// The core at the other end.
        peer: CoreId,
    },
    /// Answers [`ToCore::Unlink`]: the ends are in the handoff cell and the coordinator's again.
    Unlinked {
        /// The core at the other end.
        peer: CoreId,
    },
    /// Answers [`ToCore::Experiment`].
    ExperimentDone {
        /// Clock when measuring began on this core.
        #[serde(with = "crate::fixed")]
        begin: u64,
        /// Clock when it ended.
        #[serde(with = "crate::fixed")]
        end: u64,
        /// How many operations lay between.
        #[serde(with = "crate::fixed")]
        operations: u32,
    },
    /// The summary of a core's samples, sent before [`ToMonitor::ExperimentDone`] by a part that takes
    /// samples. In ticks of the clock.
    Samples {
        /// How many samples.
        #[serde(with = "crate::fixed")]
        n: u32,
        /// The least.
        #[serde(with = "crate::fixed")]
        min: u32,
        /// Half of the samples are at most this.
        #[serde(with = "crate::fixed")]
        p50: u32,
        /// Nine in ten are at most this.
        #[serde(with = "crate::fixed")]
        p90: u32,
        /// 99 in 100 are at most this.
        #[serde(with = "crate::fixed")]
        p99: u32,
        /// The greatest.
        #[serde(with = "crate::fixed")]
        max: u32,
        /// The mean in thousandths.
        #[serde(with = "crate::fixed")]
        mean_thousandths: u64,
    },
    /// Answers [`ToCore::Count`]: counts since the core started, wrapping.
    Counters {
        /// Doorbells that the core rang, to the coordinator and to peers.
        #[serde(with = "crate::fixed")]
        doorbells: u32,
        /// Times it halted.
        #[serde(with = "crate::fixed")]
        halts: u32,
        /// Doorbells that it heard.
        #[serde(with = "crate::fixed")]
        heard: u32,
        /// Timer interrupts that it took.
        #[serde(with = "crate::fixed")]
        timers: u32,
        /// Messages sent to peers.
        #[serde(with = "crate::fixed")]
        peer_sent: u64,
        /// Messages received from peers.
        #[serde(with = "crate::fixed")]
        peer_received: u64,
        /// Clock ticks spent halted.
        #[serde(with = "crate::fixed")]
        asleep: u64,
    },
    /// Answers [`ToCore::StartCore`] and [`ToCore::SetContext`].
    Started {
        /// The lease that is meant.
        lease: Lease,
    },
    /// Answers [`ToCore::Preempt`]: saved and free.
    Preempted {
        /// The lease that has ended.
        lease: Lease,
    },
    /// Answers [`ToCore::Death`]: free.
    Released {
        /// The lease that has ended.
        lease: Lease,
    },
    /// Answers [`ToCore::Notify`].
    Notified {
        /// The lease that is meant.
        lease: Lease,
        /// The notify's count.
        #[serde(with = "crate::fixed")]
        count: u32,
    },
    /// The vcore has nothing to do, or gives way. It stays stopped until answered.
    Yield {
        /// The lease that is meant.
        lease: Lease,
        /// The last count of notifies that the core has seen for it.
        #[serde(with = "crate::fixed")]
        seen: u32,
        /// How many cores the process wants from now on.
        #[serde(with = "crate::fixed")]
        wanted: u16,
        /// [`crate::call::NICE`] or 0.
        flags: u8,
    },
    /// Continue as another vcore of the process on this core. The vcore stays stopped until answered.
    ChangeVcore {
        /// The lease that is meant.
        lease: Lease,
        /// As which.
        to: VcoreId,
        /// [`crate::call::KEEP`] or 0.
        flags: u8,
    },
    /// The single-core process wants to be a many-core one. It stays stopped until answered.
    ChangeToM {
        /// The lease that is meant.
        lease: Lease,
    },
    /// The vcore cannot go on: an exception in user mode, or memory that is not there while copying a
    /// request in. It stays stopped until answered.
    Fault {
        /// The lease that is meant.
        lease: Lease,
        /// The address that faulted, 0 where there is none.
        #[serde(with = "crate::fixed")]
        address: u64,
        /// The exception's vector (Intel SDM vol. 3, 6.3.1).
        vector: u8,
        /// The exception's error code.
        #[serde(with = "crate::fixed")]
        code: u32,
        /// The address of the instruction that cannot go on.
        #[serde(with = "crate::fixed")]
        at: u64,
    },
    /// The process ends itself. The vcore stays stopped.
    Exit {
        /// The lease that is meant.
        lease: Lease,
        /// Its exit code.
        #[serde(with = "crate::fixed")]
        code: i32,
    },
    /// The process wants another number of cores.
    Poke {
        /// The request.
        call: Call,
        /// How many.
        #[serde(with = "crate::fixed")]
        wanted: u16,
    },
    /// Let a process that was created run.
    Run {
        /// The request.
        call: Call,
        /// Which.
        pid: Pid,
    },
    /// End a process.
    Destroy {
        /// The request.
        call: Call,
        /// Which.
        pid: Pid,
        /// Its exit code.
        #[serde(with = "crate::fixed")]
        code: i32,
    },
    /// Wait until a child has ended, and reap it.
    Wait {
        /// The request.
        call: Call,
        /// Which, or 0 for any.
        pid: Pid,
        /// [`crate::call::NO_HANG`] or 0.
        flags: u8,
    },
    /// Post an event to a process.
    NotifyProcess {
        /// The request.
        call: Call,
        /// To which.
        pid: Pid,
        /// The event's type.
        #[serde(with = "crate::fixed")]
        event: u16,
        /// What goes with it.
        #[serde(with = "crate::fixed")]
        value: u64,
    },
    /// Post an event to a vcore of the own process.
    NotifyVcore {
        /// The request.
        call: Call,
        /// To which.
        vcore: VcoreId,
        /// The event's type.
        #[serde(with = "crate::fixed")]
        event: u16,
        /// What goes with it.
        #[serde(with = "crate::fixed")]
        value: u64,
    },
    /// Give a process the right to a core.
    Provision {
        /// The request.
        call: Call,
        /// To which, or 0 to clear.
        pid: Pid,
        /// Which core.
        core: CoreId,
    },
    /// Take memory out of the own address space. The vcore may stand still meanwhile: see [`Call::stands`].
    Unmap {
        /// The request.
        call: Call,
        /// What.
        range: PageRange,
    },
    /// Ask for an event at a moment.
    SetAlarm {
        /// The request.
        call: Call,
        /// Which alarm of the process.
        #[serde(with = "crate::fixed")]
        alarm: u16,
        /// When, in ticks of the clock; 0 cancels it.
        #[serde(with = "crate::fixed")]
        deadline: u64,
        /// Again after so many ticks; 0 for once.
        #[serde(with = "crate::fixed")]
        period: u64,
    },
    /// Make a process of a program in the boot archive; it does not run yet.
    Create {
        /// The request.
        call: Call,
        /// Address of the program's name.
        #[serde(with = "crate::fixed")]
        path: u64,
        /// The name's length in bytes.
        #[serde(with = "crate::fixed")]
        path_length: u16,
        /// Address of arguments and environment as the program shall find them.
        #[serde(with = "crate::fixed")]
        arguments: u64,
        /// Their length in bytes.
        #[serde(with = "crate::fixed")]
        arguments_length: u32,
        /// [`crate::call::ALL_HANDLES`] or 0.
        flags: u8,
    },
    /// Make a pipe: the outcome is the handle to read from, the value the one to write to.
    OpenPipe {
        /// The request.
        call: Call,
        /// [`crate::call::CLOSE_ON_CREATE`] or 0, for both handles.
        flags: u8,
    },
    /// Read what there is, once there is something: the outcome is how many bytes, 0 at the end.
    Read {
        /// The request.
        call: Call,
        /// From where.
        handle: u8,
        /// [`crate::call::NO_HANG`] or 0.
        flags: u8,
        /// Address of the bytes to be overwritten.
        #[serde(with = "crate::fixed")]
        at: u64,
        /// How many at most.
        #[serde(with = "crate::fixed")]
        length: u32,
    },
    /// Write all of it: the outcome is how many bytes, fewer only if the wait for room was cut short.
    Write {
        /// The request.
        call: Call,
        /// Where to.
        handle: u8,
        /// [`crate::call::NO_HANG`] or 0.
        flags: u8,
        /// Address of the bytes.
        #[serde(with = "crate::fixed")]
        at: u64,
        /// How many.
        #[serde(with = "crate::fixed")]
        length: u32,
    },
    /// Close a handle; the calls that wait on it are interrupted.
    Close {
        /// The request.
        call: Call,
        /// Which.
        handle: u8,
    },
    /// Say whether children get a copy of a handle.
    SetHandle {
        /// The request.
        call: Call,
        /// Which.
        handle: u8,
        /// [`crate::call::CLOSE_ON_CREATE`] or 0.
        flags: u8,
    },
    /// Copy handles to a process that has not run yet, all or none: the outcome is how many.
    DupHandles {
        /// The request.
        call: Call,
        /// To which.
        pid: Pid,
        /// From and to; [`HandlePair::NONE`] at the end.
        #[serde(with = "crate::call::pairs")]
        pairs: [HandlePair; HandlePair::MOST],
    },
    /// Set the name of the user that a process belongs to.
    SetUser {
        /// The request.
        call: Call,
        /// Of which.
        pid: Pid,
        /// Address of the name.
        #[serde(with = "crate::fixed")]
        name: u64,
        /// Its length in bytes: 1 to 127.
        #[serde(with = "crate::fixed")]
        length: u16,
    },
    /// Be told when time has passed; when cut short, the value is what was left of it.
    Sleep {
        /// The request.
        call: Call,
        /// How many ticks of the clock.
        #[serde(with = "crate::fixed")]
        ticks: u64,
    },
    /// Wait until more events have been posted to the process than the caller knows of: the value is how
    /// many there have been, those that only say that a call is done not counted.
    AwaitEvent {
        /// The request.
        call: Call,
        /// The count that the caller knows of: the value of its last such call, 0 at first.
        #[serde(with = "crate::fixed")]
        seen: u32,
    },
    /// Cut a waiting call of the own process short: the outcome is 1, or 0 if no such call waits.
    AbortCall {
        /// The request.
        call: Call,
        /// Address of the structure of the call to be cut short.
        #[serde(with = "crate::fixed")]
        target: u64,
    },
    /// Cut all calls short that wait on a handle: the outcome is how many did.
    AbortHandle {
        /// The request.
        call: Call,
        /// Which.
        handle: u8,
    },
    /// Map memory into the own address space; returns its address.
    Map {
        /// The request.
        call: Call,
        /// The first page, where [`crate::memory::FIXED`] is set.
        #[serde(with = "crate::fixed")]
        first: u64,
        /// How many pages.
        #[serde(with = "crate::fixed")]
        pages: u32,
        /// What may be done with them.
        rights: Rights,
        /// See [`crate::memory`].
        flags: u8,
    },
    /// Change the rights to memory of the own address space. The vcore may stand still, as with `Unmap`.
    Protect {
        /// The request.
        call: Call,
        /// Which memory.
        range: PageRange,
        /// What may be done with it from now on.
        rights: Rights,
    },
    /// Give a child memory that was mapped to be shared, at the same address.
    Share {
        /// The request.
        call: Call,
        /// The child.
        pid: Pid,
        /// The first page of the memory.
        #[serde(with = "crate::fixed")]
        first: u64,
    },
    /// Answers [`ToCore::TlbMulticast`] and [`Peer::TlbShootdown`] before [`ToMonitor::ShootdownDone`]: the
    /// core could not hand it on to these.
    Unreached {
        /// The request's ticket.
        #[serde(with = "crate::fixed")]
        ticket: u32,
        /// Whom it did not reach.
        cores: CoreSet,
    },
    /// Tell which processes there are: the outcome is how many were written down.
    List {
        /// The request.
        call: Call,
        /// Address of the room for them.
        #[serde(with = "crate::fixed")]
        at: u64,
        /// Bytes of the room.
        #[serde(with = "crate::fixed")]
        length: u32,
        /// The pid from which on.
        first: Pid,
    },
    /// A part of what the core has seen of the calls of a program that is traced; what the words mean is the
    /// kernel's own business.
    Traced {
        /// A word.
        #[serde(with = "crate::fixed")]
        first: u64,
        /// A word.
        #[serde(with = "crate::fixed")]
        second: u64,
        /// A word.
        #[serde(with = "crate::fixed")]
        third: u64,
        /// A word.
        #[serde(with = "crate::fixed")]
        fourth: u64,
        /// A word.
        #[serde(with = "crate::fixed")]
        fifth: u64,
    },
    /// Send an event to a queue of the own process.
    SendEvent {
        /// The request.
        call: Call,
        /// Address of the queue.
        #[serde(with = "crate::fixed")]
        queue: u64,
        /// The event's type.
        #[serde(with = "crate::fixed")]
        event: u16,
        /// What goes with it.
        #[serde(with = "crate::fixed")]
        value: u64,
        /// The vcore that it is about.
        vcore: VcoreId,
    },
    /// Have events of a type that come to the process go to a queue.
    SetQueue {
        /// The request.
        call: Call,
        /// The events' type.
        #[serde(with = "crate::fixed")]
        event: u16,
        /// Address of the queue, or 0.
        #[serde(with = "crate::fixed")]
        queue: u64,
    },
    /// As [`ToMonitor::Fault`], of a vcore whose program wants to hear of its faults: what can't be mended is answered by
    /// [`ToCore::Done`] with [`Outcome::FAULT`](crate::call::Outcome::FAULT) and given to it.
    Reflect {
        /// The lease that is meant.
        lease: Lease,
        /// The address that faulted, 0 where there is none.
        #[serde(with = "crate::fixed")]
        address: u64,
        /// The exception's vector (Intel SDM vol. 3, 6.3.1).
        vector: u8,
        /// The exception's error code.
        #[serde(with = "crate::fixed")]
        code: u32,
        /// The address of the instruction that cannot go on.
        #[serde(with = "crate::fixed")]
        at: u64,
    },
}

impl ToMonitor {
    /// The lane that this message travels in.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Dumped { .. } | Self::ShootdownDone { .. } | Self::Unreached { .. } => {
                Lane::Immediate
            }
            // `CoreFailed` among them: a core's last words come after all that it said before.
            _ => Lane::Routine,
        }
    }
}
