//! One message of each kind, with every field set to something that shows.
//!
//! For golden bytes, property tests and the experiment that measures what a message of each kind
//! costs. In each list the position of a sample is its variant's tag; a test fails when a variant has
//! no sample or the wrong name.

use crate::call::{Call, HandlePair, Outcome};
use crate::core_set::CoreSet;
use crate::id::{ApicId, CoreId, Epoch, Generation, Lease, Pid, VcoreId};
use crate::memory::Rights;
use crate::message::{PageRange, Peer, ToCore, ToMonitor};

/// A message and what reports call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample<M> {
    /// `Enum::Variant`.
    pub name: &'static str,
    /// The message.
    pub message: M,
}

const fn sample<M>(name: &'static str, message: M) -> Sample<M> {
    Sample { name, message }
}

/// A lease with four different numbers.
pub const LEASE: Lease = Lease {
    generation: Generation(0x0403_0201),
    epoch: Epoch(0x0807_0605),
    pid: Pid(0x0a09),
    vcore: VcoreId(0x0c0b),
};

/// A request made on that lease.
pub const CALL: Call = Call { lease: LEASE, at: 0x1413_1211_100f_0e0d };

/// A set with 32 different bytes from 0x17 on.
pub const CORES: CoreSet = CoreSet::from_words([
    0x1e1d_1c1b_1a19_1817,
    0x2625_2423_2221_201f,
    0x2e2d_2c2b_2a29_2827,
    0x3635_3433_3231_302f,
]);

/// All kinds from the coordinator to a CPU driver, by tag.
pub const TO_CORE: &[Sample<ToCore>] = &[
    sample("ToCore::Ping", ToCore::Ping { nonce: 0x0403_0201 }),
    sample("ToCore::Dump", ToCore::Dump),
    sample("ToCore::Stop", ToCore::Stop),
    sample(
        "ToCore::TlbShootdown",
        ToCore::TlbShootdown {
            pid: Pid(0x0201),
            generation: Generation(0x0605_0403),
            range: PageRange { first: 0x0e0d_0c0b_0a09_0807, pages: 0x1211_100f },
            ticket: 0x1615_1413,
        },
    ),
    sample("ToCore::Link", ToCore::Link { peer: CoreId(0x0201) }),
    sample("ToCore::Unlink", ToCore::Unlink { peer: CoreId(0x0201) }),
    sample(
        "ToCore::Experiment",
        ToCore::Experiment {
            role: 0x01,
            peer: CoreId(0x0302),
            rounds: 0x0706_0504,
            warmup: 0x0b0a_0908,
            batch: 0x0d0c,
        },
    ),
    sample("ToCore::Count", ToCore::Count),
    sample(
        "ToCore::StartCore",
        ToCore::StartCore {
            lease: LEASE,
            root: 0x1413_1211_100f_0e0d,
            notified: 0x1817_1615,
            removals: 0x201f_1e1d_1c1b_1a19,
        },
    ),
    sample("ToCore::Preempt", ToCore::Preempt { lease: LEASE, outcome: Outcome(0x100f_0e0d) }),
    sample("ToCore::Death", ToCore::Death { lease: LEASE }),
    sample("ToCore::Notify", ToCore::Notify { lease: LEASE, count: 0x100f_0e0d }),
    sample("ToCore::SetContext", ToCore::SetContext { lease: LEASE, notified: 0x100f_0e0d }),
    sample("ToCore::Done", ToCore::Done { lease: LEASE, outcome: Outcome(0x100f_0e0d) }),
    sample("ToCore::Panic", ToCore::Panic),
    sample("ToCore::Hang", ToCore::Hang),
    sample(
        "ToCore::TlbMulticast",
        ToCore::TlbMulticast {
            pid: Pid(0x0201),
            fan_out: 0x17,
            generation: Generation(0x0605_0403),
            range: PageRange { first: 0x0e0d_0c0b_0a09_0807, pages: 0x1211_100f },
            ticket: 0x1615_1413,
            below: CORES,
        },
    ),
    sample(
        "ToCore::Switch",
        ToCore::Switch {
            from: LEASE,
            outcome: Outcome(0x100f_0e0d),
            to: LEASE,
            root: 0x1413_1211_100f_0e0d,
            notified: 0x1817_1615,
            removals: 0x201f_1e1d_1c1b_1a19,
        },
    ),
    sample(
        "ToCore::Regrant",
        ToCore::Regrant {
            from: LEASE,
            to: LEASE,
            root: 0x1413_1211_100f_0e0d,
            notified: 0x1817_1615,
            removals: 0x201f_1e1d_1c1b_1a19,
        },
    ),
    sample(
        "ToCore::Changed",
        ToCore::Changed {
            lease: LEASE,
            range: PageRange { first: 0x1413_1211_100f_0e0d, pages: 0x1817_1615 },
        },
    ),
];

/// All kinds from a CPU driver to the coordinator, by tag.
pub const TO_MONITOR: &[Sample<ToMonitor>] = &[
    sample("ToMonitor::Join", ToMonitor::Join { apic: ApicId(0x0403_0201) }),
    sample("ToMonitor::Pong", ToMonitor::Pong { nonce: 0x0403_0201 }),
    sample("ToMonitor::CoreFailed", ToMonitor::CoreFailed { report: 0x0403_0201 }),
    sample("ToMonitor::Dumped", ToMonitor::Dumped { report: 0x0403_0201 }),
    sample("ToMonitor::Stopped", ToMonitor::Stopped),
    sample("ToMonitor::Stale", ToMonitor::Stale { kind: 0x7f, lease: LEASE }),
    sample("ToMonitor::ShootdownDone", ToMonitor::ShootdownDone { ticket: 0x0403_0201 }),
    sample("ToMonitor::Linked", ToMonitor::Linked { peer: CoreId(0x0201) }),
    sample("ToMonitor::Unlinked", ToMonitor::Unlinked { peer: CoreId(0x0201) }),
    sample(
        "ToMonitor::ExperimentDone",
        ToMonitor::ExperimentDone {
            begin: 0x0807_0605_0403_0201,
            end: 0x100f_0e0d_0c0b_0a09,
            operations: 0x1413_1211,
        },
    ),
    sample(
        "ToMonitor::Samples",
        ToMonitor::Samples {
            n: 0x0403_0201,
            min: 0x0807_0605,
            p50: 0x0c0b_0a09,
            p90: 0x100f_0e0d,
            p99: 0x1413_1211,
            max: 0x1817_1615,
            mean_thousandths: 0x201f_1e1d_1c1b_1a19,
        },
    ),
    sample(
        "ToMonitor::Counters",
        ToMonitor::Counters {
            doorbells: 0x0403_0201,
            halts: 0x0807_0605,
            heard: 0x0c0b_0a09,
            timers: 0x100f_0e0d,
            peer_sent: 0x1817_1615_1413_1211,
            peer_received: 0x201f_1e1d_1c1b_1a19,
            asleep: 0x2827_2625_2423_2221,
        },
    ),
    sample("ToMonitor::Started", ToMonitor::Started { lease: LEASE }),
    sample("ToMonitor::Preempted", ToMonitor::Preempted { lease: LEASE }),
    sample("ToMonitor::Released", ToMonitor::Released { lease: LEASE }),
    sample("ToMonitor::Notified", ToMonitor::Notified { lease: LEASE, count: 0x100f_0e0d }),
    sample(
        "ToMonitor::Yield",
        ToMonitor::Yield { lease: LEASE, seen: 0x100f_0e0d, wanted: 0x1211, flags: 0x13 },
    ),
    sample(
        "ToMonitor::ChangeVcore",
        ToMonitor::ChangeVcore { lease: LEASE, to: VcoreId(0x0e0d), flags: 0x0f },
    ),
    sample("ToMonitor::ChangeToM", ToMonitor::ChangeToM { lease: LEASE }),
    sample(
        "ToMonitor::Fault",
        ToMonitor::Fault {
            lease: LEASE,
            address: 0x1413_1211_100f_0e0d,
            vector: 0x15,
            code: 0x1918_1716,
            at: 0x2120_1f1e_1d1c_1b1a,
        },
    ),
    sample("ToMonitor::Exit", ToMonitor::Exit { lease: LEASE, code: 0x100f_0e0d }),
    sample("ToMonitor::Poke", ToMonitor::Poke { call: CALL, wanted: 0x1615 }),
    sample("ToMonitor::Run", ToMonitor::Run { call: CALL, pid: Pid(0x1615) }),
    sample(
        "ToMonitor::Destroy",
        ToMonitor::Destroy { call: CALL, pid: Pid(0x1615), code: 0x1a19_1817 },
    ),
    sample("ToMonitor::Wait", ToMonitor::Wait { call: CALL, pid: Pid(0x1615), flags: 0x17 }),
    sample(
        "ToMonitor::NotifyProcess",
        ToMonitor::NotifyProcess {
            call: CALL,
            pid: Pid(0x1615),
            event: 0x1817,
            value: 0x201f_1e1d_1c1b_1a19,
        },
    ),
    sample(
        "ToMonitor::NotifyVcore",
        ToMonitor::NotifyVcore {
            call: CALL,
            vcore: VcoreId(0x1615),
            event: 0x1817,
            value: 0x201f_1e1d_1c1b_1a19,
        },
    ),
    sample(
        "ToMonitor::Provision",
        ToMonitor::Provision { call: CALL, pid: Pid(0x1615), core: CoreId(0x1817) },
    ),
    sample(
        "ToMonitor::Unmap",
        ToMonitor::Unmap {
            call: CALL,
            range: PageRange { first: 0x1c1b_1a19_1817_1615, pages: 0x201f_1e1d },
        },
    ),
    sample(
        "ToMonitor::SetAlarm",
        ToMonitor::SetAlarm {
            call: CALL,
            alarm: 0x1615,
            deadline: 0x1e1d_1c1b_1a19_1817,
            period: 0x2625_2423_2221_201f,
        },
    ),
    sample(
        "ToMonitor::Create",
        ToMonitor::Create {
            call: CALL,
            path: 0x1c1b_1a19_1817_1615,
            path_length: 0x1e1d,
            arguments: 0x2625_2423_2221_201f,
            arguments_length: 0x2a29_2827,
            flags: 0x2b,
        },
    ),
    sample("ToMonitor::OpenPipe", ToMonitor::OpenPipe { call: CALL, flags: 0x15 }),
    sample(
        "ToMonitor::Read",
        ToMonitor::Read {
            call: CALL,
            handle: 0x15,
            flags: 0x16,
            at: 0x1e1d_1c1b_1a19_1817,
            length: 0x2221_201f,
        },
    ),
    sample(
        "ToMonitor::Write",
        ToMonitor::Write {
            call: CALL,
            handle: 0x15,
            flags: 0x16,
            at: 0x1e1d_1c1b_1a19_1817,
            length: 0x2221_201f,
        },
    ),
    sample("ToMonitor::Close", ToMonitor::Close { call: CALL, handle: 0x15 }),
    sample("ToMonitor::SetHandle", ToMonitor::SetHandle { call: CALL, handle: 0x15, flags: 0x16 }),
    sample(
        "ToMonitor::DupHandles",
        ToMonitor::DupHandles {
            call: CALL,
            pid: Pid(0x1615),
            pairs: [
                HandlePair { mine: 0x17, theirs: 0x18 },
                HandlePair { mine: 0x19, theirs: 0x1a },
                HandlePair { mine: 0x1b, theirs: 0x1c },
                HandlePair { mine: 0x1d, theirs: 0x1e },
                HandlePair { mine: 0x1f, theirs: 0x20 },
                HandlePair { mine: 0x21, theirs: 0x22 },
                HandlePair { mine: 0x23, theirs: 0x24 },
                HandlePair { mine: 0x25, theirs: 0x26 },
            ],
        },
    ),
    sample(
        "ToMonitor::SetUser",
        ToMonitor::SetUser {
            call: CALL,
            pid: Pid(0x1615),
            name: 0x1e1d_1c1b_1a19_1817,
            length: 0x201f,
        },
    ),
    sample("ToMonitor::Sleep", ToMonitor::Sleep { call: CALL, ticks: 0x1c1b_1a19_1817_1615 }),
    sample("ToMonitor::AwaitEvent", ToMonitor::AwaitEvent { call: CALL, seen: 0x1817_1615 }),
    sample(
        "ToMonitor::AbortCall",
        ToMonitor::AbortCall { call: CALL, target: 0x1c1b_1a19_1817_1615 },
    ),
    sample("ToMonitor::AbortHandle", ToMonitor::AbortHandle { call: CALL, handle: 0x15 }),
    sample(
        "ToMonitor::Map",
        ToMonitor::Map {
            call: CALL,
            first: 0x1c1b_1a19_1817_1615,
            pages: 0x201f_1e1d,
            rights: Rights(0x21),
            flags: 0x22,
        },
    ),
    sample(
        "ToMonitor::Protect",
        ToMonitor::Protect {
            call: CALL,
            range: PageRange { first: 0x1c1b_1a19_1817_1615, pages: 0x201f_1e1d },
            rights: Rights(0x21),
        },
    ),
    sample(
        "ToMonitor::Share",
        ToMonitor::Share { call: CALL, pid: Pid(0x1615), first: 0x1e1d_1c1b_1a19_1817 },
    ),
    sample("ToMonitor::Unreached", ToMonitor::Unreached { ticket: 0x1615_1413, cores: CORES }),
    sample(
        "ToMonitor::List",
        ToMonitor::List {
            call: CALL,
            at: 0x1c1b_1a19_1817_1615,
            length: 0x201f_1e1d,
            first: Pid(0x2221),
        },
    ),
    sample(
        "ToMonitor::Traced",
        ToMonitor::Traced {
            first: 0x0807_0605_0403_0201,
            second: 0x100f_0e0d_0c0b_0a09,
            third: 0x1817_1615_1413_1211,
            fourth: 0x201f_1e1d_1c1b_1a19,
            fifth: 0x2827_2625_2423_2221,
        },
    ),
    sample(
        "ToMonitor::SendEvent",
        ToMonitor::SendEvent {
            call: CALL,
            queue: 0x1c1b_1a19_1817_1615,
            event: 0x1e1d,
            value: 0x2625_2423_2221_201f,
            vcore: VcoreId(0x2827),
        },
    ),
    sample(
        "ToMonitor::SetQueue",
        ToMonitor::SetQueue { call: CALL, event: 0x1615, queue: 0x1e1d_1c1b_1a19_1817 },
    ),
    sample(
        "ToMonitor::Reflect",
        ToMonitor::Reflect {
            lease: LEASE,
            address: 0x1413_1211_100f_0e0d,
            vector: 0x15,
            code: 0x1918_1716,
            at: 0x2120_1f1e_1d1c_1b1a,
        },
    ),
];

/// All kinds between two CPU drivers, by tag.
pub const PEER: &[Sample<Peer>] = &[
    sample("Peer::Ping", Peer::Ping { nonce: 0x0403_0201, value: 0x0c0b_0a09_0807_0605 }),
    sample("Peer::Pong", Peer::Pong { nonce: 0x0403_0201, value: 0x0c0b_0a09_0807_0605 }),
    sample("Peer::Data", Peer::Data { value: 0x0807_0605_0403_0201 }),
    sample("Peer::End", Peer::End),
    sample("Peer::Sum", Peer::Sum { value: 0x0807_0605_0403_0201 }),
    sample(
        "Peer::TlbShootdown",
        Peer::TlbShootdown {
            pid: Pid(0x0201),
            fan_out: 0x17,
            generation: Generation(0x0605_0403),
            range: PageRange { first: 0x0e0d_0c0b_0a09_0807, pages: 0x1211_100f },
            ticket: 0x1615_1413,
            below: CORES,
        },
    ),
    sample("Peer::ShootdownDone", Peer::ShootdownDone { ticket: 0x0403_0201 }),
];
